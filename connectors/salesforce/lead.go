package salesforce

import (
	"context"
	"slices"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// settle gives each probe its records. Converted leads count only where there
// is no open one; their contacts take their place.
func (c *Connector) settle(ctx context.Context, b *bucket) {
	contacts := map[string]wireRow{}
	var ids, read []string
	for _, p := range b.probes {
		open := slices.DeleteFunc(slices.Clone(p.rows), converted)
		if len(open) > 0 {
			p.rows = open
			continue
		}
		for _, r := range p.rows {
			ids, read = append(ids, r.text("ConvertedContactId")), append(read, p.match.Read...)
		}
	}
	var person object
	if ids != nil {
		var err *connectors.Error
		if person, err = c.object(ctx, "Contact"); err == nil {
			contacts, err = c.contacts(ctx, person, distinct(ids), read)
		}
		for _, p := range b.probes {
			if err != nil && slices.ContainsFunc(p.rows, converted) {
				p.fail(err)
			}
		}
	}
	for _, p := range b.probes {
		for _, r := range p.rows {
			o := b.object
			if converted(r) {
				if r, o = contacts[r.text("ConvertedContactId")], person; r == nil {
					continue // the contact is gone
				}
			}
			p.found.Key = p.level
			if !slices.ContainsFunc(p.found.Records, func(x connectors.Record) bool { return x.ID == r.id() }) {
				p.found.Records = append(p.found.Records, record(o, r, p.match.Read))
			}
		}
	}
}

func converted(r wireRow) bool { return r["IsConverted"] == true }

// contacts reads contacts by their ids.
func (c *Connector) contacts(ctx context.Context, o object, ids, read []string) (map[string]wireRow, *connectors.Error) {
	var probes []*probe
	for _, id := range ids {
		if id == "" {
			continue
		}
		probes = append(probes, &probe{
			match: connectors.Match{Object: "Contact", Read: read}, found: &connectors.Found{},
			terms: []term{{id: true, cell: id, shown: []string{"Id"}}},
		})
	}
	b := &bucket{object: o, names: []string{connectors.ID}, probes: probes}
	c.askParts(ctx, b.parts(probes), 0)
	out := map[string]wireRow{}
	for _, p := range probes {
		if p.found.Err != nil {
			return nil, p.found.Err
		}
		for _, r := range p.rows {
			out[r.id()] = r
		}
	}
	return out, nil
}
