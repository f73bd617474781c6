package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

func (c *cli) status() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how the daemon fares: queues, connectors, settings in force",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.with(cmd.Context(), func(ops admin.Operations) error {
				s, err := ops.Status(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), s)
				}
				return printStatus(cmd.OutOrStdout(), s, time.Now())
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func printStatus(w io.Writer, s admin.Status, now time.Time) error {
	switch {
	case !s.Running:
		fmt.Fprintln(w, "no daemon runs; this is what its ledger holds")
	case s.Ready:
		fmt.Fprintf(w, "crmsyncd %s is ready, running since %s\n", s.Version, s.StartedAt.Local().Format(time.DateTime))
	default:
		fmt.Fprintf(w, "crmsyncd %s is NOT ready: %s\n", s.Version, s.NotReady)
	}
	if s.Settings.Failure != "" {
		fmt.Fprintf(w, "the last reload, at %s, was refused; the settings before it are in force:\n%s\n", s.Settings.FailedAt.Local().Format(time.DateTime), s.Settings.Failure)
	}
	fmt.Fprintf(w, "%s, %d not understood; ledger %.1f MiB\n", plural(int(s.Events), "event"), s.Quarantine, float64(s.Bytes)/(1<<20))
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "CONNECTOR\tSTATE\tWAITING\tOLDEST\tDONE\tDEAD\tREASON")
	for _, c := range s.Connectors {
		oldest := "-"
		if !c.OldestWaiting.IsZero() {
			oldest = now.Sub(c.OldestWaiting).Round(time.Second).String()
		}
		fmt.Fprintf(tw, "%s\t%s\t%d\t%s\t%d\t%d\t%s\n", c.Name, c.State, c.Waiting, oldest, c.Done, c.Dead, c.Reason)
	}
	return tw.Flush()
}
