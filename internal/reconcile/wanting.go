package reconcile

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// wanting gathers some records as the events that were written to them say.
type wanting struct {
	*passage
	roster *roster
	after  string // places up to here are of another part
	upTo   string // as are those behind this one; "" is none
	all    map[string]*record
	wishes map[wish]*wish
	strays map[string]bool // places from which an event went to another one
}

// readTogether is of how many records events are read in turn, and how many
// events are in memory at once.
const readTogether = 100

// gather reads what is needed of the events of records in the roster: of each the
// newest, the newest of each sort and those that wrote a field last; then all
// back to one that says the contact's status and is not only to mend.
func (w *wanting) gather(ctx context.Context, places []string) error {
	for part := range slices.Chunk(places, readTogether) {
		heads, err := store.Undamaged(ctx, w.keys(part), w.Ledger.Heads)
		if err != nil {
			return err
		}
		read := map[uint64]bool{}
		left := make([][]written, len(part)) // that are not read yet
		for i, at := range part {
			e := w.roster.entries[at]
			for _, h := range heads[i] {
				read[h.Seq] = true
			}
			left[i] = e.list()
			for _, ev := range left[i] {
				if ev.first || ev.seq == e.newest.Seq {
					read[ev.seq] = true
				}
			}
		}
		for now := slices.Sorted(maps.Keys(read)); len(now) > 0; {
			for few := range slices.Chunk(now, readTogether) {
				list, err := w.eventsOf(ctx, few)
				if err != nil {
					return err
				}
				w.add(list)
			}
			now = nil
			for i, at := range part {
				left[i] = slices.DeleteFunc(left[i], func(ev written) bool { return read[ev.seq] })
				if len(left[i]) > 0 && w.open(at, left[i][0].seq) {
					now = append(now, left[i][0].seq)
				}
			}
			for _, seq := range now {
				read[seq] = true
			}
			slices.Sort(now)
			now = slices.Compact(now)
		}
		for i, at := range part {
			if r := w.all[at]; r != nil {
				r.recent = r.recent || slices.ContainsFunc(left[i], func(ev written) bool { return ev.recent })
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// keys names records of the roster.
func (w *wanting) keys(places []string) []store.RecordKey {
	keys := make([]store.RecordKey, len(places))
	for i, at := range places {
		object := w.roster.entries[at].object
		keys[i] = store.RecordKey{Connector: w.run.Connector, Object: object, ID: at[len(object)+1:]}
	}
	return keys
}

// open tells whether an event that was not read yet, and those before it, may have
// more to say of a record.
func (w *wanting) open(at string, seq uint64) bool {
	r, e := w.all[at], w.roster.entries[at]
	if r == nil || r.status == "" || !r.whole {
		return true
	}
	return r.stamped.Older(e.newest) && (e.mixed || r.stamped.Seq < seq)
}

// seen is a record of one event, before it is known which one of the CRM it is.
type seen struct {
	view  store.View
	event *event.Event
	rec   *mapping.Record
	id    string // by its delivery
	keys  []store.LinkKey
	ended bool       // its delivery came to nothing, at last
	wrote store.Head // then: what it had written before, and is there still
}

// page gives the records of some events by the ids that they have now.
func (w *wanting) page(ctx context.Context, views []store.View, events []*event.Event) ([]seen, error) {
	var list []seen
	var keys []store.LinkKey
	for i, v := range views {
		d, ok := deliveryTo(v, w.run.Connector)
		if !ok || events[i] == nil {
			continue
		}
		switch d.State {
		case store.Waiting:
			w.roster.waiting[d.Lane] = true
			continue
		case store.Dead:
			w.died(v, events[i], d)
		case store.Done, store.Discarded:
		case store.Unmatched, store.Quarantined:
			continue
		}
		for _, s := range w.recordsOf(v, events[i], d) {
			s.ended = d.State != store.Done
			keys = append(keys, s.keys...)
			list = append(list, s)
		}
	}
	ids, err := store.Undamaged(ctx, keys, w.Ledger.Links)
	if err != nil {
		return nil, err
	}
	for i := range list {
		s := &list[i]
		was := s.id
		for range s.keys {
			if ids[0] != "" {
				s.id = ids[0] // it may be another one by now
			}
			ids = ids[1:]
		}
		if s.id == "" {
			// By the first alone: a number or an address may be of several.
			for _, k := range cloned(s.keys[:min(1, len(s.keys))]) {
				w.roster.lost[k] = max(w.roster.lost[k], s.view.Event.Seq)
			}
			continue
		}
		if s.id != was && was != "" && w.strays != nil {
			w.strays[place(store.RecordKey{Object: s.rec.Object, ID: was})] = true
		}
	}
	if err := w.written(ctx, list); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(s seen) bool { return s.id == "" || s.ended && len(s.wrote) == 0 }), nil
}

// written finds out what deliveries that came to nothing had written before. Only
// that is wanted of them: what they were to write beside it a person does not want,
// or has to decide on.
func (w *wanting) written(ctx context.Context, list []seen) error {
	var ended []*seen
	var keys []store.RecordKey
	for i := range list {
		if s := &list[i]; s.ended && s.id != "" {
			ended = append(ended, s)
			keys = append(keys, store.RecordKey{Connector: w.run.Connector, Object: s.rec.Object, ID: s.id})
		}
	}
	heads, err := store.Undamaged(ctx, keys, w.Ledger.Heads)
	if err != nil {
		return err
	}
	for i, s := range ended {
		s.wrote = store.Head{}
		for field, h := range heads[i] {
			if h.Seq == s.view.Event.Seq {
				s.wrote[field] = h
			}
		}
	}
	return nil
}

func deliveryTo(v store.View, connector string) (store.Delivery, bool) {
	i := slices.IndexFunc(v.Deliveries, func(d store.Delivery) bool { return d.ID.Connector == connector })
	if i < 0 {
		return store.Delivery{}, false
	}
	return v.Deliveries[i], true
}

// recordsOf are the records that stand for the contact of an event.
func (w *wanting) recordsOf(v store.View, ev *event.Event, d store.Delivery) (out []seen) {
	plan, err := w.setup.Plan(ev, w.run.Connector)
	if err != nil {
		return nil // the next delivery says so
	}
	for rec, id := range idsOf(&plan, d) {
		s := seen{view: v, event: ev, rec: rec, id: id}
		if s.id == "" && d.State != store.Discarded || rec.Shadow {
			continue
		}
		contact := standsForContact(ev, rec)
		if contact || rec.Skip == "" && len(rec.Keys) > 0 {
			w.roster.learnKind(kind{rec.Rule, rec.Object}, contact)
		}
		if !contact {
			continue
		}
		s.keys = w.linksOf(rec)
		out = append(out, s)
	}
	return out
}

// idsOf gives the records of a plan, each with the id that it has by its event's
// delivery; "" where that does not say.
func idsOf(plan *mapping.Plan, d store.Delivery) iter.Seq2[*mapping.Record, string] {
	return func(yield func(*mapping.Record, string) bool) {
		kept := slices.Clone(d.Records)
		for i := range plan.Records {
			rec, id := &plan.Records[i], ""
			if at := slices.IndexFunc(kept, func(r store.Record) bool { return r.Rule == rec.Rule && r.Object == rec.Object }); at >= 0 {
				id = kept[at].ID
				kept = slices.Delete(kept, at, at+1)
			}
			if !yield(rec, id) {
				return
			}
		}
	}
}

// linksOf are the keys by which the ledger knows a record.
func (p *passage) linksOf(rec *mapping.Record) (out []store.LinkKey) {
	for _, k := range rec.Keys {
		fields, values := k.Split()
		out = append(out, store.NewLinkKey(p.run.Connector, rec.Object, fields, values))
	}
	return out
}

// add notes what events want of records of this part.
func (w *wanting) add(list []seen) {
	for _, s := range list {
		key := store.RecordKey{Connector: w.run.Connector, Object: s.rec.Object, ID: s.id}
		at := place(key)
		if at <= w.after || w.upTo != "" && at > w.upTo {
			continue
		}
		e := s.view.Event
		v := store.FieldHead{At: e.OccurredAt, Rank: e.Rank, Seq: e.Seq}
		// Strings of the event would keep its whole payload in memory.
		key.ID, s.keys = strings.Clone(key.ID), cloned(s.keys)
		r := &record{key: key, lane: strings.Clone(e.Lane), keys: s.keys, newest: v, stamped: v, recent: !e.ReceivedAt.Before(w.roster.since), rule: s.rec.Rule, onMissing: string(s.rec.OnMissing), whole: s.event.Only == nil}
		if c := s.event.Contact; c != nil {
			r.status, r.contact = strings.Clone(c.Status), strings.Clone(c.ID)
		}
		r.wants = make([]want, 0, len(s.rec.Fields))
		for _, f := range s.rec.Fields {
			version := &v
			if s.ended {
				h, wrote := s.wrote[f.Name]
				if !wrote {
					continue
				}
				version = &h
			}
			r.wants = append(r.wants, want{w.wish(wish{field: f.Name, rule: s.rec.Rule, when: f.If, onEdit: string(f.OnEdit)}), version})
		}
		if known := w.all[at]; known != nil {
			known.take(r)
		} else {
			w.all[at] = r
		}
	}
}

func (w *wanting) wish(one wish) *wish {
	if w.wishes[one] == nil {
		w.wishes[one] = &one
	}
	return w.wishes[one]
}

func cloned(keys []store.LinkKey) []store.LinkKey {
	out := slices.Clone(keys)
	for i := range out {
		out[i].Value = strings.Clone(out[i].Value)
	}
	return out
}

// died tells of a delivery that needs a person, once for each contact.
func (w *wanting) died(v store.View, ev *event.Event, d store.Delivery) {
	if r := w.roster; !r.report || r.dead[d.Lane] || !w.run.Full && v.Event.ReceivedAt.Before(r.since) {
		return
	}
	w.roster.dead[d.Lane] = true
	w.run.Failed++
	f := store.Finding{Kind: KindFailed, Event: v.Event.ID(), Note: "its delivery " + d.ID.String() + " is dead"}
	if ev.Contact != nil {
		f.Contact = ev.Contact.ID
	}
	w.find(f)
}
