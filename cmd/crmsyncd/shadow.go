package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// printShadows says of what nothing is written.
func printShadows(w io.Writer, setup *app.Setup) {
	for _, b := range setup.Settings.Connectors {
		if all, _ := setup.Shadowed(b.Name); all {
			fmt.Fprintf(w, "shadow mode: nothing is written to %s (%s)\n", b.Name, b.Node.Pos())
		}
	}
	for _, r := range setup.Rules.Rules() {
		if r.Shadow && r.Enabled {
			fmt.Fprintf(w, "shadow mode: nothing is written for %q (%s)\n", r.Name, r.Pos)
		}
	}
}

// shadowWords says in a status what of a connector is in shadow mode.
func shadowWords(c admin.Connector) string {
	switch {
	case c.Shadow:
		return "shadow mode: nothing is written"
	case len(c.ShadowRules) > 0:
		return `shadow mode: nothing is written for "` + strings.Join(c.ShadowRules, `", "`) + `"`
	}
	return ""
}

// printChanges shows the fields that would be written, one on a line.
func printChanges(w io.Writer, indent string, changes []store.Change, values bool) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, c := range changes {
		before, after := c.Before, c.After
		if !values {
			before, after = masked(before), masked(after)
		}
		fmt.Fprintf(tw, "%s%s\t%s → %s\n", indent, c.Field, cmp.Or(oneLine(before), "(empty)"), cmp.Or(oneLine(after), "(empty)"))
	}
	tw.Flush()
}

// maskRecords masks what records have and would be given.
func maskRecords(list []store.Record) {
	for _, r := range list {
		for i := range r.Changes {
			c := &r.Changes[i]
			c.Before, c.After = masked(c.Before), masked(c.After)
		}
	}
}

func masked(s string) string {
	if s == "" {
		return ""
	}
	return mapping.Masked
}

// oneLine shows a value on a line of its own, short.
func oneLine(s string) string { return visible(short(strings.Join(strings.Fields(s), " "))) }
