package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

func testLedger(t *testing.T) *bolt.Ledger {
	t.Helper()
	l, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "ledger.db"), Init: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// to changes a value into another.
func to(value string) func(context.Context, []byte) ([]byte, error) {
	return func(context.Context, []byte) ([]byte, error) { return []byte(value), nil }
}

func kept(t *testing.T, l store.Ledger, want string) {
	t.Helper()
	if got, err := l.Secret(t.Context(), "oauth/crm"); err != nil || string(got) != want {
		t.Errorf("the ledger holds %q %v, want %q", got, err, want)
	}
}

func TestVaultKeepsBeforeItReturns(t *testing.T) {
	t.Parallel()
	l := testLedger(t)
	v := newVaults(l, slog.New(slog.DiscardHandler))
	if err := v.of("crm").Update(t.Context(), to("one")); err != nil {
		t.Fatal(err)
	}
	kept(t, l, "one")
	if err := v.of("crm").Update(t.Context(), func(_ context.Context, old []byte) ([]byte, error) {
		return append(bytes.Clone(old), '!'), errors.New("no")
	}); err == nil {
		t.Error("the change's error was lost")
	}
	kept(t, l, "one")
	if got, err := newVaults(l, v.log).of("crm").Load(t.Context()); err != nil || string(got) != "one" {
		t.Errorf("after a restart: got %q %v", got, err)
	}
	if got, err := v.of("other").Load(t.Context()); err != nil || got != nil {
		t.Errorf("of another connector: got %q %v", got, err)
	}
}

func TestVaultChangesOneAtATime(t *testing.T) {
	t.Parallel()
	v := newVaults(testLedger(t), slog.New(slog.DiscardHandler))
	var inside atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			err := v.of("crm").Update(t.Context(), func(_ context.Context, old []byte) ([]byte, error) {
				if inside.Add(1) != 1 {
					t.Error("two changes at one time")
				}
				defer inside.Add(-1)
				return append(bytes.Clone(old), 'x'), nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, _ := v.of("crm").Load(t.Context()); len(got) != 50 {
		t.Errorf("%d of 50 changes are there", len(got))
	}
}

func TestVaultEndsWhatItBeganAlthoughTheCallerIsGone(t *testing.T) {
	t.Parallel()
	l := testLedger(t)
	v := newVaults(l, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(t.Context())
	asked, answer := make(chan struct{}), make(chan struct{})
	gone := make(chan error, 1)
	go func() {
		gone <- v.of("crm").Update(ctx, func(own context.Context, _ []byte) ([]byte, error) {
			close(asked)
			<-answer
			return []byte("new"), own.Err()
		})
	}()
	<-asked
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	closed := make(chan struct{})
	go func() { v.close(); close(closed) }()
	// The stop waits for the answer.
	select {
	case <-closed:
		t.Fatal("the daemon stopped while a token was under way")
	case <-time.After(20 * time.Millisecond):
	}
	close(answer)
	<-closed
	kept(t, l, "new")
	if err := v.of("crm").Update(t.Context(), to("late")); !errors.Is(err, errStopping) {
		t.Errorf("after the stop: got %v", err)
	}
}

// fullLedger has no space for secrets while full.
type fullLedger struct {
	store.Ledger
	full atomic.Bool
}

func (l *fullLedger) PutSecret(ctx context.Context, name string, value []byte) error {
	if l.full.Load() {
		return store.ErrFull
	}
	return l.Ledger.PutSecret(ctx, name, value)
}

func TestVaultDoesNotForgetWhatTheDiskCannotTake(t *testing.T) {
	t.Parallel()
	l := &fullLedger{Ledger: testLedger(t)}
	var log bytes.Buffer
	v := newVaults(l, slog.New(slog.NewTextHandler(&log, nil)))
	l.full.Store(true)
	if err := v.of("crm").Update(t.Context(), to("hunter2")); !errors.Is(err, store.ErrFull) {
		t.Errorf("got %v, want that the disk is full", err)
	}
	if got, err := v.of("crm").Load(t.Context()); !errors.Is(err, errUnkept) || got != nil {
		t.Errorf("a token that is not on disk was given out: %q %v", got, err)
	}
	if strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), "cannot keep") {
		t.Errorf("the log says %q", log.String())
	}
	l.full.Store(false)
	v.close()
	kept(t, l, "hunter2")
}

func TestALedgerThatIsNotOpenHasNoTokens(t *testing.T) {
	t.Parallel()
	lazy := lazyVault{"crm", new(atomic.Pointer[vaults])}
	if _, err := lazy.Load(t.Context()); err == nil {
		t.Error("no ledger, and no error")
	}
	l := testLedger(t)
	lazy.vaults.Store(newVaults(l, slog.New(slog.DiscardHandler)))
	if err := lazy.Update(t.Context(), to("one")); err != nil {
		t.Fatal(err)
	}
	kept(t, l, "one")
}
