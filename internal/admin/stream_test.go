package admin_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
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

// TestLongWorkMayPauseBetweenLines: over HTTP/2 a deadline ends an answer also
// while nothing is being written.
func TestLongWorkMayPauseBetweenLines(t *testing.T) {
	t.Parallel()
	d := keeperDesk(t)
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	looked := 0
	look := func() {
		looked++
		if !w.until.IsZero() {
			t.Errorf("between two lines the answer is to end at %v", w.until)
		}
	}
	d.Ledger = pausing{d.Ledger, look}
	d.Backfills = func(_ context.Context, _ string, _ admin.BackfillOrder, tell func(admin.BackfillProgress)) (admin.BackfillProgress, error) {
		tell(admin.BackfillProgress{})
		look()
		return admin.BackfillProgress{}, nil
	}
	for path, body := range map[string]string{
		"/api/ledger/verify":          `{}`,
		"/api/sources/telli/backfill": `{"from":"2026-01-01T00:00:00Z","until":"2026-01-02T00:00:00Z","name":"x","dry_run":true}`,
	} {
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Host = "localhost"
		r.Header.Set("Content-Type", "application/json")
		admin.Handler(d, nil).ServeHTTP(w, r)
	}
	if looked != 2 {
		t.Errorf("looked %d times: %s", looked, w.Body)
	}
}

// pausing is a ledger of which verifying tells how far it is, and goes on.
type pausing struct {
	store.Ledger
	look func()
}

func (p pausing) Verify(_ context.Context, tell func(done, total int)) ([]store.Damage, error) {
	tell(1, 2)
	p.look()
	return nil, nil
}

// deadlines knows until when an answer may be written.
type deadlines struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error { d.until = t; return nil }
func (d *deadlines) SetReadDeadline(time.Time) error    { return nil }
