package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/doctor"
)

func (c *cli) doctor() *cobra.Command {
	var asJSON, offline bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at everything that crmsyncd needs: one line each, with how to mend it",
		Long: `Look at everything that crmsyncd needs to work, and say of each thing how it is and
how to mend it: settings and secrets, the daemon, its ledger, the disk, who may read
what, the systemd unit, webhooks that came lately, the way to each CRM and vendor,
the clock, and whether credentials and rights there are enough. Nothing is changed,
and no record is read or written.
A daemon that runs is asked for what only it knows. Run it as root, who may read
the secrets and the data directory.
Exits 3 if something does not work (FAIL).`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := c.examine(cmd.Context(), offline)
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), findings); err != nil {
					return err
				}
			} else if err := printFindings(cmd.OutOrStdout(), findings); err != nil {
				return err
			}
			for _, f := range findings {
				if f.State == doctor.Fail {
					return coded{exitProblems, errShown}
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&offline, "offline", false, "ask no CRM and no vendor")
	return cmd
}

func printFindings(w io.Writer, findings []doctor.Finding) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range findings {
		fmt.Fprintf(tw, "%s\t%s\t%s\n", f.State, visible(f.About), visible(f.What))
		if f.Mend != "" {
			fmt.Fprintf(tw, "\t\t-> %s\n", visible(f.Mend))
		}
	}
	return tw.Flush()
}

// patient is one examination.
type patient struct {
	setup  *app.Setup
	whole  bool          // the secrets are there
	client *admin.Client // nil: no daemon runs
	status admin.Status  // of the running daemon
}

// examine looks at everything.
func (c *cli) examine(ctx context.Context, offline bool) []doctor.Finding {
	p, findings := c.admit(ctx)
	if p == nil {
		return findings
	}
	s := p.setup.Settings
	if p.client != nil {
		findings = append(findings, p.daemon()...)
	}
	findings = append(findings, p.webhooks()...)
	file := filepath.Join(s.DataDir, app.LedgerFile)
	var need int64
	if info, err := os.Stat(file); err == nil {
		need = info.Size()
	}
	findings = append(findings, doctor.Space(s.DataDir, need), doctor.SyncSpeed(s.DataDir))
	for _, path := range []string{s.DataDir, file, filepath.Join(s.Dir, "secrets.env")} {
		findings = append(findings, doctor.Private(path)...)
	}
	if p.client != nil {
		findings = append(findings, doctor.OpenFiles(p.status.OpenFiles, p.status.MostFiles, s.Limits.Connections))
	}
	findings = append(findings, doctor.Unit("/")...)
	if !offline {
		findings = append(findings, c.outside(ctx, p)...)
	}
	return findings
}

// admit reads the settings, and asks for the daemon or looks at its ledger. nil:
// there is nothing more to look at.
func (c *cli) admit(ctx context.Context) (*patient, []doctor.Finding) {
	setup, problems := c.buildStrict()
	p := &patient{setup: setup, whole: !problems.Has(diag.Error)}
	var findings []doctor.Finding
	if !p.whole {
		// Without secrets most can be looked at all the same.
		if lean, rest := c.build(); lean != nil && !rest.Has(diag.Error) {
			p.setup = lean
			for i := range problems {
				if problems[i].Severity == diag.Error {
					problems[i].Hint = strings.TrimPrefix(problems[i].Hint+"; the service may have it all the same: set -a; . /etc/crmsyncd/secrets.env; crmsyncd doctor", "; ")
				}
			}
		}
	}
	for _, x := range problems {
		said, mend := x.Pos.String()+": "+x.Message, cmp.Or(x.Hint, "mend this line; crmsyncd check shows it")
		if x.Severity == diag.Warning {
			findings = append(findings, doctor.Doubt("settings-doubt", "settings", said, mend))
			continue
		}
		findings = append(findings, doctor.Bad("settings-mistake", "settings", said, mend))
	}
	if len(problems) == 0 {
		findings = append(findings, doctor.Fine("settings", "settings", fmt.Sprintf("%s: %s, %s, secrets and all", c.path(), plural(len(setup.Sources), "source"), plural(len(setup.Connectors), "connector"))))
	}
	if p.setup == nil || p.setup.Settings == nil || p.setup.Rules == nil {
		return nil, findings
	}
	client := clientOf(p.setup.Settings)
	status, err := client.Status(ctx)
	if err == nil {
		p.client, p.status = client, status
		// What is missing here only the daemon need have.
		for i, f := range findings {
			if !p.whole && f.State == doctor.Fail && p.setup != setup {
				findings[i].State = doctor.Warn
			}
		}
		return p, findings
	}
	found := c.asleep(ctx, p, err)
	return p, append(findings, found...)
}
