package app

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	goodbye = 500 * time.Millisecond // for a sender with an idle connection to use it once more, and to be told that it ends
	silent  = 5 * time.Second        // after which nobody waits for the first request of a connection
)

// parting knows the connections of a server that ends, as http.Server.Shutdown
// alone is not kind: it cuts off who has connected but whose first request is
// not read yet, and who uses an idle connection at that very moment.
type parting struct {
	leaving *atomic.Bool // tells senders to use no connection again

	mu    sync.Mutex
	conns map[net.Conn]stance
}

type stance struct {
	state http.ConnState
	since time.Time
}

// part has srv tell of its connections, and senders that they end once leaving
// is true. Call it when srv has its handler.
func part(srv *http.Server, leaving *atomic.Bool) *parting {
	p := &parting{leaving: leaving, conns: map[net.Conn]stance{}}
	next := srv.Handler
	srv.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&farewell{w, leaving}, r)
	})
	srv.ConnState = p.see
	return p
}

// farewell is an answer that ends its connection if the server leaves when it is
// given, however long its request took.
type farewell struct {
	http.ResponseWriter
	leaving *atomic.Bool
}

// WriteHeader implements http.ResponseWriter.
func (f *farewell) WriteHeader(status int) {
	if f.leaving.Load() {
		f.Header().Set("Connection", "close")
	}
	f.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (f *farewell) Unwrap() http.ResponseWriter { return f.ResponseWriter }

func (p *parting) see(c net.Conn, state http.ConnState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if state == http.StateClosed || state == http.StateHijacked {
		delete(p.conns, c)
		return
	}
	p.conns[c] = stance{state, time.Now()}
}

// owed counts connections whose request is to be answered, or may still come;
// idle those that may be used again.
func (p *parting) count() (owed, idle int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		switch {
		case c.state == http.StateIdle:
			idle++
		case c.state == http.StateActive || time.Since(c.since) < silent:
			owed++
		}
	}
	return owed, idle
}

// end closes l and waits for accepting to be over once nobody is likely to be
// refused a connection that it has, then until every request is answered, or
// ctx ends.
func (p *parting) end(ctx context.Context, l net.Listener, over <-chan struct{}) {
	till(ctx, goodbye, func() bool { owed, idle := p.count(); return owed+idle == 0 })
	_ = l.Close()
	<-over // a connection that was taken is known by now
	till(ctx, silent+webhookDrain, func() bool { owed, _ := p.count(); return owed == 0 })
}

// till waits until ok, for at most a time.
func till(ctx context.Context, most time.Duration, ok func() bool) {
	for end := time.Now().Add(most); !ok() && ctx.Err() == nil && time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
	}
}
