package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

func (c *cli) ledgerEncrypt() *cobra.Command {
	return &cobra.Command{
		Use:   "encrypt",
		Short: "Write every record anew with the first of encryption_keys, whether the daemon runs or not",
		Long: `Write every record anew, encrypted with the first of privacy.encryption_keys in
the settings, or in plain where none stands there, and overwrite the old file with
zeros. For a ledger that is older than its key, and after the key was changed: until
then only new records have it. The daemon goes on meanwhile; after a change of its
keys restart it first. Cut short, nothing was changed: run it again.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, _, setup, err := c.ledgerPath()
			if err != nil {
				return err
			}
			keys := setup.Settings.Privacy.EncryptionKeys
			if len(keys) == 0 {
				return coded{exitPerson, errors.New("the settings have no privacy.encryption_keys; docs/ledger.md says how to make a key")}
			}
			return c.withKeeper(cmd.Context(), func(k admin.Keeper) error {
				tell, clear := meter(cmd.ErrOrStderr(), "encrypting")
				done, err := k.Encrypt(cmd.Context(), tell)
				clear()
				if err != nil {
					return err
				}
				w := cmd.OutOrStdout()
				switch {
				case done.Encrypted:
					fmt.Fprintln(w, "every record is encrypted with the first of encryption_keys; the others can be removed from the settings")
				case keys[0].Reveal() == "none":
					fmt.Fprintln(w, "no record is encrypted; encryption_keys can be removed from the settings")
				default:
					return coded{exitPerson, errors.New("nothing was encrypted: the daemon was started without the key; restart it (systemctl restart crmsyncd), and run this again")}
				}
				if done.Damaged > 0 {
					fmt.Fprintf(w, "%s could not be read and stayed as it was: crmsyncd ledger verify lists it\n", plural(done.Damaged, "damaged record"))
				}
				if copies, err := filepath.Glob(path + ".*"); err == nil && len(copies) > 0 {
					fmt.Fprintf(w, "these copies of the ledger are as they were: %s\n", strings.Join(copies, ", "))
				}
				return nil
			})
		},
	}
}
