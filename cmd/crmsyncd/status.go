package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
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

// What is said of a ledger that came from elsewhere.
const (
	foreignLedger = "was last used on another machine, or in another folder; if a daemon still runs there, both write to the CRMs, and records come twice"
	adoptLedger   = "make sure that none runs there, then: crmsyncd ledger adopt"
)

func printStatus(w io.Writer, s admin.Status, now time.Time) error {
	switch {
	case !s.Running:
		fmt.Fprintln(w, "no daemon runs; this is what its ledger holds")
	case s.Ready:
		fmt.Fprintf(w, "crmsyncd %s is ready, running since %s (%s)\n", s.Version, s.StartedAt.Local().Format(time.DateTime), now.Sub(s.StartedAt).Round(time.Second))
	default:
		fmt.Fprintf(w, "crmsyncd %s is NOT ready: %s\n", s.Version, s.NotReady)
	}
	if s.Settings.Failure != "" {
		fmt.Fprintf(w, "the last reload, at %s, was refused; the settings before it are in force:\n%s\n", s.Settings.FailedAt.Local().Format(time.DateTime), s.Settings.Failure)
	}
	if s.LedgerForeign {
		fmt.Fprintf(w, "WARNING: ledger %s %s; %s\n", s.LedgerID, foreignLedger, adoptLedger)
	}
	if s.ClockAhead != 0 {
		way := "ahead of"
		if s.ClockAhead < 0 {
			way = "behind"
		}
		off := time.Duration(s.ClockAhead * float64(time.Second)).Abs().Round(time.Second)
		fmt.Fprintf(w, "WARNING: this machine's clock is %s %s those of the CRMs; signed webhooks may be refused: have it set (timedatectl)\n", off, way)
	}
	for _, c := range s.Certificates {
		if c.Warning != "" {
			fmt.Fprintf(w, "WARNING: %s: %s (%s)\n", c.Port, c.Warning, strings.Join(c.Names, ", "))
		}
		if c.Problem != "" {
			fmt.Fprintf(w, "WARNING: %s: the newest certificate is not in use: %s\n", c.Port, c.Problem)
		}
	}
	fmt.Fprintf(w, "%s, %d not understood; ledger %.1f MiB", plural(int(s.Events), "event"), s.Quarantine, float64(s.Bytes)/(1<<20))
	if s.Free > 0 {
		fmt.Fprintf(w, ", %.1f GiB free on its disk", float64(s.Free)/(1<<30))
	}
	if !s.LastBackup.IsZero() {
		fmt.Fprintf(w, "; last backup %s", ago(s.LastBackup, now))
	}
	fmt.Fprintln(w)
	if len(s.Sources) > 0 {
		tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		counted := "LAST HOUR"
		if since := s.CountedSince(now); !since.IsZero() {
			counted = "SINCE " + since.Local().Format("15:04")
		}
		fmt.Fprintf(tw, "SOURCE\tTYPE\tLAST WEBHOOK\t%s\tRECONCILED\n", counted)
		for _, x := range s.Sources {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", x.Name, x.Type, ago(x.LastWebhook, now), hourly(x.LastHour), reconciledAt(x.LastReconcile, now))
		}
		if err := tw.Flush(); err != nil {
			return err
		}
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "CONNECTOR\tSTATE\tWAITING\tOLDEST\tDONE\tDEAD\tREQUESTS LEFT\tRECONCILED\tREASON")
	for _, c := range s.Connectors {
		reason := c.Reason
		if reason != "" && c.Until.After(now) {
			reason += "; next try in " + c.Until.Sub(now).Round(time.Second).String()
		}
		if says := shadowWords(c); says != "" {
			reason = strings.TrimSuffix(says+"; "+reason, "; ")
		}
		fmt.Fprintf(tw, "%s\t%s\t%d\t%s\t%d\t%d\t%s\t%s\t%s\n", c.Name, c.State, c.Waiting, strings.TrimSuffix(ago(c.OldestWaiting, now), " ago"), c.Done, c.Dead, left(c.Limits), reconciledAt(c.LastReconcile, now), visible(reason))
	}
	return tw.Flush()
}

// hourly tells the webhooks of an hour: "12 received, 1 refused".
func hourly(h *admin.LastHour) string {
	switch {
	case h == nil:
		return "-"
	case h.Refused > 0:
		return fmt.Sprintf("%d received, %d refused", h.Received, h.Refused)
	}
	return fmt.Sprintf("%d received", h.Received)
}

// ago tells a time as people look at it.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return max(now.Sub(t), 0).Round(time.Second).String() + " ago"
}

func reconciledAt(r *admin.LastReconcile, now time.Time) string {
	if r == nil {
		return "-"
	}
	if r.State == store.RunDone {
		return ago(r.At, now)
	}
	return string(r.State) + " " + ago(r.At, now)
}

// left shows limits as "98/100 window, 5/5 search".
func left(limits []connectors.Limit) string {
	if len(limits) == 0 {
		return "-"
	}
	said := make([]string, len(limits))
	for i, l := range limits {
		said[i] = fmt.Sprintf("%d/%d %s", l.Left, l.Most, l.Name)
	}
	return strings.Join(said, ", ")
}
