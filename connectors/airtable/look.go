package airtable

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// twinMargin is how far Airtable's clock may be behind ours.
const twinMargin = time.Minute

// lookForTwins finds what an earlier attempt with an unknown outcome may have
// made. Upserts and updates need no look.
func (c *Connector) lookForTwins(ctx context.Context, items []*item) {
	var keyed []*item
	var matches []connectors.Match
	taken := map[string]bool{} // by a change that is equal: each made its own
	for _, i := range items {
		if i.done || i.change.Attempted.IsZero() || i.id != "" || i.merge != nil {
			continue
		}
		// Until then the earlier request may still be under way.
		if wait := httpx.Clock.Until(i.change.Attempted, c.timeout); wait > 0 {
			i.fail(&connectors.Error{Kind: connectors.Transient, Code: "UNDER_WAY", Wait: wait, Message: "an earlier attempt to make the row may still be under way"})
			continue
		}
		if k := i.change.Key; len(k) > 0 && !slices.ContainsFunc(k, func(t connectors.Term) bool { return t.Field == connectors.ID }) {
			keyed, matches = append(keyed, i), append(matches, connectors.Match{Object: i.change.Object, Keys: []connectors.Key{k}})
			continue
		}
		c.lookForEqual(ctx, i, taken)
	}
	found, _ := c.Find(ctx, matches) // its errors are in the answers
	for n, i := range keyed {
		switch f := found[n]; {
		case f.Err != nil:
			i.fail(f.Err)
		case len(f.Records) == 1:
			i.id = f.Records[0].ID
		case len(f.Records) > 1:
			i.fail(ambiguous(f.Records))
		}
	}
}

// lookForEqual finds a row without key by its texts and its age, of those that
// are not taken.
func (c *Connector) lookForEqual(ctx context.Context, i *item, taken map[string]bool) {
	var key []term
	for name, cell := range i.cells {
		f := i.table.object.Fields[name]
		if s, ok := cell.(string); ok && len(s) <= 500 && f.Type != connectors.Date && f.Type != connectors.DateTime {
			f.Name, f.Type = name, connectors.Text // exactly as written
			key = append(key, term{field: f, cell: cell, text: s})
		}
	}
	if len(key) == 0 {
		i.fail(&connectors.Error{Kind: connectors.Unknown, Code: connectors.CodeNoKey,
			Message: "an earlier attempt may have made the row, and it has no text by which to find it; give it a match"})
		return
	}
	slices.SortFunc(key, func(a, b term) int { return strings.Compare(a.field.Name, b.field.Name) })
	since := i.change.Attempted.Add(-twinMargin).UTC().Format(instant)
	clauses := []string{"IS_AFTER(CREATED_TIME(),DATETIME_PARSE(" + quote(since) + "))"}
	var fields []string
	for _, t := range key {
		clauses, fields = append(clauses, anyOf([]term{t})), append(fields, t.field.Name)
	}
	var oldest wireRecord
	err := c.list(ctx, i.table, "AND("+strings.Join(clauses, ",")+")", fields, func(r wireRecord) {
		if taken[r.ID] || slices.ContainsFunc(key, func(t term) bool { return !c.holds(r, t) }) {
			return
		}
		if (oldest.ID == "" || r.Created != nil && oldest.Created != nil && r.Created.Before(*oldest.Created)) && !i.change.OfOther(r.ID) {
			oldest = r
		}
	})
	if err != nil {
		i.fail(err)
		return
	}
	i.id = oldest.ID
	taken[oldest.ID] = true
}

// keepLinks adds the links that rows have already: writing a link field
// replaces what it holds.
func (c *Connector) keepLinks(ctx context.Context, items []*item) {
	var linked []*item
	var matches []connectors.Match
	for _, i := range items {
		if i.done || len(i.links) == 0 || i.id == "" && i.merge == nil {
			continue
		}
		m := connectors.Match{Object: i.change.Object, Keys: []connectors.Key{i.change.Key}}
		if i.id != "" {
			m.Keys = []connectors.Key{{{Field: connectors.ID, Value: i.id}}}
		}
		for name := range i.links {
			m.Read = append(m.Read, name)
		}
		linked, matches = append(linked, i), append(matches, m)
	}
	found, _ := c.Find(ctx, matches) // its errors are in the answers
	for n, i := range linked {
		f := found[n]
		switch {
		case f.Err != nil:
			i.fail(f.Err)
			continue
		case i.id != "" && len(f.Records) == 0:
			i.fail(&connectors.Error{Kind: connectors.NotFound, Code: noRow, Message: "the row is gone"})
			continue
		case len(f.Records) != 1:
			continue
		}
		for name := range i.links {
			var ids []string
			for _, id := range connectors.AsList(f.Records[0].Fields[name]) {
				if s, ok := id.(string); ok {
					ids = append(ids, s)
				}
			}
			switch {
			case !slices.ContainsFunc(i.links[name], func(id string) bool { return !slices.Contains(ids, id) }) && i.cells[name] == nil:
				delete(i.links, name) // all there
			default:
				i.links[name] = append(ids, i.links[name]...)
			}
		}
	}
}

// nameDuplicates finds out whether upserts were refused because several rows
// have the key: Airtable only says that the request failed.
func (c *Connector) nameDuplicates(ctx context.Context, items []*item) {
	var suspects []*item
	var matches []connectors.Match
	for _, i := range items {
		if e := i.result.Err; e != nil && e.Kind == connectors.Invalid && i.merge != nil && e.Code != connectors.CodeValue && e.Field == "" {
			suspects = append(suspects, i)
			matches = append(matches, connectors.Match{Object: i.change.Object, Keys: []connectors.Key{i.change.Key}})
		}
	}
	found, _ := c.Find(ctx, matches) // its errors are in the answers
	for n, i := range suspects {
		if f := found[n]; f.Err == nil && len(f.Records) > 1 {
			i.result.Err = ambiguous(f.Records)
		}
	}
}

func ambiguous(records []connectors.Record) *connectors.Error {
	e := &connectors.Error{Kind: connectors.Ambiguous, Message: "several rows match"}
	for _, r := range records {
		e.IDs = append(e.IDs, r.ID)
	}
	return e
}
