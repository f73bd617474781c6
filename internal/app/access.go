package app

import (
	"fmt"
	"math"

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
	switch {
	case g.Open() && unsigned && !a.Unauthenticated:
		return nil, diag.Problems{b.Node.Get("type").Problem(
			fmt.Sprintf("nothing proves who sends to %q: this vendor signs nothing", b.Name),
			"add token: with a long random word, which becomes the end of the webhook's address, or allow_from: with the vendor's addresses",
		)}
	case a.Unauthenticated && !(g.Open() && unsigned):
		warn("unauthenticated", "unauthenticated has no effect here, as something else proves the sender", "remove the line")
	case a.Unauthenticated:
		warn("unauthenticated", fmt.Sprintf("anybody who reaches this machine can send events as %q", b.Name), "add token: or allow_from:, and remove the line")
	case g.Weak():
		warn("token", "the token is short enough to be guessed", "make one of 32 characters, such as with openssl rand -hex 16")
	}
	return g, ps
}

// received is a source as the receiver takes it.
func received(b config.Block, src sources.Source, g *sources.Guard, l config.SourceLimits) receiver.Source {
	r := receiver.Source{Name: b.Name, Vendor: b.Type, Source: src, Guard: g, MaxBody: int64(l.Body)}
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
