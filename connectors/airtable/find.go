package airtable

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	pageSize = 100
	// maxFormula keeps well below the 16,000 characters that Airtable allows
	// for a query (list records, 2026-11).
	maxFormula = 15_000
	// maxWants bounds what one formula asks for.
	maxWants = 500
)

// want is one match that is looked for.
type want struct {
	match connectors.Match
	found *connectors.Found
	keys  [][]term // a nil key cannot match anything
}

func (w *want) terms() [][]term {
	return slices.DeleteFunc(slices.Clone(w.keys), func(k []term) bool { return k == nil })
}

// findIn looks for all matches of one table.
func (c *Connector) findIn(ctx context.Context, object string, wants []*want) {
	t, err := c.table(ctx, object)
	var open []*want
	for _, w := range wants {
		if err != nil {
			w.found.Err = err
			continue
		}
		if w.found.Err = c.compile(ctx, t, w); w.found.Err == nil && len(w.terms()) > 0 {
			open = append(open, w)
		}
	}
	connectors.Parallel(parts(open), width, func(part []*want) {
		if err := c.findPart(ctx, t, part); err != nil {
			for _, w := range part {
				w.found.Err = err
			}
		}
	})
}

// compile makes the keys' values right.
func (c *Connector) compile(ctx context.Context, t table, w *want) *connectors.Error {
	for _, key := range w.match.Keys {
		var terms []term
		for _, k := range key {
			made, err := c.term(ctx, t, k)
			if err != nil {
				return err
			}
			if made.text == "" {
				terms = nil
				break
			}
			terms = append(terms, made)
		}
		w.keys = append(w.keys, terms)
	}
	return nil
}

// term makes one value right; its text is empty if no row can have it.
func (c *Connector) term(ctx context.Context, t table, k connectors.Term) (term, *connectors.Error) {
	if k.Field == connectors.ID {
		id, _ := k.Value.(string)
		if len(id) != 17 || !recordID.MatchString(id) {
			id = "" // an id of another system: it just does not match
		}
		return term{id: true, text: id, field: connectors.Field{Name: connectors.ID}}, nil
	}
	f, err := c.field(ctx, t, k.Field)
	if err != nil {
		return term{}, err
	}
	if f.Type == connectors.Reference {
		return term{}, noLinkMatch(k.Field)
	}
	cell, _, skip, err := c.encode(ctx, t, f, k.Value)
	if err != nil || skip || cell == nil {
		return term{}, err
	}
	made := term{field: f, cell: cell, text: plain(cell)}
	if f.Type == connectors.Phone || f.Type == connectors.Other && strings.HasPrefix(made.text, "+") {
		if n, ok := connectors.ParsePhone(made.text, c.coercion.Country); ok {
			made.phone = &n
		}
	}
	return made, nil
}

func noLinkMatch(field string) *connectors.Error {
	return &connectors.Error{Kind: connectors.Invalid, Field: field, Code: connectors.CodeValue, Message: "records cannot be matched by a link field"}
}

// parts cuts matches so that each part's formula is short enough.
func parts(wants []*want) [][]*want {
	var out [][]*want
	for len(wants) > 0 {
		n := min(maxWants, len(wants))
		for n > 1 && len(formulaOf(wants[:n])) > maxFormula {
			n -= max(1, n/8)
		}
		out = append(out, wants[:n])
		wants = wants[n:]
	}
	return out
}

func formulaOf(wants []*want) string {
	var keys [][]term
	for _, w := range wants {
		keys = append(keys, w.terms()...)
	}
	return formula(keys)
}

// findPart asks once, page by page, and gives each match its rows.
func (c *Connector) findPart(ctx context.Context, t table, wants []*want) *connectors.Error {
	var fields []string
	for _, w := range wants {
		for _, name := range w.match.Read {
			if f, err := c.field(ctx, t, name); err == nil {
				fields = append(fields, f.Name)
			}
		}
		for _, key := range w.terms() {
			for _, k := range key {
				if !k.id {
					fields = append(fields, k.field.Name)
				}
			}
		}
	}
	// Behind the fields: for one that is new the schema was read again.
	t, err := c.table(ctx, t.path)
	if err != nil {
		return err
	}
	if t.modified != "" {
		fields = append(fields, t.modified)
	}
	var rows []wireRecord
	err = c.list(ctx, t, formulaOf(wants), fields, func(r wireRecord) { rows = append(rows, r) })
	if err != nil {
		return err
	}
	for _, w := range wants {
		c.assign(t, w, rows)
	}
	return nil
}

// assign takes the first key that finds a row.
func (c *Connector) assign(t table, w *want, rows []wireRecord) {
	for i, key := range w.keys {
		if key == nil {
			continue
		}
		for _, r := range rows {
			if !slices.ContainsFunc(key, func(k term) bool { return !c.holds(r, k) }) {
				w.found.Key = i
				w.found.Records = append(w.found.Records, record(t, r, w.match.Read))
			}
		}
		if len(w.found.Records) > 0 {
			return
		}
	}
}

// list reads all rows for which a formula is true.
func (c *Connector) list(ctx context.Context, t table, formula string, fields []string, row func(wireRecord)) *connectors.Error {
	slices.Sort(fields)
	q := wireList{Formula: formula, Fields: slices.Compact(fields), PageSize: pageSize}
	for {
		var page wirePage
		err := c.call(ctx, httpx.Request{Method: http.MethodPost, Path: c.tablePath(t) + "/listRecords", Body: q, Repeatable: true}, &page)
		if err != nil {
			return err
		}
		for _, r := range page.Records {
			row(r)
		}
		if q.Offset = page.Offset; q.Offset == "" {
			return nil
		}
	}
}
