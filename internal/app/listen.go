package app

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/crmsyncd/crmsyncd/config"
)

// Names by which a service manager's sockets are known: FileDescriptorName= of
// a .socket unit.
const (
	publicSocket = "http"
	adminSocket  = "admin"
)

// listen takes the two addresses: from the service manager where it holds them
// already, which keeps senders waiting through a restart rather than refused.
func (a *App) listen(s *config.Settings) (err error) {
	if a.public, err = a.socket(publicSocket, s.Listen, onTCP); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if a.private, err = a.socket(adminSocket, s.Admin, listenAdmin); err != nil {
		return errors.Join(fmt.Errorf("admin: %w", err), a.public.Close())
	}
	if acme := s.TLS.ACME; acme != nil && (acme.HTTP != "" || slices.Contains(a.manager.Sockets(), acmeSocket)) {
		if a.edge.http, err = a.socket(acmeSocket, acme.HTTP, onTCP); err != nil {
			return errors.Join(fmt.Errorf("tls: acme: http: %w", err), a.public.Close(), a.private.Close())
		}
	}
	for _, name := range a.manager.Sockets() {
		a.log.Warn("a socket of the service manager is not used", "socket", name, "hint", "FileDescriptorName= of its unit is to be http, admin or acme")
	}
	return nil
}

// socket gives the service manager's socket of a name or, where it holds none,
// listens at the address of the settings.
func (a *App) socket(name, address string, listen func(string) (net.Listener, error)) (net.Listener, error) {
	l, err := a.manager.Listener(name)
	if err != nil {
		return nil, err
	}
	if l == nil {
		return listen(address)
	}
	if name == adminSocket {
		if err := local(l.Addr(), a.setup.Load().Settings.AdminAccess); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	if address != "" && !sameAddress(l.Addr(), address) {
		a.log.Warn("the .socket unit says where to listen, not the settings", "socket", name, "unit", l.Addr().String(), "settings", address)
	}
	return l, nil
}

// local holds a socket unit to what the settings are held to: without a
// certificate and users the admin side is for this machine only.
func local(addr net.Addr, access config.AdminAccess) error {
	if tcp, ok := addr.(*net.TCPAddr); ok && !tcp.IP.IsLoopback() && (access.Cert == "" || len(access.Users) == 0) {
		return fmt.Errorf("the .socket unit listens at %s, which other machines may reach; ListenStream= is to be a loopback address or a path, or admin_access is to have cert, key and users", addr)
	}
	return nil
}

func onTCP(address string) (net.Listener, error) { return net.Listen("tcp", address) }

func sameAddress(addr net.Addr, settings string) bool {
	if path, ok := strings.CutPrefix(settings, "unix:"); ok {
		return addr.Network() == "unix" && addr.String() == path
	}
	have, ok := addr.(*net.TCPAddr)
	want, err := net.ResolveTCPAddr("tcp", settings)
	if !ok || err != nil || have.Port != want.Port {
		return false
	}
	return have.IP.Equal(want.IP) || have.IP.IsUnspecified() && (want.IP == nil || want.IP.IsUnspecified())
}

// listenAdmin listens on host:port or unix:/path. A socket file left behind
// by a daemon that was killed is removed; one at which somebody answers is not.
func listenAdmin(address string) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return net.Listen("tcp", address)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if c, err := net.Dial("unix", path); err == nil {
			return nil, errors.Join(&os.PathError{Op: "listen", Path: path, Err: syscall.EADDRINUSE}, c.Close())
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o660)
}

// accepting is a listener that says when connections are taken for the first
// time.
type accepting struct {
	net.Listener
	once  sync.Once
	begun func()
}

// Accept calls begun before the first connection is waited for.
func (l *accepting) Accept() (net.Conn, error) {
	l.once.Do(l.begun)
	return l.Listener.Accept()
}
