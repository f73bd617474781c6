package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// atMaxPage is the most records of one page (Airtable list records, 2026-11).
const atMaxPage = 100

// atList is a request for records, from a query or a body.
type atList struct {
	Formula    string   `json:"filterByFormula"`
	Fields     []string `json:"fields"`
	PageSize   int      `json:"pageSize"`
	MaxRecords int      `json:"maxRecords"`
	Offset     string   `json:"offset"`
	Sort       []atSort `json:"sort"`
	View       string   `json:"view"`
	CellFormat string   `json:"cellFormat"`
	TimeZone   string   `json:"timeZone"`
	Locale     string   `json:"userLocale"`
	ByID       bool     `json:"returnFieldsByFieldId"`
	Metadata   []string `json:"recordMetadata"`
	// Method comes from airtable.js, which leaves its own option among the others.
	Method string `json:"method"`
}

type atSort struct {
	Field     string `json:"field"`
	Direction string `json:"direction"`
}

func (t *atTable) listByBody(c *call, b *atBase) answer {
	in := atList{PageSize: atMaxPage}
	if len(c.body) > 0 {
		if e := atDecode(c, &in); e != nil {
			return e.answer()
		}
	}
	// These two are taken from the query as well.
	in.TimeZone, in.Locale = orElse(in.TimeZone, c.query.Get("timeZone")), orElse(in.Locale, c.query.Get("userLocale"))
	return t.list(c, b, in)
}

var atSortKey = regexp.MustCompile(`^sort\[(\d)\]\[(field|direction)\]$`)

func (t *atTable) listByQuery(c *call, b *atBase) answer {
	q := c.query
	in := atList{
		Formula: q.Get("filterByFormula"), PageSize: atMaxPage, Offset: q.Get("offset"), View: q.Get("view"),
		CellFormat: q.Get("cellFormat"), TimeZone: q.Get("timeZone"), Locale: q.Get("userLocale"), ByID: q.Get("returnFieldsByFieldId") == "true",
	}
	for name, to := range map[string]*int{"pageSize": &in.PageSize, "maxRecords": &in.MaxRecords} {
		if text := q.Get(name); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				return atBadBody(errors.New(name + " must be a number")).answer()
			}
			*to = n
		}
	}
	keys := make([]string, 0, len(q))
	for key := range q {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if key == "fields" || strings.HasPrefix(key, "fields[") {
			in.Fields = append(in.Fields, q[key]...)
		}
		if m := atSortKey.FindStringSubmatch(key); m != nil {
			i, _ := strconv.Atoi(m[1])
			for len(in.Sort) <= i {
				in.Sort = append(in.Sort, atSort{})
			}
			if m[2] == "field" {
				in.Sort[i].Field = q.Get(key)
			} else {
				in.Sort[i].Direction = q.Get(key)
			}
		}
	}
	return t.list(c, b, in)
}

func (t *atTable) list(c *call, b *atBase, in atList) answer {
	switch {
	case in.PageSize < 1 || in.PageSize > atMaxPage:
		return atBadBody(fmt.Errorf("pageSize must be from 1 to %d", atMaxPage)).answer()
	case in.MaxRecords < 0:
		return atBadBody(errors.New("maxRecords must be positive")).answer()
	case in.CellFormat != "" && in.CellFormat != "json" && in.CellFormat != "string":
		return atBadBody(errors.New("cellFormat is json or string")).answer()
	case in.View != "" && in.View != "Grid view" && in.View != atID("viw", t.id):
		return atInvalid("VIEW_NAME_NOT_FOUND", "View %q was not found", in.View).answer()
	}
	var shown []*atField
	for _, name := range in.Fields {
		f := t.field(name)
		if f == nil {
			return atInvalid("UNKNOWN_FIELD_NAME", "Unknown field name: %q", name).answer()
		}
		shown = append(shown, f)
	}
	found, e := t.filter(c, b, in.Formula)
	if e != nil {
		return e.answer()
	}
	if e := t.sort(found, in.Sort); e != nil {
		return e.answer()
	}
	if in.MaxRecords > 0 {
		found = found[:min(in.MaxRecords, len(found))]
	}
	start := 0
	if in.Offset != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(in.Offset, "itr"))
		if err != nil || n < 0 || !strings.HasPrefix(in.Offset, "itr") {
			return atInvalid("LIST_RECORDS_ITERATOR_NOT_AVAILABLE", "The offset is not valid any more").answer()
		}
		start = min(n, len(found))
	}
	show := func(r *atRecord, shown []*atField) map[string]any { return t.wire(r, shown, in.ByID) }
	if in.CellFormat == "string" {
		if show, e = in.asTexts(t, b); e != nil {
			return e.answer()
		}
	}
	end := min(start+in.PageSize, len(found))
	records := make([]map[string]any, 0, end-start)
	for _, r := range found[start:end] {
		records = append(records, show(r, shown))
	}
	body := map[string]any{"records": records}
	if end < len(found) {
		body["offset"] = fmt.Sprintf("itr%d", end)
	}
	return jsonAnswer(http.StatusOK, body)
}

func (t *atTable) filter(c *call, b *atBase, formula string) ([]*atRecord, *atError) {
	if strings.TrimSpace(formula) == "" {
		return slices.Clone(t.records), nil
	}
	f, err := parseFormula(formula, t)
	if err != nil {
		return nil, atInvalid("INVALID_FILTER_BY_FORMULA", "The formula for filtering records is invalid: %s", err)
	}
	var found []*atRecord
	for _, r := range t.records {
		if truth(f.eval(&atScope{base: b, record: r, now: c.now})) {
			found = append(found, r)
		}
	}
	return found, nil
}

func (t *atTable) sort(records []*atRecord, by []atSort) *atError {
	for _, s := range slices.Backward(by) {
		f := t.field(s.Field)
		if f == nil {
			return atInvalid("UNKNOWN_FIELD_NAME", "Unknown field name: %q", s.Field)
		}
		if s.Direction != "" && s.Direction != "asc" && s.Direction != "desc" {
			return atBadBody(errors.New("direction is asc or desc"))
		}
		slices.SortStableFunc(records, func(a, b *atRecord) int {
			n := compareCells(f.value(a), f.value(b))
			if s.Direction == "desc" {
				return -n
			}
			return n
		})
	}
	return nil
}

func compareCells(a, b any) int {
	x, ok := a.(float64)
	y, ok2 := b.(float64)
	if ok && ok2 {
		return cmp.Compare(x, y)
	}
	text := func(v any) string {
		if v == nil {
			return ""
		}
		return fmt.Sprint(v)
	}
	return cmp.Compare(text(a), text(b))
}
