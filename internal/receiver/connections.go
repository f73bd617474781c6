package receiver

import (
	"net"
	"net/netip"
	"sync"
)

// Listen bounds the connections that l has open, all together and from one
// address; what is within exempt, as a proxy is, has the first bound only. One
// too many is closed at once: its sender comes again, where in a queue it would
// hang. refused, which may be nil, hears of each: "total" or "address".
func Listen(l net.Listener, limits Limits, exempt []netip.Prefix, refused func(reason string)) net.Listener {
	limits = limits.filled()
	if refused == nil {
		refused = func(string) {}
	}
	return &bound{Listener: l, most: limits.Connections, each: limits.PerAddress, exempt: exempt, refused: refused, from: map[netip.Addr]int{}}
}

type bound struct {
	net.Listener
	most, each int
	exempt     []netip.Prefix
	refused    func(string)

	mu   sync.Mutex
	open int
	from map[netip.Addr]int // holds only those that have a connection
}

// Accept returns the next connection within the bounds.
func (b *bound) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer := b.peer(c)
		if reason := b.take(peer); reason != "" {
			_ = c.Close()
			b.refused(reason)
			continue
		}
		return &counted{Conn: c, done: func() { b.give(peer) }}, nil
	}
}

// peer is whose connection it is; the zero address for one that is not counted
// by address. Who has an address of IPv6 has 2^64 of them.
func (b *bound) peer(c net.Conn) netip.Addr {
	tcp, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	a := tcp.AddrPort().Addr().Unmap().WithZone("")
	if within(a, b.exempt) {
		return netip.Addr{}
	}
	if a.Is6() {
		p, _ := a.Prefix(64) // 64 is within its 128 bits
		a = p.Addr()
	}
	return a
}

func (b *bound) take(peer netip.Addr) (reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.open >= b.most:
		return "total"
	case peer.IsValid() && b.from[peer] >= b.each:
		return "address"
	}
	b.open++
	if peer.IsValid() {
		b.from[peer]++
	}
	return ""
}

func (b *bound) give(peer netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	if !peer.IsValid() {
		return
	}
	if b.from[peer]--; b.from[peer] == 0 {
		delete(b.from, peer)
	}
}

type counted struct {
	net.Conn
	once sync.Once
	done func()
}

// Close closes the connection and makes room for another.
func (c *counted) Close() error {
	c.once.Do(c.done)
	return c.Conn.Close()
}
