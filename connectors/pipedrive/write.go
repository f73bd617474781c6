package pipedrive

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// item is one change on its way.
type item struct {
	change    *connectors.Change
	result    *connectors.Result
	shape     read
	id        string           // of the record to update; "" if it is not known
	values    map[string]any   // in the API's form, by the fields' codes
	names     map[string]field // by the names in the change
	people    []string         // participants to be there
	recording string           // link to the audio of a call log
	before    wireRecord       // as it stands in Pipedrive, where that was read
	done      bool
}

type field = connectors.Field

func (i *item) lane() string { return i.change.Lane }

func (i *item) subject() *connectors.Change { return i.change }

// class is the same for all: no request carries two records.
func (i *item) class() string { return "" }

func (i *item) apart() string { return "" }

func (i *item) err() *connectors.Error { return i.result.Err }

func (i *item) fail(err *connectors.Error) { i.result.Err, i.done = err, true }

// prepare makes the values right.
func (c *Connector) prepare(ctx context.Context, i *item) *connectors.Error {
	var err *connectors.Error
	if i.shape, err = c.shape(ctx, i.change.Object); err != nil {
		return err
	}
	k := i.shape.kind
	i.values, i.names = map[string]any{}, map[string]field{}
	for _, name := range slices.Sorted(maps.Keys(i.change.Fields)) {
		f, err := c.field(ctx, i.change.Object, name)
		if err != nil {
			return err
		}
		if f.ReadOnly {
			return readOnly(k, f, name)
		}
		v := i.change.Fields[name]
		if t, ok := c.due(i.change.Fields["due_date"], i.change.Fields[dueTime]); ok && k.name == "activities" {
			switch f.Name {
			case "due_date":
				v = t.UTC().Format(time.DateOnly)
			case dueTime:
				v = t
			}
		}
		wire, note, skip, err := c.encode(ctx, f, v)
		if err != nil {
			err.Field = name
			return err
		}
		i.result.Adjust(name, note)
		i.names[name] = f
		if f.Native == recording {
			i.recording, _ = wire.(string)
			continue
		}
		if skip {
			i.result.Skipped = append(i.result.Skipped, name)
		} else {
			i.values[code(f)] = wire
		}
	}
	for _, l := range i.change.Links {
		if err := c.link(ctx, i, l); err != nil {
			return err
		}
	}
	if i.id == "" {
		return i.missing()
	}
	return nil
}

// cannotChange is the error about a call log that was made already.
func cannotChange() *connectors.Error {
	return &connectors.Error{Kind: connectors.Invalid, Code: "CANNOT_CHANGE", Message: "Pipedrive cannot change a call log once it is made, only attach a recording; log calls as activities if later events add to them"}
}

func readOnly(k *kind, f field, name string) *connectors.Error {
	e := &connectors.Error{Kind: connectors.Invalid, Field: name, Code: "READ_ONLY", Message: "Pipedrive sets this field itself, or crmsyncd cannot write its type"}
	switch {
	case k.name == "activities" && f.Name == "person_id":
		e.Message = "Pipedrive does not take it; link the activity to a record of persons instead"
	case f.Name == "first_name", f.Name == "last_name":
		e.Message = "Pipedrive takes it from name; write name instead"
	}
	return e
}

// missing finds what Pipedrive would refuse to make a record without.
func (i *item) missing() *connectors.Error {
	k := i.shape.kind
	for _, name := range k.needs {
		if v, ok := i.values[name]; !ok || v == nil || v == "" {
			message := "Pipedrive wants it for a new record"
			if k.name == "persons" {
				message += "; map it, such as name: =contact.full_name ?? contact.phone"
			}
			return &connectors.Error{Kind: connectors.Invalid, Field: name, Code: "REQUIRED_FIELD", Message: message}
		}
	}
	some := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return i.values[n] != nil })
	}
	switch {
	case k.name == "notes" && !some("person_id", "org_id", "deal_id", "lead_id"):
		return &connectors.Error{Kind: connectors.Invalid, Code: "REQUIRED_LINK", Message: "a note must be linked to a person, organization, deal or lead"}
	case k.name == "leads" && !some("person_id", "organization_id"):
		return &connectors.Error{Kind: connectors.Invalid, Code: "REQUIRED_LINK", Message: "a lead must be linked to a person or an organization"}
	case k.name == "callLogs" && i.values["deal_id"] != nil && i.values["lead_id"] != nil:
		return &connectors.Error{Kind: connectors.Invalid, Field: "lead_id", Code: connectors.CodeValue, Message: "a call log belongs to a deal or to a lead, not to both"}
	}
	return nil
}

// readBefore reads the records of which the change needs to know what is there:
// the other addresses of a person, the other participants of an activity, and
// what is only to be linked, as a look costs 1 token and a change 5.
func (c *Connector) readBefore(ctx context.Context, items []*item) {
	type record struct{ object, id string }
	wanted := map[string][]string{}
	shapes := map[string]read{}
	waiting := map[record][]*item{}
	for _, i := range items {
		if i.done || i.id == "" || i.before != nil || !i.needsLook() {
			continue
		}
		at := record{i.shape.kind.name, i.id}
		if waiting[at] == nil {
			wanted[at.object] = append(wanted[at.object], i.id)
			shapes[at.object] = i.shape
		}
		waiting[at] = append(waiting[at], i)
	}
	for object, ids := range wanted {
		c.fetch(ctx, shapes[object], ids, func(id string, r wireRecord, err *connectors.Error) {
			for _, i := range waiting[record{object, id}] {
				switch {
				case err != nil:
					i.fail(err)
				case r == nil:
					i.fail(&connectors.Error{Kind: connectors.NotFound, Message: "no such record; it was deleted or merged"})
				default:
					i.before = r
				}
			}
		})
	}
}

func (i *item) needsLook() bool {
	if len(i.people) > 0 || len(i.change.Fields) == 0 || i.shape.kind.update == "" {
		return true
	}
	if i.shape.kind.name != "persons" {
		return false
	}
	_, email := i.values["email"]
	_, phone := i.values["phone"]
	return email || phone
}

// send writes one record, and what belongs to it.
func (c *Connector) send(ctx context.Context, i *item) {
	ctx = connectors.Carrying(ctx, []*item{i}, (*item).subject)
	if !i.done { // an earlier attempt made it, and it cannot be changed
		c.sendRecord(ctx, i)
	}
	c.attach(ctx, i)
}

func (c *Connector) sendRecord(ctx context.Context, i *item) {
	k := i.shape.kind
	body := c.body(i)
	q := httpx.Request{Method: http.MethodPost, Path: k.path, Body: body}
	if i.id != "" {
		if len(body) == 0 { // it is as it should be
			i.done, i.result.ID, i.result.URL = true, i.id, c.url(k, i.id)
			i.result.Fields = c.record(i.shape, i.before, i.fields()).Fields
			return
		}
		if k.update == "" {
			i.fail(cannotChange())
			return
		}
		q.Method, q.Path, q.Repeatable = k.update, k.path+"/"+url.PathEscape(i.id), true
	}
	var answer wireOne
	if err := c.call(ctx, q, &answer); err != nil {
		i.fail(i.about(err))
		return
	}
	id := answer.Data.id()
	if id == "" {
		e := &connectors.Error{Kind: connectors.Unknown, Code: "UNANSWERED", Message: "Pipedrive's answer names no record"}
		if i.id != "" {
			e.Kind = connectors.Transient
		}
		i.fail(e)
		return
	}
	i.done = true
	i.result.ID, i.result.Created, i.result.URL = id, i.id == "", c.url(k, id)
	i.result.Fields = c.record(i.shape, answer.Data, i.fields()).Fields
}

func (i *item) fields() []string { return slices.Collect(maps.Keys(i.change.Fields)) }

// about sets right whom an error concerns: a new record cannot be gone, but
// what it is linked to can, and only fields that the object has are named.
func (i *item) about(err *connectors.Error) *connectors.Error {
	if err.Kind == connectors.NotFound && i.id == "" {
		err.Kind, err.Code, err.Message = connectors.Invalid, codeTarget, "a record to link to is gone"
	}
	if err.Field == "" {
		return err
	}
	named := ""
	for name, f := range i.names {
		if code(f) == err.Field || code(f)+"s" == err.Field {
			named = name
		}
	}
	if _, known := i.shape.object.Field(err.Field); named == "" && known {
		named = err.Field
	}
	err.Field = named
	return err
}

// body is the JSON of the request; empty if nothing is to be changed.
func (c *Connector) body(i *item) map[string]any {
	k := i.shape.kind
	out, customs := map[string]any{}, map[string]any{}
	put := func(f field, v any) {
		if custom(f) && !k.old() {
			customs[f.ID] = v
		} else {
			out[code(f)] = v
		}
	}
	known := map[string]field{}
	for _, f := range i.shape.object.Fields {
		known[code(f)] = f
	}
	for at, v := range i.values {
		f := known[at]
		switch {
		case k.name == "persons" && (at == "email" || at == "phone"):
			same := sameEmail
			if at == "phone" {
				same = c.samePhone
			}
			text, _ := v.(string)
			if list, changed := merge(pointsOf(i.before[at+"s"]), text, same); changed {
				out[at+"s"] = list
			}
		case k.update == "" && !i.before.shows(at): // it cannot be told
		case i.before != nil && c.equal(k, f, held(k, f, i.before), v):
		case v == nil && i.id == "": // nothing to clear
		default:
			put(f, v)
		}
	}
	if list, changed := i.participants(); changed {
		out[participants] = list
	}
	if len(customs) > 0 {
		out["custom_fields"] = customs
	}
	return out
}

// equal compares what is there with what is to be written.
func (c *Connector) equal(k *kind, f field, have, want any) bool {
	if f.Type == connectors.HTML && k.update == "" { // which Pipedrive may tidy, and nobody can change
		a, _ := have.(string)
		b, _ := want.(string)
		return bare(a) == bare(b)
	}
	if f.Type == connectors.HTML || f.Native == "text" || f.Type == connectors.Text {
		a, _ := have.(string)
		b, _ := want.(string)
		if have == nil || want == nil {
			return have == nil && want == nil
		}
		return a == b && a != ""
	}
	a, b := c.norms(f, have), c.norms(f, want)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// url leads people to the record, where the settings or the access name the
// company.
func (c *Connector) url(k *kind, id string) string {
	company := cmp.Or(c.company, c.access.Site())
	if company == "" || k.page == "" {
		return ""
	}
	return company + k.page + url.PathEscape(id)
}
