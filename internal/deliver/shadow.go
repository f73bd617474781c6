package deliver

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// shown is how many characters of a value a delivery in shadow mode keeps.
const shown = 200

// shadow finds out what the records in shadow mode would come to, once all
// others are written: it reads the CRM, and neither writes there nor leaves an
// id, a link or a head in the ledger.
func (w *wave) shadow(ctx context.Context) {
	var items []item
	for _, j := range w.jobs {
		for i := range j.plan.Records {
			rec, done := &j.plan.Records[i], j.d.Records[i].Action != "" // by an attempt before the mode was set
			if j.state == open && rec.Shadow && !done {
				items = append(items, item{j, i, rec})
			}
		}
	}
	if len(items) == 0 || w.account != nil || ctx.Err() != nil || w.leaving() {
		return
	}
	known, err := w.lookUp(ctx, items)
	if err != nil {
		w.ledgerFailed(ctx, items, err)
		return
	}
	var asked []*group
	var matches []connectors.Match
	for i, it := range items {
		g := &group{object: it.rec.Object, items: []item{it}, keys: it.rec.Keys, foundBy: -1}
		for _, k := range g.keys {
			g.linkKeys = append(g.linkKeys, linkKey(w.t.name, g.object, k))
		}
		w.resolve(g, known[i])
		keys := g.shadowKeys()
		switch {
		case it.rec.Skip != "":
			g.would("skipped", it.rec.Skip)
		case len(keys) == 0:
			w.wouldCreate(ctx, g)
		default:
			m := connectors.Match{Object: g.object, Keys: keys}
			for _, f := range it.rec.Fields {
				m.Read = append(m.Read, f.Name)
			}
			asked, matches = append(asked, g), append(matches, m)
		}
	}
	if len(matches) == 0 {
		return
	}
	found, err := w.ask(ctx, asked, matches)
	for i, g := range asked {
		switch {
		case err != nil:
			w.unseen(g, connectors.AsError(err))
		case found[i].Err != nil:
			w.unseen(g, found[i].Err)
		default:
			w.succeeded = true
			if err := w.would(ctx, g, found[i]); err != nil {
				w.ledgerFailed(ctx, g.items, err)
			}
		}
	}
}

// shadowKeys are those by which the record would be found: by its id, where
// that is known, and by all others, as it may be gone.
func (g *group) shadowKeys() []connectors.Key {
	if !g.known() {
		return g.keys
	}
	at := max(g.foundBy, 0)
	return slices.Concat(g.keys[:at], []connectors.Key{{{Field: connectors.ID, Value: g.ids[0]}}}, g.keys[at:])
}

// unseen deals with a record that could not be looked up. Where nothing is
// written the delivery waits as any other does; where others are, it must not
// hold them up.
func (w *wave) unseen(g *group, e *connectors.Error) {
	if (w.shadowed || w.leaving()) && judge(e) != die {
		w.failAll([]*group{g}, e)
		return
	}
	w.answered = true
	g.would(store.WouldFail, e.Error())
}

// would notes what would become of a group's record, which has one item.
func (g *group) would(action, note string, changes ...store.Change) {
	it := g.items[0]
	r := &it.job.d.Records[it.step]
	r.Action, r.Note, r.Changes = action, note, changes
	if action == "skipped" || action == store.WouldFail {
		return
	}
	for _, l := range it.rec.Links {
		to := it.job.plan.Records[l.To]
		say := "linked to " + to.As
		if skipped := it.job.d.Records[l.To].Action == "skipped"; skipped {
			say = "not linked: " + to.As + " is skipped"
		}
		r.Note = strings.TrimPrefix(r.Note+"; "+say, "; ")
	}
}

// would compares a record with what the CRM has.
func (w *wave) would(ctx context.Context, g *group, f connectors.Found) error {
	rec := g.rec()
	if len(f.Records) == 0 {
		if rec.Create == mapping.CreateNever {
			g.would("skipped", "no record matches, and the rule says create: false")
		} else {
			w.wouldCreate(ctx, g)
		}
		return nil
	}
	now, note := f.Records[0], ""
	if len(f.Records) > 1 {
		switch rec.OnMany {
		case mapping.ManyStop:
			var ids []string
			for _, r := range f.Records {
				ids = append(ids, r.ID)
			}
			g.would(store.WouldFail, fmt.Sprintf("several %s match by %s: %s", g.object, fieldNames(g.keys, f.Key), strings.Join(ids, ", ")))
			return nil
		case mapping.ManyNewest:
			now = slices.MaxFunc(f.Records, func(a, b connectors.Record) int { return a.Modified.Compare(b.Modified) })
		case mapping.ManyOldest:
			now = slices.MinFunc(f.Records, func(a, b connectors.Record) int { return a.Created.Compare(b.Created) })
		case mapping.ManyAll:
			note = fmt.Sprintf("and %d more like it", len(f.Records)-1)
		}
	}
	heads, err := store.Undamaged(ctx, []store.RecordKey{{Connector: w.t.name, Object: g.object, ID: now.ID}}, w.t.d.ledger.Heads)
	if err != nil {
		return err
	}
	var all []versioned
	for _, field := range rec.Fields {
		all = append(all, versioned{field, version(g.items[0].job.d)})
	}
	write, held := decide(merge(all), heads[0], &now, nil, func(string, connectors.Value) bool { return false })
	changes, refused := w.changes(ctx, g.object, write, now.Fields)
	if held > 0 {
		note = strings.TrimPrefix(note+"; newer values, or a person's, are there already", "; ")
	}
	note = strings.TrimSuffix("record "+now.ID+"; "+note, "; ")
	switch {
	case refused != "":
		g.would(store.WouldFail, refused)
	case len(changes) == 0:
		g.would(store.WouldKeep, note)
	default:
		g.would(store.WouldUpdate, note, changes...)
	}
	return nil
}

func (w *wave) wouldCreate(ctx context.Context, g *group) {
	var all []versioned
	for _, f := range g.rec().Fields {
		all = append(all, versioned{Field: f})
	}
	changes, refused := w.changes(ctx, g.object, all, nil)
	if refused != "" {
		g.would(store.WouldFail, refused)
		return
	}
	g.would(store.WouldCreate, "", changes...)
}

// changes are the fields whose values differ from those of now, as far as it
// is known how the CRM takes them; refused says which one it does not take.
func (w *wave) changes(ctx context.Context, object string, fields []versioned, now map[string]connectors.Value) (out []store.Change, refused string) {
	for _, f := range fields {
		v := f.Value
		if err := w.refuses(ctx, object, f.Name, v); err != nil {
			return nil, err.Error()
		}
		if w.setup.Fit != nil {
			v = w.setup.Fit(w.described(ctx, object), f.Name, v)
		}
		if current := now[f.Name]; !same(current, v) && !same(current, f.Value) {
			out = append(out, store.Change{Field: f.Name, Before: inShort(current), After: inShort(v)})
		}
	}
	return out, ""
}

// refuses says why the CRM would not take a value, as far as its connector can
// tell.
func (w *wave) refuses(ctx context.Context, object, field string, v connectors.Value) *connectors.Error {
	conn := w.conn
	if only, ok := conn.(readOnly); ok {
		conn = only.Connector
	}
	checker, ok := conn.(connectors.Checker)
	if !ok {
		return nil
	}
	var refused *connectors.Error
	err := func() (err error) {
		defer w.caught(&err)
		f, no := checker.CheckField(ctx, object, field)
		if no == nil && v != nil {
			no = checker.CheckValue(ctx, object, f, v)
		}
		refused = no
		return nil
	}()
	if err != nil || refused != nil && refused.Kind != connectors.Invalid {
		return nil // about the account; what is to be read of it tells
	}
	return refused
}

// same reports whether two values mean the same, whatever types they have.
func same(a, b connectors.Value) bool {
	if connectors.Canonical(a) == connectors.Canonical(b) {
		return true
	}
	x, ok := asTime(a)
	y, also := asTime(b)
	return ok && also && x.Equal(y)
}

func asTime(v connectors.Value) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case string:
		t, err := time.Parse(time.RFC3339, v)
		return t, err == nil
	}
	return time.Time{}, false
}

// inShort is a value for people.
func inShort(v connectors.Value) string {
	text := []rune(connectors.Canonical(v))
	if len(text) > shown {
		return string(text[:shown-1]) + "…"
	}
	return string(text)
}

// shadowReason says of a delivery what of it is in shadow mode; "" is nothing.
func (j *job) shadowReason() string {
	var rules []string
	live := false
	for i, r := range j.plan.Records {
		switch {
		case !r.Shadow || !j.d.Records[i].Shadow() && j.d.Records[i].Action != "skipped":
			live = true
		case !slices.Contains(rules, r.Rule):
			rules = append(rules, r.Rule)
		}
	}
	switch {
	case len(rules) == 0:
		return ""
	case !live:
		return "shadow mode: nothing was written"
	}
	return fmt.Sprintf("shadow mode: nothing was written for %q", rules)
}
