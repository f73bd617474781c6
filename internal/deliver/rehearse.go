package deliver

import (
	"context"
	"log/slog"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// Rehearse takes one event to one connector as a delivery would go, beside any
// ledger: of what was written before only the ids of known are, records of the
// event's own delivery, and nothing is kept. It returns what became of each record.
// Setup.Parse is not used, and no failure is tried again but for a look-up.
func Rehearse(ctx context.Context, s Setup, connector string, ev *event.Event, known ...store.Record) store.Delivery {
	s.Parse = func(store.Event) (*event.Event, error) { return ev, nil }
	d := New(Options{Ledger: unwritten{}, Setup: s, Log: slog.New(slog.DiscardHandler)})
	now := time.Now()
	delivery := store.Delivery{
		ID: store.DeliveryID{Seq: 1, Connector: connector}, State: store.Waiting, Source: ev.Source, Type: ev.Type,
		Lane: ev.Lane(), OccurredAt: ev.OccurredAt, Rank: ev.Rank(), CreatedAt: now,
	}
	for _, r := range known {
		if r.ID != "" {
			delivery.Records = append(delivery.Records, store.Record{Rule: r.Rule, Object: r.Object, ID: r.ID})
		}
	}
	if seq, err := store.ParseEventID(ev.ID); err == nil {
		delivery.ID.Seq = seq
	}
	stored := store.Event{
		Seq: delivery.ID.Seq, Source: ev.Source, Vendor: ev.Vendor, Type: ev.Type, Origin: ev.Origin,
		OccurredAt: ev.OccurredAt, ReceivedAt: ev.ReceivedAt, Lane: delivery.Lane, Rank: delivery.Rank,
	}
	d.work = ctx
	for range 3 { // a record may have to be looked up again
		t := newTarget(d, connector)
		w := t.begin(s, s.Connectors[connector], []store.Work{{Delivery: delivery, Event: stored, Queued: now}})
		w.run(ctx)
		t.end(w)
		delivery = w.jobs[0].d
		if delivery.State != store.Waiting || w.jobs[0].err != nil && judge(w.jobs[0].err) != again || ctx.Err() != nil {
			break
		}
	}
	return delivery
}

// unwritten is a ledger in which nothing is, and nothing stays.
type unwritten struct{ store.Ledger }

func (unwritten) Links(_ context.Context, keys []store.LinkKey) ([]string, error) {
	return make([]string, len(keys)), nil
}

func (unwritten) Heads(_ context.Context, keys []store.RecordKey) ([]store.Head, error) {
	return make([]store.Head, len(keys)), nil
}

func (unwritten) Settle(context.Context, []store.Update) error { return nil }

var _ connectors.Connector = readOnly{}

// readOnly passes on what only reads.
type readOnly struct{ connectors.Connector }

// Write implements connectors.Connector; it writes nothing.
func (readOnly) Write(context.Context, []connectors.Change) ([]connectors.Result, error) {
	return nil, &connectors.Error{Kind: connectors.Invalid, Message: "nothing is written here"}
}

// ReadOnly is a connector that reads and never writes.
func ReadOnly(c connectors.Connector) connectors.Connector { return readOnly{c} }
