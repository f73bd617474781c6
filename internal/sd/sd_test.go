package sd

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// listenNotify is a manager's end of NOTIFY_SOCKET.
func listenNotify(t *testing.T, name string) (env map[string]string, receive func() string) {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return map[string]string{"NOTIFY_SOCKET": name}, func() string {
		t.Helper()
		if err := c.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 4096)
		n, err := c.Read(b)
		if err != nil {
			t.Fatal(err)
		}
		return string(b[:n])
	}
}

// inherited is what env and pid would have handed over: sockets at numbers of
// this process from first on.
func inherited(t *testing.T, listeners ...*net.TCPListener) (first int) {
	t.Helper()
	for i, l := range listeners {
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		// A number of its own, which the Manager closes.
		n, err := dupTo(int(f.Fd()), 700+i)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = n
		} else if n != first+i {
			t.Fatalf("socket %d has number %d, want %d", i, n, first+i)
		}
		f.Close()
	}
	return first
}

func TestNotify(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]string{
		"a socket in the file system": filepath.Join(t.TempDir(), "notify"),
		"an abstract socket":          "@crmsyncd-sd-test-" + strconv.Itoa(os.Getpid()),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			env, receive := listenNotify(t, address)
			m, err := From(env, 1, 3)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Notify(Ready, Status("serving\nX=1")); err != nil {
				t.Fatal(err)
			}
			if got, want := receive(), "READY=1\nSTATUS=serving X=1"; got != want {
				t.Errorf("the manager got %q, want %q: a text must not become an assignment", got, want)
			}
		})
	}
	t.Run("a manager that is gone is an error", func(t *testing.T) {
		t.Parallel()
		m, err := From(map[string]string{"NOTIFY_SOCKET": filepath.Join(t.TempDir(), "none")}, 1, 3)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Notify(Ready); err == nil {
			t.Error("no error, want one")
		}
	})
}

func TestAssignments(t *testing.T) {
	t.Parallel()
	if got, want := Extend(90*time.Second), "EXTEND_TIMEOUT_USEC=90000000"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	begin, again := Reloading(), Reloading()
	if len(begin) != 2 || begin[0] != "RELOADING=1" {
		t.Fatalf("got %q, want RELOADING=1 first", begin)
	}
	usec := func(a []string) int64 {
		text, ok := strings.CutPrefix(a[1], "MONOTONIC_USEC=")
		n, err := strconv.ParseInt(text, 10, 64)
		if !ok || err != nil || n <= 0 {
			t.Fatalf("got %q, want a time of the monotonic clock", a[1])
		}
		return n
	}
	if first, second := usec(begin), usec(again); second < first {
		t.Errorf("the clock went back from %d to %d", first, second)
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	own := map[string]string{"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}
	for name, c := range map[string]struct {
		env      map[string]string
		pid      int
		watchdog time.Duration
		fails    string
	}{
		"nothing is no manager":                     {nil, 7, 0, ""},
		"a watchdog of ours":                        {own, 7, 30 * time.Second, ""},
		"a watchdog of another process":             {own, 8, 0, ""},
		"a watchdog of whoever reads it":            {map[string]string{"WATCHDOG_USEC": "1000"}, 8, time.Millisecond, ""},
		"a watchdog that is no number":              {map[string]string{"WATCHDOG_USEC": "often"}, 8, 0, "WATCHDOG_USEC"},
		"sockets of another process":                {map[string]string{"LISTEN_PID": "7", "LISTEN_FDS": "2"}, 8, 0, ""},
		"sockets without a process":                 {map[string]string{"LISTEN_FDS": "2"}, 8, 0, ""},
		"more sockets than anybody would hand over": {map[string]string{"LISTEN_PID": "7", "LISTEN_FDS": "100000"}, 7, 0, "LISTEN_FDS"},
		"a number of sockets that is none":          {map[string]string{"LISTEN_PID": "7", "LISTEN_FDS": "x"}, 7, 0, "LISTEN_FDS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, err := From(c.env, c.pid, 3)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("error %v, want one that names %s", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := m.Watchdog(); got != c.watchdog || len(m.Sockets()) != 0 {
				t.Errorf("watchdog %s and sockets %q, want %s and none", got, m.Sockets(), c.watchdog)
			}
			if c.watchdog == 0 && m != nil {
				t.Errorf("got a manager, want none")
			}
		})
	}
}

func TestNoManager(t *testing.T) {
	t.Parallel()
	var m *Manager
	l, err := m.Listener("http")
	if m.Notify(Ready) != nil || l != nil || err != nil || m.Watchdog() != 0 || m.Sockets() != nil {
		t.Error("without a manager something was done")
	}
}
