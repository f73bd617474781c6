package sd

import "testing"

// FuzzEnvironment holds that whatever the environment says gives a manager or
// an error, and never more sockets than there may be.
func FuzzEnvironment(f *testing.F) {
	f.Add("/run/notify", "60000000", "7", "7", "2", "http:admin")
	f.Add("@x", "-1", "", "7", "99999999999", ":::")
	f.Add("", "", "x", "8", "1", "")
	f.Fuzz(func(t *testing.T, notify, usec, watchdog, pid, fds, names string) {
		m, err := From(map[string]string{"NOTIFY_SOCKET": notify, "WATCHDOG_USEC": usec, "WATCHDOG_PID": watchdog, "LISTEN_PID": pid, "LISTEN_FDS": fds, "LISTEN_FDNAMES": names}, 7, 1<<20)
		if err != nil || m == nil {
			return
		}
		if n := len(m.Sockets()); n > mostSockets {
			t.Errorf("%d sockets", n)
		}
		if m.Watchdog() < 0 {
			t.Errorf("a watchdog of %v", m.Watchdog())
		}
		for _, name := range m.Sockets() {
			if l, err := m.Listener(name); err == nil { // of numbers that nothing is behind
				l.Close()
				t.Errorf("%q is a listener", name)
			}
		}
	})
}
