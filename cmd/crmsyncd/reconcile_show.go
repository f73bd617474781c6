package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

func (c *cli) reconcileList() *cobra.Command {
	var f store.RunFilter
	var state string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List reconcile runs, newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := atLeastOne(f.Limit); err != nil {
				return coded{exitUsage, err}
			}
			f.State = store.RunState(state)
			if err := oneOf("--state", f.State, store.RunGoing, store.RunDone, store.RunStopped, store.RunFailed); err != nil {
				return coded{exitUsage, err}
			}
			if asJSON && !cmd.Flags().Changed("limit") {
				f.Limit = store.MaxRuns
			}
			return c.withRuns(cmd.Context(), func(r admin.Reconciler) error {
				list, err := r.Runs(cmd.Context(), f)
				switch {
				case err != nil:
					return err
				case asJSON:
					return printJSON(cmd.OutOrStdout(), list)
				}
				return printRuns(cmd.OutOrStdout(), list)
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.Source, "source", "", "those of this source")
	fl.StringVar(&f.Connector, "connector", "", "those of this connector")
	fl.StringVar(&state, "state", "", "those in this state: running, done, stopped, failed")
	fl.Uint64Var(&f.Before, "before", 0, "older than this run, for the next page")
	fl.IntVar(&f.Limit, "limit", 20, "at most so many")
	fl.BoolVar(&asJSON, "json", false, "print JSON; all of them unless --limit is given")
	return cmd
}

func printRuns(w io.Writer, list []store.Run) error {
	if len(list) == 0 {
		fmt.Fprintln(w, "nothing has been compared yet")
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "RUN\tBEGAN\tOF\tBY\tSTATE\tBROUGHT\tCOMPARED\tAGREED\tMENDED\tEDITED\tMISSING\tFAILED\tREQUESTS\tTOOK")
	for _, r := range list {
		took := ""
		if !r.EndedAt.IsZero() {
			took = r.EndedAt.Sub(r.BeganAt).Round(100 * time.Millisecond).String()
		}
		by := r.Trigger
		if r.DryRun {
			by += " (dry run)"
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", r.ID, r.BeganAt.Local().Format("2006-01-02 15:04:05"), nameOf(r), by, r.State,
			r.Brought, r.Compared, r.Agreed, r.Mended, r.Edited, r.Missing, r.Failed, r.Requests, took)
	}
	return tw.Flush()
}

func (c *cli) reconcileShow() *cobra.Command {
	var asJSON, asCSV bool
	cmd := &cobra.Command{
		Use:   "show RUN",
		Short: "Show a reconcile run with all that it found",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil || asJSON && asCSV {
				return usage("name a run by its number, as reconcile list shows it, and one of --json and --csv at most")
			}
			return c.withRuns(cmd.Context(), func(r admin.Reconciler) error {
				report, err := r.Findings(cmd.Context(), id)
				switch {
				case errors.Is(err, store.ErrNotFound):
					return fmt.Errorf("there is no run %d; crmsyncd reconcile list shows them", id)
				case err != nil:
					return err
				case asJSON:
					return printJSON(cmd.OutOrStdout(), report)
				case asCSV:
					return writeCSV(cmd.OutOrStdout(), report)
				}
				return printReport(cmd.OutOrStdout(), report)
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print what was found as a table for a spreadsheet")
	return cmd
}

func printReport(w io.Writer, r admin.RunReport) error {
	fmt.Fprintf(w, "%s\n  began %s by %s, %s\n", describeRun(r.Run), r.BeganAt.Local().Format("2006-01-02 15:04:05"), r.Trigger, r.State)
	if r.DryRun {
		fmt.Fprintln(w, "  a dry run: nothing was changed")
	}
	if r.Resumed > 0 {
		fmt.Fprintf(w, "  it was cut off %s and went on\n", plural(r.Resumed, "time"))
	}
	if r.State == store.RunFailed {
		fmt.Fprintf(w, "  %s\n", visible(r.Note))
	}
	if len(r.Found) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	if err := printFound(w, r.Found); err != nil {
		return err
	}
	if r.Dropped > 0 {
		fmt.Fprintf(w, "and %d more that are not kept\n", r.Dropped)
	}
	return nil
}

func printFound(w io.Writer, list []store.Finding) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "WHAT\tRECORD\tFIELD\tWRITTEN\tTHERE NOW\tDONE\tEVENT\tNOTE")
	for _, f := range list {
		record := strings.TrimSpace(f.Object + " " + f.Record)
		if record == "" {
			record = f.Contact
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", visible(f.Kind), visible(record), visible(f.Field), visible(f.Ours), visible(f.Theirs), f.Did, f.Event, visible(f.Note))
	}
	return tw.Flush()
}

// writeCSV writes what was found. No cell is taken for a formula.
func writeCSV(w io.Writer, r admin.RunReport) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	rows := [][]string{{"run", "began", "source", "connector", "what", "contact", "object", "record", "field", "written", "there now", "rule", "done", "event", "note"}}
	for _, f := range r.Found {
		rows = append(rows, []string{strconv.FormatUint(r.ID, 10), r.BeganAt.UTC().Format(time.RFC3339), r.Source, r.Connector,
			f.Kind, f.Contact, f.Object, f.Record, f.Field, f.Ours, f.Theirs, f.Rule, f.Did, f.Event, f.Note})
	}
	for _, row := range rows {
		for i, cell := range row {
			row[i] = cellText(cell)
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// cellText is a cell that a spreadsheet takes for text: what begins as a formula
// does gets an apostrophe before it, and control characters become blanks.
func cellText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	// What cannot be seen at the beginning is left out by who reads the table.
	begin := strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	if first, _ := utf8.DecodeRuneInString(begin); begin != "" && strings.ContainsRune("=+-@|%＝＋－＠", first) {
		return "'" + s
	}
	return s
}
