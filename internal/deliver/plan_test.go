package deliver_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	story(t, "an event that came on disk too late for its sender is delivered though nobody wakes for it", func(t *testing.T, b *bench) {
		e := event.Event{Type: event.CallEnded, Source: "s", OccurredAt: epoch, Call: &event.Call{ID: "c1", Status: "completed"}, Contact: &event.Contact{ID: "1", Phone: "+49301"}}
		body, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // the planner has looked, and waits
		if _, err := b.ledger.Append(context.Background(), store.Event{Source: "s", Vendor: "v", Type: e.Type, OccurredAt: e.OccurredAt, ReceivedAt: time.Now(), Rank: e.Rank(), Lane: e.Lane(), DeliveryID: "d1", Body: body}); err != nil {
			t.Fatal(err)
		}
		b.settled(time.Minute)
		if n := len(b.crm.list("calls")); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
	})
}
