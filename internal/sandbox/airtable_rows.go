package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// insert adds a row. The cells were checked.
func (a *airtable) insert(b *atBase, t *atTable, cells map[string]any, now time.Time) *atRecord {
	a.seq++
	r := &atRecord{id: atNewID("rec"), table: t, created: now, seq: a.seq, cells: map[string]any{}}
	t.records = append(t.records, r)
	t.byID[r.id] = r
	b.set(t, r, cells)
	return r
}

// write is PATCH, which keeps other fields, or PUT, which clears them.
func (b *atBase) write(method string, t *atTable, r *atRecord, cells map[string]any) {
	if method == http.MethodPut {
		for _, f := range t.fields {
			if _, sent := cells[f.id]; !sent {
				cells[f.id] = nil
			}
		}
	}
	b.set(t, r, cells)
}

// set stores cells and keeps the other side of links in step.
func (b *atBase) set(t *atTable, r *atRecord, cells map[string]any) {
	for _, f := range t.fields {
		v, sent := cells[f.id]
		if !sent {
			continue
		}
		if f.typ == "multipleRecordLinks" {
			before, _ := r.cells[f.id].([]string)
			after, _ := v.([]string)
			b.mirror(f, r.id, before, after)
		}
		if v == nil {
			delete(r.cells, f.id)
		} else {
			r.cells[f.id] = v
		}
	}
}

// mirror updates the inverse field of the records that were, or now are, linked.
func (b *atBase) mirror(f *atField, id string, before, after []string) {
	linked := b.table(fmt.Sprint(f.options["linkedTableId"]))
	inverse := linked.field(fmt.Sprint(f.options["inverseLinkFieldId"]))
	if inverse == nil {
		return
	}
	for _, other := range before {
		if r := linked.byID[other]; r != nil && !slices.Contains(after, other) {
			have, _ := r.cells[inverse.id].([]string)
			have = slices.DeleteFunc(slices.Clone(have), func(s string) bool { return s == id })
			if r.cells[inverse.id] = have; len(have) == 0 {
				delete(r.cells, inverse.id)
			}
		}
	}
	for _, other := range after {
		if r := linked.byID[other]; r != nil {
			have, _ := r.cells[inverse.id].([]string)
			if !slices.Contains(have, id) {
				r.cells[inverse.id] = append(slices.Clone(have), id)
			}
		}
	}
}

// drop deletes a row and every link to it.
func (b *atBase) drop(t *atTable, r *atRecord) {
	for _, f := range t.fields {
		if f.typ == "multipleRecordLinks" {
			before, _ := r.cells[f.id].([]string)
			b.mirror(f, r.id, before, nil)
		}
	}
	delete(t.byID, r.id)
	t.records = slices.DeleteFunc(t.records, func(other *atRecord) bool { return other == r })
}

func (b *atBase) deleteRecords(c *call, t *atTable) answer {
	ids := append(slices.Clone(c.query["records[]"]), c.query["records"]...)
	if len(ids) == 0 || len(ids) > atMaxRecords {
		return atInvalid("INVALID_RECORDS", "Between 1 and %d records can be deleted per request", atMaxRecords).answer()
	}
	if c.partial != nil {
		return atPartial(c.partial).answer()
	}
	for _, id := range ids {
		if t.byID[id] == nil {
			return atInvalid("ROW_DOES_NOT_EXIST", "Record ID %s does not exist in this table", id).answer()
		}
	}
	shown := make([]map[string]any, 0, len(ids))
	for _, id := range ids {
		if r := t.byID[id]; r != nil {
			b.drop(t, r)
		}
		shown = append(shown, map[string]any{"id": id, "deleted": true})
	}
	return jsonAnswer(http.StatusOK, map[string]any{"records": shown})
}
