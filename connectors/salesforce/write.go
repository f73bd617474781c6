package salesforce

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// item is one change on its way.
type item struct {
	change *connectors.Change
	result *connectors.Result
	schema object         // of what is written: of a converted lead that of its contact
	id     string         // of the record to update; "" if it is not known
	unique string         // field to upsert by; "" if there is none
	cells  map[string]any // values as Salesforce wants them
	links  []lookup
	people []string // contacts that the task is to have beside its first one
	done   bool
}

// class says which requests may carry the item.
func (i *item) class() string {
	switch {
	case i.id != "":
		return "update " + i.schema.Name
	case i.unique != "":
		return "upsert " + i.schema.Name + " " + i.unique
	}
	return "create " + i.schema.Name
}

func (i *item) lane() string { return i.change.Lane }

func (i *item) subject() *connectors.Change { return i.change }

func (i *item) err() *connectors.Error { return i.result.Err }

func (i *item) fail(err *connectors.Error) { i.result.Err, i.done = err, true }

// again takes an error back, for another try.
func (i *item) again() { i.result.Err, i.done = nil, false }

// apart is what must be there once in a request: Salesforce refuses both.
func (i *item) apart() string {
	if i.id != "" {
		return i.id
	}
	if i.unique != "" {
		return strings.ToLower(fmt.Sprint(i.cells[i.unique]))
	}
	return ""
}

// prepare makes the values right and decides how each change is written.
func (c *Connector) prepare(ctx context.Context, items []*item) {
	for _, i := range items {
		if err := c.prepareOne(ctx, i); err != nil {
			i.fail(err)
		}
	}
}

func (c *Connector) prepareOne(ctx context.Context, i *item) *connectors.Error {
	name, followed := i.change.Object, false
	if strings.EqualFold(name, "Lead") && isContact(i.id) {
		name, followed = "Contact", true
	}
	var err *connectors.Error
	if i.schema, err = c.object(ctx, name); err != nil {
		return err
	}
	i.cells, i.links, i.unique = make(map[string]any, len(i.change.Fields)), nil, ""
	for name, v := range i.change.Fields {
		if err := c.prepareField(ctx, i, name, v, followed); err != nil {
			return err
		}
	}
	if k := i.change.Key; i.id == "" && len(k) == 1 && i.schema.Fields[k[0].Field].Upsert && i.cells[k[0].Field] != nil {
		i.unique = k[0].Field
	}
	if followed {
		return nil // a contact has other lookups than a lead
	}
	return c.prepareLinks(i)
}

func (c *Connector) prepareField(ctx context.Context, i *item, name string, v connectors.Value, followed bool) *connectors.Error {
	if f, ok := i.schema.Fields[name]; followed && (!ok || f.ReadOnly || !i.schema.more[name].update) {
		i.result.Adjust(name, "was not written: the lead was converted, and its contact has no such field")
		i.result.Skipped = append(i.result.Skipped, name)
		return nil
	}
	f, m, err := c.field(ctx, i.schema.Name, name)
	if err != nil {
		return err
	}
	if f.ReadOnly {
		return &connectors.Error{Kind: connectors.Invalid, Field: name, Code: "INVALID_FIELD_FOR_INSERT_UPDATE", Message: "Salesforce sets this field itself, or crmsyncd's user may not write it"}
	}
	cell, note, skip, err := c.encode(ctx, f, m, v)
	if err != nil {
		return err
	}
	i.result.Adjust(name, note)
	if skip {
		i.result.Skipped = append(i.result.Skipped, name)
	} else {
		i.cells[name] = cell
	}
	return nil
}

// onlyAtCreation tells whether the item has a value that cannot be changed
// later, such as a task's subtype.
func (i *item) onlyAtCreation() bool {
	for name := range i.cells {
		if !i.schema.more[name].update {
			return true
		}
	}
	return false
}

// record is the item as Salesforce reads it. Of a record that is there, values
// that cannot be changed are left out: they were set when it was made.
func (i *item) record() map[string]any {
	out := map[string]any{}
	for name, cell := range i.cells {
		m := i.schema.more[name]
		if i.id != "" && !m.update || i.id == "" && !m.create && i.unique == "" {
			continue
		}
		out[name] = cell
	}
	return out
}

// writeBatch writes one batch, and what of it is worth another try at once.
func (c *Connector) writeBatch(ctx context.Context, batch []*item) {
	refused := func(i *item, err *connectors.Error) { i.fail(err) }
	connectors.Isolate(ctx, batch, c.send, refused)
	for try := 1; try < lockTries; try++ {
		var held []*item
		for _, i := range batch {
			if e := i.result.Err; e != nil && e.Kind == locked.kind && e.Message == locked.message {
				i.again()
				held = append(held, i)
			}
		}
		if held == nil {
			break
		}
		if err := sleep(ctx, c.pause); err != nil {
			for _, i := range held {
				i.fail(err)
			}
			return
		}
		connectors.Isolate(ctx, held, c.send, refused)
	}
	byClass := map[string][]*item{}
	for _, i := range c.mend(ctx, batch) {
		byClass[i.class()] = append(byClass[i.class()], i)
	}
	for _, list := range byClass {
		for _, part := range connectors.ChunksApart(list, c.batch, (*item).apart) {
			connectors.Isolate(ctx, part, c.send, refused)
		}
	}
	c.nameGone(ctx, batch)
}

// send writes items of one class with one request. Records are answered in
// their order, each with what became of it.
func (c *Connector) send(ctx context.Context, part []*item) *connectors.Error {
	ctx = connectors.Carrying(ctx, part, (*item).subject)
	first := part[0]
	q := httpx.Request{Method: http.MethodPost, Path: c.path("/composite/sobjects"), Header: c.header}
	switch {
	case first.id != "":
		q.Method, q.Repeatable = http.MethodPatch, true
	case first.unique != "":
		q.Method, q.Repeatable = http.MethodPatch, true
		q.Path += "/" + url.PathEscape(first.schema.Name) + "/" + url.PathEscape(first.unique)
	}
	body := wireCollection{}
	var sent []*item
	for _, i := range part {
		fields := i.record()
		if i.id != "" && len(fields) == 0 { // only to be linked
			c.written(i, i.id, false)
			continue
		}
		if i.id != "" {
			fields["Id"] = i.id
		}
		fields["attributes"] = wireType{i.schema.Name}
		body.Records = append(body.Records, fields)
		sent = append(sent, i)
	}
	if len(sent) == 0 {
		return nil
	}
	q.Body = body
	var answer []wireSaved
	if err := c.call(ctx, q, &answer); err != nil {
		if _, ok := first.schema.Fields[err.Field]; !ok {
			err.Field = ""
		}
		if err.Kind == connectors.NotFound { // no record is meant: they have rows of their own
			err.Kind, err.Message = connectors.Invalid, "the object, or the field to upsert by, is not there any more"
		}
		return err
	}
	if len(answer) != len(sent) {
		err := &connectors.Error{Kind: connectors.Transient, Code: "UNANSWERED", Message: "Salesforce's answer has another number of records than the request"}
		if !q.Repeatable {
			err.Kind = connectors.Unknown
		}
		return err
	}
	for n, r := range answer {
		i := sent[n]
		if !r.Success {
			i.fail(classifyRow(r.Errors))
			continue
		}
		c.written(i, r.ID, r.Created || i.id == "" && i.unique == "")
	}
	return nil
}

// written keeps what is known of the record. Salesforce does not answer the
// values; they are what was sent, as Find would read it.
func (c *Connector) written(i *item, id string, created bool) {
	if full, ok := longID(id); ok {
		id = full
	}
	i.done = true
	i.result.ID, i.result.Created, i.result.URL = id, created, c.login.url(id)
	i.result.Fields = make(map[string]connectors.Value, len(i.cells))
	for name := range i.change.Fields {
		if cell, ok := i.cells[name]; ok {
			if v := value(i.schema.Fields[name], cell); v != nil {
				i.result.Fields[name] = v
			}
		}
	}
}
