package receiver_test

import (
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/receiver"
)

// queue is a listener of connections from anywhere.
type queue struct{ conns chan net.Conn }

func (q queue) Accept() (net.Conn, error) {
	c, ok := <-q.conns
	if !ok {
		return nil, io.EOF
	}
	return c, nil
}
func (queue) Close() error   { return nil }
func (queue) Addr() net.Addr { return &net.TCPAddr{} }

// caller is a connection from an address.
type caller struct {
	net.Conn
	from   netip.AddrPort
	closed atomic.Bool
}

func (c *caller) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.from) }
func (c *caller) Close() error         { c.closed.Store(true); return nil }

func TestOneAddressCannotTakeAllConnections(t *testing.T) {
	t.Parallel()
	q := queue{make(chan net.Conn, 100)}
	refused := map[string]int{}
	l := receiver.Listen(q, receiver.Limits{Connections: 7, PerAddress: 2}, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, func(reason string) { refused[reason]++ })
	var opened []net.Conn
	come := func(from string, want bool) {
		t.Helper()
		c := &caller{from: netip.MustParseAddrPort(from)}
		q.conns <- c
		last := &caller{from: netip.MustParseAddrPort("127.0.0.1:9")} // ends the wait of Accept where c is refused
		if !want {
			q.conns <- last
		}
		got, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if c.closed.Load() == want {
			t.Errorf("%s: let in is %v, want %v", from, !want, want)
		}
		if !want {
			_ = got.Close()
			return
		}
		opened = append(opened, got)
	}
	come("192.0.2.1:1", true)
	come("192.0.2.1:2", true)
	come("192.0.2.1:3", false)
	come("[::ffff:192.0.2.1]:4", false)
	come("[2001:db8::1]:1", true)
	come("[2001:db8::2]:1", true)
	come("[2001:db8::3]:1", false)
	come("127.0.0.1:1", true) // a proxy brings everybody's
	come("127.0.0.1:2", true)
	_ = opened[0].Close()
	_ = opened[0].Close()
	come("192.0.2.1:5", true)
	come("192.0.2.1:6", false)
	if refused["address"] != 4 || refused["total"] != 0 {
		t.Errorf("refused %v", refused)
	}
}
