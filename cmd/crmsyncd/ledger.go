package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

func (c *cli) ledger() *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "Verify, back up, restore, compact, encrypt and migrate the ledger", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	cmd.AddCommand(c.ledgerVerify(), c.ledgerBackup(), c.ledgerRestore(), c.ledgerCompact(), c.ledgerEncrypt(), c.ledgerMigrate(), c.ledgerAdopt())
	return cmd
}

// me is who runs this command, for the audit trail.
func me() string {
	u, err := user.Current()
	if err != nil {
		return fmt.Sprintf("user %d", os.Getuid())
	}
	if by := os.Getenv("SUDO_USER"); by != "" && by != u.Username {
		return u.Username + " for " + by
	}
	return u.Username
}

// withKeeper runs do on the running daemon or, where none runs, on its ledger.
func (c *cli) withKeeper(ctx context.Context, do func(admin.Keeper) error) error {
	return c.with(ctx, func(ops admin.Operations) error {
		k, ok := ops.(admin.Keeper)
		if !ok {
			return errors.New("the ledger cannot be looked after here")
		}
		return do(k)
	})
}

// ledgerPath is the ledger's file, and the address at which a daemon that has it
// open would answer.
func (c *cli) ledgerPath() (path, address string, setup *app.Setup, err error) {
	setup, problems := c.build()
	if setup == nil || setup.Settings == nil {
		return "", "", nil, problems
	}
	return filepath.Join(setup.Settings.DataDir, app.LedgerFile), setup.Settings.Admin, setup, nil
}

// inspect is bolt.Inspect with the keys of the settings.
func (c *cli) inspect(ctx context.Context, path string, tell func(done, total int)) ([]store.Damage, error) {
	setup, _ := c.build()
	if setup == nil || setup.Settings == nil {
		return bolt.Inspect(ctx, path, tell) // without keys, as far as that goes
	}
	keys, missing := setup.Keys()
	damage, err := bolt.Inspect(ctx, path, tell, keys...)
	if errors.Is(err, store.ErrKey) {
		return nil, coded{exitPerson, cmp.Or(missing, err)}
	}
	return damage, err
}

// noDaemon refuses what needs the ledger to itself.
func noDaemon(ctx context.Context, address, what string) error {
	if _, err := admin.NewClient(address).Status(ctx); !errors.Is(err, admin.ErrUnreachable) {
		return fmt.Errorf("a daemon runs; stop it %s (systemctl stop crmsyncd)", what)
	}
	return nil
}

// meter shows how far long work is, on a terminal only.
func meter(w io.Writer, what string) (tell func(done, total int), clear func()) {
	if !isScreen(w) {
		return nil, func() {}
	}
	var drawn time.Time
	tell = func(done, total int) {
		if now := time.Now(); total > 0 && now.Sub(drawn) > 100*time.Millisecond {
			drawn = now
			fmt.Fprintf(w, "\r\x1b[K%s %3d%%", what, done*100/total)
		}
	}
	return tell, func() { fmt.Fprint(w, "\r\x1b[K") }
}

func (c *cli) ledgerVerify() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Read every record of the ledger, or of a backup, and list what is damaged",
		Long: `Read every record and compare its checksum, and what belongs together with each
other. Nothing is changed. The exit code is 3 if something is damaged.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			tell, clear := meter(cmd.ErrOrStderr(), "verifying")
			damage, name, err := c.verify(cmd.Context(), args, tell)
			clear()
			if errors.Is(err, store.ErrCorrupt) && !errors.As(err, new(coded)) {
				return coded{exitProblems, err}
			}
			if err != nil {
				return err
			}
			if asJSON {
				if damage == nil {
					damage = []store.Damage{}
				}
				err = printJSON(cmd.OutOrStdout(), damage)
			} else {
				printDamage(cmd.OutOrStdout(), name, damage)
			}
			if err == nil && len(damage) > 0 {
				err = coded{exitProblems, errShown}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (c *cli) verify(ctx context.Context, args []string, tell func(done, total int)) (damage []store.Damage, name string, err error) {
	if len(args) == 1 {
		damage, err = c.inspect(ctx, args[0], tell)
		return damage, args[0], err
	}
	path, _, setup, err := c.ledgerPath()
	if err != nil {
		return nil, "", err
	}
	client := clientOf(setup.Settings)
	if _, err := client.Status(ctx); !errors.Is(err, admin.ErrUnreachable) {
		if err == nil {
			damage, err = client.Verify(ctx, tell)
		}
		return damage, path, err
	}
	damage, err = c.inspect(ctx, path, tell)
	if errors.Is(err, store.ErrNotFound) {
		var l *bolt.Ledger
		switch l, err = openLedger(setup, bolt.Options{}); { // which knows whether there was one
		case errors.Is(err, store.ErrNotFound):
			err = notBegun(setup)
		case err == nil:
			err = errors.Join(errors.New("the ledger was being replaced; do it again"), l.Close())
		}
	}
	return damage, path, err
}

func printDamage(w io.Writer, name string, damage []store.Damage) {
	if len(damage) == 0 {
		fmt.Fprintf(w, "%s is sound\n", name)
		return
	}
	for _, d := range damage {
		fmt.Fprintf(w, "%s %s: %s\n", d.Bucket, d.Key, d.What)
	}
	fmt.Fprintf(w, "%s has %s; restore a backup (crmsyncd ledger restore), or keep it: what is damaged is passed over\n", name, plural(len(damage), "damaged record"))
}

func size(n int64) string {
	if n < 10<<20 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

func (c *cli) ledgerCompact() *cobra.Command {
	var overwrite bool
	cmd := &cobra.Command{
		Use:   "compact",
		Short: "Give the disk back what the ledger does not use, whether the daemon runs or not",
		Long: `Write what is live into a new file and put that in the place of the old one. The
daemon goes on meanwhile: writes wait for a moment at the end. As much space as
the ledger has, and 64 MiB beside, must be free: less is refused, and says so.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withKeeper(cmd.Context(), func(k admin.Keeper) error {
				tell, clear := meter(cmd.ErrOrStderr(), "compacting")
				done, err := k.Compact(cmd.Context(), overwrite, tell)
				clear()
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "compacted: %s before, %s now; writes waited for %v\n", size(done.Before), size(done.After), done.Pause.Round(time.Millisecond))
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&overwrite, "overwrite", false, "fill the old file with zeros before it is let go, so that what was deleted is not left on the disk")
	return cmd
}
