package httpx

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Reach says which addresses that are not public may be reached. The zero value
// is none of them.
type Reach struct {
	all  bool
	nets []netip.Prefix
}

// ParseReach reads the words of a setting: true, or networks.
func ParseReach(words []string) (Reach, error) {
	var a Reach
	for _, w := range words {
		w = strings.TrimSpace(w)
		switch strings.ToLower(w) {
		case "true", "yes", "on":
			a.all = true
			continue
		case "false", "no", "off":
			continue
		}
		p, err := netip.ParsePrefix(w)
		if ip, bad := netip.ParseAddr(w); bad == nil {
			p, err = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
		}
		if err != nil || p.Addr().Is4In6() || p.Addr().Zone() != "" {
			return a, errors.New("write true, or networks such as 10.1.0.0/16")
		}
		a.nets = append(a.nets, p.Masked())
	}
	return a, nil
}

func (a Reach) reaches(ip netip.Addr) bool {
	ip = ip.WithZone("").Unmap()
	if a.all || public(ip) {
		return true
	}
	for _, n := range a.nets {
		if n.Contains(ip) {
			return true
		}
	}
	return false
}

// closed are the networks that lead to nobody on the internet (IANA
// special-purpose address registries, read 2026-11).
var closed = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

var (
	global6 = netip.MustParsePrefix("2000::/3")
	nat64   = netip.MustParsePrefix("64:ff9b::/96")
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		out[i] = netip.MustParsePrefix(t)
	}
	return out
}

// public tells whether an address is one of the internet at large. An IPv4
// address within an IPv6 one (mapped, or behind NAT64) counts as itself.
func public(ip netip.Addr) bool {
	ip = ip.WithZone("").Unmap()
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	if ip.Is6() && !global6.Contains(ip) {
		return false
	}
	for _, n := range closed {
		if n.Contains(ip) {
			return false
		}
	}
	return ip.IsValid()
}

// guarded reaches what may be reached, and checks every address at the moment
// of connecting, as a name may lead elsewhere each time. Where the environment
// names a proxy, the proxy resolves the name, and what it may reach is for it to
// say.
type guarded struct {
	direct, proxied *http.Transport
	proxy           func(*http.Request) (*url.URL, error)
}

// Guarded returns a transport that refuses addresses beyond reach with the words
// of refusal. proxy is http.ProxyFromEnvironment but in tests.
func Guarded(a Reach, refusal Refusal, proxy func(*http.Request) (*url.URL, error)) http.RoundTripper {
	g := &guarded{pooled(), pooled(), proxy}
	dialer := dialer()
	dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil || !a.reaches(to.Addr()) {
			return refusal
		}
		return nil
	}
	g.direct.Proxy, g.direct.DialContext = nil, forgetting(dialer)
	// A reload makes another one, and nobody closes the connections of this.
	g.direct.IdleConnTimeout, g.proxied.IdleConnTimeout = 10*time.Second, 10*time.Second
	g.proxied.Proxy = proxy
	return g
}

// RoundTrip implements http.RoundTripper.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	via, err := g.proxy(r)
	switch {
	case err != nil:
		return nil, err
	case via == nil:
		return g.direct.RoundTrip(r)
	}
	return g.proxied.RoundTrip(r)
}
