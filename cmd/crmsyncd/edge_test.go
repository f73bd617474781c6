package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/sources"
)

// certify writes a certificate for names into dir, as cert.pem and key.pem, and
// returns what believes it.
func certify(t *testing.T, dir string, life time.Duration, names ...string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{"cert.pem": text, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, ServerName: names[0]}
}

// atEdge starts a daemon with more settings than those of writeConfig.
func atEdge(t *testing.T, dir, private, more string) *process {
	t.Helper()
	if err := writeConfig(dir, "127.0.0.1:0", private, "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	if err := addTo(filepath.Join(dir, "config.yaml"), slowDisk+more); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, dir: dir}
	p.start()
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

// posted posts a sample as telli and returns the status.
func posted(t *testing.T, url string, secure *tls.Config, id string) (status int, err error) {
	t.Helper()
	src, err := telliSource(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	body, err := src.(sources.Sampler).Sample("call_completed", 1, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), scriptPatience)
	defer cancel()
	_, status, err = sender{source: src, secure: secure}.post(ctx, url+"/hooks/telli", body, id)
	return status, err
}

func TestThePublicPortSpeaksTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := certify(t, dir, 90*24*time.Hour, "hooks.example.com")
	p := atEdge(t, dir, "unix:./admin.sock", "tls: {cert: cert.pem, key: key.pem}\n")
	private := "unix:" + filepath.Join(dir, "admin.sock")
	listen, err := readyAt(private)
	if err != nil {
		t.Fatalf("%v\n%s", err, p.err.String())
	}
	client := admin.NewClient(private)
	certificate := func(want func(admin.Certificate) bool) {
		t.Helper()
		if err := poll(func() error {
			s, err := client.Status(t.Context())
			if err == nil && (len(s.Certificates) != 1 || !want(s.Certificates[0])) {
				err = fmt.Errorf("certificates %+v", s.Certificates)
			}
			return err
		}); err != nil {
			t.Fatalf("%v\n%s", err, p.err.String())
		}
	}
	if status, err := posted(t, "https://"+listen, first, "msg_1"); err != nil || status != 200 {
		t.Errorf("over TLS: %d %v, want 200", status, err)
	}
	if out, err := p.command("send").CombinedOutput(); err != nil || !strings.Contains(string(out), "200 ") {
		t.Errorf("crmsyncd send: %v\n%s", err, out)
	}

	// T14: what is not TLS is told so, and is let go.
	resp, err := http.Get("http://" + listen + "/healthz")
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("http on a port of https: %v, %v; want 400", resp, err)
	} else {
		resp.Body.Close()
	}
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		c := first.Clone()
		c.MinVersion, c.MaxVersion = version, version
		if conn, err := tls.Dial("tcp", listen, c); err == nil {
			conn.Close()
			t.Errorf("%s is spoken", tls.VersionName(version))
		}
	}

	// T13: streams that are opened and given up, and a header without an end.
	abuse(t, listen, first)
	if status, err := posted(t, "https://"+listen, first, "msg_2"); err != nil || status != 200 {
		t.Errorf("after abuse of HTTP/2: %d %v, want 200", status, err)
	}
	if err := poll(func() error { // handlers that the abuse began may still be ending
		if n := metric(t, private, "go_goroutines"); n > 300 {
			return fmt.Errorf("%v goroutines are left after abuse of HTTP/2", n)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}

	// A broken pair changes nothing and is told; a new one is taken at once.
	good, err := os.ReadFile(filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	hup := func() {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hup()
	certificate(func(c admin.Certificate) bool { return c.Problem != "" })
	if status, err := posted(t, "https://"+listen, first, "msg_3"); err != nil || status != 200 {
		t.Errorf("with a broken pair on disk: %d %v, want 200 under the old one", status, err)
	}
	if out, err := p.command("status").CombinedOutput(); err != nil || !strings.Contains(string(out), "WARNING: listen: the newest certificate is not in use") {
		t.Errorf("status does not tell of the broken pair: %v\n%s", err, out)
	}
	if n := metric(t, private, `crmsyncd_tls_certificate_renewal_successful{port="listen"}`); n != 0 {
		t.Errorf("the metric says %v", n)
	}
	if strings.Contains(p.err.String(), string(good[30:60])) {
		t.Error("the log shows the key")
	}
	second := certify(t, dir, 10*24*time.Hour, "hooks.example.com")
	hup()
	certificate(func(c admin.Certificate) bool {
		return c.Problem == "" && strings.Contains(c.Warning, "expires at") || time.Until(c.ExpiresAt) < 11*24*time.Hour
	})
	if status, err := posted(t, "https://"+listen, second, "msg_4"); err != nil || status != 200 {
		t.Errorf("with the new pair: %d %v, want 200\n%s", status, err, p.err.String())
	}
	left := time.Until(time.Unix(int64(metric(t, private, `crmsyncd_tls_certificate_expiry_timestamp_seconds{port="listen"}`)), 0))
	if left < 9*24*time.Hour || left > 11*24*time.Hour {
		t.Errorf("the metric says that it expires in %s", left)
	}
}

// metric is a sample of /metrics at a socket file.
func metric(t *testing.T, private, name string) float64 {
	t.Helper()
	path := strings.TrimPrefix(private, "unix:")
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	defer c.CloseIdleConnections()
	resp, err := c.Get("http://crmsyncd/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(text)
	if m == nil {
		t.Fatalf("no metric %s", name)
	}
	f, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// frame is one of HTTP/2 (RFC 9113, 4.1).
func frame(kind, flags byte, stream uint32, payload []byte) []byte {
	head := []byte{byte(len(payload) >> 16), byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(head, stream), payload...)
}

const (
	frameHeaders, frameReset, frameSettings, frameContinuation = 1, 3, 4, 9
	endStream, endHeaders                                      = 1, 4
)

// abuse does to a port what crashed servers: RFC 9113 streams that are given up
// at once (CVE-2023-44487), and headers that never end (CVE-2023-45288).
func abuse(t *testing.T, listen string, secure *tls.Config) {
	t.Helper()
	open := func() *tls.Conn {
		t.Helper()
		c := secure.Clone()
		c.NextProtos = []string{"h2"}
		conn, err := tls.Dial("tcp", listen, c)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
			t.Fatalf("the port speaks %q, want h2", got)
		}
		if err := conn.SetDeadline(time.Now().Add(scriptPatience)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(append([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(frameSettings, 0, 0, nil)...)); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		return conn
	}
	// In the table of RFC 7541: POST, https, a path, a name.
	header := append([]byte{0x83, 0x87, 0x04, 12}, "/hooks/telli\x01\x01x"...)

	reset := open()
	for n := uint32(0); n < 20_000; n += 100 {
		var many bytes.Buffer
		for i := n; i < n+100; i++ {
			many.Write(frame(frameHeaders, endHeaders, 2*i+1, header))
			many.Write(frame(frameReset, 0, 2*i+1, []byte{0, 0, 0, 8}))
		}
		if _, err := reset.Write(many.Bytes()); err != nil {
			break // that it ends the connection is one right answer
		}
	}
	_ = reset.Close()

	endless := open()
	defer endless.Close()
	if _, err := endless.Write(frame(frameHeaders, endStream, 1, header)); err != nil {
		t.Fatal(err)
	}
	one := append(append([]byte{0x00, 1, 'a', 0x7f, 0x80, 0x01}, bytes.Repeat([]byte("x"), 255)...), 0x00, 1, 'b', 0)
	const most = 32 << 20 // bytes; without a bound all of them are taken
	for sent := 0; ; {
		part := bytes.Repeat(one, 60)
		if _, err := endless.Write(frame(frameContinuation, 0, 1, part)); err != nil {
			return
		}
		if sent += len(part); sent > most {
			t.Errorf("a header of %d bytes is still being read", sent)
			return
		}
	}
}

func TestTheAdminSideOffTheLoopbackTakesTokensOverTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secure := certify(t, dir, 90*24*time.Hour, "crm.example.com")
	at := address(t)
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	p := atEdge(t, dir, "0.0.0.0:"+port, `admin_access:
  cert: cert.pem
  key: key.pem
  users:
    cli: {role: operate, token: 0123456789abcdef-cli}
    anna: {role: operate, token: 0123456789abcdef-anna}
    bert: {role: read, token: 0123456789abcdef-bert}
    prometheus: {role: metrics, token: 0123456789abcdef-prom}
`)
	if err := poll(func() error {
		_, err := admin.NewClientFor(at, "0123456789abcdef-prom", secure).Status(t.Context())
		return err
	}); err != nil {
		t.Fatalf("%v\n%s", err, p.err.String())
	}
	browser := &http.Client{Transport: &http.Transport{TLSClientConfig: secure}}
	defer browser.CloseIdleConnections()
	call := func(method, path, token string, header http.Header) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "https://"+at+path, strings.NewReader(`{"ids":[]}`))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range header {
			req.Header[k] = v
		}
		if h := header.Get("Host"); h != "" {
			req.Host = h
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := browser.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		return resp
	}
	for _, c := range []struct {
		name, method, path, token string
		header                    http.Header
		want                      int
	}{
		{"nobody", "GET", "/metrics", "", nil, 401},
		{"a wrong token", "GET", "/api/status", "0123456789abcdef-none", nil, 401},
		{"a token in the address", "GET", "/api/status?token=0123456789abcdef-anna", "", nil, 401},
		{"metrics for metrics", "GET", "/metrics", "0123456789abcdef-prom", nil, 200},
		{"events for metrics", "GET", "/api/events", "0123456789abcdef-prom", nil, 403},
		{"events for read", "GET", "/api/events", "0123456789abcdef-bert", nil, 200},
		{"a replay for read", "POST", "/api/events/replay", "0123456789abcdef-bert", nil, 403},
		{"a replay for operate", "POST", "/api/events/replay", "0123456789abcdef-anna", http.Header{"Content-Type": {"application/json"}}, 200},
		{"a name of the certificate", "GET", "/healthz", "0123456789abcdef-bert", http.Header{"Host": {"crm.example.com"}}, 200},
		{"a rebound name", "GET", "/api/events", "0123456789abcdef-anna", http.Header{"Host": {"evil.test"}}, 421},
		{"a form of another site", "POST", "/api/events/replay", "0123456789abcdef-anna", http.Header{"Origin": {"https://evil.test"}, "Content-Type": {"text/plain"}}, 403},
		{"another site by fetch", "POST", "/api/events/replay", "0123456789abcdef-anna", http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
	} {
		resp := call(c.method, c.path, c.token, c.header)
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.name, resp.StatusCode, c.want)
		}
		if h := resp.Header; h.Get("Cache-Control") != "no-store" || h.Get("X-Frame-Options") != "DENY" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: it may be framed or cached: %v", c.name, h)
		}
	}
	if resp, err := http.Get("http://" + at + "/metrics"); err != nil || resp.StatusCode != http.StatusBadRequest {
		t.Errorf("without TLS: %v, %v; want 400", resp, err)
	} else {
		resp.Body.Close()
	}

	// The commands show the token of cli, or that of the environment.
	if out, err := p.command("status").CombinedOutput(); err != nil || !strings.Contains(string(out), "is ready") {
		t.Errorf("status with the token of cli: %v\n%s", err, out)
	}
	reader := p.command("ledger", "compact")
	reader.Env = append(reader.Env, adminToken+"=0123456789abcdef-bert")
	if out, err := reader.CombinedOutput(); err == nil || !strings.Contains(string(out), "may not") {
		t.Errorf("compact with a token for reading: %v\n%s", err, out)
	}
	if out, err := p.command("ledger", "compact").CombinedOutput(); err != nil {
		t.Errorf("compact with the token of cli: %v\n%s", err, out)
	}
	if out, err := p.command("audit", "list").CombinedOutput(); err != nil || !strings.Contains(string(out), "cli") {
		t.Errorf("the audit trail does not name cli: %v\n%s", err, out)
	}

	// A token that leaked is taken back by a reload.
	path := filepath.Join(dir, "config.yaml")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, bytes.Replace(text, []byte("0123456789abcdef-bert"), []byte("0123456789abcdef-new!"), 1), 0o600)
	}
	if err == nil {
		err = p.cmd.Process.Signal(syscall.SIGHUP)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := poll(func() error {
		_, err := admin.NewClientFor(at, "0123456789abcdef-new!", secure).Status(t.Context())
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if got := call("GET", "/api/status", "0123456789abcdef-bert", nil).StatusCode; got != 401 {
		t.Errorf("the old token after the reload: %d, want 401", got)
	}
	for _, secret := range []string{"0123456789abcdef-", "PRIVATE KEY"} {
		if strings.Contains(p.err.String(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
}

func TestWhatCannotBeSafeDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ private, more, want string }{
		"an admin side for everybody":     {"0.0.0.0:0", "", "nothing proves who asks"},
		"tokens without TLS":              {"0.0.0.0:0", "admin_access: {users: {anna: {role: operate, token: 0123456789abcdef-anna}}}\n", "nothing proves who asks"},
		"a certificate that is not there": {"unix:./a.sock", "tls: {cert: none.pem, key: none.pem}\n", "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := atEdge(t, t.TempDir(), c.private, c.more)
			err := p.cmd.Wait()
			if p.cmd.ProcessState.ExitCode() != exitPerson || !strings.Contains(p.err.String(), c.want) {
				t.Errorf("ended with %v, want %d and %q; it said\n%s", err, exitPerson, c.want, p.err.String())
			}
		})
	}
}
