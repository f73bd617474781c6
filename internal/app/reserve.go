package app

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// A ledger on a full disk cannot even delete: that writes pages before it frees
// any. So a file beside it keeps some space, and is deleted for what deletes.
// What comes then finds room in the ledger's own file.
const (
	reserveFile = "ledger.reserve"
	reserveSize = 4 << 20
	// reserveRoom is what must be free for the file to be made, so that it is not
	// itself what fills the disk.
	reserveRoom = 16 * reserveSize
	// fewAtOnce is how many events are deleted at a time on a full disk: each
	// takes some pages of the reserve before it gives back more.
	fewAtOnce = 20
	// fullRest is the longest time for which a ledger rests that found no space.
	fullRest = time.Second
)

// sparing is a ledger with a reserve for what deletes.
type sparing struct {
	store.Ledger
	dir string
	log *slog.Logger
	mu  *sync.Mutex // of the file
}

func newSparing(l store.Ledger, dir string, log *slog.Logger) sparing {
	return sparing{l, dir, log, new(sync.Mutex)}
}

// restock makes the file, if it is missing and there is room. Random bytes take
// their space on any file system.
func (s sparing) restock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := filepath.Join(s.dir, reserveFile)
	if info, err := os.Stat(path); err == nil && info.Size() == reserveSize || free(s.dir) < reserveRoom {
		return
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err == nil {
		_, err = io.CopyN(f, rand.Reader, reserveSize)
		err = errors.Join(err, f.Sync(), f.Close())
	}
	if err != nil {
		_ = os.Remove(path)
		s.log.Warn("no space could be kept for a full disk", "err", err)
	}
}

// release lets go of the file; false if it is not there.
func (s sparing) release() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := os.Remove(filepath.Join(s.dir, reserveFile))
	if err == nil {
		s.log.Warn("the disk is full: what was kept in reserve is used to delete what is old", "bytes", reserveSize)
	}
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

// spare does what deletes, and again once the reserve is released where it
// found no space.
func (s sparing) spare(ctx context.Context, do func() error) error {
	err := do()
	if !errors.Is(err, store.ErrFull) || !s.release() {
		return err
	}
	return s.again(ctx, do)
}

// again does what found no space until it finds some, for longer than a ledger
// rests that found none.
func (s sparing) again(ctx context.Context, do func() error) error {
	err := error(store.ErrFull)
	for end := time.Now().Add(2 * fullRest); errors.Is(err, store.ErrFull) && time.Now().Before(end) && pause(ctx, fullRest/10); {
		err = do()
	}
	return err
}

// Expire implements store.Ledger. At the end of a round the reserve is made
// again. Without one, a few events may still find room where many do not.
func (s sparing) Expire(ctx context.Context, now time.Time, r store.Retention, limit int) (done store.Expired, err error) {
	few := false
	do := func() error {
		if few {
			limit = min(limit, fewAtOnce)
		}
		few = true
		done, err = s.Ledger.Expire(ctx, now, r, limit)
		return err
	}
	if err = s.spare(ctx, do); errors.Is(err, store.ErrFull) && limit > fewAtOnce {
		err = s.again(ctx, do)
	}
	if err == nil && done.Over {
		s.restock()
	}
	return done, err
}

// Erase implements store.Ledger.
func (s sparing) Erase(ctx context.Context, e store.Erasure) (done store.Erased, err error) {
	err = s.spare(ctx, func() error {
		done, err = s.Ledger.Erase(ctx, e)
		return err
	})
	return done, err
}

// PutMark implements store.Ledger. A round of Expire begins with one.
func (s sparing) PutMark(ctx context.Context, name string, value []byte) error {
	if name != seenMark {
		return s.Ledger.PutMark(ctx, name, value)
	}
	return s.spare(ctx, func() error { return s.Ledger.PutMark(ctx, name, value) })
}
