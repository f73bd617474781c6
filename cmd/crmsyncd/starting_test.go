package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// TestStarting has a daemon and commands come to a ledger that another process
// has for a moment: longer than a command waits by itself.
func TestStarting(t *testing.T) {
	t.Parallel()
	const moment = 1300 * time.Millisecond
	crm := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
	defer crm.Close()
	// refused is for whoever was: nobody waits for much longer than a moment.
	held := func(t *testing.T) (p *process, socket string, refused func(format string, args ...any)) {
		t.Helper()
		p = &process{t: t, dir: t.TempDir()}
		socket = filepath.Join(p.dir, "admin.sock")
		if err := writeConfig(p.dir, address(t), "unix:"+socket, crm.URL); err != nil {
			t.Fatal(err)
		}
		ledger, err := bolt.Open(bolt.Options{Path: filepath.Join(p.dir, "data", app.LedgerFile), Init: true, Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		began, held := time.Now(), make(chan time.Duration, 1)
		time.AfterFunc(moment, func() { _ = ledger.Close(); held <- time.Since(began) })
		return p, socket, func(format string, args ...any) {
			t.Helper()
			if d := <-held; d > 2*moment {
				t.Skipf("this machine stood still: the ledger was away for %v", d)
			}
			t.Fatalf(format, args...)
		}
	}
	t.Run("a daemon waits for a command that has the ledger", func(t *testing.T) {
		p, socket, refused := held(t)
		p.start()
		defer func() { _ = p.cmd.Process.Kill() }()
		ended := make(chan error, 1)
		go func() { ended <- p.cmd.Wait() }()
		ready := make(chan error, 1)
		go func() { _, err := readyAt("unix:" + socket); ready <- err }()
		select {
		case err := <-ended:
			refused("it ended: %v\n%s", err, p.err.String())
		case err := <-ready:
			if err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("a command waits for a daemon that is just starting", func(t *testing.T) {
		p, _, refused := held(t)
		if out, err := p.command("events", "list").CombinedOutput(); err != nil {
			refused("%v: %s", err, out)
		}
	})
}

// TestStopDoesNotWaitForALimit stops a daemon whose delivery is under way and
// waits for its account's next turn, which is ten seconds away.
func TestStopDoesNotWaitForALimit(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 100)
	inner := sandbox.New(sandbox.Options{Unlimited: true})
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		if strings.HasPrefix(r.URL.Path, "/hubspot/") {
			asked <- struct{}{}
		}
	}))
	defer crm.Close()
	p := &process{t: t, dir: t.TempDir()}
	socket := filepath.Join(p.dir, "admin.sock")
	if err := writeConfig(p.dir, address(t), "unix:"+socket, crm.URL); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.dir, "config.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	slow := strings.NewReplacer("requests_per_10s: 100000", "requests_per_10s: 1", "drain: 5s", "drain: 1m").Replace(string(text))
	if err := os.WriteFile(path, []byte(slow), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := func() time.Duration {
		p.start()
		defer func() { _ = p.cmd.Process.Kill() }()
		if _, err := readyAt("unix:" + socket); err != nil {
			t.Fatalf("%v\n%s", err, p.err.String())
		}
		if out, err := p.command("send", "--sample", "call_completed").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		<-asked // the first of its requests; it takes some
		began := time.Now()
		if err := p.end(syscall.SIGTERM); err != nil {
			t.Errorf("it ended with %v\n%s", err, p.err.String())
		}
		return time.Since(began)
	}
	// Each stop would wait for a turn, where a busy machine is slow now and then.
	took := stop()
	for tries := 0; took > 8*time.Second && tries < 5; tries++ {
		for len(asked) > 0 {
			<-asked
		}
		took = stop()
	}
	if took > 8*time.Second {
		t.Errorf("it took %v to stop, which is as long as the next turn takes", took)
	}
	out, err := p.command("deliveries", "list", "--state", "waiting").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "evt_1.hubspot") {
		t.Errorf("want the delivery to wait for the next start, got %v\n%s", err, out)
	}
}
