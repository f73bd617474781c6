package deliver_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestConflicts(t *testing.T) {
	t.Parallel()
	story(t, "a value that another record has for good holds up its lane for no days", func(t *testing.T, b *bench) {
		b.daemonsPolicy(rules)
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Fields["note"] == "Taken" {
				return &connectors.Error{Kind: connectors.Conflict, Message: "another record has this value already"}
			}
			return nil
		}
		b.call("1", 0)
		b.settled(time.Minute)
		refused := b.call("1", 1, func(e *event.Event) { e.Contact.Company = "Taken" })
		time.Sleep(time.Minute)
		if d := b.delivery(refused); d.State != store.Waiting {
			t.Fatalf("after a minute it is %s, want it looked up again first", d.State)
		}
		behind := b.call("1", 2)
		time.Sleep(8 * time.Hour)
		if d := b.delivery(refused); d.State != store.Dead {
			t.Errorf("it is %s (%d attempts, %s), want dead", d.State, d.Attempts, d.Reason)
		}
		if d := b.delivery(behind); d.State != store.Done {
			t.Errorf("the one behind it is %s (%s), want done", d.State, d.Reason)
		}
	})
	story(t, "a conflict that the next look-up solves kills no delivery that failed long before", func(t *testing.T, b *bench) {
		b.daemonsPolicy(rules)
		var kind atomic.Int64 // Transient, then Conflict; -1: none
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			k := connectors.Kind(kind.Load())
			if c.Fields["note"] != "Late" || k < 0 {
				return nil
			}
			if k == connectors.Conflict {
				kind.Store(-1) // once
			}
			return &connectors.Error{Kind: k, Message: "not now"}
		}
		b.call("1", 0)
		b.settled(time.Minute)
		late := b.call("1", 1, func(e *event.Event) { e.Contact.Company = "Late" })
		for i := range 40 { // the CRM takes others meanwhile
			time.Sleep(15 * time.Minute)
			b.call("2", i)
		}
		if d := b.delivery(late); d.State != store.Waiting || d.Attempts < 10 {
			t.Fatalf("it is %s after %d attempts (%s), want it to wait after more than 10", d.State, d.Attempts, d.Reason)
		}
		kind.Store(int64(connectors.Conflict))
		time.Sleep(3 * time.Hour)
		if d := b.delivery(late); d.State != store.Done {
			t.Errorf("it is %s (%d attempts, %s), want done", d.State, d.Attempts, d.Reason)
		}
	})
	story(t, "a conflict with a record that cannot be seen ends all the same", func(t *testing.T, b *bench) {
		b.daemonsPolicy(rules)
		var n atomic.Int64
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			switch {
			case c.Fields["note"] != "Late":
				return nil
			case n.Add(1)%2 == 0:
				return &connectors.Error{Kind: connectors.NotFound, Message: "there is none"}
			}
			return &connectors.Error{Kind: connectors.Conflict, Message: "another record has this value already"}
		}
		hidden := b.call("1", 1, func(e *event.Event) { e.Contact.Company = "Late" })
		time.Sleep(12 * time.Hour)
		if d := b.delivery(hidden); d.State != store.Dead {
			t.Errorf("it is %s (%d attempts, %s), want dead", d.State, d.Attempts, d.Reason)
		}
	})
}
