package reconcile

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

const (
	// atOnce bounds how many records are in memory with all that rules want of them.
	atOnce = 20_000
	// keysKept is how many keys of a record are moved when it was merged.
	keysKept = 16
)

// record is one record of a CRM that stands for a contact, as today's rules
// want it by what the ledger has.
type record struct {
	key       store.RecordKey
	lane      string
	contact   string
	wants     []want // one for each field
	keys      []store.LinkKey
	onMissing string // of the newest rule; "": as for the connector
	rule      string
	status    string          // of the contact
	newest    store.FieldHead // version of the newest event
	stamped   store.FieldHead // version of the status
	recent    bool            // an event of it came in since the last run
	waiting   bool            // something is on its way there
	whole     bool            // an event of it is known that is not only to mend
	lost      bool            // a delivery found that it is gone, and was discarded before it made it again
	unsure    string          // why it may be there under another id, where it is gone
}

// want is the newest version in which the rules want a field. Both parts are
// shared: there are many records, and few rules.
type want struct {
	*wish
	version *store.FieldHead
}

// wish is how a rule wants a field.
type wish struct {
	field  string
	rule   string
	when   mapping.If
	onEdit string
}

func (r *record) want(field string) *want {
	for i := range r.wants {
		if r.wants[i].field == field {
			return &r.wants[i]
		}
	}
	return nil
}

// mayDrift is true for records that are looked at in every run.
func (r *record) mayDrift() bool { return r.recent || r.lost || !isFinal(r.status) }

// place orders records, and is where a run goes on.
func place(k store.RecordKey) string { return k.Object + "/" + k.ID }

// wanted gives the next records of the run's connector behind a place, atOnce at
// most, in order. next is the last place that was looked at; "" if there are none
// behind it. may leaves out records of which it is known that they cannot have
// drifted.
func (p *passage) wanted(ctx context.Context, after string, may bool) (list []*record, next string, err error) {
	if p.roster == nil || !p.roster.covers(after) {
		if p.roster, err = p.sift(ctx, after); err != nil {
			return nil, "", err
		}
		p.letGo()
	}
	r := p.roster
	from, found := slices.BinarySearch(r.places, after)
	if found {
		from++
	}
	w := &wanting{passage: p, roster: r, after: after, all: map[string]*record{}, wishes: map[wish]*wish{}, strays: map[string]bool{}}
	var part, passed []string
	for _, at := range r.places[from:] {
		if len(part) == cmp.Or(p.few, atOnce) {
			break
		}
		next = at
		if may && p.atRest(at) {
			passed = append(passed, at)
		} else {
			part = append(part, at)
		}
	}
	if r.before == "" && from+len(part)+len(passed) == len(r.places) {
		next = ""
	}
	w.upTo = next
	if passed, err = w.notBare(ctx, passed, &part); err != nil {
		return nil, "", err
	}
	if err = w.gather(ctx, part); err != nil {
		return nil, "", err
	}
	// An event that went to one that was passed over is news of it.
	passed = slices.DeleteFunc(passed, func(at string) bool { return w.all[at] == nil })
	if err = w.gather(ctx, passed); err != nil {
		return nil, "", err
	}
	for _, k := range slices.Sorted(maps.Keys(w.all)) {
		one := w.all[k]
		one.waiting = r.waiting[one.lane]
		one.lost = slices.ContainsFunc(one.keys, func(k store.LinkKey) bool { return r.lost[k] > one.newest.Seq })
		list = append(list, one)
		if !w.strays[k] && isFinal(one.status) {
			p.rest(k)
		}
	}
	return list, next, nil
}

// notBare moves records of which the ledger has no head from those that are passed
// over to part, where some are lost: of their events nothing is new.
func (w *wanting) notBare(ctx context.Context, passed []string, part *[]string) (rest []string, err error) {
	if len(w.roster.lost) == 0 {
		return passed, nil
	}
	for some := range slices.Chunk(passed, readAtOnce) {
		heads, err := store.Undamaged(ctx, w.keys(some), w.Ledger.Heads)
		if err != nil {
			return nil, err
		}
		for i, at := range some {
			if len(heads[i]) == 0 {
				*part = append(*part, at)
			} else {
				rest = append(rest, at)
			}
		}
	}
	return rest, nil
}

// take adds what another event says of the same record.
func (r *record) take(o *record) {
	r.recent, r.whole = r.recent || o.recent, r.whole || o.whole
	if r.newest.Older(o.newest) {
		r.newest, r.lane, r.rule, r.onMissing, r.contact = o.newest, o.lane, o.rule, o.onMissing, o.contact
	}
	if o.status != "" && (r.status == "" || r.stamped.Older(o.stamped)) {
		r.status, r.stamped = o.status, o.stamped
	}
	for _, w := range o.wants {
		switch own := r.want(w.field); {
		case own == nil:
			r.wants = append(r.wants, w)
		case own.version.Older(*w.version):
			*own = w
		}
	}
	for _, k := range o.keys {
		if len(r.keys) < keysKept && !slices.Contains(r.keys, k) {
			r.keys = append(r.keys, k)
		}
	}
}

// standsForContact tells records of contacts from those of what happened: the
// latter are found by the id of a call, conversation, message or event.
func standsForContact(ev *event.Event, rec *mapping.Record) bool {
	if rec.Skip != "" || len(rec.Keys) == 0 {
		return false
	}
	happened := []string{ev.ID}
	if ev.Call != nil {
		happened = append(happened, ev.Call.ID)
	}
	if ev.Conversation != nil {
		happened = append(happened, ev.Conversation.ID)
	}
	if ev.Message != nil {
		happened = append(happened, ev.Message.ID)
	}
	for _, k := range rec.Keys {
		for _, term := range k {
			text := connectors.Canonical(term.Value)
			for _, id := range happened {
				if id != "" && text != "" && (text == id || len(id) > 5 && strings.Contains(text, id)) {
					return false
				}
			}
		}
	}
	return true
}
