package deliver

import (
	"context"
	"fmt"
	"slices"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// find asks the CRM for records that only it knows, and for current values
// where fields depend on them. It returns groups for further records of those
// with on_many: all.
func (w *wave) find(ctx context.Context, groups []*group) []*group {
	var asked, more []*group
	var matches []connectors.Match
	for _, g := range groups {
		upsert := !g.known() && w.chooseKey(ctx, g)
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
		case len(g.keys) == 0:
			continue
		case upsert && g.needsNoLook(m.Read):
			g.sure = w.unique(g)
			continue
		default:
			m.Keys = g.keys
			if g.last != "" {
				m.Keys = append(slices.Clip(m.Keys), connectors.Key{{Field: connectors.ID, Value: g.last}})
			}
		}
		asked, matches = append(asked, g), append(matches, m)
	}
	if len(matches) == 0 {
		return nil
	}
	found, err := w.ask(ctx, asked, matches)
	crashpoint.At("find.answered")
	if err != nil {
		w.failAll(asked, connectors.AsError(err))
		return nil
	}
	for i, g := range asked {
		w.succeeded = w.succeeded || found[i].Err == nil
		more = append(more, w.found(g, found[i])...)
	}
	return more
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

// needsNoLook reports whether an upsert by the only key does all that the rule
// asks for.
func (g *group) needsNoLook(read []string) bool {
	r := g.rec()
	return len(g.keys) == 1 && len(read) == 0 && r.Create != mapping.CreateNever && r.OnMany == mapping.ManyStop
}

// chooseKey picks the key by which the record is made if there is none: the
// first that the CRM upserts by, as a lost answer does no harm then, else the
// first that is made of fields. It reports whether the CRM upserts by it.
func (w *wave) chooseKey(ctx context.Context, g *group) bool {
	for _, k := range g.keys {
		if isID(k) {
			continue
		}
		if g.createBy == nil {
			g.createBy = k
		}
		if w.upserts(ctx, g.object, k) {
			g.createBy = k
			return true
		}
	}
	return false
}

// described are the CRM's fields of an object, asked for once in a wave.
func (w *wave) described(ctx context.Context, object string) connectors.Object {
	o, known := w.objects[object]
	if !known {
		o = w.describe(ctx, object)
		w.objects[object] = o
	}
	return o
}

// upserts reports whether the CRM finds or makes a record by a key in one step.
func (w *wave) upserts(ctx context.Context, object string, k connectors.Key) bool {
	if len(k) != 1 {
		return false
	}
	f, ok := w.described(ctx, object).Field(k[0].Field)
	return ok && f.Upsert
}

// unique reports whether the CRM has one record at most of the key by which a
// group is upserted.
func (w *wave) unique(g *group) bool {
	f, ok := w.objects[g.object].Field(g.createBy[0].Field)
	return ok && f.Unique
}

func isID(k connectors.Key) bool {
	return slices.ContainsFunc(k, func(t connectors.Term) bool { return t.Field == connectors.ID })
}

// found takes in the CRM's answer for a group. It returns groups for further
// records.
func (w *wave) found(g *group, f connectors.Found) []*group {
	switch {
	case f.Err != nil:
		w.failAll([]*group{g}, f.Err)
	case len(f.Records) == 0 && g.known():
		w.gone(g)
	case len(f.Records) == 0 && g.rec().Create == mapping.CreateNever:
		g.skip("no record matches, and the rule says create: false")
	case len(f.Records) == 0:
	case len(f.Records) == 1:
		w.settleOn(g, f, f.Records[0])
	default:
		return w.many(g, f)
	}
	return nil
}

// settleOn fixes the record that a group concerns. Another group of the wave
// may have it already; then this one comes later.
func (w *wave) settleOn(g *group, f connectors.Found, r connectors.Record) {
	if !g.known() || g.foundBy > f.Key {
		g.foundBy = f.Key
	}
	g.ids, g.current = []string{r.ID}, []connectors.Record{r}
	if !w.t.claim(turn{w.id, g.items[0].step}, g.claimed, []string{idClaim(g.object, r.ID)}) {
		g.deferAll()
	}
}

// all gives every record but the first a group of its own: what stands in a
// record, and what we wrote there, decides what is written to it.
func (w *wave) all(g *group, f connectors.Found) (more []*group) {
	w.settleOn(g, f, f.Records[0])
	for _, r := range f.Records[1:] {
		other := *g
		other.ids, other.another = nil, true
		w.settleOn(&other, f, r)
		more = append(more, &other)
	}
	if slices.ContainsFunc(more, func(o *group) bool { return o.out }) {
		g.deferAll()
	}
	if g.out {
		return nil
	}
	return more
}

// many decides between several records that one key finds.
func (w *wave) many(g *group, f connectors.Found) []*group {
	records := slices.Clone(f.Records)
	switch g.rec().OnMany {
	case mapping.ManyAll:
		return w.all(g, f)
	case mapping.ManyNewest:
		w.settleOn(g, f, slices.MaxFunc(records, func(a, b connectors.Record) int { return a.Modified.Compare(b.Modified) }))
	case mapping.ManyOldest:
		w.settleOn(g, f, slices.MinFunc(records, func(a, b connectors.Record) int { return a.Created.Compare(b.Created) }))
	case mapping.ManyStop:
		e := &connectors.Error{Kind: connectors.Ambiguous, Message: fmt.Sprintf("several %s match by %s; merge them in the CRM, or set on_many in the rule", g.object, fieldNames(g.keys, f.Key))}
		for _, r := range records {
			e.IDs = append(e.IDs, r.ID)
		}
		g.fail(e)
	}
	return nil
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
	}
	w.heads[store.RecordKey{Connector: w.t.name, Object: g.object, ID: g.ids[0]}] = nil
	w.answered = true
	w.t.mu.Lock()
	for i, k := range g.linkKeys {
		// A newer record may be known under the key already.
		if id, news := w.links[k]; news && id == g.ids[0] || !news && g.linked[i] == g.ids[0] {
			w.links[k] = ""
		}
	}
	for _, k := range slices.Concat(g.linkKeys, g.further) {
		if w.t.recent[k].id == g.ids[0] {
			delete(w.t.recent, k)
		}
	}
	w.t.mu.Unlock()
	g.fail(&connectors.Error{Kind: connectors.NotFound, Message: "the record is no longer in the CRM; it is looked up again", IDs: g.ids})
}
