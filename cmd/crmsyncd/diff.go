package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/contrast"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/store"
)

// differ is crmsyncd diff.
type differ struct {
	c                      *cli
	mapping, since, source string
	last                   int
	asJSON, values         bool
}

// differs is what crmsyncd diff prints as JSON.
type differs struct {
	contrast.Report
	Unread int    `json:"unread"`          // events whose payload is not kept or not understood
	First  string `json:"first,omitempty"` // the oldest event that was looked at
	Last   string `json:"last,omitempty"`  // the newest
}

func (c *cli) diff() *cobra.Command {
	x := &differ{c: c}
	cmd := &cobra.Command{
		Use:   "diff --mapping NEW",
		Short: "Compare another mapping with the one in the settings on the last real events",
		Long: `Map the last events of the ledger by the mapping of the settings and by another
one, and show what would be written otherwise: by rule, object and field, with how
many events show it and an example. Nothing is sent, and no CRM is asked: what
people wrote there is not looked at. What reconcile mended repeats parts of events
and is left out.
Values that may be personal are not shown unless --show-values is there.
Exits 3 if the other mapping has mistakes, 0 whether or not something differs.`,
		Example: "  crmsyncd diff --mapping new.yaml\n  crmsyncd diff --mapping new.yaml --last 2000 --since 7d --source telli",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return x.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&x.mapping, "mapping", "", "the other mapping: a file or a folder (required)")
	f.IntVar(&x.last, "last", 500, "compare on so many of the newest events")
	f.StringVar(&x.since, "since", "", "only those received since: 2026-03-04, 2026-03-04T09:30:00Z or a length of time such as 2h")
	f.StringVar(&x.source, "source", "", "only those of this source")
	f.BoolVar(&x.asJSON, "json", false, "print JSON")
	f.BoolVar(&x.values, "show-values", false, "show names, numbers and what was said as well")
	return cmd
}

func (x *differ) run(cmd *cobra.Command) error {
	if x.mapping == "" {
		return usage("say which mapping to compare with: --mapping new.yaml")
	}
	if err := atLeastOne(x.last); err != nil {
		return usage("--last wants 1 or more")
	}
	since, err := parseTime(x.since)
	if err != nil {
		return err
	}
	setup, problems := x.c.build()
	if problems.Has(diag.Error) {
		return problems
	}
	if x.source != "" && setup.Sources[x.source] == nil {
		return usage("no source %q is in the settings", x.source)
	}
	rules, problems := setup.ReadMapping(x.mapping)
	if problems.Has(diag.Error) {
		return problems
	}
	problems.Render(cmd.ErrOrStderr())
	c := contrast.New(setup.Rules, rules, x.values)
	var out differs
	err = x.c.with(cmd.Context(), func(ops admin.Operations) error {
		return x.each(cmd.Context(), ops, since, func(e *admin.Event) {
			out.First = e.ID
			if out.Last == "" {
				out.Last = e.ID
			}
			if e.State == store.Quarantined || len(e.Raw) == 0 {
				out.Unread++
				return
			}
			if e.Mends == nil { // else it repeats a part of another one
				c.Add(&e.Event)
			}
		})
	})
	if err != nil {
		return err
	}
	out.Report = c.Report()
	if x.asJSON {
		return printJSON(cmd.OutOrStdout(), out)
	}
	return printDiffers(cmd.OutOrStdout(), out, setup.Settings.Mapping, x.mapping)
}

// each visits the last events, newest first, with their payloads.
func (x *differ) each(ctx context.Context, ops admin.Operations, since time.Time, visit func(*admin.Event)) error {
	f := store.EventFilter{Source: x.source, Since: since}
	for left := x.last; left > 0; {
		f.Limit = min(left, pageSize)
		list, err := ops.Events(ctx, f)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, e := range list {
			if f.Before, err = store.ParseEventID(e.ID); err != nil {
				return err
			}
			whole, err := ops.Event(ctx, f.Before)
			switch {
			case errors.Is(err, store.ErrNotFound): // deleted meanwhile
			case err != nil:
				return err
			default:
				visit(&whole)
			}
		}
		left -= len(list)
	}
	return nil
}

func printDiffers(w io.Writer, d differs, before, after string) error {
	if d.Events+d.Unread == 0 {
		fmt.Fprintln(w, "no event to compare on")
		return nil
	}
	fmt.Fprintf(w, "%s compared (%s to %s), %s against %s", plural(d.Events, "event"), d.First, d.Last, after, before)
	if d.Unread > 0 {
		fmt.Fprintf(w, "; %d more cannot be read any more", d.Unread)
	}
	fmt.Fprintln(w)
	if d.Differ == 0 {
		fmt.Fprintln(w, "\nNothing differs: the same records would be written, with the same values.")
		return nil
	}
	rule := ""
	for _, g := range d.Groups {
		if head := g.Connector + "\x00" + g.Rule; head != rule {
			rule = head
			fmt.Fprintf(w, "\n%s → %s", g.Rule, g.Connector)
			if g.Was != "" {
				fmt.Fprintf(w, " (was %q)", g.Was)
			}
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "  %s in %s, such as %s%s\n", difference(g), plural(g.Events, "event"), g.Event, example(g))
	}
	fmt.Fprintf(w, "\n%d of %s differ", d.Differ, plural(d.Events, "event"))
	if d.Lost > 0 {
		fmt.Fprintf(w, "; %d would go nowhere any more", d.Lost)
	}
	if d.Gained > 0 {
		fmt.Fprintf(w, "; %d that went nowhere would go somewhere", d.Gained)
	}
	fmt.Fprintln(w)
	return nil
}

// difference says in words what differs.
func difference(g contrast.Group) string {
	what := g.Object
	if g.Field != "" {
		what += "." + g.Field
	}
	switch g.What {
	case contrast.Matches:
		return "+ matches"
	case contrast.NoMatch:
		return "– matches no more"
	case contrast.Written:
		return "+ " + what + " is written"
	case contrast.Unwritten:
		return "– " + what + " is written no more"
	case contrast.Value:
		return "~ " + what + " has another value"
	case contrast.FoundBy:
		return "~ " + what + " is found otherwise"
	case contrast.Links:
		return "~ " + what + " is linked otherwise"
	case contrast.Mode:
		return "~ mode changes"
	case contrast.Error:
		return "! a formula fails, or fails no more"
	}
	return strings.TrimSpace("~ " + what + " has another " + g.What + ":")
}

// example shows what comes of the first event by both mappings.
func example(g contrast.Group) string {
	switch g.What {
	case contrast.Matches:
		return short(fmt.Sprintf(" (before: %v)", g.Before))
	case contrast.NoMatch:
		return short(fmt.Sprintf(" (%v)", g.After))
	case contrast.Written:
		if g.Field == "" {
			return ""
		}
		return ": " + value(g.After)
	case contrast.Unwritten:
		if g.Field == "" {
			return ""
		}
		return ": " + value(g.Before)
	}
	return ": " + value(g.Before) + " → " + value(g.After)
}
