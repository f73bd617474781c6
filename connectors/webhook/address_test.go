package webhook

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
)

func TestAPrivateAddressIsRefusedWhenConnecting(t *testing.T) {
	t.Parallel()
	hits := 0
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	t.Cleanup(s.Close)
	u, _ := url.Parse(s.URL)
	// A name is checked by what it leads to.
	for _, address := range []string{s.URL, "http://localhost:" + u.Port()} {
		c, err := New(Config{URL: config.Secret(address), Unsigned: true}, connectors.Options{})
		if err != nil {
			t.Fatal(err)
		}
		results, _ := c.Write(t.Context(), []connectors.Change{{Idempotency: "evt_1_ab"}})
		e := results[0].Err
		if e == nil || !e.Account || !e.Park || e.Code != "PRIVATE_ADDRESS" || e.Message != string(refusedAddress) {
			t.Errorf("%s: got %+v, want it refused, and the connector parked", address, e)
		}
	}
	if hits != 0 {
		t.Errorf("%d requests came through", hits)
	}
}
