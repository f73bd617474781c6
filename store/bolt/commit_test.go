package bolt

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

func TestCommit(t *testing.T) {
	t.Parallel()

	t.Run("a full disk refuses, keeps what is there, and passes", func(t *testing.T) {
		t.Parallel()
		o := options(filepath.Join(t.TempDir(), "ledger.db"))
		o.Init, o.maxSize = true, 17<<20
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		kept := uint64(0)
		for n := 1; ; n++ {
			e := sample(n)
			e.Body = make([]byte, 256<<10)
			_, _ = rand.Read(e.Body) // it must not be compressed
			r, err := l.Append(t.Context(), e)
			if errors.Is(err, store.ErrFull) {
				break
			}
			if err != nil || n > 200 {
				t.Fatalf("want ErrFull at some time, got %v after %d events", err, n)
			}
			kept = r.Seq
		}
		if kept == 0 {
			t.Fatal("nothing was kept at all")
		}
		if _, err := l.Event(t.Context(), kept); err != nil {
			t.Fatal(err)
		}
		st, err := l.Stats(t.Context())
		if err != nil || st.Events != kept {
			t.Fatalf("want %d events, got %d, %v", kept, st.Events, err)
		}
		l.at.Load().db.MaxSize = 0 // nothing commits now: space returns
		for tries := 0; ; tries++ {
			r, err := l.Append(t.Context(), sample(1000))
			if err == nil {
				if r.Seq != kept+1 {
					t.Fatalf("want seq %d, got %d", kept+1, r.Seq)
				}
				break
			}
			if !errors.Is(err, store.ErrFull) || tries > 10_000 {
				t.Fatalf("want to go on, got %v", err)
			}
			// The pause after a commit that failed has no event to wait for.
			time.Sleep(time.Millisecond)
		}
		if damage, err := l.Verify(t.Context(), nil); err != nil || len(damage) > 0 {
			t.Fatalf("verify: %v, %v", damage, err)
		}
	})

	t.Run("a deleted file ends it", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openIn(t, dir)
		defer l.Close()
		if err := os.Remove(filepath.Join(dir, "ledger.db")); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := l.Append(t.Context(), sample(1)); !errors.Is(err, store.ErrBroken) {
				t.Fatalf("want ErrBroken, got %v", err)
			}
		}
		if _, err := l.Stats(t.Context()); !errors.Is(err, store.ErrBroken) {
			t.Fatalf("reading goes on: %v", err)
		}
	})

	t.Run("a replaced file ends it", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openIn(t, dir)
		defer l.Close()
		other, _ := closedLedger(t)
		if err := os.Rename(other, filepath.Join(dir, "ledger.db")); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append(t.Context(), sample(1)); !errors.Is(err, store.ErrBroken) {
			t.Fatalf("want ErrBroken, got %v", err)
		}
	})

	t.Run("a change that fails does not spoil the others of its commit", func(t *testing.T) {
		t.Parallel()
		l := openIn(t, t.TempDir())
		defer l.Close()
		hold, held := make(chan struct{}), make(chan struct{})
		var once sync.Once
		// The first change keeps the commit open until the others have queued.
		var wg sync.WaitGroup
		wg.Go(func() {
			err := l.write(t.Context(), 1, func(*txn) error { once.Do(func() { close(held) }); <-hold; return nil }, nil)
			if err != nil {
				t.Error(err)
			}
		})
		<-held
		bad := errors.New("on purpose")
		for n := 1; n <= 20; n++ {
			wg.Go(func() {
				if _, err := l.Append(t.Context(), sample(n)); err != nil {
					t.Errorf("append %d: %v", n, err)
				}
			})
			wg.Go(func() {
				err := l.write(t.Context(), 1, func(t *txn) error {
					if err := t.put(replanBucket, seqKey(uint64(1000+n)), newRecord(0)); err != nil {
						return err
					}
					t.counts.events += 100
					if n == 7 {
						panic("on purpose")
					}
					return bad
				}, nil)
				if n == 7 && !errors.Is(err, store.ErrCorrupt) || n != 7 && !errors.Is(err, bad) {
					t.Errorf("want the change's own error, got %v", err)
				}
			})
		}
		for len(l.queue) < 40 {
			time.Sleep(time.Millisecond) // there is no event for a queue that fills
		}
		close(hold)
		wg.Wait()
		st, err := l.Stats(t.Context())
		if err != nil || st.Events != 20 || st.Unplanned != 20 {
			t.Fatalf("want 20 events, got %+v, %v", st, err)
		}
		if damage, err := l.Verify(t.Context(), nil); err != nil || len(damage) > 0 {
			t.Fatalf("verify: %v, %v", damage, err)
		}
	})

	t.Run("many writers share a commit", func(t *testing.T) {
		t.Parallel()
		var commits, changes atomic.Int64
		o := options(filepath.Join(t.TempDir(), "ledger.db"))
		o.Init, o.Log = true, slog.New(slog.DiscardHandler)
		o.Observe = func(op string, n int, d time.Duration) {
			if op != "commit" || n < 1 || d <= 0 {
				t.Errorf("observed %q of %d in %v", op, n, d)
			}
			commits.Add(1)
			changes.Add(int64(n))
		}
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for w := range 64 {
			wg.Go(func() {
				for n := range 10 {
					if _, err := l.Append(t.Context(), sample(w*10+n)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if changes.Load() != 640 || commits.Load() > 320 {
			t.Fatalf("640 changes took %d commits, which held %d", commits.Load(), changes.Load())
		}
	})

	t.Run("a caller that gives up leaves the queue", func(t *testing.T) {
		t.Parallel()
		l := openIn(t, t.TempDir())
		defer l.Close()
		hold, held := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() { _ = l.write(t.Context(), 1, func(*txn) error { close(held); <-hold; return nil }, nil) })
		<-held
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() {
			if _, err := l.Append(ctx, sample(1)); !errors.Is(err, context.Canceled) {
				t.Errorf("want context.Canceled, got %v", err)
			}
		})
		for len(l.queue) < 1 {
			time.Sleep(time.Millisecond) // there is no event for a queue that fills
		}
		cancel()
		close(hold)
		wg.Wait()
		if r, err := l.Append(t.Context(), sample(2)); err != nil || r.Seq != 1 {
			t.Fatalf("want seq 1, got %v, %v", r, err)
		}
	})
}

func TestIsFull(t *testing.T) {
	t.Parallel()
	write := func(err error) error { return &fs.PathError{Op: "write", Path: "ledger.db", Err: err} }
	for _, c := range []struct {
		name string
		err  error
		want bool
	}{
		{"no space while writing pages", write(syscall.ENOSPC), true},
		{"quota", write(syscall.EDQUOT), true},
		{"file size limit", write(syscall.EFBIG), true},
		{"file size limit while growing", errors.New("file resize error: truncate ledger.db: file too large"), true},
		{"no space in a sync: pages may be lost", syscall.ENOSPC, false},
		{"no space in the sync while growing", errors.New("file sync error: sync ledger.db: no space left on device"), false},
		{"input/output error", write(syscall.EIO), false},
	} {
		if got := isFull(c.err); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
