package httpx

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestAVendorIsReadByItsSettingsElseByItsDefaults(t *testing.T) {
	t.Parallel()
	var asked *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r }))
	defer s.Close()
	for _, r := range []Reading{
		{DefaultBaseURL: s.URL + "/vendor", DefaultPerSecond: 100, PerSecond: -1},
		{DefaultBaseURL: "http://127.0.0.1:1", BaseURL: s.URL + "/vendor", DefaultPerSecond: 1, PerSecond: 100},
	} {
		r.Header = http.Header{"Authorization": {"Bearer t"}}
		c, err := r.Client()
		if err != nil {
			t.Fatal(err)
		}
		asked = nil
		if _, err := c.Do(t.Context(), Request{Method: http.MethodGet, Path: "/calls"}); err != nil {
			t.Fatal(err)
		}
		if asked.URL.Path != "/vendor/calls" || asked.Header.Get("Authorization") != "Bearer t" || asked.Header.Get("User-Agent") != "crmsyncd" {
			t.Errorf("asked %s with %v", asked.URL, asked.Header)
		}
	}
}
