package sources

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/textproto"
	"strings"
)

// tokenHeaders are the headers in which a token is looked for beside the path.
var tokenHeaders = []string{"Authorization", "X-Token", "X-Crmsyncd-Token"}

// Guard admits requests by what any vendor can be given: a token in the path
// or in a header, and the addresses that it sends from. Where both are set,
// both must be right.
type Guard struct {
	tokens  []string
	digests [][sha256.Size]byte
	headers []string
	allow   []netip.Prefix
}

// NewGuard takes the tokens (several while they are being rotated), a header
// of the vendor's that carries one ("" for none beside the usual ones), and
// address ranges. The error names the setting and never quotes a token.
func NewGuard(tokens []string, header string, allow []netip.Prefix) (*Guard, error) {
	g := &Guard{headers: tokenHeaders, allow: allow}
	for i, t := range tokens {
		switch {
		case t == "":
			return nil, fmt.Errorf("token: number %d is empty", i+1)
		case strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r > '~' || r == '/' }):
			return nil, errors.New("token: it must be of letters, digits and signs without blanks and /, as it becomes part of an address")
		}
		g.tokens = append(g.tokens, t)
		g.digests = append(g.digests, sha256.Sum256([]byte(t)))
	}
	if header != "" {
		if len(tokens) == 0 {
			return nil, errors.New("token_header: there is no token that it could carry")
		}
		if strings.ContainsAny(header, " :\r\n\t") {
			return nil, errors.New("token_header: it is no name of a header")
		}
		g.headers = append([]string{textproto.CanonicalMIMEHeaderKey(header)}, tokenHeaders...)
	}
	return g, nil
}

// Open reports whether the guard admits everybody.
func (g *Guard) Open() bool { return len(g.digests) == 0 && len(g.allow) == 0 }

// Token reports whether a token is asked for, so that the path may hold one.
func (g *Guard) Token() bool { return len(g.digests) > 0 }

// Weak reports whether a token is short enough to be guessed.
func (g *Guard) Weak() bool {
	for _, t := range g.tokens {
		if len(t) < 16 {
			return true
		}
	}
	return false
}

// Check returns nil if the request comes from an admitted address and has a
// token that fits, else a *Refusal. A token in the path is the one that counts:
// whoever was given a wrong address must find out. The time it takes tells
// nothing of the tokens.
func (g *Guard) Check(r *Request) error {
	if len(g.allow) > 0 && !contains(g.allow, r.Remote) {
		return &Refusal{http.StatusForbidden, "address"}
	}
	if len(g.digests) == 0 {
		return nil
	}
	switch given, fits := g.find(r); {
	case !given:
		return Unauthentic("no_token")
	case fits < 0:
		return Unauthentic("wrong_token")
	}
	return nil
}

// Admitted is the token that a request shows, in the path or in a header; "" if
// none is asked for, or none fits.
func (g *Guard) Admitted(r *Request) string {
	if _, fits := g.find(r); fits >= 0 {
		return g.tokens[fits]
	}
	return ""
}

// find reports whether the request holds anything that may be a token, and
// which of the guard's fits; -1 if none does.
func (g *Guard) find(r *Request) (given bool, fits int) {
	candidates := make([]string, 0, 4)
	if r.Token != "" {
		candidates = append(candidates, r.Token)
	} else {
		for _, name := range g.headers {
			for _, v := range r.Header[name] {
				if scheme, token, ok := strings.Cut(v, " "); ok && strings.EqualFold(scheme, "Bearer") {
					v = strings.TrimSpace(token)
				}
				candidates = append(candidates, v)
			}
		}
	}
	fits = -1
	for i, c := range candidates {
		if i == 16 {
			break // nobody sends so many; hashing them all would be work for the asking
		}
		sum := sha256.Sum256([]byte(c))
		for j, d := range g.digests {
			fits = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], d[:]), j, fits)
		}
	}
	return len(candidates) > 0, fits
}

// Admit returns the token to append to the path of a request that is to be
// admitted; "" if none is asked for. The request's address is not its business.
func (g *Guard) Admit() string {
	if len(g.tokens) == 0 {
		return ""
	}
	return g.tokens[0]
}

func contains(ranges []netip.Prefix, a netip.Addr) bool {
	for _, p := range ranges {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
