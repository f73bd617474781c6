// Package sd speaks with the service manager that started this process, which
// on Linux is systemd: it says when the daemon is ready, reloads, stops and is
// alive, and takes over the sockets that the manager holds. The protocols are
// those of sd_notify(3) and sd_listen_fds(3).
//
// It decides nothing: when a daemon is ready or alive is for its owner to say.
// Where no manager is, everything does nothing.
package sd

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Manager is the service manager of this process. The nil Manager is none; its
// methods do nothing. Notify is safe for concurrent use.
type Manager struct {
	notify   string // address of its socket, or ""
	watchdog time.Duration
	sockets  map[string]*os.File
}

// variables are those by which the manager talks to its service. They are
// taken out of the environment, so that no child takes them for its own.
var variables = []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}

// FromEnvironment gives the manager that the environment names, or nil where
// there is none. Call it once, before anything opens files: the sockets are
// known by their numbers only.
func FromEnvironment() (*Manager, error) {
	env := map[string]string{}
	for _, v := range variables {
		if value, ok := os.LookupEnv(v); ok {
			env[v] = value
			if err := os.Unsetenv(v); err != nil {
				return nil, err
			}
		}
	}
	return From(env, os.Getpid(), firstSocket)
}

// From reads the variables of the process pid, whose sockets are numbered from
// first on; nil where they name no manager.
func From(env map[string]string, pid, first int) (*Manager, error) {
	m := &Manager{notify: env["NOTIFY_SOCKET"], sockets: map[string]*os.File{}}
	if v := env["WATCHDOG_USEC"]; v != "" && forUs(env["WATCHDOG_PID"], pid) {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n <= 0 || n > int64(24*time.Hour/time.Microsecond) {
			return nil, errors.New("WATCHDOG_USEC of the service manager is no time")
		}
		m.watchdog = time.Duration(n) * time.Microsecond
	}
	if err := m.takeSockets(env, pid, first); err != nil {
		return nil, err
	}
	if m.notify == "" && m.watchdog == 0 && len(m.sockets) == 0 {
		return nil, nil
	}
	return m, nil
}

func forUs(pid string, own int) bool { return pid == "" || pid == strconv.Itoa(own) }

// Watchdog is how often at least the manager wants to hear WATCHDOG=1; 0: not
// at all.
func (m *Manager) Watchdog() time.Duration {
	if m == nil {
		return 0
	}
	return m.watchdog
}

// Notify sends assignments, such as READY=1, in one message. Line breaks
// within one become spaces: a message is one assignment a line.
func (m *Manager) Notify(assignments ...string) error {
	if m == nil || m.notify == "" || len(assignments) == 0 {
		return nil
	}
	for i, a := range assignments {
		assignments[i] = strings.Join(strings.FieldsFunc(a, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: m.notify, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	defer c.Close()
	// A manager that does not read must not hold up the daemon.
	if err := c.SetWriteDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := c.Write([]byte(strings.Join(assignments, "\n"))); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}

// Ready, Stopping and Alive are assignments of sd_notify(3).
const (
	Ready    = "READY=1"
	Stopping = "STOPPING=1"
	Alive    = "WATCHDOG=1"
)

// Reloading are the assignments that begin a reload; Ready ends it. The time
// of the monotonic clock lets the manager tell this reload from one before.
func Reloading() []string {
	return []string{"RELOADING=1", "MONOTONIC_USEC=" + strconv.FormatInt(monotonic().Microseconds(), 10)}
}

// Status is an assignment that people see in systemctl status; one line.
func Status(text string) string { return "STATUS=" + text }

// Extend is an assignment that asks for d, from now, before a start or stop
// counts as stuck.
func Extend(d time.Duration) string {
	return "EXTEND_TIMEOUT_USEC=" + strconv.FormatInt(d.Microseconds(), 10)
}

// Sockets are the names of the sockets not taken yet, sorted.
func (m *Manager) Sockets() []string {
	if m == nil {
		return nil
	}
	var names []string
	for name := range m.sockets {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
