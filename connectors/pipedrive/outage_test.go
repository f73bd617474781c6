package pipedrive_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
)

func TestRequestsThatNeverWentOutCostNoTokens(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(nil)
	cfg := settings(s.URL)
	s.Close() // nobody listens there now
	cfg.TokensPerDay = 100
	c := open(t, cfg, connectors.Options{})
	for range 3 {
		if _, err := c.Describe(t.Context(), []string{"persons"}); err == nil {
			t.Fatal("got no error from where nobody is")
		}
	}
	if n := c.(interface{ Tokens() int }).Tokens(); n != 0 {
		t.Errorf("%d tokens of the day are gone, want none", n)
	}
}

func TestAReloadBeginsNoNewDay(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	cfg := settings(s.URL)
	cfg.TokensPerDay = 1000
	before := open(t, cfg, connectors.Options{Name: "crm"})
	_, _ = before.Describe(t.Context(), []string{"persons"})
	used := before.(interface{ Tokens() int }).Tokens()
	if used == 0 {
		t.Fatal("a request cost nothing")
	}
	cfg.TokensPerDay = 2000 // raised, as the hint says
	for name, want := range map[string]int{"crm": 2000 - used, "another": 2000} {
		for _, l := range open(t, cfg, connectors.Options{Name: name}).(connectors.Account).Limits() {
			if l.Name == connectors.LimitDay && l.Left != want {
				t.Errorf("%s after a reload has %d of %d left, want %d", name, l.Left, l.Most, want)
			}
		}
	}
}
