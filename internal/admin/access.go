package admin

import (
	"crypto/sha256"
	"net"
	"net/http"
	"net/netip"
	"path"
	"strings"
	"sync"

	"golang.org/x/time/rate"
)

// Role is what a user may do: each may do what those before it may.
type Role int

// Roles in rising order.
const (
	Metrics Role = iota // how the daemon fares, and nothing of people
	Read                // everything, events with their payloads among it
	Operate             // change it: replay, discard, erase, back up
)

// User is who has a token.
type User struct {
	Name string
	Role Role
}

// Access says who may ask over TCP. A socket file is not concerned: the file's
// permissions say who may use it, and the kernel who does. Nor, without users,
// is this machine.
type Access struct {
	// Named reports whether a name is one of the certificate, so that it may
	// stand in Host; nil: there is no certificate.
	Named func(host string) bool

	users map[[sha256.Size]byte]User // by the hash of the token
}

// NewAccess returns an Access for users by their tokens.
func NewAccess(users map[string]User, named func(host string) bool) *Access {
	a := &Access{Named: named, users: map[[sha256.Size]byte]User{}}
	for token, u := range users {
		a.users[sha256.Sum256([]byte(token))] = u
	}
	return a
}

// shows reports whether a request shows something for a token.
func shows(r *http.Request) bool {
	kind, token, _ := strings.Cut(strings.TrimSpace(r.Header.Get("Authorization")), " ")
	return kind != "" && (!strings.EqualFold(kind, "Bearer") || strings.TrimSpace(token) != "")
}

// user is whose token a request shows. Finding a hash takes a time that tells
// nothing of the token.
func (a *Access) user(r *http.Request) (u User, ok bool) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") {
		return User{}, false
	}
	u, ok = a.users[sha256.Sum256([]byte(strings.TrimSpace(token)))]
	return u, ok
}

// wants is the role that a request takes. What nobody thought of takes the
// highest.
func wants(r *http.Request) Role {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		switch looks, _ := path.Match("/events/*/values", r.URL.Path); {
		case r.URL.Path == "/logout":
			return Metrics
		case r.URL.Path == "/api/events/preview", // asks with a list that no address could hold
			looks: // is no GET, as it is kept in the audit trail
			return Read
		}
		return Operate
	case r.URL.Path == "/", r.URL.Path == "/logout", r.URL.Path == "/metrics", r.URL.Path == "/healthz", r.URL.Path == "/readyz", r.URL.Path == "/api/status":
		return Metrics
	}
	return Read
}

func (a *Access) named(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return host == "localhost" || host == "crmsyncd" || ip != nil && ip.IsLoopback() || a.Named != nil && a.Named(host)
}

func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// sender is the address, or the /64 of IPv6, that a connection comes from.
func sender(remote string) netip.Addr {
	ap, _ := netip.ParseAddrPort(remote) // of a connection always one
	a := ap.Addr().Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64)
		a = p.Addr()
	}
	return a
}

const (
	wrongAtOnce  = 10    // wrong tokens that an address may show at once
	wrongASecond = 0.2   // and from then on: one in five seconds
	mostGuessers = 1_000 // addresses that are remembered
)

// guesses holds up who tries tokens. The tokens' length is what keeps them from
// being found; this keeps the log and the processor free.
type guesses struct {
	mu sync.Mutex
	of map[netip.Addr]*rate.Limiter
}

// many reports whether an address has shown too many wrong tokens lately.
func (g *guesses) many(from netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.of[from]
	return l != nil && l.Tokens() < 1
}

func (g *guesses) wrong(from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	l := g.of[from]
	if l == nil {
		if g.of == nil || len(g.of) >= mostGuessers {
			g.of = map[netip.Addr]*rate.Limiter{}
		}
		l = rate.NewLimiter(wrongASecond, wrongAtOnce)
		g.of[from] = l
	}
	l.Allow()
}
