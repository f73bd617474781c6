package bolt

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// TestChanges/are kept with a delivery until its payload goes or it is replayed.
func TestChanges(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	l := openIn(t, t.TempDir())
	defer l.Close()
	at := time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)
	records := []store.Record{
		{Rule: "r", Object: "contacts", Action: store.WouldUpdate, Call: "c1", Changes: []store.Change{{Field: "email", Before: "a", After: "b"}, {Field: "phone", After: "1"}}},
		{Rule: "r", Object: "calls", Action: store.WouldKeep},
	}
	for _, key := range []string{"one", "two"} {
		r, err := l.Append(ctx, store.Event{Source: "s", Vendor: "v", Type: "call.ended", OccurredAt: at, ReceivedAt: at, Lane: "p", ContentKey: key, Body: []byte("{}")})
		if err != nil {
			t.Fatal(err)
		}
		id := store.DeliveryID{Seq: r.Seq, Connector: "crm"}
		if err := l.Plan(ctx, []store.Plan{{Seq: r.Seq, Connectors: []string{"crm"}}}); err != nil {
			t.Fatal(err)
		}
		if err := l.Settle(ctx, []store.Update{{Delivery: store.Delivery{ID: id, State: store.Done, Records: records, UpdatedAt: at}}}); err != nil {
			t.Fatal(err)
		}
	}
	kept := func(seq uint64) []store.Record {
		t.Helper()
		v, err := l.Event(ctx, seq)
		if err != nil {
			t.Fatal(err)
		}
		return v.Deliveries[0].Records
	}
	if got := kept(1); !reflect.DeepEqual(got, records) {
		t.Errorf("got %+v, want %+v", got, records)
	}
	v, err := l.Event(ctx, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Replay(ctx, []store.Requeue{{Seq: 2, Type: v.Event.Type, OccurredAt: at, Lane: "p"}}); err != nil {
		t.Fatal(err)
	}
	if err := l.Plan(ctx, []store.Plan{{Seq: 2, Connectors: []string{"crm"}}}); err != nil {
		t.Fatal(err)
	}
	if got := kept(2)[0]; got.Action != "" || got.Changes != nil {
		t.Errorf("after a replay: got %+v", got)
	}
	for range 5 {
		done, err := l.Expire(ctx, at.Add(48*time.Hour), store.Retention{Payloads: time.Hour}, 10)
		if err != nil {
			t.Fatal(err)
		}
		if done.Over {
			break
		}
	}
	if got := kept(1)[0]; got.Action != store.WouldUpdate || got.Changes != nil {
		t.Errorf("without its payload: got %+v, want no values", got)
	}
}
