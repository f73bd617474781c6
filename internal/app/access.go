package app

import (
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/time/rate"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/sources"
)

// guarded makes the guard of a source. Where the vendor signs nothing, there
// must be a token, addresses, or the express wish to do without.
func guarded(b config.Block, src sources.Source, a config.Access) (*sources.Guard, diag.Problems) {
	allow := a.AllowFrom
	unsigned := false
	if u, ok := src.(sources.Unsigned); ok {
		var from config.Networks
		if unsigned, from = u.Unsigned(); len(a.Token) == 0 && len(allow) == 0 && !a.Unauthenticated {
			allow = from
		}
	}
	tokens := make([]string, len(a.Token))
	for i, t := range a.Token {
		tokens[i] = t.Reveal()
	}
	g, err := sources.NewGuard(tokens, a.TokenHeader, allow)
	if err != nil {
		return nil, diag.Problems{refused(b, err)}
	}
	var ps diag.Problems
	warn := func(key, message, hint string) {
		p := b.Node.Get(key).Problem(message, hint)
		p.Severity, p.Line = diag.Warning, "" // it may hold a secret
		ps = append(ps, p)
	}
	everybody := slices.ContainsFunc(allow, func(p netip.Prefix) bool { return p.Bits() == 0 })
	open := g.Open() || everybody && !g.Token()
	switch {
	case everybody && open && unsigned && !a.Unauthenticated:
		return nil, diag.Problems{b.Node.Get("allow_from").Problem(
			fmt.Sprintf("nothing proves who sends to %q: allow_from admits every address, and this vendor signs nothing", b.Name),
			"name the vendor's addresses, or add token: with a long random word, which becomes the end of the webhook's address",
		)}
	case open && unsigned && !a.Unauthenticated:
		return nil, diag.Problems{b.Node.Get("type").Problem(
			fmt.Sprintf("nothing proves who sends to %q: this vendor signs nothing", b.Name),
			"add token: with a long random word, which becomes the end of the webhook's address, or allow_from: with the vendor's addresses",
		)}
	case a.Unauthenticated && !(open && unsigned):
		warn("unauthenticated", "unauthenticated has no effect here, as something else proves the sender", "remove the line")
	case a.Unauthenticated:
		warn("unauthenticated", fmt.Sprintf("anybody who reaches this machine can send events as %q", b.Name), "add token: or allow_from:, and remove the line")
	case g.Weak():
		warn("token", "the token is short enough to be guessed", "make one of 32 characters, such as with openssl rand -hex 16")
	}
	if everybody {
		warn("allow_from", "allow_from admits every address", "name the vendor's addresses, or remove the line")
	}
	return g, ps
}

// settled finds what is wrong with the settings that all sources share, and
// that their values alone do not show.
func settled(b config.Block, l config.SourceLimits) (ps diag.Problems) {
	if n := b.Node.Get("country"); n != nil && n.Value != "" && !b.Unresolved {
		if message, hint := config.CheckCountry(strings.ToUpper(n.Value)); message != "" {
			ps = append(ps, n.Problem(message, hint))
		}
	}
	limits := b.Node.Get("limits")
	for _, c := range []struct {
		key     string
		wrong   bool
		message string
	}{
		{"body", l.Body != 0 && (l.Body < 1<<10 || l.Body > 64<<20), "wants 1KiB to 64MiB"},
		{"rate", !(l.Rate >= 0 && l.Rate <= 1e6), "wants 0 to 1000000 webhooks a second"},
		{"burst", l.Burst < 0, "wants 0 or more"},
		{"burst", l.Burst > 0 && l.Rate == 0, "burst has no effect without rate"},
		{"in_flight", l.InFlight < 0, "wants 0 or more"},
	} {
		if n := limits.Get(c.key); c.wrong && n != nil && !n.Null {
			ps = append(ps, n.Problem(c.message, ""))
		}
	}
	return ps
}

// hidden warns where the signature covers the address and nothing says how
// senders write it: behind a proxy every signature would then be wrong.
func hidden(b config.Block, src sources.Source, public *url.URL) diag.Problems {
	l, ok := src.(sources.Located)
	if !ok || !l.SignsAddress() || public != nil {
		return nil
	}
	n := b.Node.Get("auth")
	if n == nil {
		n = b.Node.Get("preset")
	}
	p := n.Problem("this vendor signs the address that it calls, which a proxy in front of crmsyncd hides", "set public_url: to the beginning of the address that the vendor was given, such as https://hooks.example.com")
	p.Severity, p.Line = diag.Warning, ""
	return diag.Problems{p}
}

// received is a source as the receiver takes it.
func received(b config.Block, src sources.Source, g *sources.Guard, l config.SourceLimits) receiver.Source {
	r := receiver.Source{Name: b.Name, Vendor: b.Type, Source: src, Guard: g, MaxBody: int64(l.Body)}
	if u, ok := src.(sources.Unsigned); ok && g.Open() {
		r.Apart, _ = u.Unsigned()
	}
	if l.InFlight > 0 {
		r.Slots = make(chan struct{}, l.InFlight)
	}
	if l.Rate > 0 {
		burst := l.Burst
		if burst <= 0 {
			burst = int(math.Max(1, math.Ceil(10*l.Rate)))
		}
		r.Rate = rate.NewLimiter(rate.Limit(l.Rate), burst)
	}
	return r
}
