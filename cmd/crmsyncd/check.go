package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/live"
)

func (c *cli) check() *cobra.Command {
	var asJSON, asked, noSecrets bool
	var only string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check settings and mapping: every problem with its line and how to mend it",
		Long: `Check settings and mapping, and show every problem with its line and how to mend it.
With --live the CRM accounts are asked for their fields, and everything that the
rules write is compared with them: what is missing there, cannot be written, or
does not take what the rules give it. No record is read or written.
With --no-secrets it does not matter whether secrets are there, for users who
may not read them.
Exits 3 if there is an error; warnings alone exit 0.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			build := c.buildStrict
			if noSecrets {
				build = c.build
			}
			setup, problems := build()
			if noSecrets && asked {
				return usage("--live needs the secrets")
			}
			if only != "" && !asked {
				return usage("--connector goes with --live")
			}
			var accounts []live.Account
			if asked && !problems.Has(diag.Error) {
				list, found, err := c.compare(cmd.Context(), setup, only)
				if err != nil {
					return err
				}
				accounts, problems = list, append(problems, found...)
				// For explain; whoever may not write there goes without.
				_ = live.Remember(cmd.Context(), setup.Settings.DataDir, setup.Rules.Writes(), list)
				problems.Sort()
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), problemsJSON(problems)); err != nil {
					return err
				}
				if problems.Has(diag.Error) {
					return coded{exitProblems, errShown}
				}
				return nil
			}
			problems.Render(cmd.ErrOrStderr())
			if n := count(problems, diag.Error); n > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), "\n%s\n", plural(n, "problem"))
				return coded{exitProblems, errShown}
			}
			rules := setup.Rules.Rules()
			fmt.Fprintf(cmd.OutOrStdout(), "%s is fine: %s, %s, %s", c.path(), plural(len(setup.Sources), "source"), plural(len(setup.Connectors), "connector"), plural(len(rules), "rule"))
			if n := len(problems); n > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), ", %s", plural(n, "warning"))
			}
			fmt.Fprintln(cmd.OutOrStdout())
			printShadows(cmd.OutOrStdout(), setup)
			if len(accounts) > 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "%s: everything that the rules write is there\n", accountNames(accounts))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print the problems as JSON")
	f.BoolVar(&asked, "live", false, "ask the CRM accounts for their fields and compare the rules with them")
	f.BoolVar(&noSecrets, "no-secrets", false, "secrets may be missing")
	f.StringVar(&only, "connector", "", "with --live: ask this connector's account only")
	return cmd
}

// compare compares the rules with the accounts' fields.
func (c *cli) compare(ctx context.Context, setup *app.Setup, only string) ([]live.Account, diag.Problems, error) {
	accounts, problems, done, err := c.accounts(ctx, setup, only)
	if err != nil {
		return nil, nil, err
	}
	problems = append(problems, live.Check(ctx, setup.Rules.Writes(), accounts)...)
	return accounts, problems, done()
}

func accountNames(accounts []live.Account) string {
	names := make([]string, len(accounts))
	for i, a := range accounts {
		names[i] = a.Name
	}
	return strings.Join(names, ", ")
}

type problemJSON struct {
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Severity string `json:"severity"`
	Message  string `json:"message"`
	Hint     string `json:"hint,omitempty"`
}

func problemsJSON(problems diag.Problems) []problemJSON {
	out := make([]problemJSON, len(problems))
	for i, p := range problems {
		out[i] = problemJSON{p.Pos.File, p.Pos.Line, p.Pos.Column, "error", p.Message, p.Hint}
		if p.Severity == diag.Warning {
			out[i].Severity = "warning"
		}
	}
	return out
}

func count(problems diag.Problems, s diag.Severity) int {
	n := 0
	for _, p := range problems {
		if p.Severity == s {
			n++
		}
	}
	return n
}

// plural gives "1 rule" and "2 rules", "1 delivery" and "2 deliveries".
func plural(n int, noun string) string {
	if n != 1 {
		if stem, ok := strings.CutSuffix(noun, "y"); ok {
			noun = stem + "ies"
		} else {
			noun += "s"
		}
	}
	return fmt.Sprintf("%d %s", n, noun)
}
