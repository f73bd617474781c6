package sd

import (
	"net"
	"strings"
	"syscall"
	"testing"
)

// dupTo duplicates a descriptor to the first free number from least on.
func dupTo(fd, least int) (int, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD, uintptr(least))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
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

// TestListener is one test, as its sockets have numbers side by side.
func TestListener(t *testing.T) {
	web, admin := listenTCP(t), listenTCP(t)
	env := func(names string) map[string]string {
		return map[string]string{"LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": names}
	}
	m, err := From(env("http:admin"), 7, inherited(t, web, admin))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(m.Sockets(), " "); got != "admin http" {
		t.Errorf("the sockets are %q, want admin and http", got)
	}
	for name, want := range map[string]net.Listener{"http": web, "admin": admin} {
		l, err := m.Listener(name)
		if err != nil || l == nil {
			t.Fatalf("%s: %v, %v, want a listener", name, l, err)
		}
		if l.Addr().String() != want.Addr().String() {
			t.Errorf("%s is %s, want %s", name, l.Addr(), want.Addr())
		}
		l.Close()
		// The manager's own socket must go on taking connections.
		c, err := net.Dial("tcp", want.Addr().String())
		if err != nil {
			t.Errorf("%s does not take connections once the daemon closed its own: %v", name, err)
			continue
		}
		c.Close()
	}
	if l, err := m.Listener("http"); l != nil || err != nil {
		t.Errorf("taken again: %v, %v, want none", l, err)
	}
	if l, err := m.Listener("other"); l != nil || err != nil {
		t.Errorf("a name not handed over: %v, %v, want none", l, err)
	}
	_, err = From(env("http:http"), 7, inherited(t, web, admin))
	if err == nil || !strings.Contains(err.Error(), `"http"`) {
		t.Errorf("two sockets of one name: error %v, want one that names it", err)
	}
}

func TestListenerRefusesWhatIsNoListener(t *testing.T) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pair[1])
	n, err := dupTo(pair[0], 900)
	syscall.Close(pair[0])
	if err != nil {
		t.Fatal(err)
	}
	m, err := From(map[string]string{"LISTEN_PID": "7", "LISTEN_FDS": "1"}, 7, n)
	if err != nil {
		t.Fatal(err)
	}
	if l, err := m.Listener("unknown"); l != nil || err == nil {
		t.Errorf("got %v, %v, want an error", l, err)
	}
}
