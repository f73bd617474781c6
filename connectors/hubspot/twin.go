package hubspot

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// twinMargin is how far HubSpot's clock may be behind ours.
const twinMargin = time.Minute

// lookForTwins finds what an earlier attempt with an unknown outcome may have
// made, where HubSpot does not prevent a second record by itself. What is found
// is updated instead of created.
func (c *Connector) lookForTwins(ctx context.Context, items []*item) {
	var keyed []*item
	var probes []probe
	found := make([]connectors.Found, len(items))
	taken := map[string]bool{} // by a change that is equal: each made its own
	for n, i := range items {
		if i.done || i.change.Attempted.IsZero() || i.id != "" || i.unique != "" || i.guarded() {
			continue
		}
		// Before this, search may not know the record yet, or the request may
		// still be under way.
		if wait := httpx.Clock.Until(i.change.Attempted, c.lag); wait > 0 {
			i.fail(&connectors.Error{Kind: connectors.Transient, Code: "SEARCH_LAG", Wait: wait,
				Message: "an earlier attempt may have made the record; HubSpot's search must know it first"})
			continue
		}
		if k := i.change.Key; len(k) > 0 && !slices.ContainsFunc(k, func(t connectors.Term) bool { return t.Field == connectors.ID }) {
			keyed = append(keyed, i)
			probes = append(probes, probe{match: connectors.Match{Object: i.change.Object}, key: k, found: &found[n]})
			continue
		}
		c.lookForEqual(ctx, i, taken)
	}
	c.probe(ctx, probes)
	for n, i := range keyed {
		f := probes[n].found
		switch {
		case f.Err != nil:
			i.fail(f.Err)
		case len(f.Records) == 1:
			i.id = f.Records[0].ID
		case len(f.Records) > 1:
			i.fail(ambiguous(f.Records))
		}
	}
}

// lookForEqual finds a record without key by all its values and its age, of
// those that are not taken.
func (c *Connector) lookForEqual(ctx context.Context, i *item, taken map[string]bool) {
	created := "createdate"
	if _, ok := i.schema.Fields["hs_createdate"]; ok {
		created = "hs_createdate"
	}
	since := strconv.FormatInt(i.change.Attempted.Add(-twinMargin).UnixMilli(), 10)
	q := wireSearch{FilterGroups: []wireGroup{{[]wireFilter{{Property: created, Operator: "GTE", Value: since}}}}}
	compared := map[string]string{}
	for name, text := range i.props {
		// HubSpot may tidy HTML; everything else comes back as it was sent.
		if f := i.schema.Fields[name]; text != "" && f.Type != connectors.HTML {
			compared[name] = text
			q.Properties = append(q.Properties, name)
		}
	}
	if len(compared) == 0 {
		i.fail(&connectors.Error{Kind: connectors.Unknown, Code: connectors.CodeNoKey,
			Message: "an earlier attempt may have made the record, and it has no value by which to find it; give it a match"})
		return
	}
	slices.Sort(q.Properties)
	if f := i.schema.Fields["hs_timestamp"]; compared["hs_timestamp"] != "" {
		q.FilterGroups[0].Filters = append(q.FilterGroups[0].Filters, wireFilter{Property: "hs_timestamp", Operator: "EQ", Value: searchText(f, compared["hs_timestamp"])})
	}
	var oldest wireRecord
	err := c.find(ctx, i.change.Object, q, func(r wireRecord) {
		if taken[i.change.Object+" "+r.ID] {
			return
		}
		for name, text := range compared {
			if f := i.schema.Fields[name]; r.text(name) != text && !sameText(f, r.text(name), text) {
				return
			}
		}
		if (oldest.ID == "" || r.CreatedAt.Before(oldest.CreatedAt)) && !i.change.OfOther(r.ID) {
			oldest = r
		}
	})
	if err != nil && err.Code == connectors.CodeTooMany && oldest.ID == "" {
		err.Kind, err.Message = connectors.Unknown, "too much was made since an earlier attempt to find what it made"
		i.fail(err)
		return
	}
	if err != nil && err.Code != connectors.CodeTooMany {
		i.fail(err)
		return
	}
	i.id = oldest.ID
	taken[i.change.Object+" "+oldest.ID] = true
}

// madeIt tells whether what HubSpot refuses to make, as another record has a unique
// value, was made by an earlier attempt with an unknown outcome: search, by which
// lookForTwins looked, may know it later than it should. It is updated then.
func (c *Connector) madeIt(ctx context.Context, i *item, field string) bool {
	value, attempted := i.change.Fields[field], i.change.Attempted
	if value == nil || attempted.IsZero() {
		return false
	}
	var found connectors.Found
	c.probe(ctx, []probe{{match: connectors.Match{Object: i.change.Object}, key: connectors.Key{{Field: field, Value: value}}, found: &found}})
	if found.Err != nil {
		i.fail(found.Err) // to be tried again
		return false
	}
	for _, r := range found.Records {
		if !r.Created.Before(attempted.Add(-twinMargin)) && !i.change.OfOther(r.ID) {
			i.id = r.ID
		}
	}
	return i.id != ""
}

func ambiguous(records []connectors.Record) *connectors.Error {
	e := &connectors.Error{Kind: connectors.Ambiguous, Message: "several records match"}
	for _, r := range records {
		e.IDs = append(e.IDs, r.ID)
	}
	return e
}
