package deliver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/store"
)

// fill decides which values and links each group's change holds.
func (w *wave) fill(ctx context.Context, groups []*group) error {
	var keys []store.RecordKey
	for _, g := range groups {
		if g.known() && !g.out {
			keys = append(keys, store.RecordKey{Connector: w.t.name, Object: g.object, ID: g.ids[0]})
		}
	}
	heads, err := store.Undamaged(ctx, keys, w.t.d.ledger.Heads)
	if err != nil {
		return err
	}
	for i, k := range keys {
		if now, written := w.heads[k]; written { // by an earlier step
			merged := maps.Clone(now)
			for field, h := range heads[i] {
				if _, newer := now[field]; !newer && now != nil {
					merged[field] = h
				}
			}
			heads[i] = merged
		}
	}
	for _, g := range groups {
		if g.out {
			continue
		}
		var head store.Head
		if g.known() {
			head, heads = heads[0], heads[1:]
		}
		g.compose(head)
	}
	return nil
}

// compose merges the items' values and leaves out what must not be written.
func (g *group) compose(head store.Head) {
	g.head = head
	size := 0
	for _, it := range g.items {
		size += len(it.rec.Fields)
	}
	all := make([]versioned, 0, size)
	done := true
	tried := false
	for _, it := range g.items {
		v := version(it.job.d)
		for _, f := range it.rec.Fields {
			all = append(all, versioned{f, v})
		}
		r := &it.job.d.Records[it.step]
		tried = tried || it.job.d.Kind != "" || !g.attempted.IsZero()
		done = done && r.Action != "" && r.Action != "skipped"
		g.link(it, r)
	}
	var now *connectors.Record
	if len(g.current) > 0 {
		now = &g.current[0]
	}
	g.fields, g.held = decide(merge(all), head, now, g.keyFields(), func(field string, current connectors.Value) bool {
		_, written := head[field]
		return (tried || written) && slices.ContainsFunc(all, func(f versioned) bool { return f.Name == field && hash(f.Value) == hash(current) })
	})
	if done && g.known() && g.written(head) {
		// An earlier attempt got this far.
		g.out = true
		return
	}
	if g.known() && len(g.fields) == 0 && len(g.links) == 0 {
		g.out = true
		for _, it := range g.items {
			r := &it.job.d.Records[it.step]
			r.ID, r.Action, r.Attempted = g.ids[0], "unchanged", time.Time{}
			if g.held > 0 {
				r.Note = "newer values, or a person's, are there already"
			}
		}
	}
}

// link collects the records that an item is to be linked to. What was skipped
// is not linked, and the delivery says so.
func (g *group) link(it item, r *store.Record) {
	r.Note = ""
	for _, l := range it.rec.Links {
		to := it.job.d.Records[l.To]
		if to.ID == "" {
			r.Note = "not linked: " + to.Object + " was skipped"
			continue
		}
		link := connectors.Link{Object: to.Object, ID: to.ID, Field: l.Field, Type: l.Type}
		if !slices.Contains(g.links, link) {
			g.links = append(g.links, link)
		}
	}
}

// keyFields names the fields of the key that an upsert goes by.
func (g *group) keyFields() map[string]bool {
	names := map[string]bool{}
	if !g.known() {
		for _, t := range g.createBy {
			names[t.Field] = true
		}
	}
	return names
}

// written reports whether these very values and links are what was last written.
func (g *group) written(head store.Head) bool {
	for _, f := range g.fields {
		h, ok := head[f.Name]
		if !ok || h.Seq != f.version.Seq || h.Hash != hash(f.Value) {
			return false
		}
	}
	if len(g.links) == 0 {
		return true
	}
	links, said := g.tied(), head[linksField]
	return said.Seq == links.Seq && said.Hash == links.Hash
}

// linksField is where a head keeps to what its record was linked last; no field
// of a CRM has that name.
const linksField = " links"

// tied is the version and the sum of the group's links.
func (g *group) tied() (v store.FieldHead) {
	for _, it := range g.items {
		if own := version(it.job.d); older(v, own) {
			v = own
		}
	}
	names := make([]string, len(g.links))
	for i, l := range g.links {
		names[i] = fmt.Sprintf("%q", l)
	}
	slices.Sort(names)
	v.Hash = hash(strings.Join(names, " "))
	return v
}

// write sends the groups' changes and takes in the results.
func (w *wave) write(ctx context.Context, groups []*group) {
	changes := make([]connectors.Change, 0, len(groups))
	var before map[store.RecordKey]store.Head // by earlier steps; results come in meanwhile
	for _, g := range groups {
		c := connectors.Change{
			Object: g.object, Fields: make(map[string]connectors.Value, len(g.fields)), Links: g.links, Attempted: g.attempted,
			Lane: g.items[0].job.d.Lane, Idempotency: w.idempotency(g.items[0]), Traces: g.traces(),
		}
		for _, f := range g.fields {
			c.Fields[f.Name] = f.Value
		}
		if g.known() {
			c.ID = g.ids[0]
		} else {
			c.Key = g.createBy
			c.New = len(g.linkKeys) > 0 && len(conditional(g)) > 0
			if len(c.Key) == 0 {
				if before == nil {
					before = maps.Clone(w.heads)
				}
				c.Others = w.others(ctx, g.object, before)
			}
		}
		changes = append(changes, c)
	}
	crashpoint.At("write.begun")
	results, whole, taken := w.sendKeeping(ctx, groups, changes)
	w.unsought(ctx, groups, changes, results)
	crashpoint.At("write.answered")
	for i, g := range groups {
		if taken[i] {
			continue
		}
		var r connectors.Result
		if i < len(results) {
			r = results[i]
		}
		if r.ID == "" && r.Err == nil {
			r.Err = whole
		}
		w.took(g, changes[i], r)
	}
}

// others tells of records of an object to which something was written, before
// in this wave or earlier. A record
// without keys that is not known yet is none of them, as its id is kept with
// what was written.
func (w *wave) others(ctx context.Context, object string, before map[store.RecordKey]store.Head) func(id string) bool {
	return func(id string) bool {
		key := store.RecordKey{Connector: w.t.name, Object: object, ID: id}
		if len(before[key]) > 0 {
			return true
		}
		heads, err := w.t.d.ledger.Heads(ctx, []store.RecordKey{key})
		return err == nil && len(heads[0]) > 0
	}
}

// took takes in the result of a group's change.
func (w *wave) took(g *group, c connectors.Change, r connectors.Result) {
	if r.ID != "" {
		w.succeeded = true
		w.remember(g, c, r)
	}
	if r.Err == nil {
		if g.another {
			r.URL = "" // the delivery names the first record
		}
		for _, it := range g.items {
			w.done(it, r)
			r.Created = false // by the first of them
			if rec := &it.job.d.Records[it.step]; g.unsought {
				rec.Note = strings.TrimPrefix(rec.Note+"; "+unsoughtNote, "; ")
			}
		}
		return
	}
	for _, it := range g.items {
		rec := &it.job.d.Records[it.step]
		if r.Err.Kind != connectors.Unknown && r.ID == "" && !g.known() {
			rec.Attempted = g.attempted
			if g.guessed {
				rec.Attempted = time.Time{}
			}
		}
	}
	if r.Err.Kind == connectors.Unknown && r.ID == "" && !g.known() && len(g.linkKeys) > 0 {
		since := earlier(g.attempted, g.items[0].job.d.Records[g.items[0].step].Attempted)
		w.links[attemptKey(g.linkKeys[0])] = since.UTC().Format(time.RFC3339Nano)
	}
	switch {
	case r.Err.Code == connectors.CodeHeld && r.ID == "" && w.stuck(c.Lane):
		g.deferAll() // it was not its turn, which costs no attempt
	case r.Err.Kind == connectors.NotFound && g.known() && r.ID == "":
		w.gone(g)
	case r.Err.Kind == connectors.Conflict && !g.known() && len(r.Err.IDs) == 1 && len(g.linkKeys) > 0:
		w.answered = true
		w.links[g.linkKeys[0]] = r.Err.IDs[0]
		g.fail(r.Err)
	case judge(r.Err) == die && len(g.items) > 1:
		w.answered = true
		w.part(g, r.Err)
	case judge(r.Err) == retry && r.Err.Wait > 0 && !g.known() && !g.attempted.IsZero():
		// It must not be looked for before that; nothing is wrong with the CRM.
		for _, it := range g.items {
			it.job.wait = r.Err.Wait
		}
		g.fail(r.Err)
	default:
		w.failAll([]*group{g}, r.Err)
	}
}

// stuck reports whether a delivery of the lane failed: those behind it come
// after it, so that they need no wait of their own.
func (w *wave) stuck(lane string) bool {
	return slices.ContainsFunc(w.jobs, func(j *job) bool { return j.d.Lane == lane && j.state == failed })
}

// part has deliveries go by themselves the next time, of whose values one was
// refused in a merged change; the others may go together still.
func (w *wave) part(g *group, e *connectors.Error) {
	suspects := map[uint64]bool{}
	named := slices.ContainsFunc(g.fields, func(f versioned) bool { return f.Name == e.Field })
	for _, f := range g.fields {
		if !named || f.Name == e.Field {
			suspects[f.version.Seq] = true
		}
	}
	w.t.mu.Lock()
	for _, it := range g.items {
		if suspects[it.job.d.ID.Seq] || len(it.rec.Links) > 0 {
			w.t.solo[it.job.d.ID] = time.Now()
		}
	}
	w.t.mu.Unlock()
	g.deferAll()
}

// remember notes the record's id under its keys, and what was written to it.
func (w *wave) remember(g *group, c connectors.Change, r connectors.Result) {
	key := store.RecordKey{Connector: w.t.name, Object: g.object, ID: r.ID}
	head := w.heads[key]
	if head == nil {
		head = make(store.Head, len(g.fields))
		w.heads[key] = head
	}
	for _, f := range g.fields {
		if _, sent := c.Fields[f.Name]; !sent {
			continue
		}
		v := f.version
		v.Hash = hash(f.Value)
		now, said := r.Fields[f.Name]
		last, written := g.head[f.Name]
		switch {
		case slices.Contains(r.Skipped, f.Name) && !written:
			continue
		case slices.Contains(r.Skipped, f.Name):
			v.Hash = last.Hash
		case said:
			v.Hash = hash(now)
		}
		head[f.Name] = v
	}
	if r.Err == nil && len(g.links) > 0 {
		head[linksField] = g.tied()
	}
	if g.another {
		return
	}
	for _, it := range g.items {
		it.job.d.Records[it.step].ID = r.ID
	}
	if g.marked {
		w.links[attemptKey(g.linkKeys[0])] = ""
	}
	for i, k := range g.linkKeys {
		if i == 0 || i == g.foundBy {
			w.links[k] = r.ID
		}
	}
	written := recentID{r.ID, time.Now().Add(recentLife)}
	w.t.mu.Lock()
	for _, k := range g.linkKeys {
		w.t.recent[k] = written
	}
	for _, k := range g.further {
		w.t.recent[k] = written
	}
	w.t.mu.Unlock()
}

// done notes what became of an item's record.
func (w *wave) done(it item, r connectors.Result) {
	rec := &it.job.d.Records[it.step]
	rec.Attempted = time.Time{}
	if r.URL != "" {
		rec.URL = r.URL
	}
	switch {
	case r.Created && rec.Action != "updated":
		rec.Action = "created"
	case rec.Action != "created":
		rec.Action = "updated"
	}
	for _, field := range slices.Sorted(maps.Keys(r.Adjusted)) {
		if rec.Note != "" {
			rec.Note += "; "
		}
		rec.Note += field + " " + r.Adjusted[field]
	}
}
