// Package certs keeps the certificates of the daemon's ports: from files, read
// again when they change, or from a CA that is asked over ACME. It listens to
// nothing and logs nothing; what is wrong it says in Info.
package certs

import (
	"crypto/tls"
	"crypto/x509"
	"time"
)

// Info describes the certificate in use.
type Info struct {
	Names   []string  // DNS names and addresses that it is for
	Begins  time.Time // zero: there is none yet
	Expires time.Time // of several certificates, of the first to expire
	Problem string    // why there is no newer one; "" if nothing is wrong
}

// soonest is how long before its end a certificate is worth a warning; of one
// that is short-lived, a quarter of its life.
const soonest = 14 * 24 * time.Hour

// Warning says what a person has to know about the certificate, or "".
func (i Info) Warning(now time.Time) string {
	left := i.Expires.Sub(now)
	switch {
	case i.Begins.IsZero():
		return "there is no certificate yet"
	case now.Before(i.Begins):
		return "the certificate is not valid before " + i.Begins.UTC().Format(time.RFC3339)
	case left <= 0:
		return "the certificate expired at " + i.Expires.UTC().Format(time.RFC3339)
	case left < min(soonest, i.Expires.Sub(i.Begins)/4):
		return "the certificate expires at " + i.Expires.UTC().Format(time.RFC3339)
	}
	return ""
}

// config is what every port is held to: TLS 1.2 with the suites that Go deems
// safe, and no names of a service in the clear but h2 and http/1.1.
func config(get func(*tls.ClientHelloInfo) (*tls.Certificate, error), protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: get,
		NextProtos:     append([]string{"h2", "http/1.1"}, protocols...),
	}
}

func infoOf(leaf *x509.Certificate) Info {
	i := Info{Begins: leaf.NotBefore, Expires: leaf.NotAfter}
	i.Names = append(i.Names, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		i.Names = append(i.Names, ip.String())
	}
	return i
}
