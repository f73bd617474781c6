package deliver

import (
	"context"
	"errors"
	"slices"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/caught"
)

// The connector is called through these three: a connector that breaks its
// contract must not take the daemon with it, nor have a record made twice.

// ask is Find for groups, with one answer per match or an error.
func (w *wave) ask(ctx context.Context, groups []*group, matches []connectors.Match) (found []connectors.Found, err error) {
	defer w.t.looking()()
	defer w.caught(&err)
	var of []event.Trace
	for _, g := range groups {
		of = append(of, g.traces()...)
	}
	found, err = w.conn.Find(w.t.d.spans.Carry(ctx, w.t.name, "find", of), matches)
	if err == nil && len(found) != len(matches) {
		err = &connectors.Error{Kind: connectors.Transient, Message: "the connector answered for another number of records"}
	}
	for i := range found {
		found[i].Records = distinct(found[i].Records)
	}
	return found, err
}

// distinct drops records that a CRM gave twice, as happens where its pages move
// while they are read: one record is not ambiguous.
func distinct(records []connectors.Record) []connectors.Record {
	var out []connectors.Record
	for _, r := range records {
		if !slices.ContainsFunc(out, func(o connectors.Record) bool { return o.ID == r.ID }) {
			out = append(out, r)
		}
	}
	return out
}

// describe is Describe of one object; nothing is known of it where that fails,
// and what is to be written tells why.
func (w *wave) describe(ctx context.Context, object string) connectors.Object {
	schema, err := func() (schema connectors.Schema, err error) {
		defer w.caught(&err)
		return w.conn.Describe(ctx, []string{object})
	}()
	if err != nil {
		return connectors.Object{}
	}
	return schema[object]
}

// send is Write. The error is for changes without a result; unless the
// connector says otherwise, their outcome is not known.
func (w *wave) send(ctx context.Context, changes []connectors.Change) (results []connectors.Result, whole *connectors.Error) {
	results, err := func() (results []connectors.Result, err error) {
		defer w.caught(&err)
		var of []event.Trace
		for _, c := range changes {
			of = append(of, c.Traces...)
		}
		return w.conn.Write(w.t.d.spans.Carry(ctx, w.t.name, "write", of), changes)
	}()
	if e, ok := errors.AsType[*connectors.Error](err); ok {
		return results, e
	}
	return results, &connectors.Error{Kind: connectors.Unknown, Message: "the connector gave no result", Err: err}
}

// caught turns a panic of the connector into an error.
func (w *wave) caught(err *error) {
	if p := caught.Of(recover()); p != nil {
		w.t.d.log.Error("connector panicked; please report this", "connector", w.t.name, "err", p, "stack", p.Stack)
		*err = &connectors.Error{Kind: connectors.Unknown, Message: "crmsyncd itself went wrong in the connector; its log has the place"}
	}
}
