package app

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// TestTaking follows whether the ledger takes what comes.
func TestTaking(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		trouble func(*taking)
		is      func(*taking) bool
	}{
		{"a full disk is told of at once, and within a second of its end with nothing else written", (*taking).noSpace, func(k *taking) bool { return k.full.Load() }},
		{"a disk that hangs is told of at once, and its end, too", (*taking).late, func(k *taking) bool { return k.hangs.Load() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mended, writes := make(chan struct{}), 0
				over := func() bool {
					select {
					case <-mended:
						return true
					default:
						return false
					}
				}
				k := newTaking()
				k.space = over
				k.write = func(context.Context) error {
					writes++
					k.committed()
					return nil
				}
				k.alive = func(ctx context.Context) error {
					if !k.hangs.Load() {
						return store.ErrFull
					}
					select {
					case <-mended:
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() { k.look(ctx); close(ended) }()
				for range 2 { // also the second time
					c.trouble(k)
					if !c.is(k) {
						t.Fatal("it is not told of")
					}
					time.Sleep(time.Minute)
					if !c.is(k) || writes != 0 && !over() {
						t.Fatalf("after a minute it is over, with %d writes", writes)
					}
					close(mended)
					time.Sleep(lookAgain + time.Millisecond)
					synctest.Wait()
					if c.is(k) {
						t.Fatal("its end is not told of within a second")
					}
					mended, writes = make(chan struct{}), 0
				}
				c.trouble(k)
				k.committed()
				if c.is(k) {
					t.Error("a commit that succeeds does not end it")
				}
				stop()
				<-ended
			})
		})
	}
}
