package pipedrive

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// link puts a link into the field that holds it.
func (c *Connector) link(ctx context.Context, i *item, l connectors.Link) *connectors.Error {
	k := i.shape.kind
	to := kindOf(l.Object)
	name := l.Field
	if name == "" && to != nil {
		name = k.links[to.name]
	}
	if name == "" {
		var can []string
		for object := range k.links {
			can = append(can, object)
		}
		slices.Sort(can)
		message := k.name + " cannot be linked to " + l.Object
		if len(can) > 0 {
			message += ", only to " + strings.Join(can, ", ")
		} else {
			message += "; link the other record to this one"
		}
		return &connectors.Error{Kind: connectors.Invalid, Code: "NO_LINK_FIELD", Message: message}
	}
	if name == participants {
		if !digits(l.ID) {
			return &connectors.Error{Kind: connectors.Invalid, Code: codeTarget, Message: "a record to link to is gone", IDs: []string{l.ID}}
		}
		if !slices.Contains(i.people, l.ID) {
			i.people = append(i.people, l.ID)
		}
		return nil
	}
	f, err := c.field(ctx, i.change.Object, name)
	if err != nil {
		return err
	}
	if f.Type != connectors.Reference || f.ReadOnly || f.Native == "user" {
		return &connectors.Error{Kind: connectors.Invalid, Field: name, Code: "NO_LINK_FIELD", Message: "the field does not hold a link to another record"}
	}
	wire, _, err := encodeReference(f, l.ID)
	if err != nil {
		return err
	}
	i.values[code(f)] = wire
	return nil
}

// attending are the persons of an activity.
func attending(r wireRecord) (list []participant) {
	there, _ := r[participants].([]any)
	for _, x := range there {
		m, _ := x.(map[string]any)
		id, _ := m["person_id"].(json.Number)
		list = append(list, participant{Person: id, Primary: m["primary"] == true})
	}
	return list
}

// participants is the list of persons with those who are there already. The
// first is the primary one, under whom Pipedrive shows the activity.
func (i *item) participants() (list []participant, changed bool) {
	have := []string{}
	first := false
	list = attending(i.before)
	for _, p := range list {
		have = append(have, p.Person.String())
		first = first || p.Primary
	}
	for _, id := range i.people {
		if !slices.Contains(have, id) {
			list, changed = append(list, participant{Person: json.Number(id), Primary: !first}), true
			have, first = append(have, id), true
		}
	}
	return list, changed
}
