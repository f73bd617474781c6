package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/live"
)

func (c *cli) provision() *cobra.Command {
	var only string
	var yes, dry, asJSON bool
	cmd := &cobra.Command{
		Use:   "provision",
		Short: "Make the CRM fields that the mapping writes and the account lacks, after asking",
		Long: `List the fields that the mapping writes and the CRM account does not have, each with
the type that its formula asks for, and make them once you say yes. The first
match field of a record becomes text that the CRM keeps unique, where it can.
What crmsyncd cannot make is listed with where to click. Run again, it finds
nothing to do. Exits 3 if something is still missing in the end, also after a no
or with --dry-run.`,
		Example: "  crmsyncd provision --dry-run\n  crmsyncd provision --connector hubspot --yes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			setup, problems := c.buildStrict()
			if problems.Has(diag.Error) {
				return problems
			}
			accounts, problems, done, err := c.accounts(cmd.Context(), setup, only)
			if err != nil {
				return err
			}
			missing, more := live.Find(cmd.Context(), setup.Rules.Writes(), accounts)
			p := provisioner{in: cmd.InOrStdin(), out: cmd.OutOrStdout(), log: cmd.ErrOrStderr(), yes: yes, dry: dry, asJSON: asJSON}
			var made []string
			p.note = func(on []string) { made = on }
			err = errors.Join(p.run(cmd.Context(), missing, append(problems, more...)), done())
			if len(made) > 0 {
				note := func(k admin.Keeper) error { return k.Note(cmd.Context(), "provision", made) }
				if noted := c.withKeeper(cmd.Context(), note); noted != nil && exitCode(noted) != exitUnreachable {
					fmt.Fprintf(cmd.ErrOrStderr(), "crmsyncd: not in the audit trail: %v\n", noted)
				}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&only, "connector", "", "look at this connector's account only")
	f.BoolVar(&yes, "yes", false, "make the fields without asking")
	f.BoolVar(&dry, "dry-run", false, "show what would be made, and make nothing")
	f.BoolVar(&asJSON, "json", false, "with --dry-run or --yes: print what is missing as JSON")
	return cmd
}

// provisioner shows what is missing, asks, and makes it.
type provisioner struct {
	in       io.Reader
	out, log io.Writer
	note     func(on []string) // hears what was made
	yes, dry bool
	asJSON   bool
}

type missingJSON struct {
	Connector string   `json:"connector"`
	Object    string   `json:"object"`
	Field     string   `json:"field,omitempty"`
	Type      string   `json:"type,omitempty"`
	Native    string   `json:"native,omitempty"`
	Unique    bool     `json:"unique,omitempty"`
	Options   []string `json:"options,omitempty"`
	Manual    string   `json:"manual,omitempty"`
	Pos       string   `json:"pos"`
	Made      bool     `json:"made"`
}

func (p provisioner) run(ctx context.Context, missing []live.Missing, problems diag.Problems) error {
	var can, cannot []live.Missing
	for _, m := range missing {
		if m.Manual == "" {
			can = append(can, m)
		} else {
			cannot = append(cannot, m)
		}
	}
	problems.Render(p.log)
	if !p.asJSON {
		p.show(can, cannot, len(problems) == 0)
	}
	made := map[string]bool{}
	if len(can) > 0 && !p.dry {
		if err := p.agreed(ctx, len(can)); err != nil {
			return err
		}
		made = p.create(ctx, can)
		p.noted(can, made)
	}
	if p.asJSON {
		if err := p.list(missing, made); err != nil {
			return err
		}
	}
	if len(problems) > 0 || len(made) < len(missing) {
		return coded{exitProblems, errShown}
	}
	return nil
}

func (p provisioner) show(can, cannot []live.Missing, all bool) {
	if len(can) > 0 {
		fmt.Fprintf(p.out, "The mapping writes %s that %s not there:\n\n", plural(len(can), "field"), isAre(len(can)))
		tw := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
		for _, m := range can {
			fmt.Fprintf(tw, "  %s\t%s\t%s\t%s\t%s\n", m.Account.Name, m.Object, m.Field.Name, m.At, typeWords(m.Field))
		}
		_ = tw.Flush()
		fmt.Fprintln(p.out)
	}
	if len(cannot) > 0 {
		fmt.Fprint(p.out, "Yours to make, as crmsyncd cannot:\n\n")
		for _, m := range cannot {
			what := m.Object
			if m.Field.Name != "" {
				what += " " + m.Field.Name
			}
			fmt.Fprintf(p.out, "  %s  %s (%s)\n    %s\n", m.Account.Name, what, m.At, m.Manual)
		}
		fmt.Fprintln(p.out)
	}
	if len(can)+len(cannot) == 0 && all {
		fmt.Fprintln(p.out, "Nothing to do: the accounts have every field that the mapping writes.")
	}
}

// typeWords says what a field will be, in our words and the vendor's.
func typeWords(f connectors.Field) string {
	s := string(f.Type)
	if f.Unique {
		s += ", unique"
	}
	if f.Target != "" {
		s += " of " + f.Target
	}
	s += " (" + f.Native + ")"
	if len(f.Options) > 0 {
		s += ": " + strings.Join(optionValues(f, 6), ", ")
	}
	return s
}

func optionValues(f connectors.Field, most int) []string {
	var out []string
	for i, o := range f.Options {
		if i == most {
			return append(out, fmt.Sprintf("and %d more", len(f.Options)-most))
		}
		out = append(out, o.Value)
	}
	return out
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// agreed asks on a terminal, and takes anything but yes for a no.
func (p provisioner) agreed(ctx context.Context, n int) error {
	if p.yes {
		return nil
	}
	if p.asJSON || !isTerminal(p.in) {
		return coded{exitUsage, errors.New("there is no terminal to ask on: nothing was made; add --yes to make the fields, or --dry-run")}
	}
	return p.ask(ctx, n)
}

func (p provisioner) ask(ctx context.Context, n int) error {
	fmt.Fprintf(p.out, "Make %s now? [y/N] ", plural(n, "field"))
	yes, err := saysYes(ctx, p.in)
	switch {
	case err != nil:
		fmt.Fprintln(p.out)
		return fmt.Errorf("%w: nothing was made", err)
	case yes:
		return nil
	}
	fmt.Fprintln(p.out, "Nothing was made.")
	return coded{exitProblems, errShown}
}

func isTerminal(in io.Reader) bool {
	f, ok := in.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull) // a device of that kind as well
	return err != nil || !os.SameFile(info, null)
}

// create makes what can be made, and goes on after a refusal.
func (p provisioner) create(ctx context.Context, can []live.Missing) map[string]bool {
	made := map[string]bool{}
	for _, m := range can {
		err := m.Create(ctx)
		if err != nil {
			reason := connectors.AsError(err).Message
			if reason == "" {
				reason = err.Error()
			}
			fmt.Fprintf(p.log, "crmsyncd: %s %s %s: %s\n", m.Account.Name, m.Object, m.Field.Name, reason)
			continue
		}
		made[m.At.String()] = true
		if !p.asJSON {
			fmt.Fprintf(p.out, "made %s %s %s\n", m.Account.Name, m.Object, m.Field.Name)
		}
	}
	return made
}

// noted tells what was made, for the audit trail.
func (p provisioner) noted(can []live.Missing, made map[string]bool) {
	var on []string
	for _, m := range can {
		if made[m.At.String()] {
			on = append(on, strings.TrimSuffix(m.Account.Name+"."+m.Object+"."+m.Field.Name, "."))
		}
	}
	if len(on) > 0 && p.note != nil {
		p.note(on)
	}
}

// list prints what was missing as JSON.
func (p provisioner) list(missing []live.Missing, made map[string]bool) error {
	out := make([]missingJSON, len(missing))
	for i, m := range missing {
		out[i] = missingJSON{
			Connector: m.Account.Name, Object: m.Object, Field: m.Field.Name, Manual: m.Manual, Pos: m.At.String(), Made: made[m.At.String()],
		}
		if m.Manual == "" {
			out[i].Type, out[i].Native, out[i].Unique = string(m.Field.Type), m.Field.Native, m.Field.Unique
			out[i].Options = optionValues(m.Field, len(m.Field.Options))
		}
	}
	return printJSON(p.out, out)
}
