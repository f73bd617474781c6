package salesforce

import (
	"context"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// detour is a question whether an id that was refused has become another one.
type detour struct {
	item *item
	old  string // id that the item names; "" where it names none of its own
	own  bool   // of the item's own record, not of one that it links to
}

// mend finds another way for items that were refused because things are not as
// they seemed: a lead was converted, a record was merged into another one, or
// was made meanwhile. It returns those to be sent again.
func (c *Connector) mend(ctx context.Context, items []*item) []*item {
	var asked []detour
	var matches []connectors.Match
	ask := func(d detour, object string, key connectors.Key) {
		if key == nil {
			key = connectors.Key{{Field: connectors.ID, Value: d.old}}
		}
		asked, matches = append(asked, d), append(matches, connectors.Match{Object: object, Keys: []connectors.Key{key}})
	}
	for _, i := range items {
		e := i.result.Err
		switch {
		case e == nil:
		case e.Code == "INVALID_FIELD_FOR_INSERT_UPDATE" && i.id == "" && i.unique != "" && i.onlyAtCreation():
			ask(detour{item: i, own: true}, i.schema.Name, i.change.Key)
		case e.Code == codeDeleted || e.Code == codeNoReference:
			if i.id != "" && i.schema.mergeable() {
				ask(detour{i, i.id, true}, i.schema.Name, nil)
			}
			for _, l := range i.links {
				ask(detour{item: i, old: l.id}, l.object, nil)
			}
		case e.Code != codeConverted:
		case strings.EqualFold(i.schema.Name, "Lead") && i.id != "":
			ask(detour{i, i.id, true}, "Lead", nil)
		case strings.EqualFold(i.schema.Name, "Lead") && i.unique != "":
			ask(detour{item: i, own: true}, "Lead", i.change.Key)
		default:
			for name, cell := range i.cells {
				if id, ok := cell.(string); ok && isLead(id) && i.schema.Fields[name].Type == connectors.Reference {
					ask(detour{item: i, old: id}, "Lead", nil)
				}
			}
		}
	}
	found, _ := c.Find(ctx, matches) // its errors are in the answers
	var again []*item
	for n, d := range asked {
		switch f := found[n]; {
		case f.Err != nil:
			d.item.fail(f.Err)
		case len(f.Records) != 1 || f.Records[0].ID == d.old:
		case c.redirect(ctx, d, f.Records[0].ID):
			again = append(again, d.item)
		}
	}
	return slices.DeleteFunc(again, func(i *item) bool { return i.result.Err != nil })
}

// redirect has an item write to, or link to, the record that was found.
func (c *Connector) redirect(ctx context.Context, d detour, id string) bool {
	i := d.item
	if isLead(id) && i.result.Err != nil && i.result.Err.Code == codeConverted {
		return false // there is no contact
	}
	first := i.result.Err != nil // the item may name several records
	i.again()
	if !d.own {
		for name, cell := range i.cells {
			if cell == d.old {
				i.cells[name] = id
			}
		}
		return first
	}
	i.id = id
	if isContact(id) && i.schema.Name != "Contact" {
		if err := c.prepareOne(ctx, i); err != nil {
			i.fail(err)
			return false
		}
	}
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
		case e == nil || e.Code != codeNoReference && e.Code != codeDeleted:
		case e.Field != "" && e.Field != "Id":
			if e.Code == codeDeleted { // which otherwise is said of the record itself
				i.noTarget()
				i.result.Err.Field = e.Field
			}
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
