package admin_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/admin"
)

// consent is a vendor that takes the code "good".
type consent struct{ n int }

func (c *consent) Begin(redirect string) connectors.Attempt {
	c.n++
	return connectors.Attempt{Page: "https://vendor.example/", State: fmt.Sprint("state-", c.n), Redirect: redirect, Verifier: "hunter2"}
}

func (c *consent) Grant(_ context.Context, a connectors.Attempt, code string) (connectors.Granted, error) {
	if code != "good" || a.Redirect != "http://localhost:1/callback" || a.Verifier != "hunter2" {
		return connectors.Granted{}, errors.New("not this code")
	}
	return connectors.Granted{Account: "Acme", Before: "Other"}, nil
}

func (c *consent) Keep(context.Context) error { return nil }

func TestConsent(t *testing.T) {
	t.Parallel()
	woken, vendor := 0, &consent{}
	d := &admin.Desk{
		Ledger: keeperDesk(t).Ledger,
		Wake:   func() { woken++ },
		Consents: func(name string) (connectors.Consent, error) {
			if name != "crm/1" {
				return nil, errors.New("no such connector")
			}
			return vendor, nil
		},
	}
	srv := httptest.NewServer(admin.Handler(d, nil))
	t.Cleanup(srv.Close)
	c := admin.NewClient(strings.TrimPrefix(srv.URL, "http://"))
	ctx, redirect := t.Context(), "http://localhost:1/callback"

	if _, err := c.Consent(ctx, "other", redirect); err == nil || !strings.Contains(err.Error(), "no such connector") {
		t.Errorf("of an unknown connector: got %v", err)
	}
	if _, err := c.Consent(ctx, "crm/1", "javascript:alert(1)"); err == nil {
		t.Error("a redirect address that is none was taken")
	}
	begin := func() string {
		t.Helper()
		a, err := c.Consent(ctx, "crm/1", redirect)
		if err != nil || a.Page == "" {
			t.Fatal(a, err)
		}
		return a.State
	}
	state := begin()
	for _, wrong := range [][2]string{{"crm/1", "another"}, {"other", state}} {
		if _, err := c.Grant(ctx, wrong[0], wrong[1], "good"); err == nil || !strings.Contains(err.Error(), "begin again") {
			t.Errorf("%v: got %v", wrong, err)
		}
	}
	if g, err := c.Grant(ctx, "crm/1", state, "good"); err != nil || g != (admin.Granted{Account: "Acme", Before: "Other"}) || woken != 1 {
		t.Errorf("got %+v %v, woken %d times", g, err, woken)
	}
	if _, err := c.Grant(ctx, "crm/1", state, "good"); err == nil {
		t.Error("an attempt was ended twice")
	}
	state = begin()
	if _, err := c.Grant(ctx, "crm/1", state, "bad"); err == nil || woken != 1 {
		t.Errorf("a bad code: got %v, woken %d times", err, woken)
	}
	first := begin()
	for range 40 {
		begin()
	}
	if _, err := c.Grant(ctx, "crm/1", first, "good"); err == nil {
		t.Error("attempts that wait are not bounded")
	}
}
