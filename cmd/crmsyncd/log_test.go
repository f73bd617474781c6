package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

func TestDaemonLog(t *testing.T) {
	t.Parallel()

	t.Run("all that was logged is written at the end", func(t *testing.T) {
		t.Parallel()
		var out output
		l := newDaemonLog(&out)
		log := l.logger(config.Log{})
		for i := range 1000 {
			log.Info("line", "n", i)
		}
		l.End()
		if n := strings.Count(out.String(), "\n"); n != 1000 || l.Dropped() != 0 {
			t.Errorf("%d lines and %d dropped, want 1000 and 0", n, l.Dropped())
		}
		log.Info("too late") // must not wait or panic
		if strings.Contains(out.String(), "late") {
			t.Error("a line was written after the end")
		}
	})

	t.Run("a reader that hangs makes nobody wait, and is told what it missed", func(t *testing.T) {
		t.Parallel()
		r, w := io.Pipe() // holds nothing
		l := newDaemonLog(w)
		log := l.logger(config.Log{Format: "json"})
		long := strings.Repeat("x", 1000)
		const lines = 3 * logRoom / 1000
		for range lines {
			log.Info(long)
		}
		n := l.Dropped()
		if n < lines/2 || n >= lines {
			t.Fatalf("%d of %d lines dropped, want what does not fit into %d bytes", n, lines, logRoom)
		}
		want := fmt.Sprintf(`"msg":"lines of the log were dropped: they were not taken, or not in time","lines":%d`, n)
		seen := make(chan string, 1)
		go func() {
			var text []byte
			buf := make([]byte, 64<<10)
			for {
				n, err := r.Read(buf)
				text = append(text, buf[:n]...)
				if err != nil || bytes.Contains(text, []byte("were dropped")) {
					seen <- string(text)
					return
				}
			}
		}()
		select {
		case text := <-seen:
			if !strings.Contains(text, want) {
				t.Errorf("want %s at the end of the log, got …%s", want, text[max(0, len(text)-200):])
			}
		case <-time.After(scriptPatience):
			t.Fatal("what was dropped is not told")
		}
		w.Close()
		l.End()
	})
}

// TestBlockedStandardError has nobody read the daemon's standard error.
func TestBlockedStandardError(t *testing.T) {
	t.Parallel()
	crm := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
	defer crm.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const setPipeSize = 1031 // F_SETPIPE_SZ of fcntl(2)
	if _, _, e := syscall.Syscall(syscall.SYS_FCNTL, w.Fd(), setPipeSize, 4096); e != 0 {
		t.Fatal(e)
	}
	// Full from the start: the first line of the log hangs.
	if _, err := w.Write(bytes.Repeat([]byte("\n"), 4096)); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, dir: t.TempDir()}
	listen, socket := address(t), filepath.Join(p.dir, "admin.sock")
	if err := writeConfig(p.dir, listen, "unix:"+socket, crm.URL); err != nil {
		t.Fatal(err)
	}
	if err := addTo(filepath.Join(p.dir, "config.yaml"), slowDisk); err != nil {
		t.Fatal(err)
	}
	p.cmd = p.command("serve")
	p.cmd.Stderr = w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.cmd.Process.Kill() }()
	w.Close()
	if _, err := readyAt("unix:" + socket); err != nil {
		t.Fatal(err)
	}
	for n := range 5 {
		c := p.command("send", "--sample", "call_completed", "--id", fmt.Sprintf("msg_%d", n))
		if out, err := c.CombinedOutput(); err != nil || !bytes.HasPrefix(out, []byte("200 ")) {
			t.Fatalf("a webhook while the log hangs: %v, %s", err, out)
		}
	}
	if err := settledAt("unix:"+socket, 1); err != nil {
		t.Fatalf("deliveries hang with the log: %v", err)
	}
	if got := metricOf(t, socket, "crmsyncd_log_lines_dropped_total"); got != "0" {
		t.Errorf("crmsyncd_log_lines_dropped_total is %s while lines still fit, want 0", got)
	}
	// And so it stops, with the log still hanging.
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// metricOf is the value of a metric without labels.
func metricOf(t *testing.T, socket, name string) string {
	t.Helper()
	for line := range strings.Lines(scrape(t, socket)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return "not there"
}
