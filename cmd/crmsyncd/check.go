package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

func (c *cli) check() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Check settings and mapping: every problem with its line and how to mend it",
		Long:  "Check settings and mapping, and show every problem with its line and how to mend it.\nExits 3 if there is an error; warnings alone exit 0.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			setup, problems := c.buildStrict()
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
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the problems as JSON")
	return cmd
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
