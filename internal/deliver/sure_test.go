package deliver_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

const oneCall = `
version: 1
rules:
  - name: calls
    on: call.ended
    to: crm
    records:
      - object: calls
        match: id
        fields: {id: =call.id, status: =call.status}
`

// onUnique restarts the deliverer on a ledger that can fail, for a CRM that
// keeps keys unique or not.
func (b *bench) onUnique(unique bool) *faultyLedger {
	b.halt(true)
	b.crm.unique = unique
	l := &faultyLedger{Ledger: b.ledger}
	b.ledger = l
	b.run(oneCall)
	return l
}

// TestIntents tells what is kept before a record is made.
func TestIntents(t *testing.T) {
	t.Parallel()
	for _, unique := range []bool{true, false} {
		name, want := "an upsert by a field that the CRM keeps unique is settled once", int64(1)
		if !unique {
			name, want = "before any other record is made, it is kept that this begins", 2
		}
		storyOf(t, name, oneCall, func(t *testing.T, b *bench) {
			l := b.onUnique(unique)
			b.call("1", 0)
			b.settled(time.Minute)
			if n := l.settles.Load(); n != want {
				t.Errorf("settled %d times, want %d", n, want)
			}
		})
	}
	storyOf(t, "what a receiver knows again is settled once", oneCall, func(t *testing.T, b *bench) {
		l := b.onUnique(false)
		b.crm.knows = true
		b.call("1", 0)
		b.settled(time.Minute)
		if n := l.settles.Load(); n != 1 {
			t.Errorf("settled %d times, want 1", n)
		}
	})
	storyOf(t, "an upsert by a unique field whose news were lost is sent again and makes no second record", oneCall, func(t *testing.T, b *bench) {
		l := b.onUnique(true)
		var lost atomic.Bool
		l.settle = func([]store.Update) error {
			if lost.CompareAndSwap(false, true) {
				return store.ErrBroken // as a crash: nothing of it is kept
			}
			return nil
		}
		var keys []connectors.Key
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			keys = append(keys, c.Key)
			return nil
		}
		b.call("1", 0)
		for !lost.Load() {
			time.Sleep(time.Millisecond)
		}
		b.halt(true)
		b.run(oneCall)
		b.settled(time.Hour)
		if n := len(b.crm.list("calls")); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
		if len(keys) < 2 || len(keys[1]) != 1 {
			t.Errorf("changes went by the keys %v, want the same upsert again", keys)
		}
	})
}
