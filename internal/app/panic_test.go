package app

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/internal/reconcile"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// inPanic is what a panic carries, and what must be nowhere.
const inPanic = "+49 151 23456789"

// said is a log that is kept.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) quiet(t *testing.T, place string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if text := s.text.String(); strings.Contains(text, inPanic) || !strings.Contains(text, "please report this") || !strings.Contains(text, place) {
		t.Errorf("the log is to have the place, %q, and not what the panic carried:\n%s", place, text)
	}
}

// overPanic is a daemon that is not running yet, and its log at its most talkative.
func overPanic(t *testing.T) (*App, *said) {
	t.Helper()
	dir, log := t.TempDir(), &said{}
	writeBench(t, dir, rulesFor(t, "hubspot"), "http://127.0.0.1:1", 1000, 1000)
	logger := func(config.Log) *slog.Logger {
		return slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	setup, problems := Build(filepath.Join(dir, "config.yaml"), "test", logger)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	a, err := New(setup, "", "test", logger)
	if err != nil {
		t.Fatal(err)
	}
	return a, log
}

func TestARequestThatPanicsIsAnsweredWithoutAWordOfIt(t *testing.T) {
	t.Parallel()
	a, log := overPanic(t)
	t.Cleanup(func() { _ = a.ledger.Close(); _ = a.public.Close(); _ = a.private.Close() })
	public, private := a.servers(receiver.Limits{})
	inner := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/begun":
			_, _ = io.WriteString(w, `{"half":`)
			_ = http.NewResponseController(w).Flush()
		case "/left":
			panic(http.ErrAbortHandler)
		}
		panic("about " + inPanic)
	})
	before := caught.Number()
	get := func(srv *http.Server, wrap func(http.Handler) http.Handler, path string) (status int, body string, err error) {
		t.Helper()
		s := httptest.NewUnstartedServer(wrap(inner))
		s.Config.ErrorLog = srv.ErrorLog
		s.Start()
		defer s.Close()
		resp, err := http.Get(s.URL + path)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(text), err
	}
	if status, body, err := get(private, a.answered, "/"); err != nil || status != http.StatusInternalServerError || !strings.Contains(body, `{"error":`) || strings.Contains(body, inPanic) {
		t.Errorf("of the admin side: %d %q, %v; want 500 with an error", status, body, err)
	}
	if _, body, err := get(private, a.answered, "/begun"); err == nil {
		t.Errorf("an answer that had begun ended well: %q", body)
	}
	if status, _, err := get(public, a.cutOff, "/"); err == nil {
		t.Errorf("of the public port: %d, want no answer", status)
	}
	if got := caught.Number() - before; got < 3 {
		t.Errorf("%d panics were counted, want 3", got)
	}
	if _, _, err := get(private, a.answered, "/left"); err == nil {
		t.Error("a handler that left got an answer")
	}
	log.quiet(t, "TestARequestThatPanicsIsAnsweredWithoutAWordOfIt")
	// Both servers of a daemon are guarded so.
	for name, srv := range map[string]*http.Server{"public": public, "private": private} {
		if _, plain := srv.Handler.(http.HandlerFunc); !plain {
			t.Errorf("the %s server's handler is a %T: is it guarded?", name, srv.Handler)
		}
	}
}

func TestAPanicInALastingTaskEndsTheDaemonInGoodOrder(t *testing.T) {
	t.Parallel()
	a, log := overPanic(t)
	a.reconciler.Setup = func() reconcile.Setup { panic(inPanic) }
	ended := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { ended <- a.Run(ctx) }()
	select {
	case err := <-ended:
		var p *caught.Panic
		if !errors.As(err, &p) || !strings.Contains(err.Error(), "reconcile's schedule") || strings.Contains(err.Error(), inPanic) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
	log.quiet(t, "reconcile.(*Reconciler).Schedule")
	if _, err := a.public.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("it still takes webhooks: %v", err)
	}
}

func TestAPanicWhileATokenIsRenewedEndsThatAlone(t *testing.T) {
	t.Parallel()
	a, log := overPanic(t)
	t.Cleanup(func() { _ = a.ledger.Close(); _ = a.public.Close(); _ = a.private.Close() })
	v := a.vaults.of("hubspot")
	err := v.Update(t.Context(), func(context.Context, []byte) ([]byte, error) { panic(inPanic) })
	if err == nil || strings.Contains(err.Error(), inPanic) {
		t.Errorf("got %v, want an error without what the panic carried", err)
	}
	log.quiet(t, "TestAPanicWhileATokenIsRenewedEndsThatAlone")
	if err := v.Update(t.Context(), func(context.Context, []byte) ([]byte, error) { return []byte("token"), nil }); err != nil {
		t.Errorf("the next one: %v", err)
	}
}

func TestAPanicOfTheCommitterEndsTheDaemonAndLosesNothing(t *testing.T) {
	t.Parallel()
	a, log := overPanic(t)
	first, err := a.ledger.Append(t.Context(), store.Event{Source: "telli", Type: "unknown", Lane: "a", ReceivedAt: time.Now(), Body: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.answers(t.Context()); err != nil { // the committing goroutine is done with it
		t.Fatal(err)
	}
	a.metrics.commits = nil // it is told of each commit
	ended := make(chan error, 1)
	go func() { ended <- a.Run(t.Context()) }()
	_, err = a.ledger.Append(t.Context(), store.Event{Source: "telli", Type: "unknown", Lane: "b", ReceivedAt: time.Now(), Body: []byte("{}")})
	_ = err // it may be kept, or not known to be
	select {
	case err := <-ended:
		if !errors.Is(err, store.ErrBroken) || !strings.Contains(err.Error(), "please report this") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("it goes on")
	}
	if _, err := a.ledger.Append(t.Context(), store.Event{Source: "telli", Type: "unknown", Lane: "b", ReceivedAt: time.Now(), Body: []byte("{}")}); err == nil {
		t.Error("the ledger still takes events")
	}
	log.quiet(t, "bolt.(*Ledger).commitLoop")
	again, err := bolt.Open(bolt.Options{Path: filepath.Join(a.setup.Load().Settings.DataDir, LedgerFile), Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if v, err := again.Event(t.Context(), first.Seq); err != nil || string(v.Event.Body) != "{}" {
		t.Errorf("after it: %+v, %v", v, err)
	}
}

func TestAReloadThatPanicsChangesNothing(t *testing.T) {
	t.Parallel()
	a, log := overPanic(t)
	t.Cleanup(func() { _ = a.ledger.Close(); _ = a.public.Close(); _ = a.private.Close() })
	before := a.setup.Load()
	a.logger = func(config.Log) *slog.Logger { panic(inPanic) }
	a.path = filepath.Join(before.Settings.DataDir, "..", "config.yaml")
	if problems := a.Reload(); !problems.Has(diag.Error) || a.setup.Load() != before || a.outcome.Load().Failure == "" {
		t.Errorf("problems %v and failure %q, want one, and the settings before it in force", problems, a.outcome.Load().Failure)
	}
	log.quiet(t, "app.Build")
}
