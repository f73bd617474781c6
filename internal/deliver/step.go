package deliver

import (
	"context"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// item is one record of one delivery.
type item struct {
	job  *job
	step int
	rec  *mapping.Record
}

// group is one record of the CRM with all items of a wave's step that concern
// it: they are written as one change.
type group struct {
	object    string
	items     []item
	keys      []connectors.Key
	linkKeys  []store.LinkKey // of keys, in order
	linked    []string        // ids that the ledger knows under linkKeys
	marked    bool            // the ledger knows of an attempt under the first of linkKeys
	further   []store.LinkKey // of the items that joined
	ids       []string        // of the record, at most one
	foundBy   int             // index of the key that led to ids, or -1
	current   []connectors.Record
	createBy  connectors.Key // by which the record is made if there is none
	claimed   map[string]bool
	head      store.Head // what was last written to the record
	fields    []versioned
	links     []connectors.Link
	attempted time.Time // of an earlier attempt whose outcome is not known
	guessed   bool      // there is no such attempt, but perhaps one that the ledger does not know of
	unsought  bool      // and what that may have made could not be looked for
	sure      bool      // the CRM itself keeps it from being made twice, whatever becomes of our requests
	last      string    // with on_many: all, the id known of earlier, in case no key finds a record
	another   bool      // with on_many: all, a further record; its first has a group of its own
	held      int       // values left out as newer ones, or a person's, are there
	out       bool      // not to be written: failed, deferred or skipped
}

func (g *group) known() bool { return len(g.ids) > 0 }

func (g *group) rec() *mapping.Record { return g.items[0].rec }

func (g *group) fail(e *connectors.Error) {
	g.out = true
	for _, it := range g.items {
		if it.job.state == open {
			it.job.place = place(e, it.rec)
		}
		it.job.fail(e)
	}
}

func (g *group) deferAll() {
	g.out = true
	for _, it := range g.items {
		it.job.postpone()
	}
}

func (g *group) skip(note string) {
	g.out = true
	for _, it := range g.items {
		r := &it.job.d.Records[it.step]
		r.Action, r.Note, r.ID, r.Attempted = "skipped", note, "", time.Time{}
	}
}

// step brings the items' records to the CRM.
func (w *wave) step(ctx context.Context, items []item) {
	groups, err := w.group(ctx, items)
	if err == nil {
		groups = append(groups, w.find(ctx, groups)...)
		w.holdGroups(groups)
		err = w.fill(ctx, groups)
	}
	groups = slices.DeleteFunc(groups, func(g *group) bool { return g.out })
	if w.leaving() {
		for _, g := range groups {
			g.deferAll()
		}
		groups = nil
	}
	if err == nil && len(groups) > 0 {
		err = w.intend(ctx, groups)
	}
	if err != nil {
		w.ledgerFailed(ctx, items, err)
		return
	}
	if len(groups) > 0 {
		w.write(ctx, groups)
	}
}

// holdGroups takes out what is behind a delivery of its lane that could not be
// looked up: it must not be written first.
func (w *wave) holdGroups(groups []*group) {
	for again := true; again; {
		again = false
		w.holdLanes()
		for _, g := range groups {
			if !g.out && slices.ContainsFunc(g.items, func(it item) bool { return it.job.state != open }) {
				g.deferAll()
				again = true
			}
		}
	}
}

// ledgerFailed has the items wait where the ledger could not be read or
// written; CRM errors were dealt with before. It costs them no attempt.
func (w *wave) ledgerFailed(ctx context.Context, items []item, err error) {
	if ctx.Err() != nil {
		for _, it := range items {
			it.job.postpone()
		}
		return
	}
	w.account = ledgerError(err)
	for _, it := range items {
		it.job.fail(w.account)
	}
}

// ledgerError has a connector pause while the ledger fails.
func ledgerError(err error) *connectors.Error {
	return &connectors.Error{Kind: connectors.Transient, Account: true, Message: "the ledger could not be read or written", Err: err}
}

// group sorts items by the record that they concern. Items whose record may
// be the same as another's, without certainty, are deferred: after the other
// is written, the look-up tells.
func (w *wave) group(ctx context.Context, items []item) ([]*group, error) {
	over := w.t.ended()
	known, err := w.lookUp(ctx, items)
	if err != nil {
		return nil, err
	}
	byIdentity := map[string]*group{}
	lanes := map[string]bool{} // held by a deferral in this step
	var out []*group
	for i, it := range items {
		if lanes[it.job.d.Lane] {
			it.job.state = deferred
			continue
		}
		g := &group{object: it.rec.Object, items: []item{it}, keys: it.rec.Keys, foundBy: -1, claimed: map[string]bool{}}
		if it.rec.Skip != "" {
			g.skip(it.rec.Skip)
			continue
		}
		g.linkKeys = known[i].keys
		w.resolve(g, known[i])
		if !g.known() && w.doubtful(g) {
			it.job.wait = hold
			g.fail(wrongClock())
			lanes[it.job.d.Lane] = true
			continue
		}
		g.suspect(it.job.since)
		if it.rec.OnMany == mapping.ManyAll && g.known() && len(g.keys) > 0 {
			g.last, g.ids, g.foundBy = g.ids[0], nil, -1 // there may be more of them
		}
		identity, claims := w.identity(g, i)
		now := turn{w.id, it.step}
		if first := byIdentity[identity]; first != nil && w.mayJoin(it, first) && w.t.claim(now, first.claimed, claims) {
			first.join(g)
			continue
		}
		if byIdentity[identity] != nil || !w.t.claim(now, g.claimed, claims) {
			it.job.state = deferred
			lanes[it.job.d.Lane] = true
			continue
		}
		byIdentity[identity] = g
		out = append(out, g)
	}
	if w.t.ended() == over {
		return out, nil
	}
	return w.unchanged(ctx, out)
}

// mayJoin reports whether an item may share a group's change.
func (w *wave) mayJoin(it item, g *group) bool {
	return !w.t.isSolo(it.job.d.ID) && !w.t.isSolo(g.items[0].job.d.ID) && sameTerms(g.rec(), it.rec)
}

// join adds the items of a group that concerns the same record.
func (g *group) join(other *group) {
	g.items = append(g.items, other.items...)
	g.guessed = (g.guessed || g.attempted.IsZero()) && (other.guessed || other.attempted.IsZero())
	g.attempted = earlier(g.attempted, other.attempted)
	g.further = append(g.further, other.linkKeys...)
}

func sameTerms(a, b *mapping.Record) bool {
	return a.Create == b.Create && a.OnMany == b.OnMany && len(a.Keys) == len(b.Keys)
}

func (t *target) unsolo(id store.DeliveryID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.solo, id)
}

func (t *target) isSolo(id store.DeliveryID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, solo := t.solo[id]
	return solo
}

// failAll fails groups with one error, which may be the account's. While the
// program ends most are of requests that were not begun, and say nothing.
func (w *wave) failAll(groups []*group, e *connectors.Error) {
	if w.leaving() && (e.Kind == connectors.Transient || e.Kind == connectors.RateLimited) {
		for _, g := range groups {
			g.deferAll()
		}
		return
	}
	switch judge(e) {
	case suspend:
		w.account = e
	case retry:
		w.failed = e
	case again, die:
		w.answered = true
	}
	for _, g := range groups {
		g.fail(e)
	}
}
