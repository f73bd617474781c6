package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// What became of an event is small, and what it says is read, unpacked, parsed and
// planned again. Of most events of a contact that is not needed: only the
// newest and those that wrote a field last say what a record should be like.

// sureApart is after how many records of a rule and object, all of them of what
// happened and none of a contact, the others are taken as such unread.
const sureApart = 20

// kind is what tells records of contacts from others.
type kind struct{ rule, object string }

// sift reads the deliveries of the run's connector, newest event first, and of
// those that have something to say the events, too.
func (w *wanting) sift(ctx context.Context) error {
	f := store.DeliveryFilter{Connector: w.run.Connector, Limit: scanPage}
	for {
		list, err := w.Ledger.Deliveries(ctx, f)
		if err != nil || len(list) == 0 {
			return err
		}
		f.Before = list[len(list)-1].ID.Seq
		if err := w.learnHeads(ctx, list); err != nil {
			return err
		}
		for len(list) > 0 {
			// What one part says makes more of the next superfluous.
			n := min(len(list), scanPage/5)
			if err := w.readOf(ctx, list[:n]); err != nil {
				return err
			}
			list = list[n:]
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// readOf reads the events of those deliveries that have something to say.
func (w *wanting) readOf(ctx context.Context, list []store.Delivery) error {
	var views []store.View
	var events []*event.Event
	for _, d := range list {
		if d.State == store.Waiting {
			w.waiting[d.Lane] = true
		}
		if !w.says(d) {
			continue
		}
		v, err := w.Ledger.Event(ctx, d.ID.Seq)
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrCorrupt):
			continue
		case err != nil:
			return err
		case v.State == store.Quarantined || v.Event.Stripped:
			continue
		}
		ev, err := w.setup.Parse(v.Event)
		if err != nil {
			continue
		}
		views, events = append(views, v), append(events, ev)
	}
	return w.page(ctx, views, events)
}

// says reports whether the event of a delivery need be read.
func (w *wanting) says(d store.Delivery) bool {
	switch d.State {
	case store.Dead:
		return w.report && !w.dead[d.Lane]
	case store.Done:
		return slices.ContainsFunc(d.Records, func(r store.Record) bool { return w.news(d, r) })
	case store.Waiting, store.Discarded, store.Unmatched, store.Quarantined:
	}
	return false
}

// news reports whether a delivery may say something of a record that is not
// known of it.
func (w *wanting) news(d store.Delivery, r store.Record) bool {
	if r.ID == "" || w.kinds[kind{r.Rule, r.Object}] >= sureApart {
		return false
	}
	key := store.RecordKey{Connector: w.run.Connector, Object: r.Object, ID: r.ID}
	wrote, ours := w.wrote[key]
	if !ours {
		return true // forgotten, or followed into another one: the event's keys tell
	}
	at := place(key)
	if !w.within(at) {
		return false
	}
	known := w.all[at]
	if known == nil || known.status == "" || slices.Contains(wrote, d.ID.Seq) {
		return true
	}
	known.recent = known.recent || !d.CreatedAt.Before(w.since)
	return known.newest.Older(store.FieldHead{At: d.OccurredAt, Rank: d.Rank, Seq: d.ID.Seq})
}

// within tells whether a place is among those of this reading.
func (w *wanting) within(at string) bool { return at > w.after && (w.before == "" || at < w.before) }

// learnHeads notes which events wrote the records of the deliveries last. What is
// not within this reading is forgotten when it has become much.
func (w *wanting) learnHeads(ctx context.Context, list []store.Delivery) error {
	if len(w.wrote) > 3*atOnce {
		maps.DeleteFunc(w.wrote, func(key store.RecordKey, _ []uint64) bool { return w.all[place(key)] == nil })
	}
	var keys []store.RecordKey
	for _, d := range list {
		for _, r := range d.Records {
			key := store.RecordKey{Connector: w.run.Connector, Object: r.Object, ID: r.ID}
			if _, known := w.wrote[key]; known || d.State != store.Done || r.ID == "" || w.kinds[kind{r.Rule, r.Object}] >= sureApart {
				continue
			}
			keys = append(keys, key)
		}
	}
	heads, err := w.Ledger.Heads(ctx, keys)
	if err != nil {
		return err
	}
	for i, head := range heads {
		var seqs []uint64
		for _, h := range head {
			if !slices.Contains(seqs, h.Seq) {
				seqs = append(seqs, h.Seq)
			}
		}
		if len(seqs) > 0 {
			w.wrote[keys[i]] = seqs
		}
	}
	return nil
}

// learnKind counts for whom the records of a rule and object stand.
func (w *wanting) learnKind(k kind, contact bool) {
	switch n := w.kinds[k]; {
	case contact:
		w.kinds[k] = -1
	case n >= 0:
		w.kinds[k] = n + 1
	}
}
