package salesforce

import (
	"context"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// term is one field of a key with the value that it must have.
type term struct {
	id    bool // the record's own id
	field connectors.Field
	more  more
	cell  any      // the value as Salesforce has it
	phone string   // the national number, if it is to be found in any notation
	shown []string // fields that may hold it, to be read
}

// fewestDigits is the shortest number that is looked for in any notation: the
// pattern of a shorter one would fit half the org.
const fewestDigits = 5

// terms makes the values of a probe's key right. They stay nil if no record
// can have them.
func (c *Connector) terms(ctx context.Context, b *bucket, p *probe) *connectors.Error {
	var terms []term
	for _, k := range p.key {
		t, err := c.term(ctx, b.object, k)
		if err != nil || t.cell == nil {
			return err
		}
		terms = append(terms, t)
	}
	p.terms = terms
	return nil
}

func (c *Connector) term(ctx context.Context, o object, k connectors.Term) (term, *connectors.Error) {
	if k.Field == connectors.ID || k.Field == "Id" {
		s, _ := k.Value.(string)
		id, ok := longID(strings.TrimSpace(s))
		if !ok || !strings.HasPrefix(id, o.prefix) {
			return term{}, nil // of another system, or of another object: it just does not match
		}
		return term{id: true, cell: id, shown: []string{"Id"}}, nil
	}
	f, m, err := c.field(ctx, o.Name, k.Field)
	if err != nil {
		return term{}, err
	}
	if !m.filter {
		return term{}, notSearchable(k.Field)
	}
	cell, _, skip, err := c.encode(ctx, f, m, k.Value)
	if err != nil || skip || cell == nil {
		return term{}, err
	}
	t := term{field: f, more: m, cell: cell, shown: []string{f.Name}}
	if n, ok := connectors.ParsePhone(t.text(), c.coercion.Country); ok && f.Type == connectors.Phone && len(n.National) >= fewestDigits {
		t.phone, t.shown = n.National, phones(o, f.Name)
	}
	return t, nil
}

func notSearchable(field string) *connectors.Error {
	return &connectors.Error{Kind: connectors.Invalid, Field: field, Code: codeNoField, Message: "Salesforce cannot search this field; match by another one"}
}

// phones are the fields in which a number is looked for: Phone and MobilePhone
// together, as people mix them up, any other alone.
func phones(o object, name string) []string {
	both := []string{"Phone", "MobilePhone"}
	if !slices.Contains(both, name) {
		return []string{name}
	}
	return slices.DeleteFunc(both, func(n string) bool { _, ok := o.Fields[n]; return !ok })
}

func (t term) text() string {
	s, _ := t.cell.(string)
	return s
}

func (t term) name() string {
	if t.id {
		return "Id"
	}
	return t.field.Name
}

func (t term) literal() string { return literal(t.field, t.cell) }

// listed tells whether values of many probes can stand in one list.
func (t term) listed() bool {
	return t.phone == "" && t.field.Type != connectors.Boolean && t.field.Type != connectors.MultiSelect
}

func (t term) condition() string {
	if t.phone == "" {
		return t.name() + " = " + t.literal()
	}
	// People write numbers in any way: between two digits there may stand
	// anything. What is found is compared as a number.
	pattern := quote("%" + strings.Join(strings.Split(t.phone, ""), "%") + "%")
	var any []string
	for _, name := range t.shown {
		any = append(any, name+" LIKE "+pattern)
	}
	if len(any) == 1 {
		return any[0]
	}
	return "(" + strings.Join(any, " OR ") + ")"
}

func (t term) fits(r wireRow, country string) bool {
	switch {
	case t.id:
		return r.id() == t.cell
	case t.phone != "":
		return slices.ContainsFunc(t.shown, func(name string) bool { return connectors.SamePhone(r.text(name), t.text(), country) })
	}
	return same(value(t.field, r[t.field.Name]), value(t.field, t.cell), t.more.caseSensitive)
}
