package deliver_test

import (
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestConflicts(t *testing.T) {
	t.Parallel()
	story(t, "a value that another record has for good holds up its lane for no days", func(t *testing.T, b *bench) {
		s := setup(t, b.crm, rules)
		s.Policy = deliver.Policy{}
		b.d.Reload(s)
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
}
