package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	bberrors "go.etcd.io/bbolt/errors"

	"github.com/crmsyncd/crmsyncd/store"
)

var (
	errReplaced  = errors.New("the file was deleted or replaced while it was open")
	errTruncated = errors.New("the file was truncated while it was open")
)

// sameFile makes sure that what is written lands where it will be looked for.
// Without it a ledger whose file was deleted would go on into nothing.
func (l *Ledger) sameFile(needed int64) error {
	info, err := os.Stat(l.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errReplaced
	case err != nil:
		return err
	case !os.SameFile(info, l.at.Load().info):
		return errReplaced
	case info.Size() < needed:
		return errTruncated
	}
	return nil
}

// commitFailed sorts the errors of a commit. A full disk passes; after
// anything else it is not known what is on disk, and to go on could destroy
// what is there.
func (l *Ledger) commitFailed(err error, took time.Duration) error {
	if isFull(err) {
		// After a failed commit bbolt reads the whole file anew to learn which
		// pages are free. Do not let that become all that is done.
		l.fullUntil = time.Now().Add(min(4*took, time.Second))
		l.log.Warn("no space left for the ledger", "path", l.path, "error", err)
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	err = fmt.Errorf("%w: %w", store.ErrBroken, err)
	l.broken.Store(&err)
	l.log.Error("the ledger takes nothing more until crmsyncd is restarted", "path", l.path, "error", err)
	return err
}

var fullErrors = []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}

// isFull is true if space ran out before anything of the old state was
// touched: while the file grew or its free pages were written. The same errors
// out of a sync are another matter: pages may be lost by then.
func isFull(err error) bool {
	if errors.Is(err, bberrors.ErrMaxSizeReached) {
		return true
	}
	var pathErr *fs.PathError
	wrote := errors.As(err, &pathErr) && pathErr.Op == "write"
	// bbolt does not wrap the error of a truncate.
	resized := strings.HasPrefix(err.Error(), "file resize error: ")
	for _, full := range fullErrors {
		if wrote && errors.Is(err, full) || resized && strings.Contains(err.Error(), full.Error()) {
			return true
		}
	}
	return false
}
