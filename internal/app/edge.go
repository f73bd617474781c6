package app

import (
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/certs"
)

// certificates are those of a port.
type certificates interface {
	Config() *tls.Config
	Info() certs.Info
}

// edge is what stands between the daemon's ports and the world.
type edge struct {
	public  certificates // nil: no TLS
	private *certs.Files // of the admin side; nil: no TLS
	orders  *certs.ACME  // public, where a CA issues it
	http    net.Listener // where the CA may look too; nil: nowhere
	access  atomic.Pointer[admin.Access]
	refused [2]atomic.Uint64 // connections: by total, by address
	told    sync.Map         // problems by port, as they were logged
}

// acmeSocket is the service manager's name for the CA's port.
const acmeSocket = "acme"

// acmeDir is the folder, within data_dir, of account, keys and certificates.
const acmeDir = "acme"

// open reads the certificates of the settings.
func (e *edge) open(s *config.Settings, version string) (err error) {
	if a := s.TLS.ACME; a != nil {
		orders := certs.Orders{
			Domains: a.Domains, Email: a.Email, Directory: a.Directory, CA: a.CA,
			Dir: filepath.Join(s.DataDir, acmeDir), UserAgent: "crmsyncd/" + version,
		}
		if a.EAB != nil {
			if orders.Key, err = a.EAB.Key(); err != nil {
				return fmt.Errorf("tls: acme: eab: hmac_key: %w", err)
			}
			orders.KID = a.EAB.KID
		}
		if e.orders, err = certs.Order(orders); err != nil {
			return fmt.Errorf("tls: acme: %w", err)
		}
		e.public = e.orders
	} else if s.TLS.Cert != "" {
		files, err := certs.Open(s.TLS.Cert, s.TLS.Key)
		if err != nil {
			return fmt.Errorf("tls: %s: %w", s.TLS.Cert, err)
		}
		e.public = files
	}
	if p := s.AdminAccess.Pair; p.Cert != "" {
		if e.private, err = certs.Open(p.Cert, p.Key); err != nil {
			return fmt.Errorf("admin_access: %s: %w", p.Cert, err)
		}
	}
	e.admit(s.AdminAccess)
	return nil
}

var roles = map[config.Role]admin.Role{"metrics": admin.Metrics, "read": admin.Read, "operate": admin.Operate}

// admit has the admin side answer to the users of the settings.
func (e *edge) admit(s config.AdminAccess) {
	users := map[string]admin.User{}
	for name, u := range s.Users {
		users[u.Token.Reveal()] = admin.User{Name: name, Role: roles[u.Role]}
	}
	var named func(string) bool
	if e.private != nil {
		named = func(host string) bool { return e.private.Leaf().VerifyHostname(host) == nil }
	}
	e.access.Store(admin.NewAccess(users, named))
}

// refuse counts a connection that was closed at once.
func (e *edge) refuse(reason string) {
	if reason == "address" {
		e.refused[1].Add(1)
		return
	}
	e.refused[0].Add(1)
}

// ports are the certificates in use by the name of the setting.
func (e *edge) ports() map[string]certs.Info {
	out := map[string]certs.Info{}
	if e.public != nil {
		out["listen"] = e.public.Info()
	}
	if e.private != nil {
		out["admin"] = e.private.Info()
	}
	return out
}

var (
	descExpiry = prometheus.NewDesc("crmsyncd_tls_certificate_expiry_timestamp_seconds", "When the certificate of a port, listen or admin, expires; 0 while there is none.", []string{"port"}, nil)
	descIssued = prometheus.NewDesc("crmsyncd_tls_certificate_renewal_successful", "0 while the newest certificate of a port cannot be used or got, so that the one before it is shown.", []string{"port"}, nil)
	descClosed = prometheus.NewDesc("crmsyncd_connections_refused_total", "Connections to the public port that were closed at once, as too many were open: in total, or from one address.", []string{"reason"}, nil)
)

// Describe implements prometheus.Collector.
func (e *edge) Describe(ch chan<- *prometheus.Desc) {
	ch <- descExpiry
	ch <- descIssued
	ch <- descClosed
}

// Collect implements prometheus.Collector.
func (e *edge) Collect(ch chan<- prometheus.Metric) {
	for port, i := range e.ports() {
		at := 0.0
		if !i.Expires.IsZero() {
			at = float64(i.Expires.Unix())
		}
		ch <- prometheus.MustNewConstMetric(descExpiry, prometheus.GaugeValue, at, port)
		ch <- prometheus.MustNewConstMetric(descIssued, prometheus.GaugeValue, truth(i.Problem == ""), port)
	}
	for i, reason := range []string{"total", "address"} {
		ch <- prometheus.MustNewConstMetric(descClosed, prometheus.CounterValue, float64(e.refused[i].Load()), reason)
	}
}
