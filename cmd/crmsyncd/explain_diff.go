package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// compared reads the CRMs that an event goes to, and says what each record has
// and would be given. It writes nothing. Of an event of the ledger, known are the
// deliveries: a record that one made without a key is not found otherwise.
func (c *cli) compared(ctx context.Context, setup *app.Setup, ev *event.Event, known []admin.Delivery) ([]rehearsed, diag.Problems, error) {
	accounts, problems, done, err := c.accounts(ctx, setup, "")
	if err != nil {
		return nil, nil, err
	}
	wanted := setup.Connects(ev)
	var out []rehearsed
	for _, a := range accounts {
		if !slices.Contains(wanted, a.Name) {
			continue
		}
		var records []store.Record
		for _, k := range known {
			if k.Connector == a.Name {
				records = k.Records
			}
		}
		d := deliver.Rehearse(ctx, setup.Rehearsal(a.Name, a.Connector, true), a.Name, ev, records...)
		r := rehearsed{Connector: a.Name, Records: d.Records}
		if d.State != store.Done {
			r.Problem = d.Reason
		}
		out = append(out, r)
	}
	return out, problems, errors.Join(ctx.Err(), done())
}

// hideChanges masks values of an event of the ledger, and of the CRM.
func hideChanges(list []rehearsed) {
	for _, r := range list {
		maskRecords(r.Records)
	}
}

func printCompared(w io.Writer, p paint, list []rehearsed) {
	for _, r := range list {
		fmt.Fprintf(w, "\nin %s now:\n", r.Connector)
		for _, rec := range r.Records {
			colour := green
			if rec.Action == store.WouldFail {
				colour = red
			} else if rec.Action == store.WouldKeep || rec.Action == "skipped" {
				colour = faint
			}
			line := fmt.Sprintf("  %s: %s", rec.Object, rec.Action)
			if rec.Note != "" {
				line += " (" + visible(rec.Note) + ")"
			}
			if rec.Action != "" {
				fmt.Fprintln(w, p(colour, line))
			}
			printChanges(w, "    ", rec.Changes, true)
		}
		if r.Problem != "" {
			fmt.Fprintln(w, p(red, "  could not be asked: "+visible(r.Problem)))
		}
	}
	if slices.ContainsFunc(list, func(r rehearsed) bool { return r.Problem == "" }) {
		fmt.Fprintln(w, "\nThe CRM was read, and nothing was written. Fields with if: changed are left out where something is there: who wrote it is in the ledger.")
	}
}

// unasked says by the exit code that a CRM could not be asked; why is shown.
func unasked(list []rehearsed) error {
	if slices.ContainsFunc(list, func(r rehearsed) bool { return r.Problem != "" }) {
		return coded{exitProblems, errShown}
	}
	return nil
}

// fullExplanation is what explain prints as JSON with --requests or --diff.
type fullExplanation struct {
	Rules      []mapping.Explanation `json:"rules"`
	Deliveries []rehearsed           `json:"deliveries"`
}
