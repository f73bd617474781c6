package receiver

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/sources"
)

// FuzzSender holds that nobody but a trusted proxy says who a sender is, and
// that what it says is an address or nothing.
func FuzzSender(f *testing.F) {
	for _, s := range []string{"192.0.2.7", "192.0.2.7:80, 10.0.0.1", "[::ffff:192.0.2.7]:1", "evil", ",,", "fe80::1%eth0", "10.0.0.1,10.0.0.2", `"192.0.2.7"`, "10.0.0.1\x00"} {
		f.Add("10.0.0.9:1", s, s)
		f.Add("192.0.2.1:1", s, "")
		f.Add("[fe80::1%eth0]:1", s, s)
	}
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, remote, one, two string) {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {one, two}}}
		got := sender(r, proxies)
		peer, err := netip.ParseAddrPort(remote)
		switch {
		case err != nil && got.IsValid():
			t.Errorf("from nowhere came %s", got)
		case err == nil && !within(peer.Addr().Unmap().WithZone(""), proxies) && got != peer.Addr().Unmap().WithZone(""):
			t.Errorf("%s, which is no proxy, passes for %s", peer, got)
		case err == nil && got.IsValid() && got.Is4In6():
			t.Errorf("%s is another spelling of an address", got)
		}
	})
}

// FuzzRoute holds that a path leads to a source of that very name, with a token
// that is a single segment, or nowhere.
func FuzzRoute(f *testing.F) {
	for _, s := range []string{"/hooks/a", "/hooks/a/token", "//hooks/a", "/hooks/a/", "/hooks/%61", "/hooks/a/%2e%2e%2f", "/hooks/a/b/c", "/hooks/a/%00", "/hooks/b/x", "/hooks/../hooks/a"} {
		f.Add(s)
	}
	guard, err := sources.NewGuard([]string{"token-of-twenty-characters"}, "", nil)
	if err != nil {
		f.Fatal(err)
	}
	r := New(Options{Sources: func() map[string]Source { return map[string]Source{"a": {Name: "a", Guard: guard}, "b": {Name: "b"}} }})
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		req := &http.Request{URL: u, Host: "x"}
		src, token, ok := r.route(req)
		if !ok {
			r.nearest(req)
			return
		}
		if !strings.HasPrefix(u.EscapedPath(), "/hooks/"+src.Name) || strings.Contains(token, "/") || token != "" && src.Name != "a" {
			t.Errorf("%q leads to %q with %q", path, src.Name, token)
		}
		r.address(req)
	})
}
