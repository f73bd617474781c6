package salesforce

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// probe is one key of one match that is looked for.
type probe struct {
	match connectors.Match
	key   connectors.Key
	level int
	found *connectors.Found
	terms []term
	rows  []wireRow
}

func (p *probe) fail(err *connectors.Error) {
	if p.found.Err == nil {
		p.found.Err = err
	}
}

// hit keeps a row, once.
func (p *probe) hit(r wireRow) {
	if !slices.ContainsFunc(p.rows, func(x wireRow) bool { return x.id() == r.id() }) {
		p.rows = append(p.rows, r)
	}
}

// bucket is probes of one object by the same fields.
type bucket struct {
	object object
	names  []string
	probes []*probe
}

// probe looks for all keys of one level.
func (c *Connector) probe(ctx context.Context, probes []*probe) {
	var parts []part
	buckets := c.buckets(ctx, probes)
	for _, b := range buckets {
		parts = append(parts, b.parts(b.probes)...)
	}
	c.askParts(ctx, parts, 0)
	c.followMerged(ctx, buckets)
	for _, b := range buckets {
		c.settle(ctx, b)
	}
}

// buckets sorts probes by what one query can ask for. Probes that no record
// can answer are left out.
func (c *Connector) buckets(ctx context.Context, probes []*probe) []*bucket {
	index := map[string]*bucket{}
	var out []*bucket
	for _, p := range probes {
		if len(p.key) == 0 {
			continue
		}
		names := make([]string, len(p.key))
		for i, t := range p.key {
			names[i] = t.Field
		}
		object := c.meant(p)
		at := object + "\x00" + strings.Join(names, "\x00")
		b := index[at]
		if b == nil {
			o, err := c.object(ctx, object)
			if err != nil {
				p.fail(err)
				continue
			}
			b = &bucket{object: o, names: names}
			index[at] = b
			out = append(out, b)
		}
		if err := c.terms(ctx, b, p); err != nil {
			p.fail(err)
		} else if p.terms != nil {
			b.probes = append(b.probes, p)
		}
	}
	return slices.DeleteFunc(out, func(b *bucket) bool { return len(b.probes) == 0 })
}

// meant is the object to be asked: the id of a lead may have become that of
// its contact.
func (c *Connector) meant(p *probe) string {
	if len(p.key) == 1 && p.key[0].Field == connectors.ID && strings.EqualFold(p.match.Object, "Lead") {
		if id, ok := p.key[0].Value.(string); ok && isContact(id) {
			return "Contact"
		}
	}
	return p.match.Object
}

// part is probes of a bucket that one query asks for.
type part struct {
	bucket *bucket
	probes []*probe
}

// parts cuts probes so that each part's query is short enough.
func (b *bucket) parts(probes []*probe) []part {
	var out []part
	base := sized(b.query(probes, b.names[0]+" IN ()"))
	size := maxQuery
	for _, p := range probes {
		n := sized(b.clause(p)) + sized(",")
		if len(b.names) > 1 || b.byPattern(p) {
			n += sized(" OR ()")
		}
		if size += n; size > maxQuery {
			out, size = append(out, part{bucket: b}), base+n
		}
		last := &out[len(out)-1]
		last.probes = append(last.probes, p)
	}
	return out
}

func (b *bucket) byPattern(p *probe) bool { return len(b.names) > 1 || !p.terms[0].listed() }

// query asks for all that may be one of the probes' records.
func (b *bucket) query(probes []*probe, where string) string {
	fields := []string{"Id"}
	for _, name := range []string{"CreatedDate", "LastModifiedDate", "IsConverted", "ConvertedContactId"} {
		if _, ok := b.object.Fields[name]; ok {
			fields = append(fields, name)
		}
	}
	for _, p := range probes {
		for _, name := range p.match.Read {
			if _, ok := b.object.Fields[name]; ok {
				fields = append(fields, name)
			}
		}
		for _, t := range p.terms {
			fields = append(fields, t.shown...)
		}
	}
	return "SELECT " + strings.Join(distinct(fields), ",") + " FROM " + b.object.Name + " WHERE " + where
}

// clause is what one probe adds to a query: a value of a list, or a condition.
func (b *bucket) clause(p *probe) string {
	if !b.byPattern(p) {
		return p.terms[0].literal()
	}
	var all []string
	for _, t := range p.terms {
		all = append(all, t.condition())
	}
	return strings.Join(all, " AND ")
}

func (b *bucket) whole(probes []*probe) string {
	var list, conditions []string
	for _, p := range probes {
		if b.byPattern(p) {
			conditions = append(conditions, "("+b.clause(p)+")")
		} else {
			list = append(list, b.clause(p))
		}
	}
	if list != nil {
		conditions = append(conditions, probes[0].terms[0].name()+" IN ("+strings.Join(distinct(list), ",")+")")
	}
	return b.query(probes, strings.Join(distinct(conditions), " OR "))
}

// maxHalvings bounds how often a query that took too long, or brought too much,
// is halved.
const maxHalvings = 4

func (c *Connector) askParts(ctx context.Context, parts []part, halvings int) {
	list := make([]string, len(parts))
	for n, p := range parts {
		list[n] = p.bucket.whole(p.probes)
	}
	var again []part
	for n, a := range c.queries(ctx, living, list) {
		p := parts[n]
		for _, r := range a.rows {
			for _, one := range p.probes {
				if one.fits(r, c.coercion.Country) {
					one.hit(r)
				}
			}
		}
		if a.err != nil && a.err.Code == codeTooMany {
			// Of whom several were found already nothing more need be known; it is
			// mostly they who hide the others.
			before := len(p.probes)
			p.probes = slices.DeleteFunc(slices.Clone(p.probes), func(one *probe) bool { return len(one.rows) > 1 })
			if len(p.probes) < before && halvings < maxHalvings {
				if len(p.probes) > 0 {
					again = append(again, p)
				}
				continue
			}
		}
		switch {
		case a.err != nil && (a.err.Code == "QUERY_TIMEOUT" || a.err.Code == codeTooMany) && len(p.probes) > 1 && halvings < maxHalvings:
			half := len(p.probes) / 2
			again = append(again, part{p.bucket, p.probes[:half]}, part{p.bucket, p.probes[half:]})
		case a.err != nil:
			for _, one := range p.probes {
				one.fail(a.err)
			}
		}
	}
	if len(again) > 0 {
		c.askParts(ctx, again, halvings+1)
	}
}

func (p *probe) fits(r wireRow, country string) bool {
	return !slices.ContainsFunc(p.terms, func(t term) bool { return !t.fits(r, country) })
}

func distinct(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// same compares values as Salesforce does: text without regard to case, unless
// the field minds it.
func same(a, b connectors.Value, caseSensitive bool) bool {
	switch x := a.(type) {
	case nil:
		return false
	case string:
		y, ok := b.(string)
		return ok && (x == y || !caseSensitive && strings.EqualFold(x, y))
	case time.Time:
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	}
	return fmt.Sprint(a) == fmt.Sprint(b)
}
