package oauth

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

type says struct {
	status int
	body   []byte
}

// RoundTrip implements http.RoundTripper.
func (s says) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: s.status, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: -1, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(s.body))}, nil
}

// FuzzAnswer has a token address answer anything: a token whose own address is
// the vendor's and whose end is not before its beginning, or an error that
// quotes nothing.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"", "null", "{}", `{"access_token":"x","expires_in":3600,"api_domain":"https://a.pipedrive.com"}`, `{"access_token":"x","expires_in":1e300,"api_domain":"https://evil.example/.pipedrive.com"}`, `{"access_token":"x","expires_in":-1}`, `{"error":"invalid_grant"}`, `{"error":{"a":1}}`, `{"access_token":{"a":1}}`} {
		f.Add(200, []byte(s))
		f.Add(400, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 200 || status > 499 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout {
			return // those are tried again, and wait
		}
		s, err := New(Provider{Connector: "x", Vendor: "X", AuthorizeURL: "https://x.example/a", TokenURL: "https://x.example/t", ClientID: "id", Sites: ".pipedrive.com", Transport: says{status, body}})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		got, fault := s.trade(t.Context(), token{Refresh: "zz-refresh", Site: "https://a.pipedrive.com"}, "zz-refresh")
		switch {
		case fault != nil:
			if strings.Contains(fault.Error(), "zz-refresh") {
				t.Error("the error holds the token")
			}
		case got.Access == "" || got.Refresh == "":
			t.Errorf("no token: %+v", got.Site)
		case !got.Until.IsZero() && got.Until.Before(began.Add(-time.Minute)):
			t.Errorf("it is over before it begins: %v", got.Until)
		case got.Site != "":
			host := strings.TrimPrefix(got.Site, "https://")
			if host == got.Site || strings.ContainsAny(host, "/?#@") || !strings.HasSuffix(host, ".pipedrive.com") {
				t.Errorf("its address is %q", got.Site)
			}
		}
		s.classify(&httpx.Response{Status: status, Body: body})
	})
}
