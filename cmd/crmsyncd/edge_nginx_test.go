package main

import (
	"bytes"
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
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/sources"
)

// TestNginx puts nginx with the settings of examples/edge before a daemon: make
// edge-test. What a sender does there must end as if it were at crmsyncd itself.
func TestNginx(t *testing.T) {
	if os.Getenv("EDGE") == "" {
		t.Skip("make edge-test does this")
	}
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("nginx is not installed")
	}
	t.Parallel()
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
`
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
	withNginx(t, nginx, dir, front, listen)

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
	if logged, err := os.ReadFile(filepath.Join(dir, "nginx.log")); err != nil || strings.Contains(string(logged), "a-token-of") {
		t.Errorf("nginx's log shows the token of an address: %v\n%s", err, logged)
	}

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
	_ = l.Close()
	if n := len(taken); n != 1 {
		t.Errorf("nginx tried a request %d times", n)
	}
}

// withNginx runs nginx with the example's settings, in which only addresses and
// files are put in.
func withNginx(t *testing.T, nginx, dir, front, listen string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "edge", "nginx.conf"))
	if err != nil {
		t.Fatal(err)
	}
	server := string(text)
	for from, to := range map[string]string{
		"listen 443 ssl http2;":                                 "listen " + front + " ssl http2;",
		"/etc/letsencrypt/live/hooks.example.com/fullchain.pem": filepath.Join(dir, "cert.pem"),
		"/etc/letsencrypt/live/hooks.example.com/privkey.pem":   filepath.Join(dir, "key.pem"),
		"proxy_pass http://127.0.0.1:8787;":                     "proxy_pass http://" + listen + ";",
	} {
		if strings.Count(server, from) != 1 {
			t.Fatalf("examples/edge/nginx.conf is to have %q once", from)
		}
		server = strings.Replace(server, from, to, 1)
	}
	var paths string
	for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		paths += fmt.Sprintf("    %s_temp_path %s;\n", what, filepath.Join(dir, "nginx-"+what))
	}
	conf := fmt.Sprintf("daemon off;\nworker_processes 1;\npid %s;\nerror_log %s info;\nevents {}\nhttp {\n%s%s}\n", filepath.Join(dir, "nginx.pid"), filepath.Join(dir, "nginx.log"), paths, server)
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	// Its worker gives up root's rights, and must still get through to its files.
	for at := dir; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var said bytes.Buffer
	cmd := exec.Command(nginx, "-e", filepath.Join(dir, "nginx.log"), "-p", dir, "-c", path)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	if err := poll(func() error {
		c, err := tls.Dial("tcp", front, &tls.Config{InsecureSkipVerify: true})
		if err == nil {
			err = c.Close()
		}
		return err
	}); err != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
}
