package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// version is set by the linker at a release.
var version = "devel"

// systemConfig is looked at where ./config.yaml is not there.
const systemConfig = "/etc/crmsyncd/config.yaml"

// cli is what all commands share.
type cli struct {
	config string // --config
}

func newRoot() *cobra.Command {
	c := &cli{}
	root := &cobra.Command{
		Use:                        "crmsyncd",
		Short:                      "Get what happened on the phone into the CRM: once, in order, and never lost",
		SilenceErrors:              true,
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		Args:                       cobra.NoArgs,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().StringVar(&c.config, "config", "", "settings file (default ./config.yaml, then "+systemConfig+")")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return coded{exitUsage, flagError(err)} })
	root.AddCommand(
		c.serve(), newInit(), c.check(), c.explain(), c.diff(), c.test(), c.send(), c.events(), c.deliveries(), c.status(), c.doctor(), c.auth(), c.provision(), c.backfill(), c.reconcile(), c.ledger(), c.audit(), c.erase(),
		newSandbox(), newDemo(), newFunctions(), c.schema(), newVersion(), newMan(),
	)
	usageErrors(root)
	return root
}

// usageErrors gives wrong arguments their own exit code.
func usageErrors(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			if err == nil {
				return nil
			}
			message := err.Error()
			if s := cmd.SuggestionsFor(strings.Join(args, " ")); len(s) > 0 {
				message += "; did you mean " + s[0] + "?"
			}
			return coded{exitUsage, errors.New(message)}
		}
	}
	for _, sub := range cmd.Commands() {
		usageErrors(sub)
	}
}

// flagError says in our words what is wrong with a flag's value: the library
// quotes Go.
func flagError(err error) error {
	wrong, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return err
	}
	wants := "another value"
	switch wrong.GetFlag().Value.Type() {
	case "int", "uint64":
		wants = "a whole number"
	case "float64":
		wants = "a number"
	case "bool":
		wants = "true or false"
	case "duration":
		wants = "a length of time such as 30s, 5m or 2h"
	}
	return fmt.Errorf("--%s wants %s, not %q", wrong.GetFlag().Name, wants, wrong.GetValue())
}

// shells makes the command for completion refuse a shell that it does not know,
// where the library shows its help.
func shells(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	cmd, _, err := root.Find([]string{"completion"})
	if err != nil {
		return
	}
	var names []string
	for _, sub := range cmd.Commands() {
		names = append(names, sub.Name())
	}
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) > 0 {
			return usage("there is no completion for %q; the shells are %s", args[0], strings.Join(names, ", "))
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
}

// path is the settings file in use.
func (c *cli) path() string {
	if c.config != "" {
		return c.config
	}
	if _, err := os.Stat("config.yaml"); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(systemConfig); err == nil {
			return systemConfig
		}
	}
	return "config.yaml"
}

// build reads settings and mapping without needing their secrets.
func (c *cli) build() (*app.Setup, diag.Problems) {
	return app.BuildOffline(c.path(), version)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// operations returns what can be done on the running daemon or, where none
// runs, on its ledger. Call done afterwards.
func (c *cli) operations(ctx context.Context) (ops admin.Operations, done func() error, err error) {
	setup, problems := c.build()
	if setup == nil || setup.Settings == nil {
		return nil, nil, problems
	}
	client := clientOf(setup.Settings)
	if _, err := client.Status(ctx); !errors.Is(err, admin.ErrUnreachable) {
		return client, func() error { return nil }, err
	}
	ledger, err := openLedger(setup, bolt.Options{})
	for range 4 { // a daemon that is just starting has the ledger before it answers
		if !errors.Is(err, store.ErrLocked) {
			break
		}
		if _, err := client.Status(ctx); !errors.Is(err, admin.ErrUnreachable) {
			return client, func() error { return nil }, err
		}
		ledger, err = openLedger(setup, bolt.Options{})
	}
	switch {
	case errors.Is(err, store.ErrLocked):
		return nil, nil, coded{exitUnreachable, fmt.Errorf("a daemon has the ledger open but does not answer at %s; is admin: the same in its settings?", setup.Settings.Admin)}
	case errors.Is(err, store.ErrNotFound):
		return nil, nil, notBegun(setup)
	case err != nil:
		return nil, nil, err
	}
	if problems.Has(diag.Error) && len(setup.Sources) < max(1, len(setup.Settings.Sources)) {
		fmt.Fprintln(os.Stderr, "crmsyncd: the settings have mistakes; events whose source cannot be built from them are shown without call and contact. crmsyncd check says what to mend.")
	}
	desk, end := app.NewDesk(ledger, setup)
	return desk, func() error { end(); return ledger.Close() }, nil
}

// notBegun is the error where there never was a ledger.
func notBegun(setup *app.Setup) error {
	return coded{exitUnreachable, fmt.Errorf("no daemon answers at %s, and there is no ledger in %s; start it with crmsyncd serve", setup.Settings.Admin, setup.Settings.DataDir)}
}

// openLedger opens the ledger of settings whose daemon does not run.
func openLedger(setup *app.Setup, o bolt.Options) (*bolt.Ledger, error) {
	keys, err := setup.Keys()
	if err != nil {
		return nil, coded{exitPerson, err}
	}
	o.Path, o.Keys, o.Log = filepath.Join(setup.Settings.DataDir, app.LedgerFile), keys, quiet()
	ledger, err := bolt.Open(o)
	if errors.Is(err, store.ErrKey) || errors.Is(err, store.ErrCorrupt) { // also one that is gone
		err = coded{exitPerson, err}
	}
	return ledger, err
}

// with runs do on operations.
func (c *cli) with(ctx context.Context, do func(admin.Operations) error) error {
	ops, done, err := c.operations(ctx)
	if err != nil {
		return err
	}
	return errors.Join(do(ops), done())
}

// printJSON writes v as indented JSON.
func printJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(escaped(b.Bytes()))
	return err
}

// buildStrict reads settings and mapping as the daemon would.
func (c *cli) buildStrict() (*app.Setup, diag.Problems) {
	return app.Build(c.path(), version, func(config.Log) *slog.Logger { return quiet() })
}
