package app

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// deaf is a listener that nobody connects to.
type deaf struct{ over chan struct{} }

func (d deaf) Accept() (net.Conn, error) { <-d.over; return nil, net.ErrClosed }
func (d deaf) Close() error              { close(d.over); return nil }
func (d deaf) Addr() net.Addr            { return &net.TCPAddr{} }

// TestParting has a server end with connections of each kind.
func TestParting(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		states []http.ConnState // of one connection, a second apart
		taken  time.Duration    // how long new connections are taken
		took   time.Duration    // how long the end takes, if nobody does anything
	}{
		{"nobody is connected", nil, 0, 0},
		{"one that was answered and is gone", []http.ConnState{http.StateNew, http.StateActive, http.StateClosed}, 0, 0},
		{"an idle connection may be used once more", []http.ConnState{http.StateNew, http.StateActive, http.StateIdle}, goodbye, goodbye},
		{"one that has just connected may still ask", []http.ConnState{http.StateNew}, goodbye, silent - time.Second},
		{"one that asks is answered", []http.ConnState{http.StateNew, http.StateActive}, goodbye, goodbye + silent + webhookDrain},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var leaving atomic.Bool
				p := part(&http.Server{}, &leaving)
				c, _ := net.Pipe()
				for _, state := range test.states {
					p.see(c, state)
					time.Sleep(time.Second)
				}
				l := deaf{make(chan struct{})}
				began, taken := time.Now(), make(chan time.Duration, 1)
				go func() { <-l.over; taken <- time.Since(began) }()
				p.end(t.Context(), l, l.over)
				if took := time.Since(began); !near(took, test.took) {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				if at := <-taken; !near(at, test.taken) {
					t.Errorf("connections were taken for %v, want %v", at, test.taken)
				}
			})
		})
	}
}

func near(a, b time.Duration) bool { return (a - b).Abs() < 20*time.Millisecond }
