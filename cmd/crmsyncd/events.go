package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

func (c *cli) events() *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "List, show, replay and discard events", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(c.eventsList(), c.eventsShow(), c.eventsReplay(), c.eventsDiscard())
	return cmd
}

func (c *cli) eventsList() *cobra.Command {
	var state, source, typ, since, until, before string
	var limit int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List events, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f := store.EventFilter{State: store.State(state), Source: source, Type: event.Type(typ), Limit: limit}
			err := errors.Join(
				oneOf("--state", f.State, store.Waiting, store.Done, store.Unmatched, store.Quarantined, store.Dead, store.Discarded),
				oneOf("--type", f.Type, event.Types...), atLeastOne(limit))
			if err != nil {
				return coded{exitUsage, err}
			}
			if f.Since, err = parseTime(since); err != nil {
				return err
			}
			if f.Until, err = parseTime(until); err != nil {
				return err
			}
			if f.Before, err = parseBefore(before); err != nil {
				return err
			}
			return c.with(cmd.Context(), func(ops admin.Operations) error {
				if err := c.knownSource(cmd.Context(), ops, source); err != nil {
					return err
				}
				l := listing[admin.Event]{
					ask:   func() ([]admin.Event, error) { return ops.Events(cmd.Context(), f) },
					event: func(e admin.Event) string { return e.ID },
					table: printEvents,
				}
				return l.print(cmd, asJSON, &f.Before, &f.Limit)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&state, "state", "", "waiting, done, unmatched, quarantined, dead or discarded")
	f.StringVar(&source, "source", "", "of this source")
	f.StringVar(&typ, "type", "", "of this type, such as call.ended")
	f.StringVar(&since, "since", "", "received since: 2026-03-04, 2026-03-04T09:30:00Z or a length of time such as 2h")
	f.StringVar(&until, "until", "", "received until, written like --since")
	f.StringVar(&before, "before", "", "older than this event, for the next page")
	f.IntVar(&limit, "limit", 100, "at most so many")
	f.BoolVar(&asJSON, "json", false, "print JSON; all of them unless --limit is given")
	return cmd
}

func printEvents(w io.Writer, list []admin.Event) error {
	if len(list) == 0 {
		fmt.Fprintln(w, "no events")
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "EVENT\tRECEIVED\tSOURCE\tTYPE\tSTATE\tDELIVERIES")
	for _, e := range list {
		var to []string
		for _, d := range e.Deliveries {
			to = append(to, d.Connector+" "+string(d.State))
		}
		what := string(e.Type)
		if e.Call != nil && e.Call.Status != "" {
			what += " " + e.Call.Status
		}
		if e.Mends != nil {
			what += ", mends " + e.Mends.Event
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", e.ID, e.ReceivedAt.Local().Format("2006-01-02 15:04:05"), e.Source, visible(what), e.State, strings.Join(to, ", "))
	}
	return tw.Flush()
}

func (c *cli) eventsShow() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show EVENT",
		Short: "Show an event whole, with what became of it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := store.ParseEventID(args[0])
			if err != nil {
				return coded{exitUsage, err}
			}
			return c.with(cmd.Context(), func(ops admin.Operations) error {
				e, err := ops.Event(cmd.Context(), seq)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), e)
				}
				return showEvent(cmd.OutOrStdout(), e)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func showEvent(w io.Writer, e admin.Event) error {
	fmt.Fprintf(w, "%s  %s from %s, %s\n", e.ID, visible(string(e.Type)), e.Source, e.State)
	if e.Mends != nil {
		fmt.Fprintf(w, "  %s\n", e.Mends)
	}
	if e.Problem != "" {
		fmt.Fprintf(w, "  not understood: %s\n", visible(e.Problem))
	}
	if e.Discarded != "" {
		fmt.Fprintf(w, "  set aside: %s\n", visible(e.Discarded))
	}
	fmt.Fprintf(w, "  occurred %s, received %s\n", e.OccurredAt.Local().Format(time.DateTime), e.ReceivedAt.Local().Format(time.DateTime))
	fmt.Fprintf(w, "  trace %s\n", e.TraceID)
	for _, d := range e.Deliveries {
		showDelivery(w, d, true)
	}
	fmt.Fprintln(w)
	return printJSON(w, e.Event)
}

func (c *cli) eventsReplay() *cobra.Command {
	var x choice
	var dryRun, asJSON, values bool
	cmd := &cobra.Command{
		Use:   "replay [EVENT...]",
		Short: "Have events go their way again, by today's rules; nothing is made twice",
		Long: `Have events go their way again, by today's rules: those named, or all that pass
the filters. Records that were made are written again, none is made twice, and
older values do not overwrite newer ones. With --dry-run see field by field what
would be written, beside what was written last.`,
		Example: "  crmsyncd events replay evt_17\n  crmsyncd events replay --state unmatched --since 7d --dry-run\n  crmsyncd events replay --rule 'Log finished calls' --since 2026-03-01",
		RunE: func(cmd *cobra.Command, args []string) error {
			seqs, err := chosen(&x, c, args, eventIDs, "name events, or choose them by --state, --rule, --source, --type, --since or --until",
				store.Waiting, store.Done, store.Unmatched, store.Quarantined, store.Dead, store.Discarded)
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(ops admin.Operations) error {
				if err := c.knownSource(cmd.Context(), ops, x.source); err != nil {
					return err
				}
				n := 0
				var previews []admin.Preview
				do := func(seqs []uint64) error {
					if dryRun {
						return preview(cmd, ops, seqs, &previews)
					}
					changed, err := ops.Replay(cmd.Context(), seqs)
					n += changed
					return err
				}
				err := named(seqs, do, func() error { return x.events(cmd.Context(), ops, do) })
				if err != nil {
					return err
				}
				if dryRun {
					return printPreviews(cmd, asJSON, values, previews)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "replaying %s\n", plural(n, "event"))
				return nil
			})
		},
	}
	x.flags(cmd, "waiting, done, unmatched, quarantined, dead or discarded")
	f := cmd.Flags()
	f.StringVar(&x.source, "source", "", "those of this source")
	f.StringVar(&x.typ, "type", "", "those of this type, such as call.ended")
	f.BoolVar(&dryRun, "dry-run", false, "show what would be written, and change nothing")
	f.BoolVar(&asJSON, "json", false, "with --dry-run: print JSON")
	f.BoolVar(&values, "show-values", false, "with --dry-run: show the values as well, which may be personal")
	return cmd
}

func (c *cli) eventsDiscard() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "discard EVENT...",
		Short: "End what waits or is dead of events, or set aside those that go nowhere, with a reason",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			seqs, err := eventIDs(args)
			if err == nil {
				err = checkReason(reason, "events")
			}
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(ops admin.Operations) error {
				var ids []store.DeliveryID
				var nowhere []uint64
				for _, seq := range seqs {
					e, err := ops.Event(cmd.Context(), seq)
					if err != nil {
						return err
					}
					if e.State == store.Quarantined || e.State == store.Unmatched {
						nowhere = append(nowhere, seq)
					}
					for _, d := range e.Deliveries {
						if d.State == store.Waiting || d.State == store.Dead {
							ids = append(ids, store.DeliveryID{Seq: seq, Connector: d.Connector})
						}
					}
				}
				if k, ok := ops.(admin.Keeper); ok && len(nowhere) > 0 {
					n, err := k.DiscardEvents(cmd.Context(), nowhere, reason)
					if err != nil {
						return err
					}
					fmt.Fprintf(cmd.OutOrStdout(), "set aside %s\n", plural(n, "event"))
				}
				n := 0
				if len(ids) > 0 {
					var err error
					if n, err = ops.Discard(cmd.Context(), ids, reason); err != nil {
						return err
					}
				}
				if len(ids) > 0 || len(nowhere) == 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "discarded %s%s\n", plural(n, "delivery"), whyNone(n, len(seqs)))
				}
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept with the events and in the audit trail (required)")
	return cmd
}

func eventIDs(args []string) ([]uint64, error) {
	var seqs []uint64
	for _, a := range args {
		seq, err := store.ParseEventID(a)
		if err != nil {
			return nil, coded{exitUsage, err}
		}
		if !slices.Contains(seqs, seq) {
			seqs = append(seqs, seq)
		}
	}
	return seqs, nil
}
