package reconcile

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// What became of an event is small, and what it says is read, unpacked, parsed and
// planned again. So the deliveries are read first, once, and then of each record
// only the events that say what it should be like; see wanting.

// sureApart is after how many records of a rule and object, all of them of what
// happened and none of a contact, the others are taken as such unread.
const sureApart = 20

// sift reads the deliveries of the run's connector, newest event first, into a
// roster. It reads the events where a delivery does not say for whom a record
// stands, or which one it is by now.
func (p *passage) sift(ctx context.Context, after string) (*roster, error) {
	since, err := p.since(ctx)
	if err != nil {
		return nil, err
	}
	r := newRoster(since, "", cmp.Or(p.few, rosterMost))
	r.report = p.run.Cursor == "" && !p.told
	if p.roster != nil && p.roster.before != "" {
		r.after = after // not all of it has room
	}
	p.told, p.roster = true, nil
	s := &wanting{passage: p, roster: r}
	f := store.DeliveryFilter{Connector: p.run.Connector, Limit: scanPage}
	for n := sureApart / 2; ; {
		list, err := p.Ledger.Deliveries(ctx, f)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 {
			break
		}
		f.Before = list[len(list)-1].ID.Seq
		ours, err := s.ours(ctx, list)
		if err != nil {
			return nil, err
		}
		for part := range slices.Chunk(list, n) {
			// What one part says makes more of the next superfluous.
			if err := s.enter(ctx, part, ours, after); err != nil {
				return nil, err
			}
		}
		n = scanPage / 5
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	r.close()
	return r, nil
}

// enter notes deliveries in the roster.
func (w *wanting) enter(ctx context.Context, list []store.Delivery, ours map[store.RecordKey]bool, first string) error {
	r := w.roster
	var seqs []uint64
	unclear := map[uint64]*store.Delivery{}
	for i := range list {
		d := &list[i]
		read := false
		switch d.State {
		case store.Waiting:
			r.waiting[d.Lane] = true
		case store.Dead:
			read = r.report && !r.dead[d.Lane] || w.wrote(d)
		case store.Discarded:
			read = w.wrote(d) || w.failed(d)
		case store.Done:
			read = slices.ContainsFunc(d.Records, func(rec store.Record) bool {
				key := store.RecordKey{Connector: w.run.Connector, Object: rec.Object, ID: rec.ID}
				n := r.kinds[kind{rec.Rule, rec.Object}]
				return rec.ID != "" && n < sureApart && (n >= 0 || !ours[key] && r.entry(rec.Object, rec.ID) == nil)
			})
			for _, rec := range d.Records {
				if !read && rec.ID != "" && r.kinds[kind{rec.Rule, rec.Object}] < sureApart {
					r.note(rec.Object, rec.ID, rec.Rule, d, first)
				}
			}
		case store.Unmatched, store.Quarantined:
		}
		if read {
			seqs, unclear[d.ID.Seq] = append(seqs, d.ID.Seq), d
		}
	}
	seen, err := w.eventsOf(ctx, seqs)
	for _, s := range seen {
		r.note(s.rec.Object, s.id, s.rec.Rule, unclear[s.view.Event.Seq], first)
	}
	return err
}

// wrote tells whether a delivery that came to nothing may have written before: in
// a round before a replay, or to another record of its rules.
func (w *wanting) wrote(d *store.Delivery) bool {
	return slices.ContainsFunc(d.Records, func(rec store.Record) bool {
		return rec.ID != "" && w.roster.kinds[kind{rec.Rule, rec.Object}] < sureApart
	})
}

// failed tells whether a delivery may have come upon a record that is gone, and
// not have made it again.
func (w *wanting) failed(d *store.Delivery) bool {
	return slices.ContainsFunc(d.Records, func(rec store.Record) bool {
		return rec.ID == "" && rec.Action == "" && w.roster.kinds[kind{rec.Rule, rec.Object}] < sureApart
	})
}

// ours tells which of the records of deliveries we have written to, and were not
// forgotten or followed into others, among those that are not in the roster.
func (w *wanting) ours(ctx context.Context, list []store.Delivery) (map[store.RecordKey]bool, error) {
	out := map[store.RecordKey]bool{}
	var keys []store.RecordKey
	for _, d := range list {
		if d.State != store.Done {
			continue
		}
		for _, rec := range d.Records {
			if rec.ID == "" || w.roster.kinds[kind{rec.Rule, rec.Object}] >= sureApart || w.roster.entry(rec.Object, rec.ID) != nil {
				continue
			}
			key := store.RecordKey{Connector: w.run.Connector, Object: rec.Object, ID: rec.ID}
			if _, asked := out[key]; asked {
				continue
			}
			out[key] = false
			keys = append(keys, key)
		}
	}
	heads, err := store.Undamaged(ctx, keys, w.Ledger.Heads)
	for i, head := range heads {
		out[keys[i]] = len(head) > 0
	}
	return out, err
}

// eventsOf reads events and gives the records that they were written to.
func (w *wanting) eventsOf(ctx context.Context, seqs []uint64) ([]seen, error) {
	var views []store.View
	var events []*event.Event
	for _, seq := range seqs {
		v, err := w.Ledger.Event(ctx, seq)
		switch {
		case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrCorrupt):
			continue
		case err != nil:
			return nil, err
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

// learnKind counts for whom the records of a rule and object stand.
func (r *roster) learnKind(k kind, contact bool) {
	switch n := r.kinds[k]; {
	case contact:
		r.kinds[k] = -1
	case n >= 0:
		r.kinds[k] = n + 1
	}
}

// close puts the roster in order.
func (r *roster) close() {
	r.places = slices.AppendSeq(make([]string, 0, len(r.entries)), maps.Keys(r.entries))
	slices.Sort(r.places)
}
