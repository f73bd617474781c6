package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// choice says which events or deliveries a command is about, where they are not
// named one by one.
type choice struct {
	state, source, typ, rule, connector, since, until string

	from, to time.Time
	setup    *app.Setup // for --rule
}

func (x *choice) flags(cmd *cobra.Command, states string) {
	f := cmd.Flags()
	f.StringVar(&x.state, "state", "", "those in this state: "+states)
	f.StringVar(&x.rule, "rule", "", "those that this rule wants now, or wrote for before")
	f.StringVar(&x.since, "since", "", "those received since: 2026-03-04, 2026-03-04T09:30:00Z or a length of time such as 2h")
	f.StringVar(&x.until, "until", "", "those received until, written like --since")
}

// any is true if something was said.
func (x *choice) any() bool {
	return x.state != "" || x.source != "" || x.typ != "" || x.rule != "" || x.connector != "" || x.since != "" || x.until != ""
}

// read checks what was said.
func (x *choice) read(c *cli) (err error) {
	if x.from, err = parseTime(x.since); err != nil {
		return err
	}
	if x.to, err = parseTime(x.until); err != nil {
		return err
	}
	if x.rule == "" {
		return nil
	}
	setup, problems := c.build()
	if setup == nil || setup.Rules == nil {
		return problems
	}
	x.setup = setup
	var names []string
	for _, r := range setup.Rules.Rules() {
		names = append(names, r.Name)
	}
	if !slices.Contains(names, x.rule) {
		return coded{exitUsage, oneOf("--rule", x.rule, names...)}
	}
	return nil
}

// chosen reads the ids that a command names. Without any it must be said by
// flags which are meant; states are those that --state may name.
func chosen[T any](x *choice, c *cli, args []string, parse func([]string) ([]T, error), hint string, states ...store.State) ([]T, error) {
	if (len(args) > 0) == x.any() {
		return nil, usage("%s", hint)
	}
	if err := errors.Join(oneOf("--state", store.State(x.state), states...), oneOf("--type", event.Type(x.typ), event.Types...)); err != nil {
		return nil, coded{exitUsage, err}
	}
	if len(args) == 0 {
		return nil, x.read(c)
	}
	return parse(args)
}

// named does what is to be done with the ids that were named or, without any,
// with those that are chosen.
func named[T any](ids []T, do func([]T) error, choose func() error) error {
	if len(ids) > 0 {
		return do(ids)
	}
	return choose()
}

// wrote is true if a delivery has records of the rule.
func (x *choice) wrote(records []store.Record) bool {
	return slices.ContainsFunc(records, func(r store.Record) bool { return r.Rule == x.rule })
}

// wants is true if the rule has to do with an event.
func (x *choice) wants(e *event.Event, deliveries []admin.Delivery) bool {
	if x.rule == "" || slices.ContainsFunc(deliveries, func(d admin.Delivery) bool { return x.wrote(d.Records) }) {
		return true
	}
	for _, r := range x.setup.Rules.Explain(e) {
		if r.Rule == x.rule && r.Matched {
			return true
		}
	}
	return false
}

// events calls do with ids of chosen events, newest first, some at a time.
func (x *choice) events(ctx context.Context, ops admin.Operations, do func([]uint64) error) error {
	f := store.EventFilter{State: store.State(x.state), Source: x.source, Type: event.Type(x.typ), Since: x.from, Until: x.to, Limit: chosenAtOnce}
	for {
		list, err := ops.Events(ctx, f)
		if err != nil || len(list) == 0 {
			return err
		}
		var seqs []uint64
		for _, e := range list {
			if f.Before, err = store.ParseEventID(e.ID); err != nil {
				return err
			}
			if x.rule != "" { // a listing leaves out the payload, which the rule may read
				whole, err := ops.Event(ctx, f.Before)
				if errors.Is(err, store.ErrNotFound) {
					continue
				}
				if err != nil {
					return err
				}
				e = whole
			}
			if x.wants(&e.Event, e.Deliveries) {
				seqs = append(seqs, f.Before)
			}
		}
		if len(seqs) == 0 {
			continue
		}
		if err := do(seqs); err != nil {
			return err
		}
	}
}

// deliveries calls do with ids of chosen deliveries that may be changed, newest
// event first, some at a time.
func (x *choice) deliveries(ctx context.Context, ops admin.Operations, do func([]store.DeliveryID) error) error {
	f := store.DeliveryFilter{State: store.State(x.state), Connector: x.connector, Limit: chosenAtOnce}
	for {
		list, err := ops.Deliveries(ctx, f)
		if err != nil || len(list) == 0 {
			return err
		}
		var ids []store.DeliveryID
		for _, d := range list {
			id, err := store.ParseDeliveryID(d.ID)
			if err != nil {
				return err
			}
			f.Before = id.Seq
			ok, err := x.isOf(ctx, ops, d)
			if err != nil {
				return err
			}
			if ok {
				ids = append(ids, id)
			}
		}
		if len(ids) == 0 {
			continue
		}
		if err := do(ids); err != nil {
			return err
		}
	}
}

func (x *choice) isOf(ctx context.Context, ops admin.Operations, d admin.Delivery) (bool, error) {
	if x.rule == "" && x.from.IsZero() && x.to.IsZero() {
		return true, nil
	}
	seq, err := store.ParseEventID(d.Event)
	if err != nil {
		return false, err
	}
	e, err := ops.Event(ctx, seq)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	in := !e.ReceivedAt.Before(x.from) && (x.to.IsZero() || e.ReceivedAt.Before(x.to))
	return in && x.wants(&e.Event, []admin.Delivery{d}), nil
}

// chosenAtOnce is how many are read, and changed in one commit.
const chosenAtOnce = 500

// preview shows what a replay of events would write.
func preview(cmd *cobra.Command, ops admin.Operations, seqs []uint64, all *[]admin.Preview) error {
	k, ok := ops.(admin.Keeper)
	if !ok {
		return errors.New("what would be written cannot be told here")
	}
	for part := range slices.Chunk(seqs, previewsAtOnce) {
		list, err := k.Preview(cmd.Context(), part)
		if err != nil {
			return err
		}
		*all = append(*all, list...)
	}
	return nil
}

// previewDeliveries is preview for deliveries: of their connectors only.
func previewDeliveries(cmd *cobra.Command, ops admin.Operations, ids []store.DeliveryID, all *[]admin.Preview) error {
	to := map[string][]string{}
	var seqs []uint64
	for _, id := range ids {
		name := store.EventID(id.Seq)
		if to[name] == nil {
			seqs = append(seqs, id.Seq)
		}
		to[name] = append(to[name], id.Connector)
	}
	var list []admin.Preview
	if err := preview(cmd, ops, seqs, &list); err != nil {
		return err
	}
	for _, p := range list {
		p.Records = slices.DeleteFunc(p.Records, func(r admin.PreviewRecord) bool { return !slices.Contains(to[p.Event], r.Connector) })
		*all = append(*all, p)
	}
	return nil
}

const previewsAtOnce = 50

// printPreviews shows what would be written; its values, which may be personal,
// only if values is set.
func printPreviews(cmd *cobra.Command, asJSON, values bool, list []admin.Preview) error {
	w := cmd.OutOrStdout()
	if !values {
		maskPreviews(list)
	}
	if asJSON {
		if list == nil {
			list = []admin.Preview{}
		}
		return printJSON(w, list)
	}
	for _, p := range list {
		fmt.Fprintln(w, p.Event)
		if p.Problem != "" {
			fmt.Fprintf(w, "  nothing: %s\n", p.Problem)
		}
		for _, r := range p.Records {
			printPreviewRecord(w, r)
		}
	}
	fmt.Fprintf(w, "%s; nothing was sent or changed. What people wrote in the CRM is not looked at here\n", plural(len(list), "event"))
	return nil
}

func maskPreviews(list []admin.Preview) {
	for _, p := range list {
		for _, r := range p.Records {
			for i := range r.Fields {
				if f := &r.Fields[i]; f.Value != nil {
					f.Value = mapping.Masked
				}
			}
		}
	}
}

func printPreviewRecord(w io.Writer, r admin.PreviewRecord) {
	fmt.Fprintf(w, "  %s %s %s by rule %q", r.Connector, visible(r.Object), visible(cmp.Or(r.ID, "(looked up, or made)")), r.Rule)
	if r.Shadow {
		fmt.Fprint(w, ", in shadow mode: nothing would be written")
	}
	if r.Skip != "" {
		fmt.Fprintf(w, ": skipped, %s\n", visible(r.Skip))
		return
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range r.Fields {
		note := effects[f.Effect]
		if f.If != "" && f.If != mapping.IfAlways {
			note += ", if " + string(f.If)
		}
		fmt.Fprintf(tw, "    %s\t%s\t%s\n", f.Name, value(f.Value), note)
	}
	tw.Flush()
}

// effects are the words for what writing a field would do.
var effects = map[string]string{
	"new":     "new: crmsyncd wrote nothing there before",
	"changes": "changes: crmsyncd wrote another value",
	"same":    "same as crmsyncd wrote last",
	"older":   "stays: a newer event wrote it",
}
