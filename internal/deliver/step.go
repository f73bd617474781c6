package deliver

import (
	"context"
	"fmt"
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
	ids       []string        // of the record; several with on_many: all
	foundBy   int             // index of the key that led to ids, or -1
	fromLink  bool            // ids come from the ledger, not from the CRM just now
	current   []connectors.Record
	claimed   map[string]bool
	fields    []versioned
	links     []connectors.Link
	attempted time.Time // of an earlier attempt whose outcome is not known
	held      int       // values left out as newer ones, or a person's, are there
	out       bool      // not to be written: failed, deferred or skipped
}

func (g *group) known() bool          { return len(g.ids) > 0 }
func (g *group) rec() *mapping.Record { return g.items[0].rec }

func (g *group) fail(e *connectors.Error) {
	g.out = true
	for _, it := range g.items {
		it.job.fail(e)
	}
}

func (g *group) deferAll() {
	g.out = true
	for _, it := range g.items {
		if it.job.state == open {
			it.job.state = deferred
		}
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
		err = w.find(ctx, groups)
	}
	if err == nil {
		err = w.fill(ctx, groups)
	}
	groups = slices.DeleteFunc(groups, func(g *group) bool { return g.out })
	if err != nil || len(groups) == 0 {
		w.ledgerFailed(items, err)
		return
	}
	if err := w.intend(ctx, groups); err != nil {
		w.ledgerFailed(items, err)
		return
	}
	w.write(ctx, groups)
}

// ledgerFailed has the items wait where the ledger could not be read or
// written; CRM errors were dealt with before.
func (w *wave) ledgerFailed(items []item, err error) {
	if err == nil {
		return
	}
	e := connectors.AsError(err)
	for _, it := range items {
		it.job.fail(e)
	}
}

// group sorts items by the record that they concern. Items whose record may
// be the same as another's, without certainty, are deferred: after the other
// is written, the look-up tells.
func (w *wave) group(ctx context.Context, items []item) ([]*group, error) {
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
		for _, k := range g.keys {
			g.linkKeys = append(g.linkKeys, linkKey(w.t.name, g.object, k))
		}
		if it.rec.OnMany != mapping.ManyAll {
			w.resolve(g, known[i])
		}
		identity, claims := w.identity(g, i)
		if first := byIdentity[identity]; first != nil && !w.t.isSolo(it.job.d.ID) && !w.t.isSolo(first.items[0].job.d.ID) && sameTerms(first.rec(), it.rec) {
			first.items = append(first.items, it)
			first.attempted = earlier(first.attempted, g.attempted)
			continue
		}
		if byIdentity[identity] != nil || !w.t.claim(w.id, g.claimed, claims) {
			it.job.state = deferred
			lanes[it.job.d.Lane] = true
			continue
		}
		byIdentity[identity] = g
		out = append(out, g)
	}
	return out, nil
}

// lookUp asks the ledger for the ids known under each item's keys.
func (w *wave) lookUp(ctx context.Context, items []item) ([][]string, error) {
	var keys []store.LinkKey
	for _, it := range items {
		for _, k := range it.rec.Keys {
			keys = append(keys, linkKey(w.t.name, it.rec.Object, k))
		}
	}
	ids, err := w.t.d.ledger.Links(ctx, keys)
	if err != nil {
		return nil, err
	}
	out := make([][]string, len(items))
	for i, it := range items {
		out[i], ids = ids[:len(it.rec.Keys)], ids[len(it.rec.Keys):]
	}
	return out, nil
}

// resolve uses what is known without asking the CRM: an earlier attempt's
// record, a link in the ledger, or a record written moments ago.
func (w *wave) resolve(g *group, linked []string) {
	r := g.items[0].job.d.Records[g.items[0].step]
	g.attempted = r.Attempted
	if r.ID != "" {
		g.ids, g.fromLink = []string{r.ID}, true
		return
	}
	w.t.mu.Lock()
	defer w.t.mu.Unlock()
	for i, id := range linked {
		if id == "" {
			id = w.t.recent[g.linkKeys[i]].id
		}
		if id != "" {
			g.ids, g.foundBy, g.fromLink = []string{id}, i, true
			return
		}
	}
}

// identity names the record as far as it is known, and all names under which
// another item might mean the same.
func (w *wave) identity(g *group, i int) (string, []string) {
	if g.known() && g.foundBy <= 0 {
		id := idClaim(g.object, g.ids[0])
		return id, []string{id}
	}
	var claims []string
	for _, k := range g.linkKeys {
		claims = append(claims, claimKey(k))
	}
	if g.known() {
		claims = append(claims, idClaim(g.object, g.ids[0]))
	}
	if len(claims) == 0 {
		return fmt.Sprintf("keyless\x00%d", i), nil
	}
	return claims[0], claims
}

func idClaim(object, id string) string { return object + "\x00" + connectors.ID + "\x00" + id }

func sameTerms(a, b *mapping.Record) bool {
	return a.Create == b.Create && a.OnMany == b.OnMany && len(a.Keys) == len(b.Keys)
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

func (t *target) unsolo(id store.DeliveryID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.solo, id)
}

func (t *target) isSolo(id store.DeliveryID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.solo[id]
}

// find asks the CRM for records that only it knows, and for current values
// where fields depend on them.
func (w *wave) find(ctx context.Context, groups []*group) error {
	var asked []*group
	var matches []connectors.Match
	for _, g := range groups {
		m := connectors.Match{Object: g.object, Read: conditional(g)}
		switch {
		case g.known() && g.foundBy <= 0:
			if len(m.Read) == 0 {
				continue
			}
			m.Keys = []connectors.Key{{{Field: connectors.ID, Value: g.ids[0]}}}
		case g.known():
			// The ledger knows it by a later key; the earlier ones come first.
			m.Keys = slices.Concat(g.keys[:g.foundBy], []connectors.Key{{{Field: connectors.ID, Value: g.ids[0]}}})
		case len(g.keys) == 0 || w.upsertSuffices(g, m.Read):
			continue
		default:
			m.Keys = g.keys
		}
		asked, matches = append(asked, g), append(matches, m)
	}
	if len(matches) == 0 {
		return nil
	}
	found, err := w.conn.Find(ctx, matches)
	if err != nil {
		w.failAll(asked, connectors.AsError(err))
		return nil
	}
	w.succeeded = true
	for i, g := range asked {
		w.found(g, found[i])
	}
	return nil
}

// conditional names the fields whose current values decide what is written.
func conditional(g *group) []string {
	var read []string
	for _, it := range g.items {
		for _, f := range it.rec.Fields {
			if f.If != mapping.IfAlways && f.If != "" && !slices.Contains(read, f.Name) {
				read = append(read, f.Name)
			}
		}
	}
	return read
}

// upsertSuffices reports whether the CRM's upsert by the only key does all
// that the rule asks for.
func (w *wave) upsertSuffices(g *group, read []string) bool {
	r := g.rec()
	return len(g.keys) == 1 && len(read) == 0 && r.Create != mapping.CreateNever && r.OnMany == mapping.ManyStop && !isID(g.keys[0])
}

func isID(k connectors.Key) bool {
	return slices.ContainsFunc(k, func(t connectors.Term) bool { return t.Field == connectors.ID })
}

// found takes in the CRM's answer for a group.
func (w *wave) found(g *group, f connectors.Found) {
	switch {
	case f.Err != nil:
		w.failAll([]*group{g}, f.Err)
	case len(f.Records) == 0 && g.known():
		w.gone(g)
	case len(f.Records) == 0 && g.rec().Create == mapping.CreateNever:
		g.skip("no record matches, and the rule says create: false")
	case len(f.Records) == 0:
	case len(f.Records) == 1:
		w.settleOn(g, f, f.Records)
	default:
		w.many(g, f)
	}
}

// settleOn fixes the record that a group concerns. Another group of the wave
// may have it already; then this one comes later.
func (w *wave) settleOn(g *group, f connectors.Found, records []connectors.Record) {
	g.current = records
	if !g.known() || g.foundBy > f.Key {
		g.foundBy, g.fromLink = f.Key, false
	}
	g.ids = nil
	for _, r := range records {
		g.ids = append(g.ids, r.ID)
		if !w.t.claim(w.id, g.claimed, []string{idClaim(g.object, r.ID)}) {
			g.deferAll()
			return
		}
	}
}

// many decides between several records that one key finds.
func (w *wave) many(g *group, f connectors.Found) {
	records := slices.Clone(f.Records)
	switch g.rec().OnMany {
	case mapping.ManyAll:
		w.settleOn(g, f, records)
	case mapping.ManyNewest:
		w.settleOn(g, f, []connectors.Record{slices.MaxFunc(records, func(a, b connectors.Record) int { return a.Modified.Compare(b.Modified) })})
	case mapping.ManyOldest:
		w.settleOn(g, f, []connectors.Record{slices.MinFunc(records, func(a, b connectors.Record) int { return a.Created.Compare(b.Created) })})
	case mapping.ManyStop:
		e := &connectors.Error{Kind: connectors.Ambiguous, Message: fmt.Sprintf("several %s match by %s; merge them in the CRM, or set on_many in the rule", g.object, fieldNames(g.keys, f.Key))}
		for _, r := range records {
			e.IDs = append(e.IDs, r.ID)
		}
		g.fail(e)
	}
}

func fieldNames(keys []connectors.Key, i int) string {
	if i >= len(keys) {
		return "id"
	}
	return linkKey("", "", keys[i]).Field
}

// gone forgets a record that the CRM no longer has; the next attempt looks it
// up by its keys and may make a new one.
func (w *wave) gone(g *group) {
	for _, it := range g.items {
		it.job.d.Records[it.step] = store.Record{Rule: it.rec.Rule, Object: it.rec.Object}
		for _, k := range g.linkKeys {
			it.job.links[k] = ""
		}
		for _, id := range g.ids {
			it.job.heads[store.RecordKey{Connector: w.t.name, Object: g.object, ID: id}] = nil
		}
	}
	w.t.mu.Lock()
	for _, k := range g.linkKeys {
		delete(w.t.recent, k)
	}
	w.t.mu.Unlock()
	g.fail(&connectors.Error{Kind: connectors.NotFound, Message: "the record is no longer in the CRM; it is looked up again", IDs: g.ids})
}

// failAll fails groups with one error, which may be the account's.
func (w *wave) failAll(groups []*group, e *connectors.Error) {
	if e.Account || e.Kind == connectors.Auth {
		w.account = e
	}
	w.failed = e
	for _, g := range groups {
		g.fail(e)
	}
}
