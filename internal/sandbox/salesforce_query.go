package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sfPage is how many rows one answer to a query holds (REST API guide, 2026-11).
const sfPage = 2000

// sfCursor is the rest of a query that had too many rows.
type sfCursor struct {
	rows  []any
	total int
}

// queryPaths serves /query?q= and /query/{cursor}.
func (s *salesforce) queryPaths(c *call, rest []string, deleted bool) answer {
	if c.method != http.MethodGet || len(rest) > 1 {
		return sfWrongMethod(c.method).answer()
	}
	if len(rest) == 1 {
		cursor, ok := s.cursors[rest[0]]
		if !ok {
			return sfBad("INVALID_QUERY_LOCATOR", "invalid query locator").answer()
		}
		name, _, _ := strings.Cut(rest[0], "-")
		return s.page(c, name, cursor.rows, cursor.total)
	}
	if !c.query.Has("q") {
		return sfBad("MALFORMED_QUERY", "A query has to be specified").answer()
	}
	q, e := parseSOQL(c.query.Get("q"))
	if e != nil {
		return e.answer()
	}
	rows, e := s.query(q, deleted)
	if e != nil {
		return e.answer()
	}
	if q.count {
		return jsonAnswer(http.StatusOK, map[string]any{"totalSize": len(rows), "done": true, "records": []any{}})
	}
	return s.page(c, "01g"+strings.ReplaceAll(newUUID(), "-", "")[:15], rows, len(rows))
}

func (s *salesforce) page(c *call, cursor string, rows []any, total int) answer {
	out := map[string]any{"totalSize": total, "done": true, "records": rows}
	if len(rows) > sfPage {
		name := cursor + "-" + strconv.Itoa(total-len(rows)+sfPage)
		s.cursors[name] = sfCursor{rows[sfPage:], total}
		out["records"], out["done"] = rows[:sfPage], false
		out["nextRecordsUrl"] = "/services/data/" + c.segments[2] + "/query/" + name
	}
	return jsonAnswer(http.StatusOK, out)
}

// query runs a query and gives the rows as JSON.
func (s *salesforce) query(q *soqlQuery, deleted bool) ([]any, *sfError) {
	o := s.object(q.from)
	if o == nil {
		return nil, sfBad("INVALID_TYPE", "sObject type '"+q.from+"' is not supported. If you are attempting to use a custom object, be sure to append the '__c' after the entity name.")
	}
	var found []*sfRecord
	for _, r := range o.records {
		if r.deleted && !deleted {
			continue
		}
		if q.where != nil {
			ok, e := s.holds(o, r, q.where)
			if e != nil {
				return nil, e
			}
			if !ok {
				continue
			}
		}
		found = append(found, r)
	}
	if e := s.checkQuery(o, q); e != nil {
		return nil, e
	}
	for _, by := range slices.Backward(q.order) {
		slices.SortStableFunc(found, func(a, b *sfRecord) int { return by.compare(o.field(by.field), a, b) })
	}
	found = found[min(q.offset, len(found)):]
	if q.limit >= 0 {
		found = found[:min(q.limit, len(found))]
	}
	rows := make([]any, 0, len(found))
	for _, r := range found {
		row := map[string]any{"attributes": sfAttributes(o, r.id)}
		for _, name := range q.fields {
			s.put(row, o, r, name)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// checkQuery refuses fields that are not there, also where no record is.
func (s *salesforce) checkQuery(o *sfObject, q *soqlQuery) *sfError {
	for _, name := range q.fields {
		if _, _, e := s.path(o, &sfRecord{}, name); e != nil {
			return e
		}
	}
	for _, by := range q.order {
		if f := o.field(by.field); f == nil || f.noFilter {
			return sfBad("INVALID_FIELD", "field '"+by.field+"' can not be sorted in a query call")
		}
	}
	if q.where != nil {
		_, e := s.holds(o, &sfRecord{values: map[string]any{}}, q.where)
		return e
	}
	return nil
}

func (o soqlOrder) compare(f *sfField, a, b *sfRecord) int {
	x, y := a.values[f.name], b.values[f.name]
	switch {
	case x == nil && y == nil:
		return 0
	case x == nil || y == nil:
		if (x == nil) == o.nullsLast {
			return 1
		}
		return -1
	}
	n := sfCompare(x, y)
	if o.desc {
		return -n
	}
	return n
}

func sfCompare(x, y any) int {
	if a, ok := x.(float64); ok {
		b, _ := y.(float64)
		switch {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	}
	return strings.Compare(strings.ToLower(fmt.Sprint(x)), strings.ToLower(fmt.Sprint(y)))
}

// put sets a field in a row; Owner.Email becomes an object within.
func (s *salesforce) put(row map[string]any, o *sfObject, r *sfRecord, name string) {
	first, rest, nested := strings.Cut(name, ".")
	if !nested {
		f := o.field(name)
		row[f.name] = r.values[f.name]
		return
	}
	ref := o.relation(first)
	parent, to := s.byID(fmt.Sprint(r.values[ref.name]))
	if to == nil {
		row[ref.relationship] = nil
		return
	}
	inner, ok := row[ref.relationship].(map[string]any)
	if !ok {
		inner = map[string]any{"attributes": sfAttributes(parent, to.id)}
		row[ref.relationship] = inner
	}
	if parent.field(strings.Split(rest, ".")[0]) != nil || strings.Contains(rest, ".") {
		s.put(inner, parent, to, rest)
	}
}

func (o *sfObject) relation(name string) *sfField {
	for _, f := range o.fields {
		if f.relationship != "" && strings.EqualFold(f.relationship, name) {
			return f
		}
	}
	return nil
}

// path finds the field that a name such as Email or Owner.Email means, and its
// value in a record.
func (s *salesforce) path(o *sfObject, r *sfRecord, name string) (*sfField, any, *sfError) {
	first, rest, nested := strings.Cut(name, ".")
	if nested && strings.EqualFold(first, o.name) {
		return s.path(o, r, rest)
	}
	if !nested {
		f := o.field(name)
		if f == nil {
			return nil, nil, sfBad("INVALID_FIELD", "\nSELECT "+name+" FROM "+o.name+"\n       ^\nERROR at Row:1:Column:8\nNo such column '"+name+"' on entity '"+o.name+
				"'. If you are attempting to use a custom field, be sure to append the '__c' after the custom field name.")
		}
		return f, r.values[f.name], nil
	}
	ref := o.relation(first)
	if ref == nil {
		return nil, nil, sfBad("INVALID_FIELD", "Didn't understand relationship '"+first+"' in field path.")
	}
	for _, target := range ref.refs {
		parent := s.object(target)
		to := &sfRecord{}
		if own, found := s.byID(fmt.Sprint(r.values[ref.name])); own == parent && found != nil {
			to = found
		}
		f, v, e := s.path(parent, to, rest)
		if e == nil && (to.id != "" || target == ref.refs[len(ref.refs)-1]) {
			return f, v, nil
		}
		if e != nil && target == ref.refs[len(ref.refs)-1] {
			return nil, nil, e
		}
	}
	return nil, nil, sfBad("INVALID_FIELD", "No such relation '"+first+"'")
}

// sfDay reads the words for days that the emulator knows.
func sfDay(word string, now time.Time) (time.Time, bool) {
	day := now.UTC().Truncate(24 * time.Hour)
	switch strings.ToUpper(word) {
	case "TODAY":
		return day, true
	case "YESTERDAY":
		return day.AddDate(0, 0, -1), true
	case "TOMORROW":
		return day.AddDate(0, 0, 1), true
	}
	return day, false
}
