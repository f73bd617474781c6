package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/cases"
	"github.com/crmsyncd/crmsyncd/internal/starter"
	"github.com/crmsyncd/crmsyncd/mapping"
)

func newInit() *cobra.Command {
	var choice starter.Choice
	var yes, overwrite bool
	var senders, crms []string
	for _, s := range starter.Senders() {
		senders = append(senders, s.Name)
	}
	for _, c := range starter.CRMs() {
		crms = append(crms, c.Name)
	}
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write settings, a mapping and its cases to begin with",
		Long: `Ask who sends and which CRM is written to, and write config.yaml, mapping.yaml and
mapping_test.yaml that pass crmsyncd check and crmsyncd test, with the schemas from
which an editor completes them. What is there already is not written over without
asking. For scripts, --yes takes the defaults for what no flag names.

Senders: ` + strings.Join(senders, ", ") + `.
CRMs: ` + strings.Join(crms, ", ") + `.`,
		Example: "  crmsyncd init\n  crmsyncd init sales --source telli --crm hubspot --yes",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			w := wizard{in: bufio.NewReader(prompt{cmd.Context(), cmd.InOrStdin()}), out: cmd.OutOrStdout(), dir: ".", yes: yes, overwrite: overwrite, choice: choice}
			if len(args) > 0 {
				w.dir = args[0]
			}
			if !yes && !isTerminal(cmd.InOrStdin()) {
				return usage("there is no terminal to ask on: add --yes, with --source and --crm")
			}
			return w.run()
		},
	}
	f := cmd.Flags()
	f.StringVar(&choice.Sender, "source", "", "who sends (default telli)")
	f.StringSliceVar(&choice.CRMs, "crm", nil, "which CRM is written to; several with commas (default hubspot)")
	f.StringVar(&choice.Country, "country", "", "country of numbers without country code (default DE)")
	f.StringVar(&choice.Timezone, "timezone", "", "time zone of times without one (default Europe/Berlin)")
	f.StringVar(&choice.Owner, "owner", "", "e-mail address of the CRM's user who gets the calls of agents that the CRM does not know")
	f.BoolVar(&yes, "yes", false, "do not ask")
	f.BoolVar(&overwrite, "overwrite", false, "write over what is there")
	return cmd
}

// wizard asks and writes.
type wizard struct {
	in             *bufio.Reader
	out            io.Writer
	dir            string
	yes, overwrite bool
	choice         starter.Choice
}

func (w wizard) run() error {
	if err := w.ask(); err != nil {
		return err
	}
	texts, err := starter.Make(w.choice)
	if err != nil {
		return coded{exitUsage, err}
	}
	for name, text := range map[string][]byte{
		"config.schema.json": config.JSONSchema(app.SourceTypes(), app.ConnectorTypes()), "mapping.schema.json": mapping.JSONSchema(), "mapping_test.schema.json": cases.JSONSchema(),
	} {
		texts[name] = string(text)
	}
	if texts[starter.Cases], err = filled(texts); err != nil {
		return err
	}
	names := append(slices.Clone(starter.Names), "config.schema.json", "mapping.schema.json", "mapping_test.schema.json")
	write, err := w.agreed(names, texts)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return err
	}
	for _, name := range write {
		if err := os.WriteFile(filepath.Join(w.dir, name), []byte(texts[name]), 0o644); err != nil { //nolint:gosec // no secret stands in them
			return err
		}
		fmt.Fprintf(w.out, "wrote %s\n", filepath.Join(w.dir, name))
	}
	w.next()
	return nil
}

// filled gives the cases with what comes of them. The files are read in a
// folder of their own, so that nothing is left behind where they do not fit.
func filled(texts map[string]string) (string, error) {
	dir, err := os.MkdirTemp("", "crmsyncd-init-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	for _, name := range starter.Names {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(texts[name]), 0o600); err != nil {
			return "", err
		}
	}
	setup, problems := app.BuildOffline(filepath.Join(dir, starter.Config), version)
	if err := problems.Err(); err != nil {
		return "", err
	}
	out, err := setup.Expect(filepath.Join(dir, starter.Cases), []byte(texts[starter.Cases]))
	return string(out), err
}

// agreed are the files that may be written: those that are not there, those
// that would not change, and those that the person lets go.
func (w wizard) agreed(names []string, texts map[string]string) ([]string, error) {
	var write, kept []string
	for _, name := range names {
		path := filepath.Join(w.dir, name)
		old, err := os.ReadFile(path)
		switch {
		case errors.Is(err, os.ErrNotExist), err == nil && (w.overwrite || strings.HasSuffix(name, ".schema.json")):
			write = append(write, name)
		case err != nil:
			return nil, err
		case string(old) == texts[name]:
		case w.yes:
			kept = append(kept, path)
		default:
			answer, err := w.line(path+" is there already. Write over it?", "no")
			if err != nil {
				return nil, err
			}
			if strings.HasPrefix(strings.ToLower(answer), "y") {
				write = append(write, name)
			} else {
				kept = append(kept, path)
			}
		}
	}
	if len(kept) > 0 {
		return nil, coded{exitUnexpected, fmt.Errorf("nothing was written: %s is there already; take another folder, or add --overwrite", strings.Join(kept, ", "))}
	}
	return write, nil
}

func (w wizard) next() {
	sender, err := starter.FindSender(w.choice.Sender)
	if err != nil {
		return
	}
	in := ""
	if w.dir != "." {
		in = " --config " + filepath.Join(w.dir, starter.Config)
	}
	fmt.Fprintf(w.out, "\nNext, try the mapping on its cases, see a call field by field, and check it all with your secrets:\n\n")
	fmt.Fprintf(w.out, "  crmsyncd test%s\n", in)
	if sender.Sample != "" {
		fmt.Fprintf(w.out, "  crmsyncd explain%s --sample %s\n", in, sender.Sample)
	} else {
		fmt.Fprintf(w.out, "  crmsyncd test%s --cover\n", in)
	}
	var env []string
	for _, s := range starter.Secrets(w.choice) {
		env = append(env, s.Env+"=…")
	}
	fmt.Fprintf(w.out, "  %s crmsyncd check%s\n", strings.Join(env, " "), in)
}
