package hubspot

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// item is one change on its way.
type item struct {
	change *connectors.Change
	result *connectors.Result
	schema connectors.Object
	id     string // of the record to update; "" if it is not known
	unique string // property to upsert by; "" if there is none
	props  map[string]string
	born   []wireLink // links that the record must be made with
	trace  string
	done   bool
}

// class says which requests may carry the item.
func (i *item) class() string {
	switch {
	case i.id != "":
		return "update " + i.change.Object
	case i.unique != "":
		return "upsert " + i.change.Object + " " + i.unique
	case i.guarded():
		return "guarded " + i.change.Object
	}
	return "create " + i.change.Object
}

func (i *item) lane() string { return i.change.Lane }

func (i *item) subject() *connectors.Change { return i.change }

func (i *item) err() *connectors.Error { return i.result.Err }

// guarded tells whether HubSpot itself refuses a second record with the values:
// contacts are unique by e-mail, so their creation may be repeated.
func (i *item) guarded() bool { return isContacts(i.change.Object) && i.props["email"] != "" }

func (i *item) fail(err *connectors.Error) {
	if err.Kind == connectors.Invalid && err.Field == "" && i.unique != "" && i.nameless() {
		err = missingName() // HubSpot does not say so
	}
	i.result.Err, i.done = err, true
}

// prepare makes the values right and decides how each change is written.
func (c *Connector) prepare(ctx context.Context, items []*item) {
	for n, i := range items {
		i.trace, i.id = strconv.Itoa(n), i.change.ID
		if err := c.prepareOne(ctx, i); err != nil {
			i.fail(err)
		}
	}
}

func (c *Connector) prepareOne(ctx context.Context, i *item) *connectors.Error {
	var err *connectors.Error
	if i.schema, err = c.object(ctx, i.change.Object); err != nil {
		return err
	}
	i.props = make(map[string]string, len(i.change.Fields))
	for name, v := range i.change.Fields {
		f, known := i.schema.Fields[name]
		if !known {
			if f, err = c.field(ctx, i.change.Object, name); err != nil {
				return err
			}
			if i.schema, err = c.object(ctx, i.change.Object); err != nil { // read again, as the field is new
				return err
			}
		}
		if f.ReadOnly {
			return &connectors.Error{Kind: connectors.Invalid, Field: name, Code: "READ_ONLY_VALUE", Message: "HubSpot sets this property itself; it cannot be written"}
		}
		text, note, skip, err := c.encode(ctx, i.change.Object, f, v)
		if err != nil {
			return err
		}
		i.result.Adjust(name, note)
		if skip {
			i.result.Skipped = append(i.result.Skipped, name)
		} else {
			i.props[name] = text
		}
	}
	if i.id == "" && isLeads(i.change.Object) {
		return c.prepareLead(ctx, i)
	}
	if k := i.change.Key; i.id == "" && len(k) == 1 {
		// Partial upserts by e-mail are not supported (contacts guide, 2026-11).
		if f := i.schema.Fields[k[0].Field]; f.Unique && !f.ReadOnly && i.props[f.Name] != "" {
			i.unique = f.Name
		}
	}
	if i.id == "" && i.unique == "" && i.nameless() {
		return missingName()
	}
	return nil
}

// prepareLead finds the links without which HubSpot makes no lead: it must
// have a contact from the beginning (leads guide, 2026-11).
func (c *Connector) prepareLead(ctx context.Context, i *item) *connectors.Error {
	for _, l := range i.change.Links {
		if strings.HasPrefix(l.Type, "$") {
			continue
		}
		t, err := c.linkType(ctx, i.change.Object, l.Object, l.Type)
		if err != nil {
			return err
		}
		i.born = append(i.born, wireLink{To: wireRef{l.ID}, Types: []wireType{t}})
	}
	if len(i.born) == 0 {
		return &connectors.Error{Kind: connectors.Invalid, Code: "NO_LINK", Message: "HubSpot makes no lead without a contact; add link: [contacts] to the record"}
	}
	return nil
}

// nameless tells whether HubSpot would refuse to make a contact of this
// (contacts guide, 2026-11).
func (i *item) nameless() bool {
	return isContacts(i.change.Object) && i.props["email"]+i.props["firstname"]+i.props["lastname"] == ""
}

func missingName() *connectors.Error {
	return &connectors.Error{Kind: connectors.Invalid, Field: "lastname", Code: "REQUIRED_FIELD",
		Message: "HubSpot wants one of email, firstname and lastname for a new contact; map one, such as lastname: =contact.full_name ?? contact.phone"}
}

// apart is what must be there once in a batch.
func (i *item) apart() string {
	switch {
	case i.id != "":
		return i.id
	case i.unique != "":
		return strings.ToLower(i.props[i.unique])
	}
	return i.props["email"]
}

// writePart writes one batch, and then what turned out to exist already.
func (c *Connector) writePart(ctx context.Context, part []*item) {
	refused := func(i *item, err *connectors.Error) { i.fail(err) }
	created := part[0].id == "" && part[0].unique == ""
	connectors.Isolate(ctx, part, c.send, refused)
	var again []*item
	for _, i := range part {
		switch err := i.result.Err; {
		case err == nil:
			continue
		case created && err.Kind == connectors.Conflict && len(err.IDs) == 1 && i.guarded() && !i.change.New:
			i.id = err.IDs[0]
		case created && err.Code == codeNotUnique && c.madeIt(ctx, i, err.Field):
		case len(part) > 1 && i.id != "" && err.Kind == connectors.Invalid && err.Field == "":
			// Nothing is wrong with its own values: its record may have been merged
			// with a batch mate's, and a batch takes a record once only.
		default:
			continue
		}
		i.done, i.result.Err = false, nil
		again = append(again, i)
	}
	for _, batch := range connectors.ChunksApart(again, Batch, (*item).apart) {
		connectors.Isolate(ctx, batch, c.send, refused)
	}
}

// send writes items of one class with one request. Every input has a trace id,
// so that a bad one does not spoil the others and answers find their inputs.
func (c *Connector) send(ctx context.Context, part []*item) *connectors.Error {
	ctx = connectors.Carrying(ctx, part, (*item).subject)
	kind, repeatable := "/batch/create", part[0].guarded()
	var body struct {
		Inputs []wireInput `json:"inputs"`
	}
	byTrace := map[string]*item{}
	for _, i := range part {
		in := wireInput{Properties: i.props, Trace: i.trace}
		switch {
		case i.id != "":
			kind, repeatable = "/batch/update", true
			if len(i.props) == 0 { // only to be linked
				i.result.ID, i.done = i.id, true
				continue
			}
			in.ID = i.id
		case i.unique != "":
			kind, repeatable = "/batch/upsert", true
			in.ID, in.IDProperty = i.props[i.unique], i.unique
		default:
			in.Links = i.born
		}
		body.Inputs = append(body.Inputs, in)
		byTrace[i.trace] = i
	}
	if len(body.Inputs) == 0 {
		return nil
	}
	var answer wireBatch
	q := httpx.Request{Method: http.MethodPost, Path: c.objectPath(part[0].change.Object, kind), Body: body, Repeatable: repeatable}
	if err := c.call(ctx, q, &answer); err != nil {
		return err
	}
	for _, r := range answer.Results {
		if i := owner(byTrace, r); i != nil {
			i.written(r, kind)
		}
	}
	for _, e := range answer.Errors {
		for _, i := range byTrace {
			if !i.done && e.names(i) {
				i.fail(classifyInput(e))
			}
		}
	}
	for _, i := range byTrace {
		if !i.done {
			i.fail(unanswered(repeatable))
		}
	}
	return nil
}

// owner finds the item that a result belongs to: by trace id, else by what
// identifies the record.
func owner(byTrace map[string]*item, r wireRecord) *item {
	if i := byTrace[r.Trace]; i != nil {
		return i
	}
	for _, i := range byTrace {
		switch {
		case i.done:
		case i.id != "":
			if i.id == r.ID {
				return i
			}
		case i.unique != "":
			if strings.EqualFold(r.text(i.unique), i.props[i.unique]) {
				return i
			}
		case len(byTrace) == 1, i.guarded() && strings.EqualFold(r.text("email"), i.props["email"]):
			return i
		}
	}
	return nil
}

// names tells whether an error of a batch is an item's: by trace id, or by the id
// of its record, as of those that are gone. One error may be that of many.
func (e wireError) names(i *item) bool {
	return slices.Contains(texts(e.Context["objectWriteTraceId"]), i.trace) || i.id != "" && slices.Contains(texts(e.Context["ids"]), i.id)
}

func unanswered(repeatable bool) *connectors.Error {
	e := &connectors.Error{Kind: connectors.Transient, Code: "UNANSWERED", Message: "HubSpot's answer leaves this record out"}
	if !repeatable {
		e.Kind = connectors.Unknown
	}
	return e
}

// written keeps what HubSpot says of the record.
func (i *item) written(r wireRecord, kind string) {
	i.done = true
	i.result.ID, i.result.URL = r.ID, r.URL
	i.result.Created = r.New || kind == "/batch/create"
	if r.Properties == nil {
		return
	}
	// The stage moves forward only, and HubSpot says nothing of it (contacts
	// guide, 2026-11).
	if want, held := i.props["lifecyclestage"], r.text("lifecyclestage"); want != "" && held != "" && held != want {
		i.result.Adjust("lifecyclestage", "HubSpot keeps the later stage; to go back, empty the field first")
	}
	i.result.Fields = make(map[string]connectors.Value, len(i.props))
	for name := range i.props {
		if v := connectors.Decode(i.schema.Fields[name], r.text(name)); v != nil {
			i.result.Fields[name] = v
		}
	}
}
