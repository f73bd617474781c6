package config_test

import (
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/config"
)

func TestTheAdminSideLeavesTheMachineOnlyWithCertificateAndTokens(t *testing.T) {
	t.Parallel()
	const user = "  users:\n    anna: {role: operate, token: 0123456789abcdef0123}\n"
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"nothing":                {"admin: 0.0.0.0:8788\n", false},
		"every address of IPv6":  {"admin: \"[::]:8788\"\n", false},
		"no host":                {"admin: :8788\n", false},
		"only a certificate":     {"admin: 0.0.0.0:8788\nadmin_access:\n  cert: c.pem\n  key: k.pem\n", false},
		"only tokens":            {"admin: 0.0.0.0:8788\nadmin_access:\n" + user, false},
		"both":                   {"admin: 0.0.0.0:8788\nadmin_access:\n  cert: c.pem\n  key: k.pem\n" + user, true},
		"tokens on this machine": {"admin: 127.0.0.1:8788\nadmin_access:\n" + user, true},
		"a socket file":          {"admin: unix:/run/a.sock\n", true},
	} {
		s, problems := read(t, c.text)
		if (problems == "") != c.ok {
			t.Errorf("%s: want it to be right: %v, got %s", name, c.ok, problems)
		}
		if strings.Contains(problems, "0123456789abcdef0123") {
			t.Errorf("%s: the problems show the token", name)
		}
		if name == "both" && (s.AdminAccess.Cert != "etc/c.pem" || s.AdminAccess.Users["anna"].Role != "operate" || s.AdminAccess.Users["anna"].Token.Reveal() != "0123456789abcdef0123") {
			t.Errorf("%s: got %+v", name, s.AdminAccess)
		}
	}
}

func TestACertificateOfLetsEncryptNeedsOnlyANameOfTheMachine(t *testing.T) {
	t.Parallel()
	s, problems := read(t, "tls: {acme: {domains: Hooks.Example.com}}\n")
	if problems != "" || !s.TLS.On() || s.TLS.ACME.Domains[0] != "hooks.example.com" || s.TLS.ACME.Directory != config.LetsEncrypt {
		t.Errorf("got %+v, %s", s.TLS, problems)
	}
}

func TestTheKeyOfACAsCustomerIsReadAsTheCAShowsIt(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"_-8BAg", "/+8BAg==", "_-8BAg=="} { // RFC 4648, 5, as in RFC 8555; and as pages show it
		s, problems := read(t, "tls: {acme: {domains: hooks.example.com, eab: {kid: a-customer, hmac_key: '"+key+"'}}}\n")
		if problems != "" {
			t.Fatalf("%s: %s", key, problems)
		}
		if got, err := s.TLS.ACME.EAB.Key(); err != nil || string(got) != "\xff\xef\x01\x02" || s.TLS.ACME.EAB.KID != "a-customer" {
			t.Errorf("%s: got %x, %v", key, got, err)
		}
	}
	if _, problems := read(t, "tls: {acme: {domains: hooks.example.com, eab: {kid: a-customer}}}\n"); !strings.Contains(problems, "hmac_key") {
		t.Errorf("without a key: %q", problems)
	}
	const key = "not a key, but 0123456789 all the same"
	if _, problems := read(t, "tls: {acme: {domains: hooks.example.com, eab: {kid: a-customer, hmac_key: '"+key+"'}}}\n"); problems == "" || strings.Contains(problems, "0123456789") {
		t.Errorf("with what is no key: %q, want a problem that does not show it", problems)
	}
	e := env()
	e.Offline = true
	if _, problems := config.Read("c.yaml", []byte("tls: {acme: {domains: hooks.example.com, eab: {kid: a-customer, hmac_key: '${NOT_SET}'}}}\n"), e); len(problems) > 0 {
		t.Errorf("a key that is not known offline: %v", problems)
	}
}

func TestATokenThatIsNotKnownOfflineIsMissing(t *testing.T) {
	t.Parallel()
	e := env()
	e.Offline = true
	s, problems := config.Read("c.yaml", []byte("admin_access:\n  users:\n    cli: {role: operate, token: '${NOT_SET}'}\n"), e)
	if len(problems) > 0 || !s.AdminAccess.Users["cli"].Missing {
		t.Errorf("got %+v, %v", s.AdminAccess, problems)
	}
}
