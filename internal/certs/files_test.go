package certs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/certs"
)

// files are a certificate and its key on disk.
type files struct{ cert, key string }

// write makes a certificate for a name and puts it where the files are.
func (f files) write(t *testing.T, name string, begins, ends time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(begins.UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: begins, NotAfter: ends,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, f.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	put(t, f.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}

func put(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func inDir(t *testing.T) files {
	dir := t.TempDir()
	return files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
}

// shown is the name in the certificate that a port with this configuration shows.
func shown(t *testing.T, c *tls.Config) string {
	t.Helper()
	cert, err := c.GetCertificate(&tls.ClientHelloInfo{})
	if err != nil {
		t.Fatal(err)
	}
	return cert.Leaf.Subject.CommonName
}

func TestAChangedPairIsTakenAndABrokenOneIsNot(t *testing.T) {
	t.Parallel()
	at, now := inDir(t), time.Now()
	at.write(t, "one", now.Add(-time.Hour), now.Add(90*24*time.Hour))
	f, err := certs.Open(at.cert, at.key)
	if err != nil {
		t.Fatal(err)
	}
	config := f.Config()
	step := func(what, want, problem string, changes bool) {
		t.Helper()
		changed, err := f.Check()
		if got := shown(t, config); got != want || changed != changes {
			t.Errorf("%s: want %s (changed %v), got %s (%v, %v)", what, want, changes, got, changed, err)
		}
		if got := f.Info().Problem; (got == "") != (problem == "") || !strings.Contains(got, problem) {
			t.Errorf("%s: want the problem %q, got %q", what, problem, got)
		}
	}
	step("nothing changed", "one", "", false)
	at.write(t, "two", now.Add(-time.Hour), now.Add(90*24*time.Hour))
	step("a renewed pair", "two", "", true)
	good, err := os.ReadFile(at.key)
	if err != nil {
		t.Fatal(err)
	}
	put(t, at.key, []byte("half a k"))
	step("half a key", "two", "cannot be used", false)
	step("half a key, seen again", "two", "cannot be used", false)
	put(t, at.key, good)
	step("mended", "two", "", true)
	if err := os.Remove(at.cert); err != nil {
		t.Fatal(err)
	}
	step("no file", "two", "does not exist", false)
	at.write(t, "old", now.Add(-48*time.Hour), now.Add(-time.Hour))
	step("one that expired", "two", "has expired", false)
	other := inDir(t)
	other.write(t, "other", now, now.Add(time.Hour))
	if err := os.Rename(other.cert, at.cert); err != nil {
		t.Fatal(err)
	}
	step("the certificate of another key", "two", "cannot be used", false)
	at.write(t, "three", now.Add(-time.Hour), now.Add(90*24*time.Hour))
	step("a right one at last", "three", "", true)
}

func TestAPairThatCannotBeUsedIsNotOpened(t *testing.T) {
	t.Parallel()
	at := inDir(t)
	if _, err := certs.Open(at.cert, at.key); err == nil || strings.Contains(err.Error(), at.cert) {
		t.Errorf("want an error without the path, got %v", err)
	}
}

func TestInfoWarnsBeforeTheEnd(t *testing.T) {
	t.Parallel()
	now := time.Now()
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		info certs.Info
		want string
	}{
		"none":                     {certs.Info{}, "no certificate yet"},
		"a long time":              {certs.Info{Begins: now.Add(-60 * day), Expires: now.Add(30 * day)}, ""},
		"two weeks":                {certs.Info{Begins: now.Add(-77 * day), Expires: now.Add(13 * day)}, "expires at"},
		"a short-lived one":        {certs.Info{Begins: now.Add(-2 * day), Expires: now.Add(4 * day)}, ""},
		"the end of a short-lived": {certs.Info{Begins: now.Add(-5 * day), Expires: now.Add(day)}, "expires at"},
		"expired":                  {certs.Info{Begins: now.Add(-5 * day), Expires: now.Add(-day)}, "expired at"},
		"one of tomorrow":          {certs.Info{Begins: now.Add(day), Expires: now.Add(90 * day)}, "not valid before"},
	} {
		if got := c.info.Warning(now); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: want %q, got %q", name, c.want, got)
		}
	}
}

func TestOldTLSIsRefusedAndHTTP2IsSpoken(t *testing.T) {
	t.Parallel()
	at, now := inDir(t), time.Now()
	at.write(t, "one", now.Add(-time.Hour), now.Add(time.Hour))
	f, err := certs.Open(at.cert, at.key)
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		near, far := net.Pipe()
		go func() { _ = tls.Server(far, f.Config()).HandshakeContext(context.Background()); _ = far.Close() }()
		c := tls.Client(near, &tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version, NextProtos: []string{"h2"}})
		err := c.HandshakeContext(t.Context())
		if (err == nil) != want || want && c.ConnectionState().NegotiatedProtocol != "h2" {
			t.Errorf("%s: want it to be spoken: %v, got %v", tls.VersionName(version), want, err)
		}
		_ = near.Close()
	}
}
