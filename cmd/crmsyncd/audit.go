package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

func (c *cli) audit() *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "List who did what with the ledger", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(c.auditList())
	return cmd
}

func (c *cli) auditList() *cobra.Command {
	var since string
	var f store.AuditFilter
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List what people did: replays, discards, erasures, backups; newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if err := atLeastOne(f.Limit); err != nil {
				return coded{exitUsage, err}
			}
			if f.Since, err = parseTime(since); err != nil {
				return err
			}
			return c.withKeeper(cmd.Context(), func(k admin.Keeper) error {
				if asJSON && !cmd.Flags().Changed("limit") {
					return allAudits(cmd, k, f)
				}
				list, err := k.Audits(cmd.Context(), f)
				switch {
				case err != nil:
					return err
				case asJSON:
					return printJSON(cmd.OutOrStdout(), list)
				}
				if err := printAudits(cmd.OutOrStdout(), list); err != nil {
					return err
				}
				if len(list) >= f.Limit {
					fmt.Fprintf(cmd.OutOrStdout(), "there may be more: add --before %d, or --limit\n", list[len(list)-1].ID)
				}
				return nil
			})
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&since, "since", "", "since: 2026-03-04, 2026-03-04T09:30:00Z or a length of time such as 2h")
	fl.Uint64Var(&f.Before, "before", 0, "older than this entry, for the next page")
	fl.IntVar(&f.Limit, "limit", 100, "at most so many")
	fl.BoolVar(&asJSON, "json", false, "print JSON; all of them unless --limit is given")
	return cmd
}

func allAudits(cmd *cobra.Command, k admin.Keeper, f store.AuditFilter) error {
	all := []store.Audit{}
	for f.Limit = pageSize; ; {
		list, err := k.Audits(cmd.Context(), f)
		if err != nil {
			return err
		}
		if all = append(all, list...); len(list) < pageSize {
			return printJSON(cmd.OutOrStdout(), all)
		}
		f.Before = list[len(list)-1].ID
	}
}

func printAudits(w io.Writer, list []store.Audit) error {
	if len(list) == 0 {
		fmt.Fprintln(w, "nobody has done anything yet")
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ENTRY\tWHEN\tWHO\tWHAT\tON\tREASON")
	for _, a := range list {
		on := some(a.On)
		reason := a.Reason
		if a.Note != "" {
			reason = strings.TrimSpace(reason + " (" + a.Note + ")")
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\t%s\n", a.ID, a.At.Local().Format("2006-01-02 15:04:05"), visible(a.Who), visible(a.What), visible(on), visible(reason))
	}
	return tw.Flush()
}

// some names ids, of many the first two.
func some(ids []string) string {
	if len(ids) > 3 {
		return strings.Join(ids[:2], " ") + " and " + strconv.Itoa(len(ids)-2) + " more"
	}
	return strings.Join(ids, " ")
}

func (c *cli) erase() *cobra.Command {
	var p admin.Person
	var dryRun, yes, asJSON bool
	cmd := &cobra.Command{
		Use:   "erase --email ADDRESS | --phone NUMBER | --id ID",
		Short: "Forget one person: take everything about them out of the ledger",
		Long: `Find a person's events by their contact, by the contact of the vendor that such an
event names, and by the words in payloads; delete them with their deliveries,
whatever waits; take out reasons that mention the person; forget the records of CRMs that they led to; then write the
ledger's file anew and overwrite the old one. Hashes of ids stay, so that a
vendor's retry does not bring the person back. CRMs, backups and the vendors are
not touched.`,
		Example: "  crmsyncd erase --email anna@example.com --dry-run\n  crmsyncd erase --phone '+49 151 23456789' --yes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if p == (admin.Person{}) {
				return usage("say who by --email, --phone or --id")
			}
			return c.withKeeper(cmd.Context(), func(k admin.Keeper) error {
				e := eraser{cmd, k, p, asJSON}
				if dryRun {
					return e.run(true)
				}
				if !yes {
					if err := e.agreed(); err != nil {
						return err
					}
				}
				return e.run(false)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.Email, "email", "", "by e-mail address")
	f.StringVar(&p.Phone, "phone", "", "by telephone number, written in any way")
	f.StringVar(&p.ID, "id", "", "by the id of the contact: the vendor's, or that of the record in the CRM, from 6 characters on")
	f.BoolVar(&dryRun, "dry-run", false, "only show what would be deleted")
	f.BoolVar(&yes, "yes", false, "do not ask")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

type eraser struct {
	cmd    *cobra.Command
	k      admin.Keeper
	p      admin.Person
	asJSON bool
}

// agreed shows what there is and asks on a terminal.
func (e eraser) agreed() error {
	if e.asJSON || !isTerminal(e.cmd.InOrStdin()) {
		return usage("there is no terminal to ask on: nothing was deleted; add --yes, or --dry-run to see what would be")
	}
	if err := e.run(true); err != nil {
		return err
	}
	fmt.Fprint(e.cmd.OutOrStdout(), "Delete this for good? [y/N] ")
	yes, err := saysYes(e.cmd.Context(), e.cmd.InOrStdin())
	if err != nil {
		fmt.Fprintln(e.cmd.OutOrStdout())
		return fmt.Errorf("%w: nothing was deleted", err)
	}
	if !yes {
		fmt.Fprintln(e.cmd.OutOrStdout(), "Nothing was deleted.")
		return coded{exitUnexpected, errShown}
	}
	return nil
}

func (e eraser) run(dryRun bool) error {
	tell, clear := meter(e.cmd.ErrOrStderr(), "working")
	got, err := e.k.Erase(e.cmd.Context(), e.p, dryRun, tell)
	clear()
	if err != nil {
		return err
	}
	out := e.cmd.OutOrStdout()
	if e.asJSON {
		err = printJSON(out, got)
	} else {
		err = printErased(out, got, dryRun)
	}
	if err == nil && got.Left != "" {
		err = errors.New("deleted, but the file could not be written anew, and its free space still holds the data: " + got.Left + "; run crmsyncd ledger compact --overwrite")
	}
	return err
}

func printErased(w io.Writer, got admin.Erased, dryRun bool) error {
	if len(got.Events) == 0 && got.Counts == (store.Erased{}) {
		fmt.Fprintln(w, "the ledger knows nothing of that person")
		noteErased(w, got)
		return nil
	}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "EVENT\tRECEIVED\tSOURCE\tTYPE\tSTATE\tWHY")
	for _, ev := range got.Events {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", ev.ID, ev.ReceivedAt.Local().Format("2006-01-02 15:04:05"), ev.Source, ev.Type, ev.State, ev.Why)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	n := got.Counts
	if dryRun {
		fmt.Fprintf(w, "%s with %s would be deleted, and the reason out of %s of the audit trail\n", plural(n.Events, "event"), plural(n.Deliveries, "delivery"), plural(n.Audits, "entry"))
		if len(got.Reasons) > 0 {
			fmt.Fprintf(w, "only the reason, which mentions the person, would be taken out of %s\n", some(got.Reasons))
		}
	} else {
		fmt.Fprintf(w, "deleted %s with %s; forgot what is known of %s and %s; took the reason out of %s of the audit trail\n",
			plural(n.Events, "event"), plural(n.Deliveries, "delivery"), plural(n.Links, "match value"), plural(n.Heads, "record"), plural(n.Audits, "entry"))
		if n.Reasons > 0 {
			fmt.Fprintf(w, "took only the reason, which mentioned the person, out of %s\n", some(got.Reasons))
		}
	}
	if got.Compacted != nil {
		fmt.Fprintln(w, "the file was written anew, and the old one overwritten")
	}
	if len(got.Copies) > 0 {
		fmt.Fprintf(w, "these older copies still hold what they held: %s\n", strings.Join(got.Copies, ", "))
	}
	noteErased(w, got)
	fmt.Fprintln(w, "backups that you made, the CRMs and the vendors are not touched")
	return nil
}

func noteErased(w io.Writer, got admin.Erased) {
	if got.Note != "" {
		fmt.Fprintln(w, got.Note)
	}
}
