package pipedrive_test

import (
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
