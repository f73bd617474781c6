package salesforce

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// lookup is a link as Salesforce makes it: a field that holds the other
// record's id.
type lookup struct {
	field  string
	object string
	id     string
	named  bool // the rule names the field: what stands there is replaced
}

// prepareLinks finds the field of each link.
func (c *Connector) prepareLinks(i *item) *connectors.Error {
	for _, l := range i.change.Links {
		field, err := i.schema.linkField(l)
		if err != nil {
			return err
		}
		id, ok := longID(l.ID)
		if !ok {
			return &connectors.Error{Kind: connectors.Invalid, Field: field, Code: codeNoTarget, IDs: []string{l.ID}, Message: "the record to link to has no id of Salesforce's"}
		}
		i.links = append(i.links, lookup{field, l.Object, id, l.Field != ""})
	}
	return nil
}

// linkField is the field through which records of the object are linked to
// another one: of activities WhoId for people and WhatId for the rest.
func (o object) linkField(l connectors.Link) (string, *connectors.Error) {
	wrong := func(message string) *connectors.Error {
		return &connectors.Error{Kind: connectors.Invalid, Field: l.Field, Code: "NO_SUCH_LOOKUP", Message: message}
	}
	if l.Field != "" {
		f, ok := o.Fields[l.Field]
		if !ok {
			return "", connectors.NoField(o.Object, l.Field, codeNoField)
		}
		if f.Type != connectors.Reference || f.ReadOnly {
			return "", wrong("it is no lookup field that can be written")
		}
		return l.Field, nil
	}
	if l.Type != "" {
		return "", wrong("links of Salesforce's have no type; name the lookup with field:")
	}
	var fits []string
	for name, m := range o.more {
		if m.create && name != "OwnerId" && slices.ContainsFunc(m.refs, func(r string) bool { return strings.EqualFold(r, l.Object) }) {
			fits = append(fits, name)
		}
	}
	slices.Sort(fits)
	for _, usual := range []string{"WhoId", "WhatId", l.Object + "Id"} {
		if slices.Contains(fits, usual) {
			return usual, nil
		}
	}
	switch len(fits) {
	case 0:
		return "", wrong(o.Name + " has no lookup to " + l.Object + "; link the other way round, from " + l.Object)
	case 1:
		return fits[0], nil
	}
	return "", wrong(o.Name + " has several lookups to " + l.Object + "; name one with field: " + strings.Join(fits, ", "))
}

// lookFirst reads what records hold already where that matters: links that
// exist stay, and some fields can be set at creation only. A record that is
// there is updated then by its id.
func (c *Connector) lookFirst(ctx context.Context, items []*item) {
	var looked []*item
	var matches []connectors.Match
	for _, i := range items {
		if i.done || i.id == "" && i.unique == "" {
			continue
		}
		m := connectors.Match{Object: i.schema.Name}
		for _, l := range i.links {
			if !l.named {
				m.Read = append(m.Read, l.field)
			}
		}
		switch {
		case i.id != "" && m.Read != nil:
			m.Keys = []connectors.Key{{{Field: connectors.ID, Value: i.id}}}
		case i.id == "" && (m.Read != nil || i.onlyAtCreation()):
			m.Keys = []connectors.Key{i.change.Key}
		default:
			continue
		}
		looked, matches = append(looked, i), append(matches, m)
	}
	has := map[*item]map[string]connectors.Value{}
	found, _ := c.Find(ctx, matches) // its errors are in the answers
	for n, i := range looked {
		f := found[n]
		switch {
		case f.Err != nil:
			i.fail(f.Err)
		case len(f.Records) > 1:
			i.fail(ambiguous(f.Records))
		case len(f.Records) == 1:
			has[i] = f.Records[0].Fields
			if i.id = f.Records[0].ID; isContact(i.id) && i.schema.Name != "Contact" {
				if err := c.prepareOne(ctx, i); err != nil {
					i.fail(err)
				}
			}
		case i.id != "":
			i.fail(&connectors.Error{Kind: connectors.NotFound, Code: codeDeleted, Message: gone.message})
		}
	}
	for _, i := range items {
		if !i.done {
			i.setLinks(has[i])
		}
	}
}

// setLinks puts the links into the fields that are free.
func (i *item) setLinks(has map[string]connectors.Value) {
	taken := map[string]string{}
	for name, v := range has {
		taken[name], _ = v.(string)
	}
	for _, l := range i.links {
		before := taken[l.field]
		switch {
		case before == "" || before == l.id || l.named:
			i.cells[l.field] = l.id
			taken[l.field] = l.id
		case l.field == "WhoId" && isContact(l.id) && isContact(before) && i.schema.Name == "Task":
			i.people = append(i.people, l.id)
		default:
			i.result.Adjust(l.field, "was not linked to "+l.object+": the record is linked to another one")
		}
	}
}

// relate gives tasks further people, which Salesforce keeps as records of
// their own if the org has Shared Activities.
func (c *Connector) relate(ctx context.Context, items []*item) {
	var open []*item
	for _, i := range items {
		if i.people != nil && i.result.ID != "" && i.result.Err == nil {
			open = append(open, i)
		}
	}
	if open == nil {
		return
	}
	if _, err := c.object(ctx, "TaskRelation"); err != nil {
		for _, i := range open {
			if err.Code == codeNoObject {
				i.result.Adjust("WhoId", "was not linked to Contact: the task has another person, and the org's Shared Activities are off")
			} else {
				i.notLinked(err)
			}
		}
		return
	}
	c.resolvePeople(ctx, open)
	for _, part := range connectors.Chunks(open, c.batch) {
		if err := c.relatePart(ctx, part); err != nil {
			for _, i := range part {
				i.notLinked(err)
			}
		}
	}
}

// resolvePeople takes for contacts that were merged those that are left. What
// cannot be found stays, and is refused.
func (c *Connector) resolvePeople(ctx context.Context, items []*item) {
	var matches []connectors.Match
	for _, i := range items {
		for _, id := range i.people {
			matches = append(matches, connectors.Match{Object: "Contact", Keys: []connectors.Key{{{Field: connectors.ID, Value: id}}}})
		}
	}
	found, _ := c.Find(ctx, matches) // its errors are in the answers
	for _, i := range items {
		for n := range i.people {
			if len(found[0].Records) == 1 {
				i.people[n] = found[0].Records[0].ID
			}
			found = found[1:]
		}
	}
}

func (c *Connector) relatePart(ctx context.Context, part []*item) *connectors.Error {
	var ids []string
	for _, i := range part {
		ids = append(ids, quote(i.result.ID))
	}
	rows, err := c.query(ctx, "SELECT TaskId,RelationId FROM TaskRelation WHERE TaskId IN ("+strings.Join(distinct(ids), ",")+")")
	if err != nil {
		return err
	}
	there := map[[2]string]bool{}
	for _, r := range rows {
		there[[2]string{r.text("TaskId"), r.text("RelationId")}] = true
	}
	var body wireCollection
	var owners []*item
	for _, i := range part {
		for _, person := range i.people {
			if there[[2]string{i.result.ID, person}] {
				continue
			}
			body.Records = append(body.Records, map[string]any{"attributes": wireType{"TaskRelation"}, "TaskId": i.result.ID, "RelationId": person, "IsWhat": false})
			owners = append(owners, i)
		}
	}
	for at := 0; at < len(owners); at += c.batch {
		upTo := min(at+c.batch, len(owners))
		var answer []wireSaved
		q := httpx.Request{Method: http.MethodPost, Path: c.path("/composite/sobjects"), Body: wireCollection{Records: body.Records[at:upTo]}}
		if err := c.call(ctx, q, &answer); err != nil {
			if err.Kind == connectors.Unknown {
				err.Kind = connectors.Transient // the next try looks first
			}
			return err
		}
		for n, r := range answer {
			if at+n < upTo && !r.Success {
				if err := classifyRow(r.Errors); err.Code != "DUPLICATE_VALUE" {
					owners[at+n].notLinked(err)
				}
			}
		}
	}
	return nil
}

// notLinked tells of a link that is not there; the record itself was written.
func (i *item) notLinked(err *connectors.Error) {
	own := *err
	own.Message = "the record was written, but not linked: " + err.Message
	if own.Kind == connectors.NotFound {
		own.Kind, own.Code = connectors.Invalid, codeNoTarget // the other record is gone, not this one
	}
	i.result.Err = &own
}
