package sd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstSocket is the number of the first socket that is handed over
// (SD_LISTEN_FDS_START).
const firstSocket = 3

// mostSockets bounds what is believed of LISTEN_FDS.
const mostSockets = 64

func (m *Manager) takeSockets(env map[string]string, pid, first int) error {
	// Unlike the watchdog's, this number must be there: without it the sockets
	// are some other process's.
	if env["LISTEN_PID"] != strconv.Itoa(pid) {
		return nil
	}
	n, err := strconv.Atoi(env["LISTEN_FDS"])
	if err != nil || n < 0 || n > mostSockets {
		return fmt.Errorf("LISTEN_FDS of the service manager is %.20q, want a number up to %d", env["LISTEN_FDS"], mostSockets)
	}
	names := strings.Split(env["LISTEN_FDNAMES"], ":")
	for i := range n {
		name := "unknown" // what the manager says of a socket without a name
		if i < len(names) && names[i] != "" {
			name = names[i]
		}
		syscall.CloseOnExec(first + i)
		f := os.NewFile(uintptr(first+i), name)
		if before := m.sockets[name]; before != nil {
			return fmt.Errorf("the service manager hands over two sockets called %q; one .socket unit may have one ListenStream= only", name)
		}
		m.sockets[name] = f
	}
	return nil
}

// Listener gives the socket of a name as a listener, or nil where the manager
// handed over none. It can be taken once.
func (m *Manager) Listener(name string) (net.Listener, error) {
	if m == nil || m.sockets[name] == nil {
		return nil, nil
	}
	f := m.sockets[name]
	delete(m.sockets, name)
	defer f.Close() // the listener has a duplicate
	// A datagram socket would become a listener that fails at every Accept.
	accepts, err := syscall.GetsockoptInt(int(f.Fd()), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	if err == nil && accepts == 0 {
		err = errors.New("it does not listen; the .socket unit wants ListenStream= and Accept=no")
	}
	if err != nil {
		return nil, fmt.Errorf("the service manager's socket %q: %w", name, err)
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("the service manager's socket %q: %w", name, err)
	}
	return l, nil
}
