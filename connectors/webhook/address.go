package webhook

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// allowed says which addresses that are not public may be reached.
type allowed struct {
	all  bool
	nets []netip.Prefix
}

func parseAllowed(words []string) (allowed, error) {
	var a allowed
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
			return a, errors.New("allow_private: write true, or networks such as 10.1.0.0/16")
		}
		a.nets = append(a.nets, p.Masked())
	}
	return a, nil
}

func (a allowed) reaches(ip netip.Addr) bool {
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

const refusedAddress = httpx.Refusal("the address of url is a private one; set allow_private if it is meant")

// transport reaches u and checks every address at the moment of connecting, as
// a name may lead elsewhere each time. Where the environment names a proxy, the
// proxy resolves the name, and what it may reach is for it to say.
func transport(u *url.URL, a allowed, proxy func(*http.Request) (*url.URL, error)) http.RoundTripper {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	via, err := proxy(&http.Request{URL: u})
	if via == nil && err == nil {
		dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			to, err := netip.ParseAddrPort(address)
			if err != nil || !a.reaches(to.Addr()) {
				return refusedAddress
			}
			return nil
		}
	}
	return &http.Transport{
		Proxy:                  func(*http.Request) (*url.URL, error) { return via, err },
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    width,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}
