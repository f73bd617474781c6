package sources_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/sources"
)

// FuzzGuard holds that nobody is let in but with the token, from an address
// that is allowed.
func FuzzGuard(f *testing.F) {
	const token = "phones-token-of-32-characters-00"
	guard, err := sources.NewGuard([]string{token}, "X-Key", []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{token, "Bearer " + token, "bearer  " + token, token + " ", token[1:], "", "Basic eDp5", "Bearer", "Bearer x," + token} {
		f.Add(s, "", "192.0.2.7")
		f.Add("", s, "192.0.2.7")
		f.Add(s, s, "::ffff:192.0.2.7")
	}
	f.Fuzz(func(t *testing.T, path, header, from string) {
		addr, _ := netip.ParseAddr(from)
		r := &sources.Request{Token: path, Header: http.Header{"Authorization": {header}, "X-Key": {header}}, Remote: addr}
		if guard.Check(r) != nil {
			return
		}
		if !addr.IsValid() || !netip.MustParsePrefix("192.0.2.0/24").Contains(addr) {
			t.Errorf("%q was let in", from)
		}
		if path != token && (path != "" || !strings.Contains(header, token)) {
			t.Errorf("path %q and header %q were let in", path, header)
		}
	})
}
