package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"strings"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/admin"
)

// adminToken is the environment variable with the token that commands show. It
// is no flag: every user of the machine can read those.
const adminToken = "CRMSYNCD_ADMIN_TOKEN"

// commandLine is the user of admin_access whose token the commands show where
// the environment has none.
const commandLine = "cli"

// clientOf reaches the daemon of the settings.
func clientOf(s *config.Settings) *admin.Client {
	token := os.Getenv(adminToken)
	if u, ok := s.AdminAccess.Users[commandLine]; token == "" && ok && !u.Missing {
		token = u.Token.Reveal()
	}
	address := config.Reach(s.Admin)
	var secure *tls.Config
	if s.AdminAccess.Cert != "" && !strings.HasPrefix(address, "unix:") {
		secure = trusting(s.AdminAccess.Cert, address)
	}
	return admin.NewClientFor(address, token, secure)
}

// trustingPort is trusting for the public port.
func trustingPort(t config.TLS, address string) *tls.Config {
	if t.ACME == nil {
		return trusting(t.Cert, address)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ACME.Domains[0]}
	if text, err := os.ReadFile(t.ACME.CA); err == nil {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM(text)
	}
	return c
}

// trusting is for a daemon on this machine: it is believed if it shows the
// certificate in the file, for whatever name that is, or one that this machine
// trusts for the same name.
func trusting(path, address string) *tls.Config {
	host, _, _ := net.SplitHostPort(address)
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	text, err := os.ReadFile(path)
	block, _ := pem.Decode(text)
	if err != nil || block == nil {
		return c // this user may not read it: the machine's roots have to do
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return c
	}
	switch {
	case len(leaf.DNSNames) > 0:
		c.ServerName = strings.Replace(leaf.DNSNames[0], "*", "any", 1)
	case len(leaf.IPAddresses) > 0:
		c.ServerName = leaf.IPAddresses[0].String()
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AddCert(leaf)
	roots.AppendCertsFromPEM(text)
	c.RootCAs = roots
	return c
}
