package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/sources"
)

// TestProxies puts nginx, Caddy and Traefik, each with the settings of
// examples/edge, before a daemon: make edge-test. What a sender does there must
// end as if it were at crmsyncd itself. CADDY and TRAEFIK may name their programs.
func TestProxies(t *testing.T) {
	if os.Getenv("EDGE") == "" {
		t.Skip("make edge-test does this")
	}
	t.Parallel()
	for name, start := range map[string]func(t *testing.T, program, dir, front, listen string) *exec.Cmd{
		"nginx": nginxBefore, "caddy": caddyBefore, "traefik": traefikBefore,
	} {
		t.Run(name, func(t *testing.T) {
			program, err := exec.LookPath(cmp.Or(os.Getenv(strings.ToUpper(name)), name))
			if err != nil {
				t.Skipf("%s is not installed", name)
			}
			t.Parallel()
			behind(t, name, func(dir, front, listen string) *exec.Cmd { return start(t, program, dir, front, listen) })
		})
	}
}

// behind tells what senders do at a proxy before a daemon.
func behind(t *testing.T, name string, start func(dir, front, listen string) *exec.Cmd) {
	dir := t.TempDir()
	listen, front := address(t), address(t)
	secure := certify(t, dir, time.Hour, "hooks.example.com")
	settings := `listen: ` + listen + `
admin: unix:./admin.sock
data_dir: ./data
trusted_proxies: [127.0.0.1]
public_url: https://hooks.example.com
sources:
  telli: {type: telli, signing_secret: "` + testSecret + `"}
  chat: {type: respondio, signing_keys: [key-of-a-webhook-0123456789]}
  agents: {type: sipgate, allow_from: [127.0.0.2], token: a-token-of-32-characters-01234567}
connectors:
  zap: {type: webhook, url: "http://127.0.0.1:1/x", unsigned: true, allow_private: true}
` + slowDisk
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mapping.yaml"), []byte("version: 1\nrules: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	setup, problems := app.BuildOffline(filepath.Join(dir, "config.yaml"), version)
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	p := &process{t: t, dir: dir}
	p.start()
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	private := "unix:" + filepath.Join(dir, "admin.sock")
	if _, err := readyAt(private); err != nil {
		t.Fatalf("%v\n%s", err, p.err.String())
	}
	said := atProxy(t, start(dir, front, listen), front)

	// from is a client at an address of this machine that believes the certificate.
	from := func(ip string) *http.Client {
		tr := &http.Transport{
			TLSClientConfig: secure, ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}).DialContext(ctx, "tcp", front)
			},
		}
		t.Cleanup(tr.CloseIdleConnections)
		return &http.Client{Transport: tr, Timeout: 30 * time.Second}
	}
	post := func(c *http.Client, source string, body []byte, chunked bool, header http.Header) int {
		t.Helper()
		u, err := url.Parse("https://hooks.example.com/hooks/" + source)
		if err != nil {
			t.Fatal(err)
		}
		r := &sources.Request{Method: "POST", Header: http.Header{"Content-Type": {app.ContentType(body)}}, Body: body}
		if g := setup.Guards[source]; g != nil && g.Token() {
			u = u.JoinPath(g.Admit())
		}
		r.URL = u
		if signer, ok := setup.Sources[source].(sources.Signer); ok {
			if err := signer.Sign(r, newMessageID(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		var reader io.Reader = bytes.NewReader(r.Body)
		if chunked {
			reader = io.MultiReader(reader) // whose length nobody knows
		}
		req, err := http.NewRequestWithContext(t.Context(), "POST", u.String(), reader)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = r.Header
		for k, v := range header {
			req.Header[k] = v
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode
	}
	sample := func(source string) []byte {
		t.Helper()
		s := setup.Sources[source].(sources.Sampler)
		body, err := s.Sample(s.Samples()[0], 1, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	large := func(n int) []byte {
		return fmt.Appendf(nil, `{"event":"x","text":%q}`, strings.Repeat("a", n))
	}
	vendor, stranger := from("127.0.0.2"), from("127.0.0.3")
	for _, c := range []struct {
		name, source string
		client       *http.Client
		body         []byte
		chunked      bool
		header       http.Header
		want         int
	}{
		{"telli's signature", "telli", stranger, sample("telli"), false, nil, 200},
		{"respond.io's raw body, its blanks and all", "chat", stranger, append(sample("chat"), "  \n"...), false, nil, 200},
		{"sipgate in chunks, from its address", "agents", vendor, sample("agents"), true, nil, 200},
		{"sipgate from elsewhere", "agents", stranger, sample("agents"), true, nil, 403},
		{"sipgate's address claimed by another", "agents", stranger, sample("agents"), false, http.Header{"X-Forwarded-For": {"127.0.0.2"}, "X-Real-Ip": {"127.0.0.2"}, "Forwarded": {"for=127.0.0.2"}}, 403},
		{"a body as large as limits.body allows", "telli", stranger, large(8<<20 - 100), false, nil, 200},
		{"a body that is larger", "telli", stranger, large(8<<20 + 100), false, nil, 413},
	} {
		if got := post(c.client, c.source, c.body, c.chunked, c.header); got != c.want {
			t.Errorf("%s: %d, want %d\n%s", c.name, got, c.want, p.err.String())
		}
	}
	for _, path := range []string{"/", "/metrics", "/api/status", "/healthz"} {
		resp, err := stranger.Get("https://hooks.example.com" + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 404 {
			t.Errorf("%s: %d, want 404", path, resp.StatusCode)
		}
	}
	// Who is no proxy is believed nothing.
	if got := post(straight(t, "127.0.0.3", listen), "agents", sample("agents"), false, http.Header{"X-Forwarded-For": {"127.0.0.2"}}); got != 403 {
		t.Errorf("an address claimed by somebody at the daemon itself: %d, want 403", got)
	}
	// A slow sender must not be told that it was taken: it would not come again.
	dawdle(t, front, secure, name != "caddy")

	// A request is tried once, though the daemon took it and fell.
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	taken := make(chan struct{}, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			taken <- struct{}{}
			_ = c.Close()
		}
	}()
	if got := post(stranger, "telli", sample("telli"), false, nil); got != 502 {
		t.Errorf("a daemon that falls: %d, want 502", got)
	}
	if got := post(vendor, "agents", sample("agents"), false, nil); got != 502 {
		t.Errorf("a daemon that falls, with a token in the address: %d, want 502", got)
	}
	_ = l.Close()
	if n := len(taken); n != 2 {
		t.Errorf("%s tried two requests %d times", name, n)
	}
	if logged := said.String(); strings.Contains(logged, "a-token-of") {
		t.Errorf("the log shows the token of an address:\n%s", logged)
	}
}

// straight is a client at an address of this machine that asks the daemon itself.
func straight(t *testing.T, ip, listen string) *http.Client {
	t.Helper()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}).DialContext(ctx, "tcp", listen)
	}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: inTheClear{tr}, Timeout: 30 * time.Second}
}

// inTheClear sends without TLS, as is done behind a proxy.
type inTheClear struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (c inTheClear) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme = "http"
	return c.Transport.RoundTrip(r)
}

// dawdle sends a header without its end, and a body without its end: neither may
// count as taken, and both are cut off, or only the first where bodies are not.
func dawdle(t *testing.T, front string, secure *tls.Config, bodies bool) {
	t.Helper()
	const least = 2 * time.Second
	plain := secure.Clone()
	plain.NextProtos = []string{"http/1.1"}
	var all sync.WaitGroup
	for what, text := range map[string]string{
		"a header": "POST /hooks/telli HTTP/1.1\r\nHost: hooks.example.com\r\nContent-Ty",
		"a body":   "POST /hooks/telli HTTP/1.1\r\nHost: hooks.example.com\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
	} {
		cut, patience := bodies || what == "a header", 25*time.Second // longer than any of the proxies waits
		if cut {
			patience = 2 * time.Minute
		}
		all.Go(func() {
			c, err := tls.Dial("tcp", front, plain)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			began := time.Now()
			_ = c.SetDeadline(began.Add(patience))
			if _, err := io.WriteString(c, text); err != nil {
				t.Error(err)
				return
			}
			answer, err := io.ReadAll(c)
			if took := time.Since(began); took < least || took >= patience && cut || strings.HasPrefix(string(answer), "HTTP/1.1 2") {
				t.Errorf("who dawdles with %s has an answer %q after %s, %v; want to be cut off", what, answer, took, err)
			}
		})
	}
	all.Wait()
}
