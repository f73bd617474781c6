package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	dialTime  = 5 * time.Second
	renewSoon = 7 * 24 * time.Hour
	skewBad   = 5 * time.Minute // signatures are refused beyond it
	skewDoubt = 30 * time.Second
)

// Network looks at the way to other machines.
type Network struct {
	// Proxy says which proxy a request takes; nil is http.ProxyFromEnvironment.
	Proxy func(*http.Request) (*url.URL, error)
	// TLS may name further authorities; nil are the machine's own.
	TLS *tls.Config
	Now func() time.Time // nil is time.Now
}

// Reach looks at the way to an address of the base of an API: its name, the
// connection, TLS and the certificate, and what time it is there. Nothing of
// value is sent.
func (n Network) Reach(ctx context.Context, about, address string) []Finding {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return []Finding{Bad("address-wrong", about, "its base_url is no address", "write it as https://host")}
	}
	proxy := n.Proxy
	if proxy == nil {
		proxy = http.ProxyFromEnvironment
	}
	if p, err := proxy(&http.Request{URL: u}); err == nil && p != nil {
		if bad := n.connect(ctx, about, p, "the proxy "+p.Host); bad != nil {
			return []Finding{*bad}
		}
		return n.answer(ctx, about, u, fmt.Sprintf("%s by the proxy %s", u.Host, p.Host))
	}
	if bad := n.connect(ctx, about, u, u.Host); bad != nil {
		return []Finding{*bad}
	}
	return n.answer(ctx, about, u, u.Host)
}

// connect resolves and dials; nil: it works.
func (n Network) connect(ctx context.Context, about string, u *url.URL, who string) *Finding {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80"}[u.Scheme]
	}
	if port == "" {
		port = "443"
	}
	addresses, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
	if err != nil {
		f := Bad("name-unresolved", about, "the name of "+who+" cannot be resolved", "look at /etc/resolv.conf and at base_url; getent hosts "+u.Hostname()+" must answer")
		return &f
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		f := Bad("unconnected", about, fmt.Sprintf("%s (%s) cannot be connected to at port %s", who, addresses[0], port), "open the firewall for outgoing connections, or name a proxy in HTTPS_PROXY")
		return &f
	}
	conn.Close()
	return nil
}

func (n Network) now() time.Time {
	if n.Now != nil {
		return n.Now()
	}
	return time.Now()
}

// answer asks for the host's root once, without credentials, and looks at
// certificate and time.
func (n Network) answer(ctx context.Context, about string, u *url.URL, who string) []Finding {
	ctx, cancel := context.WithTimeout(ctx, 2*dialTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, u.Scheme+"://"+u.Host+"/", nil)
	if err != nil {
		return []Finding{Bad("address-wrong", about, "its base_url is no address", "write it as https://host")}
	}
	tr := &http.Transport{Proxy: n.Proxy, TLSClientConfig: n.TLS, DisableKeepAlives: true}
	if n.Proxy == nil {
		tr.Proxy = http.ProxyFromEnvironment
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return []Finding{broken(err, about, who)}
	}
	resp.Body.Close()
	out := []Finding{Fine("answers", about, who+" answers")}
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		if until := resp.TLS.PeerCertificates[0].NotAfter; until.Sub(n.now()) < renewSoon {
			out = append(out, Doubt("certificate-ends", about, "its certificate ends at "+until.UTC().Format(time.DateOnly), "tell who runs it; once it has ended nothing is sent there"))
		}
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil && resp.Header.Get("Age") == "" {
		out = append(out, Skew(n.now().Sub(date), who))
	}
	return out
}

// broken says what failed without naming what may be secret.
func broken(err error, about, who string) Finding {
	var expired x509.CertificateInvalidError
	var name x509.HostnameError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	who += " gives no answer: "
	switch {
	case errors.As(err, &expired) && expired.Reason == x509.Expired:
		return Bad("certificate-expired", about, who+"its certificate is not valid now", "compare this machine's date with the time; if that is right, tell who runs it: nothing is sent there until it is renewed")
	case errors.As(err, &name):
		return Bad("certificate-other-name", about, who+"its certificate is for another name", "compare the host in base_url with the vendor's documentation; a proxy in between may answer in its place")
	case errors.As(err, &cert):
		return Bad("certificate-untrusted", about, who+"its certificate is of an authority that this machine does not trust", "apt install ca-certificates; where a proxy of your own breaks TLS, add its root (update-ca-certificates) and restart the daemon")
	case errors.As(err, &record):
		return Bad("no-tls", about, who+"it does not speak TLS", "compare scheme and port in base_url with the vendor's documentation; a captive portal or proxy may answer in its place")
	}
	return Bad("no-answer", about, who+"the connection ends before one", "a firewall or proxy in between may cut it: curl -v to that address from this machine shows more")
}

// Skew judges by how much this machine's clock is ahead of another's.
func Skew(ahead time.Duration, of string) Finding {
	ahead = ahead.Round(time.Second)
	way := "ahead of"
	if ahead < 0 {
		way = "behind"
	}
	what := fmt.Sprintf("this machine's clock is %s %s that of %s", ahead.Abs(), way, of)
	const mend = "timedatectl set-ntp true, or another time service"
	switch {
	case ahead.Abs() >= skewBad:
		return Bad("clock-wrong", "clock", what+": signed webhooks are refused", mend)
	case ahead.Abs() >= skewDoubt:
		return Doubt("clock-off", "clock", what, mend)
	}
	return Fine("clock", "clock", "it agrees with that of "+of)
}
