package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

func (c *cli) ledgerBackup() *cobra.Command {
	var dir string
	var keep int
	cmd := &cobra.Command{
		Use:   "backup [FILE]",
		Short: "Write a consistent copy of the ledger, whether the daemon runs or not",
		Long: `Write a consistent copy of the ledger to FILE, which must not be there yet, or
into DIR under a name with the time (UTC). The daemon goes on meanwhile. The copy
is read whole before it gets its name. It holds what the ledger holds: keep it as
safe.

With --keep the oldest backups of DIR are deleted once the new one is whole, so
that N are left; other files are let alone. crmsyncd-backup.timer does this daily.`,
		Example: "  crmsyncd ledger backup before-the-move.db\n  crmsyncd ledger backup --dir /backup --keep 14",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case (len(args) == 1) == (dir != ""):
				return usage("name a file, or a folder with --dir")
			case cmd.Flags().Changed("keep") && (dir == "" || keep < 1):
				return usage("--keep says how many backups stay in --dir: one at least")
			}
			return c.withKeeper(cmd.Context(), func(k admin.Keeper) error {
				var part *os.File
				var path string
				var err error
				if dir == "" {
					path = args[0]
					part, err = beginAt(path)
				} else if err = tidyFolder(dir, time.Now()); err == nil {
					part, path, err = beginIn(dir, time.Now())
				}
				if err != nil {
					return fmt.Errorf("backup: %w", err)
				}
				n, err := c.backupTo(cmd.Context(), k, part, path)
				if err != nil {
					return fmt.Errorf("backup: %w", err)
				}
				fmt.Fprintf(cmd.OutOrStdout(), "backed up to %s (%s), and verified\n", path, size(n))
				if keep == 0 {
					return nil
				}
				gone, err := rotate(dir, keep)
				if gone > 0 {
					fmt.Fprintf(cmd.OutOrStdout(), "%s deleted, %d kept\n", plural(gone, "old backup"), keep)
				}
				if err != nil {
					return fmt.Errorf("the backup is whole, but an old one stays: %w", err)
				}
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "write into this folder, which is made if need be")
	f.IntVar(&keep, "keep", 0, "with --dir: how many backups stay; the oldest go (default all)")
	return cmd
}

// The names of backups in a folder: in the order of their time.
const (
	backupPrefix = "crmsyncd-"
	backupLayout = "20060102T150405Z"
	backupSuffix = ".db"
	partSuffix   = ".part" // not whole yet
	// deadPart is how long nobody wrote to a part that a backup left when it was
	// killed; one that still runs writes all the time.
	deadPart = time.Hour
	// perSecond is how many backups may begin in one second.
	perSecond = 99
)

// backupName is the name of the nth backup of a second, from 1. That of the
// second and later ones is behind that of the first: _ comes after a dot.
func backupName(dir string, now time.Time, nth int) string {
	number := ""
	if nth > 1 {
		number = fmt.Sprintf("_%02d", nth)
	}
	return filepath.Join(dir, backupPrefix+now.UTC().Format(backupLayout)+number+backupSuffix)
}

// isBackup tells whether a file has a name that backupName gives.
func isBackup(name string) bool {
	at, ok := strings.CutPrefix(name, backupPrefix)
	at, whole := strings.CutSuffix(at, backupSuffix)
	at, number, numbered := strings.Cut(at, "_")
	nth, notNumber := strconv.Atoi(number)
	_, err := time.Parse(backupLayout, at)
	return ok && whole && err == nil && (!numbered || notNumber == nil && len(number) == 2 && nth > 1)
}

// beginAt begins a backup under a name that nothing has yet.
func beginAt(path string) (part *os.File, err error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s is there already; name another file", path)
	}
	return os.OpenFile(path+partSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

// beginIn begins a backup under the next free name of this second, which no
// other command can take meanwhile.
func beginIn(dir string, now time.Time) (part *os.File, path string, err error) {
	for nth := range perSecond {
		path = backupName(dir, now, nth+1)
		part, err = os.OpenFile(path+partSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		if _, err = os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return part, path, nil
		}
		if err = errors.Join(part.Close(), os.Remove(part.Name())); err != nil {
			return nil, "", err
		}
	}
	return nil, "", fmt.Errorf("%d backups of this second are there already", perSecond)
}

// tidyFolder makes the folder if need be, and deletes what killed backups left:
// before the next one, which needs the space.
func tidyFolder(dir string, now time.Time) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		whole, part := strings.CutSuffix(e.Name(), partSuffix)
		if !part || !isBackup(whole) {
			continue
		}
		if info, statErr := e.Info(); statErr == nil && now.Sub(info.ModTime()) > deadPart {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// rotate deletes the oldest backups in dir but for keep, and returns how many.
func rotate(dir string, keep int) (gone int, err error) {
	entries, err := os.ReadDir(dir) // sorted by name: by time
	if err != nil {
		return 0, err
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !e.Type().IsRegular() || !isBackup(e.Name()) })
	for _, e := range entries[:max(0, len(entries)-keep)] {
		if removeErr := os.Remove(filepath.Join(dir, e.Name())); removeErr != nil {
			err = errors.Join(err, removeErr)
			continue
		}
		gone++
	}
	return gone, err
}

// backupTo writes a backup into f, which gets the name of path once it is
// whole, durable and sound.
func (c *cli) backupTo(ctx context.Context, k admin.Keeper, f *os.File, path string) (n int64, err error) {
	temp := f.Name()
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp))
		}
	}()
	if n, err = k.Backup(ctx, f); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return n, c.needsSpace(err)
	}
	damage, err := c.inspectBackup(ctx, temp)
	if err == nil && len(damage) > 0 {
		err = fmt.Errorf("the ledger has %s: crmsyncd ledger verify lists them; nothing was written", plural(len(damage), "damaged record"))
	}
	if err != nil {
		return n, err
	}
	crashpoint.At("backup.written")
	if err := os.Rename(temp, path); err != nil {
		return n, err
	}
	crashpoint.At("backup.renamed")
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return n, err
	}
	return n, errors.Join(dir.Sync(), dir.Close())
}

// needsSpace says how much space a backup needs, if it failed for the lack of it.
func (c *cli) needsSpace(err error) error {
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) && !errors.Is(err, syscall.EFBIG) {
		return err
	}
	much := ""
	if path, _, _, pathErr := c.ledgerPath(); pathErr == nil {
		if info, statErr := os.Stat(path); statErr == nil {
			much = ", " + size(info.Size())
		}
	}
	return fmt.Errorf("no space left there: it needs as much as the ledger%s: %w", much, err)
}

// inspectBackup is inspect, as far as that goes for a user who may not read the
// keys.
func (c *cli) inspectBackup(ctx context.Context, path string) ([]store.Damage, error) {
	damage, err := c.inspect(ctx, path, nil)
	if errors.Is(err, store.ErrKey) {
		return bolt.InspectSums(ctx, path, nil)
	}
	return damage, err
}
