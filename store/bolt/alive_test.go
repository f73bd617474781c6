package bolt

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

func TestAlive(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T) *Ledger {
		o := options(filepath.Join(t.TempDir(), "ledger.db"))
		o.Init = true
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	t.Run("answers, and writes nothing", func(t *testing.T) {
		t.Parallel()
		l := open(t)
		defer func() { _ = l.Close() }()
		before := l.commits.Load()
		if err := l.Alive(t.Context()); err != nil {
			t.Fatal(err)
		}
		if after := l.commits.Load(); after != before {
			t.Errorf("%d commits were made, want none", after-before)
		}
	})
	t.Run("does not answer while a commit hangs, and does after it", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			l := open(t)
			hang := make(chan struct{})
			written := make(chan error, 1)
			go func() {
				written <- l.write(context.Background(), 0, func(*txn) error { <-hang; return nil }, nil)
			}()
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			if err := l.Alive(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want that time is up", err)
			}
			close(hang)
			if err := l.Alive(t.Context()); err != nil {
				t.Errorf("after the commit: %v", err)
			}
			if err := <-written; err != nil {
				t.Error(err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
			if err := l.Alive(t.Context()); !errors.Is(err, store.ErrClosed) {
				t.Errorf("closed: got %v, want ErrClosed", err)
			}
		})
	})
}
