package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrExposed means that other users of the machine could change the ledger, or
// put another in its place.
var ErrExposed = errors.New("the ledger is not safe from other users of this machine")

// closed refuses a data directory, and a ledger in it, that is not ours alone to
// write. That others can read is for doctor to tell: somebody may want it.
func closed(dir, ledger string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("%w: everybody may write to %s; chmod 0700 %[2]s", ErrExposed, dir)
	}
	info, err = os.Lstat(ledger)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: %s is a link; let data_dir lead to where the file is", ErrExposed, ledger)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%w: %s is no file", ErrExposed, ledger)
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Errorf("%w: everybody may write to %s; chmod 0600 %[2]s", ErrExposed, ledger)
	}
	return nil
}
