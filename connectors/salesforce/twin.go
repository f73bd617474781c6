package salesforce

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	// twinMargin is how far Salesforce's clock may be behind ours.
	twinMargin = time.Minute
	// twinsMost bounds how many records of that time are compared.
	twinsMost = 2000
)

// lookForTwins finds what an earlier attempt with an unknown outcome may have
// made. Upserts and updates need no look.
func (c *Connector) lookForTwins(ctx context.Context, items []*item) {
	var keyed []*item
	var matches []connectors.Match
	taken := map[string]bool{}
	for _, i := range items {
		if i.done || i.change.Attempted.IsZero() || i.id != "" || i.unique != "" {
			continue
		}
		// Until then the earlier request may still be under way.
		if wait := httpx.Clock.Until(i.change.Attempted, c.timeout); wait > 0 {
			i.fail(&connectors.Error{Kind: connectors.Transient, Code: "UNDER_WAY", Wait: wait, Message: "an earlier attempt to make the record may still be under way"})
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
		case len(f.Records) > 1:
			i.fail(ambiguous(f.Records))
		case len(f.Records) == 1:
			i.id = f.Records[0].ID
			if err := c.prepareOne(ctx, i); err != nil {
				i.fail(err)
			}
		}
	}
}

// lookForEqual finds a record without key by all its values, its links and its
// age. Equal ones cannot be told apart: each lost attempt takes another one, the
// oldest first.
func (c *Connector) lookForEqual(ctx context.Context, i *item, taken map[string]bool) {
	since := soqlTime(i.change.Attempted.Add(-twinMargin))
	conditions, fields := []string{"CreatedDate >= " + since}, []string{"Id"}
	compared := false
	wanted := i.created()
	for name, cell := range wanted {
		f, m := i.schema.Fields[name], i.schema.more[name]
		// Salesforce may tidy HTML; everything else comes back as it was sent.
		if cell == nil || f.Type == connectors.HTML {
			continue
		}
		fields = append(fields, name)
		if text, ok := cell.(string); ok {
			_, own := i.cells[name]
			compared = compared || own
			if m.filter && (f.Type == connectors.Text || f.Type == connectors.Reference) && len(text) <= 255 {
				conditions = append(conditions, name+" = "+quote(text))
			}
		}
	}
	if !compared {
		i.fail(&connectors.Error{Kind: connectors.Unknown, Code: connectors.CodeNoKey,
			Message: "an earlier attempt may have made the record, and it has no text by which to find it; give it a match"})
		return
	}
	slices.Sort(conditions)
	rows, err := c.query(ctx, "SELECT "+strings.Join(distinct(fields), ",")+" FROM "+i.schema.Name+" WHERE "+strings.Join(conditions, " AND ")+" ORDER BY CreatedDate LIMIT 2000")
	if err != nil {
		i.fail(err)
		return
	}
	for _, r := range rows {
		if !taken[r.id()] && i.equals(r, wanted) && !i.change.OfOther(r.id()) {
			i.id = r.id()
			taken[i.id] = true
			return
		}
	}
	if len(rows) >= twinsMost {
		i.fail(&connectors.Error{Kind: connectors.Unknown, Code: connectors.CodeNoKey, Message: "an earlier attempt may have made the record, and too many are like it; give it a match"})
	}
}

// created are the cells of the record if an earlier attempt made it, with those
// of its links.
func (i *item) created() map[string]any {
	out := maps.Clone(i.cells)
	linked := map[string]bool{}
	for _, l := range i.links {
		if !linked[l.field] || l.named {
			out[l.field], linked[l.field] = l.id, true
		}
	}
	return out
}

func (i *item) equals(r wireRow, wanted map[string]any) bool {
	for name, cell := range wanted {
		f := i.schema.Fields[name]
		if cell != nil && f.Type != connectors.HTML && !same(value(f, r[name]), value(f, cell), true) {
			return false
		}
	}
	return true
}

func ambiguous(records []connectors.Record) *connectors.Error {
	e := &connectors.Error{Kind: connectors.Ambiguous, Message: "several records match"}
	for _, r := range records {
		e.IDs = append(e.IDs, r.ID)
	}
	return e
}
