package deliver_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// lateLedger takes so long for what may be given up that it is, and keeps it
// all the same.
type lateLedger struct {
	store.Ledger
	kept sync.WaitGroup
}

func (l *lateLedger) Settle(ctx context.Context, updates []store.Update) error {
	if ctx.Done() == nil {
		return l.Ledger.Settle(ctx, updates)
	}
	l.kept.Go(func() {
		<-ctx.Done()
		_ = fmt.Sprint(updates)
	})
	<-ctx.Done()
	return ctx.Err()
}

func TestAnIntentIsNotChangedWhileTheLedgerTakesIt(t *testing.T) {
	t.Parallel()
	storyOf(t, "the drain time ends during a commit", notes, func(t *testing.T, b *bench) {
		b.halt(true)
		l := &lateLedger{Ledger: b.ledger}
		b.ledger = l
		b.run(notes)
		seq := b.call("1", 0)
		time.Sleep(time.Second)
		b.halt(true)
		l.kept.Wait()
		if d := b.delivery(seq); d.State != store.Waiting && d.State != store.Done {
			t.Errorf("%+v, want it waiting or done", d)
		}
		b.run(notes)
	})
}
