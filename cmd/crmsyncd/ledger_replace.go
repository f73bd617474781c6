package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// The commands that need the ledger to themselves.

func (c *cli) ledgerRestore() *cobra.Command {
	return &cobra.Command{
		Use:   "restore FILE",
		Short: "Put a backup in the place of the ledger; the ledger that is there is kept",
		Long: `Verify a backup and put a copy of it in the place of the ledger, which is kept
beside it. The daemon must be stopped. What came in after the backup was made is
not there then: vendors' retries and crmsyncd backfill bring it back. What happened
until now is looked for in the CRMs before a record is made of it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path, address, setup, err := c.ledgerPath()
			if err != nil {
				return err
			}
			if err := noDaemon(cmd.Context(), address, "first"); err != nil {
				return err
			}
			tell, clear := meter(cmd.ErrOrStderr(), "verifying")
			damage, err := c.inspect(cmd.Context(), args[0], tell)
			clear()
			if errors.Is(err, store.ErrCorrupt) {
				return coded{exitProblems, err}
			}
			if err != nil {
				return err
			}
			if len(damage) > 0 {
				printDamage(cmd.ErrOrStderr(), args[0], damage)
				return coded{exitProblems, errors.New("a damaged backup is not restored")}
			}
			kept, err := bolt.Restore(path, args[0], time.Now())
			if errors.Is(err, store.ErrLocked) {
				return fmt.Errorf("%w; stop the daemon first (systemctl stop crmsyncd)", err)
			}
			if err != nil {
				return err
			}
			if err := noted(cmd.Context(), setup, store.Audit{What: "ledger restore", Note: "from " + args[0]}); err != nil {
				return fmt.Errorf("the backup is in place, but: %w", err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "restored %s\n", args[0])
			if kept != "" {
				fmt.Fprintf(cmd.OutOrStdout(), "the ledger that was there is kept as %s\n", kept)
			}
			return nil
		},
	}
}

// noted opens a ledger, brings it to today's layout if need be, and keeps an
// entry of its audit trail.
func noted(ctx context.Context, setup *app.Setup, a store.Audit) error {
	l, err := openLedger(setup, bolt.Options{Migrate: true})
	if err != nil {
		return err
	}
	a.Who = me()
	app.Settle(ctx, l, setup.Settings.DataDir, quiet())
	return errors.Join(l.KeepAudit(ctx, a), l.Close())
}

func (c *cli) ledgerAdopt() *cobra.Command {
	return &cobra.Command{
		Use:   "adopt",
		Short: "Say that the ledger belongs to this machine now, and is used on no other",
		Long: `A ledger notes on which machine and in which folder it is used. Where that is
another one than before, the daemon, status and doctor warn: two daemons with copies
of one ledger write to the same CRMs, each without knowing of the other, and records
come twice. Nothing is refused for it. Make sure that no daemon runs where the ledger
came from; then this command ends the warning.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withKeeper(cmd.Context(), func(k admin.Keeper) error {
				done, err := k.Adopt(cmd.Context())
				if err != nil {
					return err
				}
				if done {
					fmt.Fprintln(cmd.OutOrStdout(), "the ledger belongs here now; it must not be used anywhere else")
				} else {
					fmt.Fprintln(cmd.OutOrStdout(), "the ledger belongs here already")
				}
				return nil
			})
		},
	}
}

func (c *cli) ledgerMigrate() *cobra.Command {
	return &cobra.Command{
		Use:   "migrate",
		Short: "Bring the ledger of an older crmsyncd to today's layout; the old file is kept",
		Long: `Bring a ledger that an older crmsyncd wrote to today's layout. The file as it was
is kept beside it. The daemon does the same when it starts: this command is for
doing it at a time of your own.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, address, setup, err := c.ledgerPath()
			if err != nil {
				return err
			}
			if err := noDaemon(cmd.Context(), address, "first; a daemon that runs has migrated its ledger already"); err != nil {
				return err
			}
			l, err := openLedger(setup, bolt.Options{})
			old, older := bolt.OldLayout(err)
			switch {
			case older:
			case errors.Is(err, store.ErrSchema):
				return coded{exitPerson, err}
			case err != nil:
				return err
			default:
				fmt.Fprintln(cmd.OutOrStdout(), "the ledger has today's layout already")
				return l.Close()
			}
			if err := noted(cmd.Context(), setup, store.Audit{What: "ledger migrate", Note: fmt.Sprintf("from layout %d", old)}); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "brought the ledger from layout %d to today's; the file as it was is kept as %s\n", old, bolt.KeptAs(path, old))
			return nil
		},
	}
}
