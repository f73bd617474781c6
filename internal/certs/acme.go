package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// Orders says which CA is asked for which certificates.
type Orders struct {
	Domains   []string
	Email     string
	Directory string
	CA        string // file with the roots that prove the directory; "": the machine's
	Dir       string // folder where account, keys and certificates are kept
	UserAgent string
	// KID and Key bind the account to a customer of the CA, once, when it is
	// made; without a KID nothing does.
	KID string
	Key []byte
}

// ACME holds certificates that a CA issues. Nothing is ordered because somebody
// asks for a name: only by Run, and after a failure only after a while, as CAs
// count failures (Let's Encrypt: five an hour for each name,
// letsencrypt.org/docs/rate-limits, read 2026-11).
type ACME struct {
	domains []string
	manager *autocert.Manager

	mu      sync.Mutex
	used    map[string]*tls.Certificate
	problem map[string]string
}

// Order makes an ACME that has no certificate yet.
func Order(o Orders) (*ACME, error) {
	client := &acme.Client{DirectoryURL: o.Directory, UserAgent: o.UserAgent}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if o.CA != "" {
		text, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, unread("CA's roots", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return nil, errors.New("the file of the CA's roots holds no certificate in PEM")
		}
		transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	}
	client.HTTPClient = &http.Client{Transport: &located{next: transport}, Timeout: time.Minute}
	manager := &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(o.Dir), Email: o.Email, Client: client,
		HostPolicy: autocert.HostWhitelist(o.Domains...),
	}
	if o.KID != "" {
		manager.ExternalAccountBinding = &acme.ExternalAccountBinding{KID: o.KID, Key: o.Key}
	}
	return &ACME{
		domains: o.Domains, manager: manager,
		used: map[string]*tls.Certificate{}, problem: map[string]string{},
	}, nil
}

// HTTP answers the CA on port 80, and 404 to all else.
func (a *ACME) HTTP() http.Handler {
	h := a.manager.HTTPHandler(http.NotFoundHandler())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if host, _, err := net.SplitHostPort(r.Host); err == nil {
			r.Host = host // a port is no part of the name that was ordered
		}
		h.ServeHTTP(w, r)
	})
}

// Config is for a listener.
func (a *ACME) Config() *tls.Config { return config(a.get, acme.ALPNProto) }

func (a *ACME) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
		return a.manager.GetCertificate(hello) // the CA looks whether it is us
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.used[strings.ToLower(hello.ServerName)]; c != nil {
		return c, nil
	}
	return nil, errors.New("certs: no certificate for this name")
}

// again is how long after so many failures in a row a name is ordered again.
func again(failures int) time.Duration {
	waits := []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour}
	return waits[min(failures, len(waits))-1]
}

// look is how often it is looked whether a certificate was renewed, which is
// done 30 days before its end.
const look = time.Hour

// Run orders certificates and renews them until ctx ends; tell hears of every
// order that ends, with its error. Call it once the CA can reach the port.
func (a *ACME) Run(ctx context.Context, tell func(domain string, err error)) {
	var all sync.WaitGroup
	for _, d := range a.domains {
		all.Go(func() { a.keep(ctx, d, tell) })
	}
	all.Wait()
}

func (a *ACME) keep(ctx context.Context, domain string, tell func(string, error)) {
	for failures := 0; ; {
		c, err := a.ask(ctx, domain)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			err = a.quiet(err)
		}
		changed := a.note(domain, c, err)
		wait := look
		if failures++; err == nil {
			failures = 0
		} else {
			wait = again(failures)
		}
		if changed || err != nil {
			tell(domain, err)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// ask has autocert give the certificate: out of its folder, or from the CA. It
// takes no context, so who must leave leaves it behind.
func (a *ACME) ask(ctx context.Context, domain string) (*tls.Certificate, error) {
	type result struct {
		cert *tls.Certificate
		err  error
	}
	done := make(chan result, 1)
	go func() {
		c, err := a.manager.GetCertificate(&tls.ClientHelloInfo{
			ServerName: domain, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		})
		done <- result{c, err}
	}()
	select {
	case r := <-done:
		return r.cert, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (a *ACME) note(domain string, c *tls.Certificate, err error) (changed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil {
		a.problem[domain] = "no certificate for " + domain + " was issued: " + err.Error()
		return false
	}
	delete(a.problem, domain)
	old := a.used[domain]
	a.used[domain] = c
	return old == nil || !old.Leaf.Equal(c.Leaf)
}

// quiet takes the e-mail address out of what the CA says.
func (a *ACME) quiet(err error) error {
	if mail := a.manager.Email; mail != "" && strings.Contains(err.Error(), mail) {
		return errors.New(strings.ReplaceAll(err.Error(), mail, "the e-mail address"))
	}
	return err
}

// Info describes the certificate that expires first; without Begins if one is
// missing.
func (a *ACME) Info() (i Info) {
	a.mu.Lock()
	defer a.mu.Unlock()
	whole := true
	for _, d := range a.domains {
		if p := a.problem[d]; p != "" {
			i.Problem = p
		}
		c := a.used[d]
		if c == nil {
			whole = false
			continue
		}
		if i.Expires.IsZero() || c.Leaf.NotAfter.Before(i.Expires) {
			i.Begins, i.Expires = c.Leaf.NotBefore, c.Leaf.NotAfter
		}
	}
	if i.Names = a.domains; !whole {
		i.Begins, i.Expires = time.Time{}, time.Time{}
	}
	return i
}
