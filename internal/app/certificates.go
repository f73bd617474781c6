package app

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/certs"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// certificateTime is how often the files of certificates are read.
const certificateTime = 30 * time.Second

// keepCertificates keeps the certificates of all ports until ctx ends: it reads
// files again, and asks the CA once the ports are served.
func (a *App) keepCertificates(ctx context.Context, served <-chan struct{}) {
	if a.edge.public == nil && a.edge.private == nil {
		return
	}
	select {
	case <-served:
	case <-ctx.Done():
		return
	}
	if a.edge.orders != nil {
		defer a.answerCA()()
		over := make(chan struct{})
		go func() { defer close(over); a.edge.orders.Run(ctx, a.issued) }()
		defer func() { <-over }()
	}
	tick := time.NewTicker(certificateTime)
	defer tick.Stop()
	var warned time.Time
	for {
		a.checkCertificates()
		if now := time.Now(); now.Sub(warned) >= 24*time.Hour {
			warned = now
			a.warnOfEnds(now)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// answerCA serves the port at which the CA may look too, until the returned
// function is called.
func (a *App) answerCA() (stop func()) {
	l := a.edge.http
	if l == nil {
		return func() {}
	}
	srv := &http.Server{
		Handler: a.edge.orders.HTTP(), ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second, MaxHeaderBytes: 8 << 10,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	go func() { _ = srv.Serve(l) }() // it ends with Close
	return func() { _ = srv.Close() }
}

// issued hears of every order that the CA has ended.
func (a *App) issued(domain string, err error) {
	if err != nil {
		a.log.Error("no certificate was issued; it is ordered again later", "domain", domain, "err", err, "hint", "the CA must reach this machine by that name at port 443, or at port 80 with tls.acme.http")
		return
	}
	a.log.Info("a certificate is in use", "domain", domain, "expires", a.edge.public.Info().Expires)
}

// checkCertificates takes what changed in the files, and logs what cannot be
// taken when it is seen first.
func (a *App) checkCertificates() {
	for port, f := range a.edge.files() {
		changed, err := f.Check()
		problem := f.Info().Problem
		before, _ := a.edge.told.Swap(port, problem)
		switch {
		case changed:
			a.log.Info("a new certificate is in use", "port", port, "expires", f.Info().Expires)
		case err != nil && before != problem:
			a.log.Error("the certificate in the files cannot be used; the one before it stays", "port", port, "err", err)
		}
	}
}

// files are the certificates that come from files, by the name of the port.
func (e *edge) files() map[string]*certs.Files {
	out := map[string]*certs.Files{}
	if f, ok := e.public.(*certs.Files); ok {
		out["listen"] = f
	}
	if e.private != nil {
		out["admin"] = e.private
	}
	return out
}

func (a *App) warnOfEnds(now time.Time) {
	for port, i := range a.edge.ports() {
		if warning := i.Warning(now); warning != "" && (a.edge.orders == nil || !i.Begins.IsZero()) {
			a.log.Warn(warning, "port", port)
		}
	}
}

// shown are the certificates for the status, the public port first.
func (e *edge) shown(now time.Time) (list []admin.Certificate) {
	ports := e.ports()
	for _, port := range []string{"listen", "admin"} {
		if i, ok := ports[port]; ok {
			list = append(list, admin.Certificate{Port: port, Names: i.Names, ExpiresAt: i.Expires, Problem: i.Problem, Warning: i.Warning(now)})
		}
	}
	return list
}

// readable finds certificates in files that cannot be used, and warns of those
// that expire.
func readable(s *config.Settings) (ps diag.Problems) {
	for _, p := range []config.Pair{s.TLS.Pair, s.AdminAccess.Pair} {
		if p.Cert == "" || p.Key == "" {
			continue
		}
		f, err := certs.Open(p.Cert, p.Key)
		if err != nil {
			ps = append(ps, diag.Problem{Pos: diag.Pos{File: p.Cert}, Message: err.Error(), Hint: "both files are to be PEM, of one pair, and readable by the user of the service"})
		} else if warning := f.Info().Warning(time.Now()); warning != "" {
			ps = append(ps, diag.Problem{Pos: diag.Pos{File: p.Cert}, Severity: diag.Warning, Message: warning, Hint: "renew it; crmsyncd takes the new one by itself"})
		}
	}
	return ps
}
