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

	"github.com/crmsyncd/crmsyncd/internal/caught"
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
	err = l.judge(err, took)
	if l.options.Failed != nil {
		l.options.Failed(err)
	}
	return err
}

func (l *Ledger) judge(err error, took time.Duration) error {
	if isFull(err) {
		// After a failed commit bbolt reads the whole file anew to learn which
		// pages are free. Do not let that become all that is done.
		l.fullUntil = time.Now().Add(min(4*took, time.Second))
		l.log.Warn("no space left for the ledger", "path", l.path, "error", err)
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	hint := "look at the disk (journalctl -k)"
	if _, ours := errors.AsType[*caught.Panic](err); ours {
		hint = "please report this"
	}
	err = fmt.Errorf("%w: %w; %s", store.ErrBroken, err, hint)
	if l.broken.CompareAndSwap(nil, &err) {
		// For the next start. Without it that makes do with the newest header
		// written again: see settleFile.
		_ = os.WriteFile(suspect(l.path), []byte("crmsyncd copies the ledger at its next start, as a commit failed\n"), 0o600)
		l.log.Error("the ledger takes nothing more until crmsyncd is restarted", "path", l.path, "error", err)
	}
	return err
}

// suspect is the name of the mark that a commit to a ledger failed.
func suspect(path string) string { return path + ".suspect" }

var errFault = errors.New("the file cannot be read where it is mapped: it was truncated, or its disk failed")

// panicked is the error for a panic over the file.
func panicked(r any) error {
	// Only a page that is not there comes with an address: debug.SetPanicOnFault.
	if _, ok := r.(interface{ Addr() uintptr }); ok {
		return errFault
	}
	return fmt.Errorf("%w: %v", store.ErrCorrupt, r)
}

// damagedBy is panicked for what concerns one caller: the others go on, unless
// the file cannot be read at all.
func (l *Ledger) damagedBy(r any) error {
	err := panicked(r)
	if errors.Is(err, errFault) {
		return l.commitFailed(err, 0)
	}
	return fmt.Errorf("%w; stop crmsyncd and use %s", err, mend)
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

// needsSpace says how much space something that is not a commit needs, if it
// failed for the lack of it.
func needsSpace(err error, what string, bytes int64) error {
	for _, full := range fullErrors {
		if errors.Is(err, full) {
			return fmt.Errorf("%w: %s needs %d bytes; the ledger is untouched: %w", store.ErrFull, what, bytes, err)
		}
	}
	return err
}
