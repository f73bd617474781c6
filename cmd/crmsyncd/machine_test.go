package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestFaultyMachine tries what a machine does to a daemon apart from its disk.
// It needs FAULTS=1, root and some tools, as TestFaultyDisk does.
func TestFaultyMachine(t *testing.T) {
	if os.Getenv("FAULTS") == "" {
		t.Skip("FAULTS is not set")
	}
	t.Parallel()

	t.Run("the disk of the log is full: events go on, and what is missing is counted and told", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		logs := filepath.Join(s.dir, "logs")
		if err := os.Mkdir(logs, 0o700); err != nil {
			t.Fatal(err)
		}
		s.needs("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", logs)
		t.Cleanup(func() { _ = syscall.Unmount(logs, syscall.MNT_DETACH) })
		f, err := os.OpenFile(filepath.Join(logs, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		s.stderr = f
		s.up()
		s.accepts(3)
		ballast := filepath.Join(logs, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 64<<10), 0o600); err == nil {
			t.Fatal("the disk of the log is not full")
		}
		s.accepts(100)
		if err := settledAt(s.private, 103); err != nil {
			t.Fatal(err)
		}
		socket := strings.TrimPrefix(s.private, "unix:")
		s.until("counted in crmsyncd_log_lines_dropped_total", func() bool {
			got := metricOf(t, socket, "crmsyncd_log_lines_dropped_total")
			return got != "0" && got != "not there"
		})
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		s.until("told", func() bool {
			s.accepts(1)
			text, err := os.ReadFile(f.Name())
			return err == nil && bytes.Contains(text, []byte("lines of the log were dropped"))
		})
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Count(line, "time=") > 1 {
				t.Errorf("two lines in one: %s", line)
			}
		}
		s.whole()
	})

	t.Run("it stands still for a minute, and goes on where it was", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.up()
		s.accepts(3)
		if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		s.until("standing still", func() bool { return standsStill(t, s.cmd.Process.Pid) })
		s.waits = 10 * time.Second
		for range 3 { // the kernel takes their connections; nobody answers
			if status, _ := s.send(); status != 0 {
				t.Errorf("a process that stands still answered %d", status)
			}
		}
		s.waits = scriptPatience
		time.Sleep(30 * time.Second) // and 10 for each of the three
		before := len(s.sb.Requests("hubspot"))
		if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		s.accepts(3)
		s.until("ready", func() bool { status, _ := s.readyz(); return status == http.StatusOK })
		if n := len(s.sb.Requests("hubspot")) - before; n > 60 {
			t.Errorf("%d requests to one CRM right after it went on", n)
		}
		s.whole()
	})

	t.Run("its monotonic clock and that of a machine that was asleep are far apart", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		asleep := []string{"unshare", "--time", "--monotonic", "1000000", "--boottime", "50000000", "--fork", "--kill-child"}
		s.needs(asleep[0], append(asleep[1:], "true")...)
		s.up(asleep...)
		s.accepts(5)
		if err := settledAt(s.private, 5); err != nil {
			t.Fatal(err)
		}
		_ = s.cmd.Process.Kill() // its child with it
		<-s.exited
		// And back to a machine that has just been started.
		began := fmt.Sprint(10 - uptime(t))
		s.up("unshare", "--time", "--monotonic", began, "--boottime", began, "--fork", "--kill-child")
		s.accepts(5)
		if err := settledAt(s.private, 10); err != nil {
			t.Fatal(err)
		}
		_ = s.cmd.Process.Kill()
		<-s.exited
		s.up()
		s.whole()
	})

	t.Run("the kernel kills it for want of memory", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		group, limit := memoryGroup(t)
		s.up("sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(group, "cgroup.procs"))
		s.size = 3_000_000
		s.accepts(5)
		if err := settledAt(s.private, 5); err != nil {
			t.Fatal(err)
		}
		// The kernel counts its own for it too, and sets no limit that is passed already.
		err := error(syscall.EBUSY)
		for most := s.memory() + 1<<20; errors.Is(err, syscall.EBUSY); most += 1 << 20 {
			err = os.WriteFile(filepath.Join(group, limit), fmt.Append(nil, most), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if len(s.exited) > 0 {
				break
			}
			s.send()
		}
		s.until("killed by the kernel", func() bool { return len(s.exited) > 0 })
		if code := <-s.exited; code != -1 {
			t.Errorf("it ended with %d, want a signal", code)
		}
		s.up()
		s.whole()
	})

	t.Run("it gets no memory any more, and ends by itself", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.needs("prlimit", "--as=17179869184", "true")
		s.up("prlimit", "--as=17179869184")
		s.size = 200_000
		s.accepts(5)
		s.needs("prlimit", "--as=1000000", "--pid", fmt.Sprint(s.cmd.Process.Pid))
		for range 500 {
			if len(s.exited) > 0 {
				break
			}
			s.send()
		}
		s.until("in want of memory", func() bool { return len(s.exited) > 0 })
		said := s.said.String()
		if code := <-s.exited; code != 2 || !strings.Contains(said, "out of memory") && !strings.Contains(said, "cannot allocate memory") {
			t.Errorf("it ended with %d, want 2 as Go does without memory", code)
		}
		s.said.trim(0) // where it was then
		s.up()
		s.whole()
	})
}

// standsStill tells whether all threads of a process have stopped: a signal
// reaches them one after the other.
func standsStill(t *testing.T, pid int) bool {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("process %d has no threads (%v)", pid, err)
	}
	for _, path := range threads {
		if text, err := os.ReadFile(path); err == nil && !strings.Contains(string(text), "\nState:\tT") {
			return false
		}
	}
	return true
}

// uptime is how many seconds the machine's monotonic clock has counted, at most.
func uptime(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/uptime")
	if err != nil {
		t.Skip(err)
	}
	var seconds float64
	if _, err := fmt.Sscan(string(text), &seconds); err != nil {
		t.Fatal(err)
	}
	return int(seconds)
}

// memory is how much memory the daemon has that is its own, in bytes.
func (s *struck) memory() int64 {
	s.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(text), "RssAnon:")
	var kib int64
	if _, err := fmt.Sscan(after, &kib); err != nil {
		s.t.Fatal(err)
	}
	return kib << 10
}

// memoryGroup makes a control group below this process's own, and names the
// file with its limit.
func memoryGroup(t *testing.T) (dir, limit string) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(parts) == 3 && parts[1] == "memory":
			dir, limit = filepath.Join("/sys/fs/cgroup/memory", parts[2]), "memory.limit_in_bytes"
		case len(parts) == 3 && parts[0] == "0" && limit == "":
			dir, limit = filepath.Join("/sys/fs/cgroup", parts[2]), "memory.max"
		}
	}
	if _, err := os.Stat(dir); err != nil && limit == "memory.limit_in_bytes" {
		dir = "/sys/fs/cgroup/memory" // of a namespace that shows its own root there
	}
	dir = filepath.Join(dir, fmt.Sprintf("crmsyncd-test-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Skipf("no control group can be made here: %v", err)
	}
	t.Cleanup(func() {
		for range 100 { // it is busy until the process is gone
			if syscall.Rmdir(dir) == nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("%s stays", dir)
	})
	if _, err := os.Stat(filepath.Join(dir, limit)); err != nil {
		t.Skipf("control groups do not bound memory here: %v", err)
	}
	for _, name := range []string{"memory.swappiness", "memory.swap.max"} { // of the first kind of groups, of the second
		_ = os.WriteFile(filepath.Join(dir, name), []byte("0"), 0o600)
	}
	return dir, limit
}

// watched has the daemon run under a service manager with a watchdog. The
// function that it gives waits until the watchdog is fed, or makes sure that it
// is not, for as long as the watchdog would wait.
func (s *struck) watched(every time.Duration) (fed func(want bool)) {
	s.t.Helper()
	address := filepath.Join(s.dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	s.env = append(s.env, "NOTIFY_SOCKET="+address, fmt.Sprint("WATCHDOG_USEC=", every.Microseconds()))
	heard := func(until time.Time) bool {
		b := make([]byte, 8192)
		for {
			_ = conn.SetReadDeadline(until)
			n, err := conn.Read(b)
			if err != nil {
				return false
			}
			if strings.Contains(string(b[:n]), "WATCHDOG=1") {
				return true
			}
		}
	}
	return func(want bool) {
		s.t.Helper()
		for !want && heard(time.Now().Add(time.Millisecond)) { // what was sent before
		}
		wait := every
		if want {
			wait = scriptPatience
		}
		if got := heard(time.Now().Add(wait)); got != want {
			s.t.Errorf("the watchdog was fed: %t, want %t", got, want)
		}
	}
}
