package salesforce

import (
	"context"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
)

const (
	masterField = "MasterRecordId"
	// maxMerges bounds how far a chain of merged records is followed.
	maxMerges = 5
)

// mergeable tells whether records of the object can be merged: accounts,
// contacts and leads.
func (o object) mergeable() bool { _, ok := o.Fields[masterField]; return ok }

// followMerged has probes for an id that is not there look for the record into
// which that one was merged. Salesforce tells it as long as the one that was
// merged is in the recycle bin, which is 15 days (recycle bin, 2026-11).
func (c *Connector) followMerged(ctx context.Context, buckets []*bucket) {
	for range maxMerges {
		var parts []part
		for _, b := range buckets {
			parts = append(parts, b.parts(c.moved(ctx, b))...)
		}
		if parts == nil {
			return
		}
		c.askParts(ctx, parts, 0)
	}
}

// moved gives the probes of a bucket that are to ask for another id now.
func (c *Connector) moved(ctx context.Context, b *bucket) []*probe {
	if !b.object.mergeable() || len(b.names) != 1 {
		return nil
	}
	lost := map[string][]*probe{}
	var ids []string
	for _, p := range b.probes {
		if p.terms[0].id && len(p.rows) == 0 && p.found.Err == nil {
			id := p.terms[0].text()
			lost[id] = append(lost[id], p)
			ids = append(ids, id)
		}
	}
	var out []*probe
	for id, master := range c.masters(ctx, b.object.Name, distinct(ids), func(id string, err *connectors.Error) {
		for _, p := range lost[id] {
			p.fail(err)
		}
	}) {
		for _, p := range lost[id] {
			p.terms[0].cell = master
			out = append(out, p)
		}
	}
	return out
}

// masters reads which of the ids were merged into which records.
func (c *Connector) masters(ctx context.Context, object string, ids []string, failed func(id string, err *connectors.Error)) map[string]string {
	const base = "SELECT Id," + masterField + " FROM "
	// 18 characters, two quotes and a comma, as an address has them.
	groups := connectors.Chunks(ids, (maxQuery-len(base)-100)/(18+3*3))
	list := make([]string, len(groups))
	for n, group := range groups {
		quoted := make([]string, len(group))
		for i, id := range group {
			quoted[i] = quote(id)
		}
		list[n] = base + object + " WHERE Id IN (" + strings.Join(quoted, ",") + ")"
	}
	out := map[string]string{}
	for n, a := range c.queries(ctx, withDeleted, list) {
		for _, r := range a.rows {
			if master, ok := longID(r.text(masterField)); ok {
				out[r.id()] = master
			}
		}
		if a.err != nil {
			for _, id := range groups[n] {
				failed(id, a.err)
			}
		}
	}
	return out
}
