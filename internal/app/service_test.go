package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/sd"
)

// serviceManager is the service manager's end of a daemon.
type serviceManager struct {
	t    *testing.T
	conn *net.UnixConn
	env  map[string]string

	crm, rules string // of the daemon
}

func newServiceManager(t *testing.T, watchdog time.Duration) *serviceManager {
	t.Helper()
	address := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m := &serviceManager{t: t, conn: conn, env: map[string]string{"NOTIFY_SOCKET": address}, crm: "http://127.0.0.1:1", rules: unmatchedRules}
	if watchdog > 0 {
		m.env["WATCHDOG_USEC"] = fmt.Sprint(watchdog.Microseconds())
	}
	return m
}

// awaits reads messages up to one that has an assignment, and returns that.
func (m *serviceManager) awaits(want string) (message string) {
	m.t.Helper()
	if err := m.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		m.t.Fatal(err)
	}
	b := make([]byte, 8192)
	var seen []string
	for {
		n, err := m.conn.Read(b)
		if err != nil {
			m.t.Fatalf("the service manager was not told %s, but %q: %v", want, seen, err)
		}
		seen = append(seen, string(b[:n]))
		for line := range strings.Lines(string(b[:n]) + "\n") {
			if strings.HasPrefix(line, want) {
				return string(b[:n])
			}
		}
	}
}

// run runs a daemon under the manager; stop ends it.
func (m *serviceManager) run(dir, settings string, first int) (a *App, stop func() error) {
	m.t.Helper()
	rules := filepath.Join(dir, "mapping.yaml")
	path := filepath.Join(dir, "config.yaml")
	text := settings + "\ndata_dir: data\nmapping: mapping.yaml\nlimits: {store_time: 1m}\nsources: " + "{telli: {type: telli, signing_secret: " + benchSecret + "}}\n" +
		"connectors: {hubspot: {type: hubspot, access_token: x, base_url: '" + m.crm + "'}}\n"
	for file, text := range map[string]string{path: text, rules: m.rules} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	logger := func(config.Log) *slog.Logger { return slog.New(slog.DiscardHandler) }
	setup, problems := Build(path, "test", logger)
	if err := problems.Err(); err != nil {
		m.t.Fatal(err)
	}
	manager, err := sd.From(m.env, 7, first)
	if err != nil {
		m.t.Fatal(err)
	}
	if a, err = NewService(manager, setup, path, "test", logger); err != nil {
		m.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(m.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	stopped := false
	stop = func() error { stopped = true; cancel(); return <-ended }
	m.t.Cleanup(func() {
		if !stopped {
			_ = stop()
		}
	})
	return a, stop
}

const anywhere = "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0"

func TestService(t *testing.T) {
	t.Parallel()
	t.Run("start, reload and stop are told in order, and ready only when it serves", func(t *testing.T) {
		t.Parallel()
		m, dir := newServiceManager(t, 0), t.TempDir()
		a, stop := m.run(dir, anywhere, 3)
		m.awaits("EXTEND_TIMEOUT_USEC=30000000")
		if got := m.awaits("READY=1"); !strings.Contains(got, "STATUS=sources: 1, connectors: 1, deliveries that wait: 0, dead: 0") {
			t.Errorf("ready came as %q, without a status", got)
		}
		resp, err := http.Get(a.URL() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()

		if problems := a.Reload(); problems.Err() != nil {
			t.Fatal(problems)
		}
		if got := m.awaits("RELOADING=1"); !strings.Contains(got, "MONOTONIC_USEC=") {
			t.Errorf("the reload came as %q, without a time", got)
		}
		m.awaits("READY=1")
		if err := os.WriteFile(filepath.Join(dir, "mapping.yaml"), []byte("rules: ["), 0o600); err != nil {
			t.Fatal(err)
		}
		if a.Reload().Err() == nil {
			t.Fatal("a broken file was taken")
		}
		m.awaits("RELOADING=1")
		if got := m.awaits("READY=1"); !strings.Contains(got, "was refused, the settings before it are in force") {
			t.Errorf("a reload that was refused ended with %q", got)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if got := m.awaits("STOPPING=1"); !strings.Contains(got, "EXTEND_TIMEOUT_USEC=60000000") {
			t.Errorf("the stop came as %q, without its drain time", got)
		}
	})
	t.Run("webhooks are taken as long as a request to a CRM is under way at the stop", func(t *testing.T) {
		t.Parallel()
		asked, answer := make(chan struct{}, 1), make(chan struct{})
		crm := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			select {
			case asked <- struct{}{}:
			default:
			}
			<-answer
		}))
		t.Cleanup(crm.Close)
		release := sync.OnceFunc(func() { close(answer) })
		t.Cleanup(release)
		m := newServiceManager(t, 0)
		m.crm, m.rules = crm.URL, strings.Replace(unmatchedRules, "call.created", "call.ended", 1)
		a, stop := m.run(t.TempDir(), anywhere, 3)
		m.awaits("READY=1")
		c := dial(t, a.public.Addr().String())
		if err := c.send(signedWebhook(t, 1, false)); err != nil {
			t.Fatal(err)
		}
		<-asked
		slow, request := dial(t, a.public.Addr().String()), signedWebhook(t, 5, false)
		if _, err := slow.conn.Write(request[:len(request)-10]); err != nil {
			t.Fatal(err)
		}
		if err := c.send(signedWebhook(t, 6, false)); err != nil { // the slow one's is begun by now
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- stop() }()
		m.awaits("STOPPING=1")
		if _, err := slow.conn.Write(request[len(request)-10:]); err != nil {
			t.Fatal(err)
		}
		if resp, err := http.ReadResponse(slow.in, nil); err != nil || resp.StatusCode != 200 || !resp.Close {
			t.Errorf("a webhook that began before the stop: %+v, %v; want 200, and no other over this connection", resp, err)
		}
		if err := dial(t, a.public.Addr().String()).send(signedWebhook(t, 2, false)); err != nil {
			t.Errorf("a webhook during the stop: %v", err)
		}
		if err := c.send(signedWebhook(t, 3, false)); err != nil {
			t.Errorf("a webhook during the stop, over a connection that was there before: %v", err)
		}
		if _, err := c.in.Peek(1); !errors.Is(err, io.EOF) {
			t.Errorf("then the connection stays, or ends with %v; want it closed, so that nobody uses it later", err)
		}
		connected, since := dial(t, a.public.Addr().String()), time.Now()
		release()
		for {
			late, err := net.Dial("tcp", a.public.Addr().String())
			if err != nil {
				break
			}
			late.Close()
			time.Sleep(time.Millisecond) // each leaves a port that cannot be used for a minute
		}
		if err := connected.send(signedWebhook(t, 4, false)); err != nil && time.Since(since) < silent {
			t.Errorf("a webhook of a sender that was connected when no more were taken: %v", err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Run("the watchdog is fed while the ledger answers, and not while it hangs", func(t *testing.T) {
		t.Parallel()
		m := newServiceManager(t, 200*time.Millisecond)
		a, stop := m.run(t.TempDir(), anywhere, 3)
		m.awaits("READY=1")
		for range 3 {
			m.awaits("WATCHDOG=1")
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		quiet := newServiceManager(t, time.Second)
		manager, err := sd.From(quiet.env, 7, 3)
		if err != nil {
			t.Fatal(err)
		}
		a.manager, a.answers = manager, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		a.feed(t.Context(), 20*time.Millisecond)
		if err := quiet.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 8192)
		if n, err := quiet.conn.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a ledger that hangs told the manager %q", b[:n])
		}
	})
}

// inherit duplicates listeners to numbers side by side, as a service manager
// hands them over.
func inherit(t *testing.T, least int, listeners ...*net.TCPListener) (first int) {
	t.Helper()
	for i, l := range listeners {
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, f.Fd(), syscall.F_DUPFD, uintptr(least+i))
		f.Close()
		if errno != 0 || int(n) != least+i {
			t.Fatalf("number %d, %v; want %d", n, errno, least+i)
		}
	}
	return least
}

func listenTCP(t *testing.T) *net.TCPListener {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestSockets(t *testing.T) {
	t.Parallel()
	t.Run("the manager's sockets are taken, and senders wait through a restart", func(t *testing.T) {
		t.Parallel()
		web, private := listenTCP(t), listenTCP(t)
		m, dir := newServiceManager(t, 0), t.TempDir()
		m.env["LISTEN_PID"], m.env["LISTEN_FDS"], m.env["LISTEN_FDNAMES"] = "7", "2", "http:admin"
		a, stop := m.run(dir, anywhere, inherit(t, 810, web, private))
		m.awaits("READY=1")
		if a.URL() != "http://"+web.Addr().String() || a.Admin() != private.Addr().String() {
			t.Errorf("it listens at %s and %s, want %s and %s", a.URL(), a.Admin(), web.Addr(), private.Addr())
		}
		url := a.URL() + "/healthz"
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		answered := make(chan error, 1)
		c, err := net.Dial("tcp", web.Addr().String())
		if err != nil {
			t.Fatalf("refused while no daemon runs: %v", err)
		}
		defer c.Close()
		go func() {
			if _, err := fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
				answered <- err
				return
			}
			text, err := io.ReadAll(c)
			if err == nil && !strings.HasPrefix(string(text), "HTTP/1.1 200") {
				err = fmt.Errorf("got %q", text)
			}
			answered <- err
		}()
		m.run(dir, anywhere, inherit(t, 820, web, private))
		m.awaits("READY=1")
		if err := <-answered; err != nil {
			t.Errorf("who came while no daemon ran got %v from %s, want 200", err, url)
		}
	})
	t.Run("an admin socket that other machines may reach is refused", func(t *testing.T) {
		t.Parallel()
		for addr, ok := range map[net.Addr]bool{
			&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1}: true,
			&net.TCPAddr{IP: net.IPv6loopback, Port: 1}:       true,
			&net.UnixAddr{Name: "/run/x", Net: "unix"}:        true,
			&net.TCPAddr{IP: net.IPv4zero, Port: 1}:           false,
			&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1}: false,
		} {
			if err := local(addr, config.AdminAccess{}); (err == nil) != ok {
				t.Errorf("%s: %v, want allowed to be %t", addr, err, ok)
			}
			locked := config.AdminAccess{Pair: config.Pair{Cert: "c", Key: "k"}, Users: map[string]config.AdminUser{"anna": {}}}
			if err := local(addr, locked); err != nil {
				t.Errorf("%s: %v, although a certificate and a token are needed", addr, err)
			}
		}
	})
	t.Run("the same address is known however it is written", func(t *testing.T) {
		t.Parallel()
		tcp := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 8787} }
		for _, c := range []struct {
			have     net.Addr
			settings string
			want     bool
		}{
			{tcp("127.0.0.1"), "127.0.0.1:8787", true},
			{tcp("127.0.0.1"), "127.0.0.1:8788", false},
			{tcp("::"), ":8787", true},
			{tcp("::"), "0.0.0.0:8787", true},
			{tcp("::"), "127.0.0.1:8787", false},
			{&net.UnixAddr{Name: "/run/a", Net: "unix"}, "unix:/run/a", true},
			{&net.UnixAddr{Name: "/run/a", Net: "unix"}, "127.0.0.1:8787", false},
		} {
			if got := sameAddress(c.have, c.settings); got != c.want {
				t.Errorf("%s and %q: %t, want %t", c.have, c.settings, got, c.want)
			}
		}
	})
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 11, 2, 3, 0, time.Local)
	s := admin.Status{
		NotReady: "the disk is full", Unplanned: 1, Sources: make([]admin.Source, 2),
		Settings:   admin.Settings{FailedAt: at, Failure: "secret stuff"},
		Connectors: []admin.Connector{{Name: "hubspot", State: "parked", Reason: "secret stuff", Waiting: 4, Dead: 2}, {Name: "airtable", State: "ok", Waiting: 1}},
	}
	got := describe(s)
	for _, want := range []string{"not ready: the disk is full", "reload at 11:02:03 was refused", "hubspot is parked", "sources: 2, connectors: 2, deliveries that wait: 6, dead: 2"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if strings.Contains(got, "secret") || slices.Contains([]byte(got), '\n') {
		t.Errorf("%q tells too much, or has more than one line", got)
	}
}
