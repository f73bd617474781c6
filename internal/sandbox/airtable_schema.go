package sandbox

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"slices"
	"strings"
	"time"
)

// atTable is one table. Cells are kept by field id, so that renaming is free.
type atTable struct {
	id          string
	name        string
	description string
	fields      []*atField
	records     []*atRecord
	byID        map[string]*atRecord
}

type atField struct {
	id          string
	name        string
	typ         string
	description string
	options     map[string]any // as the meta API shows them, without choices
	choices     []atChoice
	linkedName  string // links only: the name of the other table
}

type atChoice struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Color string `json:"color"`
}

// atRecord is one row. A cell is text, float64, bool, or []string; empty ones are absent.
type atRecord struct {
	id      string
	table   *atTable
	created time.Time
	seq     int
	cells   map[string]any
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// atID is a stable id for something of the seed, so that settings with ids hold
// over a reset.
func atID(prefix string, parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return prefix + base62Of(sum[:])
}

// atNewID is a random id.
func atNewID(prefix string) string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, crypto/rand
	return prefix + base62Of(b[:])
}

func base62Of(raw []byte) string {
	n, base, digit := new(big.Int).SetBytes(raw), big.NewInt(62), new(big.Int)
	var b [14]byte
	for i := range b {
		n.DivMod(n, base, digit)
		b[i] = base62[digit.Int64()]
	}
	return string(b[:])
}

func (t *atTable) field(nameOrID string) *atField {
	for _, f := range t.fields {
		if f.id == nameOrID || f.name == nameOrID {
			return f
		}
	}
	return nil
}

// meta is the table as the meta API shows it.
func (t *atTable) meta() map[string]any {
	fields := make([]map[string]any, 0, len(t.fields))
	for _, f := range t.fields {
		fields = append(fields, f.meta())
	}
	out := map[string]any{
		"id": t.id, "name": t.name, "primaryFieldId": t.fields[0].id, "fields": fields,
		"views": []map[string]any{{"id": atID("viw", t.id), "name": "Grid view", "type": "grid"}},
	}
	if t.description != "" {
		out["description"] = t.description
	}
	return out
}

func (f *atField) meta() map[string]any {
	out := map[string]any{"id": f.id, "name": f.name, "type": f.typ}
	if f.description != "" {
		out["description"] = f.description
	}
	options := map[string]any{}
	for k, v := range f.options {
		options[k] = v
	}
	if f.isSelect() {
		options["choices"] = append([]atChoice{}, f.choices...)
	}
	if len(options) > 0 {
		out["options"] = options
	}
	return out
}

func (f *atField) isSelect() bool { return f.typ == "singleSelect" || f.typ == "multipleSelects" }

func (f *atField) hasChoice(name string) bool {
	return slices.ContainsFunc(f.choices, func(c atChoice) bool { return c.Name == name })
}

func (f *atField) addChoice(name string) {
	f.choices = append(f.choices, atChoice{ID: atID("sel", f.id, name), Name: name, Color: "blueLight2"})
}

// computed fields take no values.
func (f *atField) computed() bool {
	switch f.typ {
	case "formula", "createdTime", "lastModifiedTime", "createdBy", "lastModifiedBy", "autoNumber", "count", "rollup", "multipleLookupValues", "button":
		return true
	}
	return false
}

// value is the cell as the API shows it, nil where it is empty.
func (f *atField) value(r *atRecord) any {
	if f.typ == "createdTime" {
		return isoTime(r.created)
	}
	return r.cells[f.id]
}

// wire is a record with the wanted fields (all where wanted is nil).
func (t *atTable) wire(r *atRecord, wanted []*atField, byID bool) map[string]any {
	fields := map[string]any{}
	if wanted == nil {
		wanted = t.fields
	}
	for _, f := range wanted {
		if v := f.value(r); v != nil {
			key := f.name
			if byID {
				key = f.id
			}
			fields[key] = v
		}
	}
	return map[string]any{"id": r.id, "createdTime": isoTime(r.created), "fields": fields}
}

// public is the record as the introspection paths show it.
func (r *atRecord) public() Record {
	out := Record{ID: r.id, Fields: map[string]any{}, Links: []Link{}}
	for _, f := range r.table.fields {
		v := f.value(r)
		if v == nil {
			continue
		}
		if list, ok := v.([]string); ok {
			v = slices.Clone(list)
		}
		out.Fields[f.name] = v
		if ids, ok := v.([]string); ok && f.typ == "multipleRecordLinks" {
			for _, id := range ids {
				out.Links = append(out.Links, Link{Object: f.linkedName, ID: id, Type: f.name})
			}
		}
	}
	return out
}

func sortBySeq(records []*atRecord) {
	slices.SortFunc(records, func(a, b *atRecord) int { return cmp.Compare(a.seq, b.seq) })
}
