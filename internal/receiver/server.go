package receiver

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Server serves h with the time limits of l, so that no sender can hold a
// connection by being slow. ErrorLog is left to the caller.
func Server(h http.Handler, l Limits) *http.Server {
	l = l.filled()
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: l.HeaderTime,
		// The body has its own deadline, after which the sender gets a 408.
		// This one is for what no handler reads.
		ReadTimeout:    l.HeaderTime + l.BodyTime + time.Second,
		WriteTimeout:   l.HeaderTime + l.BodyTime + l.StoreTime + 10*time.Second,
		IdleTimeout:    l.IdleTime,
		MaxHeaderBytes: 16 << 10,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          64,
			MaxReceiveBufferPerConnection: 1 << 20,
			MaxReceiveBufferPerStream:     256 << 10,
			SendPingTimeout:               30 * time.Second,
			PingTimeout:                   15 * time.Second,
			WriteByteTimeout:              10 * time.Second,
		},
	}
}

// Listen bounds the connections that l has open. One too many is closed at
// once: its sender comes again, where in a queue it would hang.
func Listen(l net.Listener, limits Limits) net.Listener {
	return &bound{Listener: l, most: int64(limits.filled().Connections)}
}

type bound struct {
	net.Listener
	most int64
	open atomic.Int64
}

// Accept returns the next connection within the bound.
func (b *bound) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if b.open.Add(1) <= b.most {
			return &counted{Conn: c, done: func() { b.open.Add(-1) }}, nil
		}
		b.open.Add(-1)
		_ = c.Close()
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
