package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

// TestACME has certificates issued by Let's Encrypt's own test server: make
// acme-test.
func TestACME(t *testing.T) {
	pebble := os.Getenv("PEBBLE")
	if pebble == "" {
		t.Skip("make acme-test does this")
	}
	t.Parallel()
	for _, way := range []string{"tls-alpn-01", "http-01"} {
		t.Run("by "+way, func(t *testing.T) {
			t.Parallel()
			listen, web, closed := address(t), address(t), address(t)
			ca := newCA(t, pebble)
			if way == "http-01" {
				ca.start(closed, web)
			} else {
				ca.start(listen, closed)
			}
			dir := t.TempDir()
			settings := "tls:\n  acme:\n    domains: [hooks.example.com]\n    email: admin@example.com\n    directory: https://" + ca.address + "/dir\n    ca: " + filepath.Join(ca.dir, "cert.pem") + "\n    http: " + web + "\n"
			if err := writeConfig(dir, listen, "unix:./admin.sock", "http://127.0.0.1:1"); err != nil {
				t.Fatal(err)
			}
			p := atEdge(t, dir, "", settings)
			private := "unix:" + filepath.Join(dir, "admin.sock")
			issued := func() admin.Certificate {
				t.Helper()
				var c admin.Certificate
				if err := poll(func() error {
					s, err := admin.NewClient(private).Status(t.Context())
					if err == nil && len(s.Certificates) == 1 {
						c = s.Certificates[0]
					}
					if err == nil && c.ExpiresAt.IsZero() {
						err = io.ErrNoProgress
					}
					return err
				}); err != nil {
					t.Fatalf("%v: %+v\n%s\n%s", err, c, p.err.String(), ca.said.String())
				}
				return c
			}
			first := issued()
			secure := &tls.Config{RootCAs: ca.roots(), ServerName: "hooks.example.com"}
			if status, err := posted(t, "https://"+listen, secure, "msg_1"); err != nil || status != 200 {
				t.Errorf("with the issued certificate: %d %v, want 200", status, err)
			}
			if conn, err := tls.Dial("tcp", listen, &tls.Config{RootCAs: secure.RootCAs, ServerName: "other.example.com"}); err == nil {
				conn.Close()
				t.Error("a name that nobody ordered has a certificate")
			}
			resp, err := http.Get("http://" + web + "/hooks/telli")
			if err != nil || resp.StatusCode != 404 {
				t.Errorf("the port for the CA answers %v, %v to others, want 404", resp, err)
			} else {
				resp.Body.Close()
			}
			if strings.Contains(p.err.String(), "admin@example.com") {
				t.Error("the log shows the e-mail address")
			}

			// A restart asks the CA nothing, which has gone meanwhile.
			ca.stop()
			if err := p.end(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			p.start()
			if again := issued(); !again.ExpiresAt.Equal(first.ExpiresAt) {
				t.Errorf("another certificate after the restart: %v, then %v", first.ExpiresAt, again.ExpiresAt)
			}
			if info, err := os.Stat(filepath.Join(dir, "data", "acme")); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("the folder of keys: %v, %v; want 0700", info, err)
			}
		})
	}
}

// TestACMEForCustomersOnly is of a CA that wants External Account Binding.
func TestACMEForCustomersOnly(t *testing.T) {
	pebble := os.Getenv("PEBBLE")
	if pebble == "" {
		t.Skip("make acme-test does this")
	}
	t.Parallel()
	const key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
	for name, c := range map[string]struct {
		eab  string
		want string // in the status; "": a certificate
	}{
		"a customer":                    {"    eab: {kid: kid-1, hmac_key: \"${file:key}\"}\n", ""},
		"nobody in particular":          {"", "externalAccountRequired"},
		"a customer with another's key": {"    eab: {kid: kid-1, hmac_key: b3RoZXItb3RoZXItb3RoZXItb3RoZXItb3RoZXI}\n", "no certificate for hooks.example.com was issued"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen := address(t)
			ca := newCA(t, pebble)
			ca.customers = map[string]string{"kid-1": key}
			ca.start(listen, address(t))
			dir := t.TempDir()
			settings := "tls:\n  acme:\n    domains: [hooks.example.com]\n    directory: https://" + ca.address + "/dir\n    ca: " + filepath.Join(ca.dir, "cert.pem") + "\n" + c.eab
			err := writeConfig(dir, listen, "unix:./admin.sock", "http://127.0.0.1:1")
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "key"), []byte(key), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			p := atEdge(t, dir, "", settings)
			var got admin.Certificate
			if err := poll(func() error {
				s, err := admin.NewClient("unix:" + filepath.Join(dir, "admin.sock")).Status(t.Context())
				if err == nil && len(s.Certificates) == 1 {
					got = s.Certificates[0]
				}
				if err == nil && got.ExpiresAt.IsZero() && got.Problem == "" {
					err = io.ErrNoProgress
				}
				return err
			}); err != nil {
				t.Fatalf("%v: %+v\n%s\n%s", err, got, p.err.String(), ca.said.String())
			}
			if (c.want == "") != !got.ExpiresAt.IsZero() || !strings.Contains(got.Problem, c.want) {
				t.Errorf("got %+v, want a problem with %q\n%s", got, c.want, ca.said.String())
			}
			if strings.Contains(p.err.String(), key) {
				t.Error("the log shows the key")
			}
		})
	}
}

// ca is a running pebble.
type ca struct {
	customers        map[string]string // keys by id; nil: it issues to everybody
	t                *testing.T
	bin, dir         string
	address, manager string
	trusted          *tls.Config
	cmd              *exec.Cmd
	said             output
}

func newCA(t *testing.T, bin string) *ca {
	c := &ca{t: t, bin: bin, dir: t.TempDir(), address: address(t), manager: address(t)}
	c.trusted = certify(t, c.dir, time.Hour, "ca.example.com")
	return c
}

// start has the CA look for its challenges at these addresses.
func (c *ca) start(secure, plain string) {
	c.t.Helper()
	port := func(a string) int {
		_, p, err := net.SplitHostPort(a)
		if err != nil {
			c.t.Fatal(err)
		}
		n, _ := strconv.Atoi(p)
		return n
	}
	pebble := map[string]any{
		"listenAddress": c.address, "managementListenAddress": c.manager,
		"certificate": filepath.Join(c.dir, "cert.pem"), "privateKey": filepath.Join(c.dir, "key.pem"),
		"tlsPort": port(secure), "httpPort": port(plain),
	}
	if c.customers != nil {
		pebble["externalAccountBindingRequired"], pebble["externalAccountMACKeys"] = true, c.customers
	}
	settings, err := json.Marshal(map[string]any{"pebble": pebble})
	path := filepath.Join(c.dir, "pebble.json")
	if err == nil {
		err = os.WriteFile(path, settings, 0o600)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.cmd = exec.Command(c.bin, "-config", path, "-dnsserver", nameServer(c.t))
	c.cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "GOMEMLIMIT=256MiB")
	c.cmd.Stdout, c.cmd.Stderr = &c.said, &c.said
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(c.stop)
	if err := poll(func() error {
		conn, err := net.Dial("tcp", c.address)
		if err == nil {
			err = conn.Close()
		}
		return err
	}); err != nil {
		c.t.Fatalf("%v\n%s", err, c.said.String())
	}
}

func (c *ca) stop() {
	_ = c.cmd.Process.Kill() // twice is fine
	_ = c.cmd.Wait()
}

// roots are what believes the certificates that are issued.
func (c *ca) roots() *x509.CertPool {
	c.t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: c.trusted}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("https://" + c.manager + "/roots/0")
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// nameServer is a server of DNS, over TCP as pebble wants it, to which every name is
// this machine, over IPv4.
func nameServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_ = c.SetDeadline(time.Now().Add(10 * time.Second))
				for question(c) == nil {
				}
			}()
		}
	}()
	return l.Addr().String()
}

// question answers one question (RFC 1035, 4).
func question(c io.ReadWriter) error {
	var length uint16
	if err := binary.Read(c, binary.BigEndian, &length); err != nil {
		return err
	}
	b := make([]byte, length)
	if _, err := io.ReadFull(c, b); err != nil {
		return err
	}
	end := 12 // of the question: labels, a zero, type and class
	for end < len(b) && b[end] != 0 {
		end += int(b[end]) + 1
	}
	if end += 5; end > len(b) {
		return io.ErrUnexpectedEOF
	}
	answer := append([]byte{b[0], b[1], 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0}, b[12:end]...)
	if b[end-4] == 0 && b[end-3] == 1 { // type A
		answer[7] = 1
		answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1)
	}
	_, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}
