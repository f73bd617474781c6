package admin_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

// TestAReaderThatStandsStillEndsTheWork: one that was stopped with Ctrl-Z would
// else keep its source, or its run, from everybody.
func TestAReaderThatStandsStillEndsTheWork(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := make(chan error, 1)
		d := &admin.Desk{Backfills: func(ctx context.Context, _ string, _ admin.BackfillOrder, tell func(admin.BackfillProgress)) (admin.BackfillProgress, error) {
			for ctx.Err() == nil {
				tell(admin.BackfillProgress{})
				time.Sleep(time.Second)
			}
			ended <- ctx.Err()
			return admin.BackfillProgress{}, ctx.Err()
		}}
		ours, theirs := net.Pipe()
		l := &once{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
		l.conn <- near{theirs}
		srv := &http.Server{Handler: admin.Handler(d, nil)}
		go func() { _ = srv.Serve(l) }()
		body := `{"from":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z","name":"x","dry_run":true}`
		_, err := io.WriteString(ours, "POST /api/sources/telli/backfill HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"+body)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
		case <-time.After(10 * time.Minute):
			t.Error("nobody has read for ten minutes, and the backfill waits")
		}
		_ = ours.Close()
		_ = srv.Close()
		synctest.Wait()
	})
}

// near is a connection within this machine.
type near struct{ net.Conn }

func (near) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

// once is a listener of one connection.
type once struct {
	conn   chan net.Conn
	closed chan struct{}
	end    sync.Once
}

func (l *once) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *once) Close() error   { l.end.Do(func() { close(l.closed) }); return nil }
func (l *once) Addr() net.Addr { return near{}.LocalAddr() }
