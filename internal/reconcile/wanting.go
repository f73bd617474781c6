package reconcile

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// wanting gathers the records that events were written to.
type wanting struct {
	*passage
	since   time.Time
	after   string // places up to here were looked at
	before  string // places from here on come the next time; "" is none
	all     map[string]*record
	wrote   map[store.RecordKey][]uint64 // events that wrote a field of it last; absent: nothing of ours is known
	kinds   map[kind]int                 // records of what happened; -1: some stand for contacts
	waiting map[string]bool              // lanes in which something is on its way
	dead    map[string]bool              // lanes of deliveries that are dead
	report  bool                         // dead deliveries are to be told of
}

// seen is a record of one event, before it is known which one of the CRM it is.
type seen struct {
	view  store.View
	event *event.Event
	rec   *mapping.Record
	id    string // by its delivery
	keys  []store.LinkKey
}

// page takes in some events.
func (w *wanting) page(ctx context.Context, views []store.View, events []*event.Event) error {
	var list []seen
	var keys []store.LinkKey
	for i, v := range views {
		d, ok := deliveryTo(v, w.run.Connector)
		if !ok || events[i] == nil {
			continue
		}
		switch d.State {
		case store.Waiting:
			w.waiting[d.Lane] = true
		case store.Dead:
			w.died(v, events[i], d)
		case store.Done:
			for _, s := range w.recordsOf(v, events[i], d) {
				keys = append(keys, s.keys...)
				list = append(list, s)
			}
		case store.Discarded, store.Unmatched, store.Quarantined:
		}
	}
	ids, err := w.Ledger.Links(ctx, keys)
	if err != nil {
		return err
	}
	for _, s := range list {
		for range s.keys {
			if ids[0] != "" && s.id != ids[0] {
				s.id = ids[0] // it may be another one by now
			}
			ids = ids[1:]
		}
		if s.id != "" {
			w.add(s)
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
	kept := slices.Clone(d.Records)
	for i := range plan.Records {
		rec := &plan.Records[i]
		s := seen{view: v, event: ev, rec: rec}
		if at := slices.IndexFunc(kept, func(r store.Record) bool { return r.Rule == rec.Rule && r.Object == rec.Object }); at >= 0 {
			s.id = kept[at].ID
			kept = slices.Delete(kept, at, at+1)
		}
		if s.id == "" || rec.Shadow {
			continue
		}
		contact := standsForContact(ev, rec)
		if contact || rec.Skip == "" && len(rec.Keys) > 0 {
			w.learnKind(kind{rec.Rule, rec.Object}, contact)
		}
		if !contact {
			continue
		}
		for _, k := range rec.Keys {
			fields, values := k.Split()
			s.keys = append(s.keys, store.NewLinkKey(w.run.Connector, rec.Object, fields, values))
		}
		out = append(out, s)
	}
	return out
}

// add notes what an event wants of a record.
func (w *wanting) add(s seen) {
	key := store.RecordKey{Connector: w.run.Connector, Object: s.rec.Object, ID: s.id}
	at := place(key)
	if !w.within(at) {
		return
	}
	e := s.view.Event
	v := store.FieldHead{At: e.OccurredAt, Rank: e.Rank, Seq: e.Seq}
	// Strings of the event would keep its whole payload in memory.
	key.ID, s.keys = strings.Clone(key.ID), cloned(s.keys)
	r := &record{key: key, lane: strings.Clone(e.Lane), keys: s.keys, newest: v, stamped: v, recent: !e.ReceivedAt.Before(w.since), rule: s.rec.Rule, onMissing: string(s.rec.OnMissing)}
	if c := s.event.Contact; c != nil {
		r.status, r.contact = strings.Clone(c.Status), strings.Clone(c.ID)
	}
	r.wants = make([]want, 0, len(s.rec.Fields))
	for _, f := range s.rec.Fields {
		r.wants = append(r.wants, want{field: f.Name, rule: s.rec.Rule, version: v, when: f.If, onEdit: string(f.OnEdit)})
	}
	if known := w.all[at]; known != nil {
		known.take(r)
		return
	}
	w.all[at] = r
	if len(w.all) > 2*atOnce {
		w.cut()
	}
}

func cloned(keys []store.LinkKey) []store.LinkKey {
	out := slices.Clone(keys)
	for i := range out {
		out[i].Value = strings.Clone(out[i].Value)
	}
	return out
}

// cut leaves the first atOnce records.
func (w *wanting) cut() {
	places := slices.Sorted(maps.Keys(w.all))
	w.before = places[atOnce]
	for _, at := range places[atOnce:] {
		delete(w.all, at)
	}
}

// died tells of a delivery that needs a person, once for each contact.
func (w *wanting) died(v store.View, ev *event.Event, d store.Delivery) {
	if !w.report || w.dead[d.Lane] || !w.run.Full && v.Event.ReceivedAt.Before(w.since) {
		return
	}
	w.dead[d.Lane] = true
	w.run.Failed++
	f := store.Finding{Kind: KindFailed, Event: v.Event.ID(), Note: "its delivery " + d.ID.String() + " is dead"}
	if ev.Contact != nil {
		f.Contact = ev.Contact.ID
	}
	w.find(f)
}
