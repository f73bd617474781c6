package salesforce

import (
	"context"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// mend finds another way for items that were refused because things are not as
// they seemed: a lead was converted, or a record was made meanwhile. It returns
// those to be sent again.
func (c *Connector) mend(ctx context.Context, items []*item) []*item {
	var asked []*item
	var matches []connectors.Match
	ask := func(i *item, object string, key connectors.Key) {
		asked = append(asked, i)
		matches = append(matches, connectors.Match{Object: object, Keys: []connectors.Key{key}})
	}
	for _, i := range items {
		e := i.result.Err
		switch {
		case e == nil:
		case e.Code == "INVALID_FIELD_FOR_INSERT_UPDATE" && i.id == "" && i.unique != "" && i.onlyAtCreation():
			ask(i, i.schema.Name, i.change.Key)
		case e.Code != codeConverted:
		case strings.EqualFold(i.schema.Name, "Lead") && i.id != "":
			ask(i, "Lead", connectors.Key{{Field: connectors.ID, Value: i.id}})
		case strings.EqualFold(i.schema.Name, "Lead") && i.unique != "":
			ask(i, "Lead", i.change.Key)
		default:
			for name, cell := range i.cells {
				if id, ok := cell.(string); ok && isLead(id) && i.schema.Fields[name].Type == connectors.Reference {
					ask(i, "Lead", connectors.Key{{Field: connectors.ID, Value: id}})
				}
			}
		}
	}
	found, _ := c.Find(ctx, matches) // its errors are in the answers
	var again []*item
	for n, i := range asked {
		if f := found[n]; f.Err != nil {
			i.fail(f.Err)
		} else if len(f.Records) == 1 && c.redirect(ctx, i, matches[n], f.Records[0].ID) {
			again = append(again, i)
		}
	}
	return again
}

// redirect has an item write to, or link to, the record that was found.
func (c *Connector) redirect(ctx context.Context, i *item, m connectors.Match, id string) bool {
	if isLead(id) && i.result.Err != nil && i.result.Err.Code == codeConverted {
		return false // there is no contact
	}
	if m.Object == i.schema.Name {
		i.id = id
		if isContact(id) && m.Object != "Contact" {
			i.again()
			if err := c.prepareOne(ctx, i); err != nil {
				i.fail(err)
				return false
			}
		}
		i.again()
		return true
	}
	for name, cell := range i.cells {
		if cell == m.Keys[0][0].Value {
			i.cells[name] = id
		}
	}
	first := i.result.Err != nil // the item may link to several leads
	i.again()
	return first
}

// nameGone finds out what "a record that is named does not exist" means: the
// record itself, or one that it is to be linked to. Salesforce says the same of
// both.
func (c *Connector) nameGone(ctx context.Context, items []*item) {
	var asked []*item
	var matches []connectors.Match
	for _, i := range items {
		e := i.result.Err
		switch {
		case e == nil || e.Code != "INVALID_CROSS_REFERENCE_KEY" && e.Code != "ENTITY_IS_DELETED" || e.Field != "" && e.Field != "Id":
		case i.id == "":
			i.noTarget()
		default:
			asked = append(asked, i)
			matches = append(matches, connectors.Match{Object: i.schema.Name, Keys: []connectors.Key{{{Field: connectors.ID, Value: i.id}}}})
		}
	}
	found, _ := c.Find(ctx, matches) // its errors are in the answers
	for n, i := range asked {
		switch f := found[n]; {
		case f.Err != nil:
			i.fail(f.Err)
		case len(f.Records) == 0:
			i.fail(&connectors.Error{Kind: connectors.NotFound, Code: i.result.Err.Code, Message: gone.message})
		default:
			i.noTarget()
		}
	}
}

func (i *item) noTarget() {
	e := &connectors.Error{Kind: connectors.Invalid, Code: codeNoTarget, Message: "a record to link to, or the owner, is gone"}
	for _, l := range i.links {
		e.IDs = append(e.IDs, l.id)
	}
	i.fail(e)
}
