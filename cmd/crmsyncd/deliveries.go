package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

func (c *cli) deliveries() *cobra.Command {
	cmd := &cobra.Command{Use: "deliveries", Short: "List, show, retry and discard deliveries", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(c.deliveriesList(), c.deliveriesShow(), c.deliveriesRetry(), c.deliveriesDiscard())
	return cmd
}

func (c *cli) deliveriesList() *cobra.Command {
	var state, connector, before string
	var limit int
	var asJSON, values bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List deliveries, newest event first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f := store.DeliveryFilter{State: store.State(state), Connector: connector, Limit: limit}
			err := errors.Join(oneOf("--state", f.State, store.Waiting, store.Done, store.Dead, store.Discarded), atLeastOne(limit))
			if err != nil {
				return coded{exitUsage, err}
			}
			if f.Before, err = parseBefore(before); err != nil {
				return err
			}
			return c.with(cmd.Context(), func(ops admin.Operations) error {
				if err := c.knownConnector(cmd.Context(), ops, connector); err != nil {
					return err
				}
				l := listing[admin.Delivery]{
					ask: func() ([]admin.Delivery, error) {
						list, err := ops.Deliveries(cmd.Context(), f)
						if !values {
							for _, d := range list {
								maskRecords(d.Records)
							}
						}
						return list, err
					},
					event:    func(d admin.Delivery) string { return d.Event },
					together: true,
					table: func(w io.Writer, list []admin.Delivery) error {
						held, err := heldUntil(cmd.Context(), ops, list)
						if err != nil {
							return err
						}
						return printDeliveries(w, list, held)
					},
				}
				return l.print(cmd, asJSON, &f.Before, &f.Limit)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&state, "state", "", "waiting, done, dead or discarded")
	f.StringVar(&connector, "connector", "", "to this connector")
	f.StringVar(&before, "before", "", "of events older than this one, for the next page")
	f.IntVar(&limit, "limit", 100, "at most so many")
	f.BoolVar(&asJSON, "json", false, "print JSON; all of them unless --limit is given")
	f.BoolVar(&values, "show-values", false, "with --json: of what would be written in shadow mode, print the values as well")
	return cmd
}

// heldUntil says when connectors of deliveries that wait are tried again, where
// they are held up as a whole.
func heldUntil(ctx context.Context, ops admin.Operations, list []admin.Delivery) (map[string]time.Time, error) {
	if !slices.ContainsFunc(list, func(d admin.Delivery) bool { return d.State == store.Waiting }) {
		return nil, nil
	}
	s, err := ops.Status(ctx)
	held := map[string]time.Time{}
	for _, c := range s.Connectors {
		held[c.Name] = c.Until
	}
	return held, err
}

func printDeliveries(w io.Writer, list []admin.Delivery, held map[string]time.Time) error {
	if len(list) == 0 {
		fmt.Fprintln(w, "no deliveries")
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "DELIVERY\tTYPE\tSTATE\tATTEMPTS\tNEXT\tREASON")
	for _, d := range list {
		next := ""
		if at := held[d.Connector]; d.State == store.Waiting && (!d.Due.IsZero() || !at.IsZero()) {
			if at.Before(d.Due) {
				at = d.Due
			}
			next = at.Local().Format("15:04:05")
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%d\t%s\t%s\n", d.ID, visible(string(d.Type)), d.State, d.Tries(), next, visible(d.Reason))
	}
	return tw.Flush()
}

func (c *cli) deliveriesShow() *cobra.Command {
	var asJSON, values bool
	cmd := &cobra.Command{
		Use:   "show DELIVERY",
		Short: "Show a delivery: its records, attempts and why it waits or is dead; in shadow mode, what it would write",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := store.ParseDeliveryID(args[0])
			if err != nil {
				return coded{exitUsage, err}
			}
			return c.with(cmd.Context(), func(ops admin.Operations) error {
				e, err := ops.Event(cmd.Context(), id.Seq)
				if err != nil {
					return err
				}
				for _, d := range e.Deliveries {
					if d.Connector != id.Connector {
						continue
					}
					if asJSON {
						if !values {
							maskRecords(d.Records)
						}
						return printJSON(cmd.OutOrStdout(), d)
					}
					showDelivery(cmd.OutOrStdout(), d, values)
					return nil
				}
				return fmt.Errorf("%s: %w", args[0], store.ErrNotFound)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&values, "show-values", false, "of what would be written in shadow mode, show the values as well")
	return cmd
}

func showDelivery(w io.Writer, d admin.Delivery, values bool) {
	fmt.Fprintf(w, "  %s  %s", d.ID, d.State)
	switch {
	case d.State == store.Dead:
		fmt.Fprintf(w, " after %s", plural(d.Tries(), "try"))
	case d.Attempts > 0:
		fmt.Fprintf(w, " after %s", plural(d.Attempts, "failure"))
	}
	if d.State == store.Waiting && !d.Due.IsZero() {
		fmt.Fprintf(w, ", next try %s", d.Due.Local().Format(time.DateTime))
	}
	fmt.Fprintln(w)
	if d.Reason != "" {
		fmt.Fprintf(w, "    %s\n", visible(d.Reason))
	}
	if mend := d.Mend(); mend != "" {
		fmt.Fprintf(w, "    -> %s\n", mend)
	}
	for _, r := range d.Records {
		fmt.Fprintf(w, "    %s %s", r.Object, visible(r.ID))
		if r.Action != "" {
			fmt.Fprintf(w, " %s", r.Action)
		}
		fmt.Fprintf(w, " by rule %q", r.Rule)
		if r.Note != "" {
			fmt.Fprintf(w, " (%s)", visible(r.Note))
		}
		fmt.Fprintln(w)
		printChanges(w, "      ", r.Changes, values)
	}
}

func (c *cli) deliveriesRetry() *cobra.Command {
	var x choice
	var dead, dryRun, asJSON, values bool
	cmd := &cobra.Command{
		Use:   "retry [DELIVERY...]",
		Short: "Try deliveries at once: those named, or all that pass the filters",
		Long: `Try deliveries that wait or are dead at once, their attempts counted anew: those
named, or all that pass the filters. With --dry-run see field by field what would
be written, beside what was written last.`,
		Example: "  crmsyncd deliveries retry evt_17.hubspot\n  crmsyncd deliveries retry --dead --connector hubspot --since 2d",
		RunE: func(cmd *cobra.Command, args []string) error {
			if dead {
				if x.state != "" && x.state != string(store.Dead) {
					return usage("--dead and --state %s exclude each other", x.state)
				}
				x.state = string(store.Dead)
			}
			ids, err := chosen(&x, c, args, deliveryIDs, "name deliveries, or choose them by --dead, --state, --connector, --rule, --since or --until", store.Waiting, store.Dead)
			if err != nil {
				return err
			}
			states := []string{x.state}
			if x.state == "" {
				states = []string{string(store.Waiting), string(store.Dead)} // dead ones wait afterwards
			}
			return c.with(cmd.Context(), func(ops admin.Operations) error {
				if err := c.knownConnector(cmd.Context(), ops, x.connector); err != nil {
					return err
				}
				n := 0
				var previews []admin.Preview
				do := func(ids []store.DeliveryID) error {
					if dryRun {
						return previewDeliveries(cmd, ops, ids, &previews)
					}
					changed, err := ops.Retry(cmd.Context(), ids)
					n += changed
					return err
				}
				err := named(ids, do, func() error {
					for _, x.state = range states {
						if err := x.deliveries(cmd.Context(), ops, do); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					return err
				}
				if dryRun {
					return printPreviews(cmd, asJSON, values, previews)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "retrying %s%s\n", plural(n, "delivery"), whyNone(n, len(ids)))
				return nil
			})
		},
	}
	x.flags(cmd, "waiting or dead; default: both")
	f := cmd.Flags()
	f.BoolVar(&dead, "dead", false, "all dead ones; the same as --state dead")
	f.StringVar(&x.connector, "connector", "", "those to this connector")
	f.BoolVar(&dryRun, "dry-run", false, "show what would be written, and change nothing")
	f.BoolVar(&asJSON, "json", false, "with --dry-run: print JSON")
	f.BoolVar(&values, "show-values", false, "with --dry-run: show the values as well, which may be personal")
	return cmd
}

func (c *cli) deliveriesDiscard() *cobra.Command {
	var reason string
	cmd := &cobra.Command{
		Use:   "discard DELIVERY...",
		Short: "End deliveries that wait or are dead, with a reason",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ids, err := deliveryIDs(args)
			if err == nil {
				err = checkReason(reason, "deliveries")
			}
			if err != nil {
				return err
			}
			return c.with(cmd.Context(), func(ops admin.Operations) error {
				n, err := ops.Discard(cmd.Context(), ids, reason)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "discarded %s%s\n", plural(n, "delivery"), whyNone(n, len(ids)))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why; kept with the deliveries and in the audit trail (required)")
	return cmd
}

// whyNone says why none of the deliveries that were named was changed.
func whyNone(changed, named int) string {
	if changed == 0 && named > 0 {
		return ": what is named is done or discarded"
	}
	return ""
}

func deliveryIDs(args []string) ([]store.DeliveryID, error) {
	var ids []store.DeliveryID
	for _, a := range args {
		id, err := store.ParseDeliveryID(a)
		if err != nil {
			return nil, coded{exitUsage, err}
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
