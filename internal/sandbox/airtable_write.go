package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

type atInput struct {
	ID     string         `json:"id"`
	Fields map[string]any `json:"fields"`
}

// atWrite is the body of a write. One record alone may stand in Fields.
type atWrite struct {
	Records  []atInput      `json:"records"`
	Fields   map[string]any `json:"fields"`
	Typecast bool           `json:"typecast"`
	ByID     bool           `json:"returnFieldsByFieldId"`
	Upsert   *struct {
		MergeOn []string `json:"fieldsToMergeOn"`
	} `json:"performUpsert"`
}

// atDecode reads a JSON body. Keys that the target does not have are refused.
func atDecode(c *call, into any) *atError {
	dec := json.NewDecoder(bytes.NewReader(c.body))
	dec.UseNumber()
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return atInvalid("INVALID_REQUEST_BODY", "Could not parse request body")
	default:
		return atBadBody(err)
	}
}

func (in *atWrite) check() *atError {
	switch n := len(in.Records); {
	case n > atMaxRecords:
		return atInvalid("INVALID_RECORDS", "Invalid records: at most %d records are allowed per request", atMaxRecords)
	case n == 0:
		return atInvalid("INVALID_RECORDS", "Invalid records: records must be a list that is not empty")
	}
	for _, r := range in.Records {
		if r.Fields == nil {
			return atInvalid("INVALID_RECORDS", "Invalid records: every record needs fields")
		}
	}
	return nil
}

func (a *airtable) createRecords(c *call, b *atBase, t *atTable) answer {
	var in atWrite
	if e := atDecode(c, &in); e != nil {
		return e.answer()
	}
	one := in.Records == nil && in.Fields != nil
	if one {
		in.Records = []atInput{{Fields: in.Fields}}
	}
	if e := in.check(); e != nil {
		return e.answer()
	}
	if in.Upsert != nil {
		return atBadBody(errors.New("performUpsert goes with PATCH and PUT")).answer()
	}
	if c.partial != nil {
		return atPartial(c.partial).answer()
	}
	all := make([]map[string]any, 0, len(in.Records))
	for _, r := range in.Records {
		if r.ID != "" {
			return atBadBody(errors.New("a new record has no id")).answer()
		}
		cells, e := t.cells(a, b, r.Fields, in.Typecast)
		if e != nil {
			return e.answer()
		}
		all = append(all, cells)
	}
	shown := make([]map[string]any, 0, len(all))
	for _, cells := range all {
		shown = append(shown, t.wire(a.insert(b, t, cells, c.now), nil, in.ByID))
	}
	if one {
		return jsonAnswer(http.StatusOK, shown[0])
	}
	return jsonAnswer(http.StatusOK, map[string]any{"records": shown})
}

func (a *airtable) updateOne(c *call, b *atBase, t *atTable, r *atRecord) answer {
	var in atWrite
	if e := atDecode(c, &in); e != nil {
		return e.answer()
	}
	if in.Fields == nil || in.Records != nil || in.Upsert != nil {
		return atBadBody(errors.New("fields is wanted")).answer()
	}
	cells, e := t.cells(a, b, in.Fields, in.Typecast)
	if e != nil {
		return e.answer()
	}
	b.write(c.method, t, r, cells)
	return jsonAnswer(http.StatusOK, t.wire(r, nil, in.ByID))
}

// atChange is one record of an update that was checked and is not yet applied.
type atChange struct {
	record *atRecord // nil: create
	cells  map[string]any
}

// updateRecords serves PATCH and PUT of several records, with or without
// performUpsert. It is all or nothing.
func (a *airtable) updateRecords(c *call, b *atBase, t *atTable) answer {
	var in atWrite
	if e := atDecode(c, &in); e != nil {
		return e.answer()
	}
	if e := in.check(); e != nil {
		return e.answer()
	}
	if c.partial != nil {
		return atPartial(c.partial).answer()
	}
	var merge []*atField
	if in.Upsert != nil {
		var e *atError
		if merge, e = t.mergeFields(in.Upsert.MergeOn); e != nil {
			return e.answer()
		}
	}
	changes := make([]atChange, 0, len(in.Records))
	seen := map[string]bool{}
	for _, r := range in.Records {
		ch, e := a.plan(b, t, r, merge, in.Typecast, seen)
		if e != nil {
			return e.answer()
		}
		changes = append(changes, ch)
	}
	shown := make([]map[string]any, 0, len(changes))
	created, updated := []string{}, []string{}
	for _, ch := range changes {
		r := ch.record
		if r == nil {
			r = a.insert(b, t, ch.cells, c.now)
			created = append(created, r.id)
		} else {
			b.write(c.method, t, r, ch.cells)
			updated = append(updated, r.id)
		}
		shown = append(shown, t.wire(r, nil, in.ByID))
	}
	body := map[string]any{"records": shown}
	if in.Upsert != nil {
		body["createdRecords"], body["updatedRecords"] = created, updated
	}
	return jsonAnswer(http.StatusOK, body)
}

// mergeFields are what an upsert looks records up by: one to three, never
// computed, and of the types that Airtable names (update records, 2026-11).
func (t *atTable) mergeFields(names []string) ([]*atField, *atError) {
	if len(names) < 1 || len(names) > 3 {
		return nil, atBadBody(errors.New("fieldsToMergeOn holds one to three fields"))
	}
	var out []*atField
	for _, name := range names {
		f := t.field(name)
		if f == nil {
			return nil, atInvalid("UNKNOWN_FIELD_NAME", "Unknown field name: %q", name)
		}
		switch f.typ {
		case "number", "singleLineText", "multilineText", "singleSelect", "multipleSelects", "date":
			out = append(out, f)
		default:
			return nil, atBadBody(fmt.Errorf("field %q of type %s cannot be merged on", f.name, f.typ))
		}
	}
	return out, nil
}

// plan checks one record of an update. seen refuses two inputs for one record.
func (a *airtable) plan(b *atBase, t *atTable, in atInput, merge []*atField, typecast bool, seen map[string]bool) (atChange, *atError) {
	cells, e := t.cells(a, b, in.Fields, typecast)
	if e != nil {
		return atChange{}, e
	}
	ch := atChange{cells: cells}
	key := in.ID
	switch {
	case in.ID != "":
		if ch.record = t.byID[in.ID]; ch.record == nil {
			return atChange{}, atInvalid("ROW_DOES_NOT_EXIST", "Record ID %s does not exist in this table", in.ID)
		}
	case merge == nil:
		return atChange{}, atInvalid("INVALID_RECORDS", "Invalid records: every record needs an id")
	default:
		if ch.record, key, e = t.mergeMatch(merge, cells); e != nil {
			return atChange{}, e
		}
	}
	if ch.record != nil {
		key = ch.record.id
	}
	if seen[key] {
		return atChange{}, atInvalid("INVALID_RECORDS", "Invalid records: two of them stand for the same record")
	}
	seen[key] = true
	return ch, nil
}

// mergeMatch finds the record that an upsert means. Two of them fail the request.
func (t *atTable) mergeMatch(merge []*atField, cells map[string]any) (*atRecord, string, *atError) {
	key := "merge"
	for _, f := range merge {
		v, sent := cells[f.id]
		if !sent || v == nil {
			return nil, "", atInvalid("INVALID_RECORDS", "Invalid records: every record needs a value for %q, which is merged on", f.name)
		}
		key += "\x00" + cellKey(v)
	}
	var found *atRecord
	for _, r := range t.records {
		if !slices.ContainsFunc(merge, func(f *atField) bool { return cellKey(r.cells[f.id]) != cellKey(cells[f.id]) }) {
			if found != nil {
				return nil, "", atInvalid("INVALID_RECORDS", "Cannot update more than one record with the same values of the fields to merge on")
			}
			found = r
		}
	}
	return found, key, nil
}

// cellKey is a cell's value for comparison.
func cellKey(v any) string {
	if text, ok := v.(string); ok {
		return "=" + text
	}
	return fmt.Sprint(v)
}
