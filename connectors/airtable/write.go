package airtable

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// item is one change on its way.
type item struct {
	change *connectors.Change
	result *connectors.Result
	table  table
	id     string         // of the row to update; "" if it is not known
	merge  []string       // fields to upsert by; none: update or create
	cells  map[string]any // by the fields' names
	links  map[string][]string
	done   bool
}

func (i *item) class() string {
	switch {
	case i.id != "":
		return "update " + i.table.path
	case i.merge != nil:
		return "upsert " + i.table.path + "\x00" + strings.Join(i.merge, "\x00")
	}
	return "create " + i.table.path
}

func (i *item) lane() string { return i.change.Lane }

func (i *item) subject() *connectors.Change { return i.change }

func (i *item) err() *connectors.Error { return i.result.Err }

// apart is what must be there once in a request.
func (i *item) apart() string {
	if i.id != "" {
		return i.id
	}
	var key strings.Builder
	for _, name := range i.merge {
		key.WriteString(name + "\x00" + plain(i.cells[name]) + "\x00")
	}
	return key.String()
}

func (i *item) fail(err *connectors.Error) {
	i.result.Err, i.done = err, true
	if len(err.IDs) != 1 || err.Code != noRow {
		return
	}
	// The same code stands for the row itself and for one it is to link to.
	own := *err
	if err.IDs[0] == i.id {
		own.Kind, own.Message = connectors.NotFound, "the row is gone"
	} else {
		own.Code, own.Message = noTarget, "a row to link to is gone"
	}
	i.result.Err = &own
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
	var err *connectors.Error
	if i.table, err = c.table(ctx, i.change.Object); err != nil {
		return err
	}
	i.cells = make(map[string]any, len(i.change.Fields))
	for name, v := range i.change.Fields {
		f, err := c.field(ctx, i.table, name)
		if err != nil {
			return err
		}
		if f.ReadOnly {
			return &connectors.Error{Kind: connectors.Invalid, Field: name, Code: "INVALID_VALUE_FOR_COLUMN", Message: "Airtable computes this field itself; it cannot be written"}
		}
		cell, note, skip, err := c.encode(ctx, i.table, f, v)
		if err != nil {
			return err
		}
		i.result.Adjust(name, note)
		if skip {
			i.result.Skipped = append(i.result.Skipped, name)
		} else {
			i.cells[f.Name] = cell
		}
	}
	// Behind the fields: for one that is new the schema was read again.
	if i.table, err = c.table(ctx, i.change.Object); err != nil {
		return err
	}
	for _, l := range i.change.Links {
		f, err := c.linkField(ctx, i.table, l)
		if err != nil {
			return err
		}
		if i.links == nil {
			i.links = map[string][]string{}
		}
		i.links[f.Name] = append(i.links[f.Name], l.ID)
	}
	return c.chooseMerge(ctx, i)
}

// chooseMerge upserts where Airtable can look the key up by itself.
func (c *Connector) chooseMerge(ctx context.Context, i *item) *connectors.Error {
	if i.id != "" || len(i.change.Key) == 0 || len(i.change.Key) > 3 {
		return nil
	}
	var merge []string
	for _, k := range i.change.Key {
		if k.Field == connectors.ID {
			return nil
		}
		f, err := c.field(ctx, i.table, k.Field)
		if err != nil {
			return err
		}
		if !mergeable(f) || i.cells[f.Name] == nil {
			return nil
		}
		merge = append(merge, f.Name)
	}
	i.merge = merge
	return nil
}

// send writes items of one class with one request. It is all or nothing.
func (c *Connector) send(ctx context.Context, part []*item) *connectors.Error {
	ctx = connectors.Carrying(ctx, part, (*item).subject)
	first := part[0]
	method, repeatable := http.MethodPost, false
	body := wireWrite{Typecast: c.typecast}
	switch {
	case first.id != "":
		method, repeatable = http.MethodPatch, true
	case first.merge != nil:
		method, repeatable = http.MethodPatch, true
		body.Upsert = &wireUpsert{first.merge}
	}
	var sent []*item
	for _, i := range part {
		cells := i.withLinks()
		if i.id != "" && len(cells) == 0 { // nothing to change
			i.result.ID, i.result.URL, i.done = i.id, c.url(i.table, i.id), true
			continue
		}
		body.Records = append(body.Records, wireRecord{ID: i.id, Fields: cells})
		sent = append(sent, i)
	}
	if len(sent) == 0 {
		return nil
	}
	var answer wireWritten
	if err := c.call(ctx, httpx.Request{Method: method, Path: c.tablePath(first.table), Body: body, Repeatable: repeatable}, &answer); err != nil {
		if first.id != "" && err.Kind == connectors.NotFound && len(sent) > 1 {
			err.Kind = connectors.Invalid // it does not say which row: isolate
		}
		if _, ok := first.table.object.Field(err.Field); !ok {
			err.Field = "" // not a field's name, whatever it is
		}
		return err
	}
	if len(answer.Records) != len(sent) {
		err := &connectors.Error{Kind: connectors.Transient, Code: "UNANSWERED", Message: "Airtable's answer has another number of records than the request"}
		if !repeatable {
			err.Kind = connectors.Unknown
		}
		return err
	}
	for n, r := range answer.Records { // in the order of the request
		c.written(sent[n], r, method == http.MethodPost || slices.Contains(answer.Created, r.ID))
	}
	return nil
}

// withLinks is the cells with the links among them.
func (i *item) withLinks() map[string]any {
	if len(i.links) == 0 {
		return i.cells
	}
	cells := make(map[string]any, len(i.cells)+len(i.links))
	for name, cell := range i.cells {
		cells[name] = cell
	}
	for name, ids := range i.links {
		have, _ := cells[name].([]string)
		for _, id := range ids {
			if !slices.Contains(have, id) {
				have = append(slices.Clip(have), id)
			}
		}
		cells[name] = have
	}
	return cells
}

// written keeps what Airtable says of the row.
func (c *Connector) written(i *item, r wireRecord, created bool) {
	i.done = true
	i.result.ID, i.result.Created, i.result.URL = r.ID, created, c.url(i.table, r.ID)
	names := make([]string, 0, len(i.change.Fields))
	for name := range i.change.Fields {
		names = append(names, name)
	}
	i.result.Fields = record(i.table, r, names).Fields
	for _, name := range names {
		if _, said := i.result.Fields[name]; !said {
			i.result.Fields[name] = nil // as boxes without a tick, which Find does not return either
		}
	}
}

// url leads people to the row.
func (c *Connector) url(t table, id string) string {
	if t.id == "" {
		return ""
	}
	return "https://airtable.com/" + c.base + "/" + t.id + "/" + id
}
