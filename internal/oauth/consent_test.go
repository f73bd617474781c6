package oauth

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
)

func TestConsent(t *testing.T) {
	t.Parallel()
	eachVendor(t, func(t *testing.T, name string) {
		v := newVendor(t, name, 0)
		s := v.start()
		err := v.call(s)
		if kindOf(err) != connectors.Auth || !strings.Contains(err.Error(), "crmsyncd auth acme") {
			t.Fatalf("before the consent: got %v, want what to do", err)
		}
		v.consent(s)
		if err := v.call(s); err != nil {
			t.Errorf("after the consent: %v", err)
		}
		if err := v.call(v.start()); err != nil {
			t.Errorf("after a restart: %v", err)
		}
		if n := v.tokenRequests(); n != 1 {
			t.Errorf("%d requests for tokens, want 1: a good one is kept over a restart", n)
		}
		t.Run("a code is good once", func(t *testing.T) {
			a := s.Begin(redirect)
			code := v.visit(a.Page).Get("code")
			if _, err := s.Grant(t.Context(), a, code); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Grant(t.Context(), a, code); kindOf(err) != connectors.Auth || !strings.Contains(err.Error(), "begin again") {
				t.Errorf("got %v, want to begin again", err)
			}
		})
		t.Run("a consent for another account names the one before", func(t *testing.T) {
			s.Ask(func(context.Context) (string, *connectors.Error) { return "account 2", nil })
			a := s.Begin(redirect)
			if g, err := s.Grant(t.Context(), a, v.visit(a.Page).Get("code")); err != nil || g.Account != "account 2" || g.Before != "account 1" {
				t.Errorf("got %+v %v", g, err)
			}
		})
	})
}

func TestTheProofIsChecked(t *testing.T) {
	t.Parallel()
	v := newVendor(t, "airtable", 0)
	s := v.start()
	a := s.Begin(redirect)
	code := v.visit(a.Page).Get("code")
	a.Verifier = strings.Repeat("x", 52)
	if _, err := s.Grant(t.Context(), a, code); err == nil {
		t.Error("a code was traded with another verifier than the page was made with")
	}
}

func TestDeniedConsent(t *testing.T) {
	t.Parallel()
	eachVendor(t, func(t *testing.T, name string) {
		v := newVendor(t, name, 0)
		if q := v.visit(v.start().Begin(redirect).Page + "&deny=1"); q.Get("error") != "access_denied" || q.Has("code") {
			t.Errorf("got %v", q)
		}
	})
}

func TestWhatIsKeptShowsNothingAndOpensForNobodyElse(t *testing.T) {
	t.Parallel()
	v := newVendor(t, "hubspot", 0)
	s := v.start()
	v.consent(s)
	tok, err := s.load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{tok.Access, tok.Refresh, secret, "access", "refresh", "account"} {
		if bytes.Contains(v.disk.value, []byte(word)) {
			t.Errorf("what is kept shows %q", word)
		}
	}
	for name, change := range map[string]func(*Provider){
		"secret":    func(p *Provider) { p.ClientSecret = "another" },
		"app":       func(p *Provider) { p.ClientID = "app-2" },
		"connector": func(p *Provider) { p.Connector = "other" },
	} {
		other := v.start()
		change(&other.p)
		if _, err := other.load(t.Context()); err == nil || !strings.Contains(err.Error(), "client_secret") {
			t.Errorf("another %s: got %v, want that it does not open", name, err)
		}
	}
	for i := range v.disk.value {
		damaged := bytes.Clone(v.disk.value)
		damaged[i] ^= 1
		if _, err := v.start().open(damaged); err == nil {
			t.Errorf("a changed byte %d was not noticed", i)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		token        config.Secret
		id           string
		secret       config.Secret
		oauth        bool
		want, wanted string
	}{
		{token: "t"},
		{id: "i", secret: "s", oauth: true},
		{want: "access_token is missing, or client_id and client_secret"},
		{token: "t", id: "i", want: "access_token: set either it, or"},
		{token: "t", id: "i", secret: "s", want: "not both"},
		{id: "i", want: "client_id: it needs client_secret"},
		{secret: "s", want: "client_secret: it needs client_id"},
	} {
		got, err := Settings("access_token", c.token, c.id, c.secret)
		if got != c.oauth || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v %v", c, got, err)
		}
	}
}

func TestSitesAreOnlyTheVendorsOwn(t *testing.T) {
	t.Parallel()
	s := &Source{p: Provider{Sites: ".vendor.example"}}
	for named, want := range map[string]string{
		"https://acme.vendor.example":            "https://acme.vendor.example",
		"https://acme.vendor.example/":           "https://acme.vendor.example",
		"http://acme.vendor.example":             "before",
		"https://evil.example":                   "before",
		"https://evil.example/.vendor.example":   "before",
		"https://evil.example?.vendor.example":   "before",
		"https://a@evil.example#.vendor.example": "before",
		"":                                       "before",
	} {
		if got := s.site(named, "before"); got != want {
			t.Errorf("%q: got %q, want %q", named, got, want)
		}
	}
	if got := Address("https://x.vendor.example", "vendor.example", "/token", "own"); got != "own" {
		t.Errorf("the vendor's own base_url moved its OAuth to %s", got)
	}
	if got := Address("http://127.0.0.1:9900/vendor/", "vendor.example", "/token", "own"); got != "http://127.0.0.1:9900/vendor/token" {
		t.Errorf("got %s", got)
	}
}
