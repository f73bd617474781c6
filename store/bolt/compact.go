package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/store"
)

// A compaction copies all records into a new file while the ledger is used,
// then, again and again, those that changed meanwhile. When these are few,
// the committing goroutine copies the last of them and swaps the files.
const (
	compactBytes = 4 << 20  // of records copied at once, and synced
	compactFill  = 0.9      // of the pages of the new file
	compactLast  = 512      // records left for the swap, during which writes wait
	compactTurns = 20       // of copying what changed; then the swap takes what is left
	compactSpare = 64 << 20 // bytes that must be free beside the copy: webhooks come meanwhile
)

// place is where a record lies.
type place struct {
	bucket byte // its id
	key    string
}

// changed notes for a compaction under way what a transaction writes. One that
// is rolled back notes too much, which does no harm.
func (t *txn) changed(b bucket, key []byte) {
	if t.l != nil && t.l.dirty != nil {
		t.l.dirty[place{b.id, string(key)}] = struct{}{}
	}
}

var errCompacting = errors.New("the ledger is being compacted already")

// Compact implements store.File.
func (l *Ledger) Compact(ctx context.Context, overwrite bool, progress func(done, total int)) (c store.Compacted, err error) {
	if err := l.usable(ctx); err != nil {
		return c, err
	}
	if !l.compacting.TryLock() {
		return c, errCompacting
	}
	defer l.compacting.Unlock()
	if progress == nil {
		progress = func(int, int) {}
	}
	n, err := l.newCompaction(ctx)
	if err != nil {
		return c, err
	}
	c.Before = n.old.info.Size()
	if info, err := n.old.file.Stat(); err == nil {
		c.Before = info.Size()
	}
	if err = n.fill(ctx, int(c.Before), progress); err == nil {
		// The swap is not left to itself, once it may have begun.
		err = l.submit(&change{ctx: context.WithoutCancel(ctx), over: make(chan struct{}), alone: func() error {
			began := time.Now()
			defer func() { c.Pause = time.Since(began) }()
			return n.swap(ctx)
		}})
	}
	if l.at.Load() != n.next {
		// Nobody looks for what changes any more.
		l.stopTracking()
		err = needsSpace(err, "the compacted ledger", c.Before)
		return c, errors.Join(err, n.next.db.Close(), os.Remove(n.temp))
	}
	if info, statErr := n.next.file.Stat(); statErr == nil {
		c.After = info.Size()
	}
	c.Encrypted, c.Damaged = l.ring.encrypts(), len(n.damaged)
	return c, errors.Join(err, l.letGoOf(n.old, overwrite))
}

type compaction struct {
	l         *Ledger
	temp      string
	old, next *opened
	unsynced  int // bytes of records written since the last sync
	damaged   map[place]struct{}
}

// sync is called in steps: a whole file at once would hold up the syncs of
// the ledger in use.
func (n *compaction) sync(least int) error {
	if n.unsynced < least {
		return nil
	}
	n.unsynced = 0
	return n.next.db.Sync()
}

// newCompaction makes the new file and begins to note what changes.
func (l *Ledger) newCompaction(ctx context.Context) (*compaction, error) {
	n := &compaction{l: l, temp: l.path + ".compact", old: l.at.Load(), damaged: map[place]struct{}{}}
	if err := l.room(n.old); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(n.temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(flock(f, l.options.Timeout), keepOwner(f, n.old.info)); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(n.temp))
	}
	n.next = &opened{file: f}
	if n.next.info, err = f.Stat(); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(n.temp))
	}
	if n.next.db, err = openBolt(f, l.options); err != nil {
		return nil, errors.Join(err, os.Remove(n.temp))
	}
	n.next.db.NoSync = true // until the last commit: see swap
	err = n.next.db.Update(func(tx *bbolt.Tx) error {
		for _, b := range buckets {
			if _, err := tx.CreateBucket([]byte(b.name)); err != nil {
				return err
			}
		}
		w := rewriting{from: &txn{l: l, at: n.old}, to: n.next}
		return w.begin(tx)
	})
	if err == nil {
		err = l.write(ctx, 0, func(t *txn) error {
			l.dirty = map[place]struct{}{}
			return nil
		}, nil)
	}
	if err != nil {
		l.stopTracking()
		return nil, errors.Join(err, n.next.db.Close(), os.Remove(n.temp))
	}
	return n, nil
}

// room makes sure that the copy does not fill the disk.
func (l *Ledger) room(old *opened) error {
	var fs syscall.Statfs_t
	if err := syscall.Fstatfs(int(old.file.Fd()), &fs); err != nil {
		return nil // then the copy shows it
	}
	info, err := old.file.Stat()
	if err != nil {
		return err
	}
	return enough(info.Size(), int64(fs.Bavail)*int64(fs.Bsize))
}

// enough says of a ledger and of free space, both in bytes, what is missing.
func enough(ledger, free int64) error {
	if free >= ledger+compactSpare {
		return nil
	}
	return fmt.Errorf("%w: a compaction needs %d bytes, as much as the ledger has and %d MiB beside for what comes in meanwhile; %d are free", store.ErrFull, ledger+compactSpare, compactSpare>>20, free)
}

// stopTracking has nothing noted any more. Where nothing can be written ever
// again, nothing is noted either.
func (l *Ledger) stopTracking() {
	const pause = 100 * time.Millisecond
	for errors.Is(l.write(context.Background(), 0, func(*txn) error { l.dirty = nil; return nil }, nil), store.ErrFull) {
		time.Sleep(pause)
	}
}

// fill copies all records, and then those that changed meanwhile until few are left.
func (n *compaction) fill(ctx context.Context, total int, progress func(done, total int)) error {
	done := 0
	for _, b := range buckets {
		crashpoint.At("compact.filling")
		for last, more := []byte(nil), true; more; {
			var err error
			var size int
			if last, size, more, err = n.copyFrom(ctx, b, last); err != nil {
				return err
			}
			done += size
			n.unsynced += size
			if err := n.sync(compactBytes); err != nil {
				return err
			}
			progress(min(done, total), total)
		}
	}
	for range compactTurns {
		var changed map[place]struct{}
		err := n.l.write(ctx, 0, func(*txn) error {
			if changed == nil && len(n.l.dirty) > compactLast { // it may run again
				changed, n.l.dirty = n.l.dirty, map[place]struct{}{}
			}
			return nil
		}, nil)
		if err != nil {
			return err
		}
		if changed == nil {
			break
		}
		if err := n.copyPlaces(ctx, changed); err != nil {
			return err
		}
	}
	err := n.sync(0)
	n.next.db.NoSync = crashpoint.NoSync
	return err
}

// copyFrom copies the records of a bucket that come after a key, up to
// compactBytes.
func (n *compaction) copyFrom(ctx context.Context, b bucket, after []byte) (last []byte, size int, more bool, err error) {
	err = n.l.read(ctx, func(t *txn) error {
		return n.next.db.Update(func(tx *bbolt.Tx) error {
			to := tx.Bucket([]byte(b.name))
			to.FillPercent = compactFill
			c := t.bucket(b).Cursor()
			k, v := c.First()
			if after != nil {
				if k, v = c.Seek(after); bytes.Equal(k, after) {
					k, v = c.Next()
				}
			}
			w := rewriting{t, n.next, n.damaged}
			for ; k != nil && size < compactBytes; k, v = c.Next() {
				if err := w.put(to, b, k, v); err != nil {
					return err
				}
				size += len(k) + len(v)
				last = bytes.Clone(k)
			}
			more = k != nil
			return nil
		})
	})
	return last, size, more, err
}

// copyPlaces brings the new file to what the ledger holds at some places.
func (n *compaction) copyPlaces(ctx context.Context, changed map[place]struct{}) error {
	byID := map[byte]bucket{}
	for _, b := range buckets {
		byID[b.id] = b
	}
	return n.l.read(ctx, func(t *txn) error {
		return n.next.db.Update(func(tx *bbolt.Tx) error {
			w := rewriting{t, n.next, n.damaged}
			for at := range changed {
				b := byID[at.bucket]
				to, key := tx.Bucket([]byte(b.name)), []byte(at.key)
				if err := w.put(to, b, key, t.bucket(b).Get(key)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// swap runs in the committing goroutine. What fails before the files change
// their places leaves the ledger as it was.
func (n *compaction) swap(ctx context.Context) (err error) {
	l := n.l
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if err := n.copyPlaces(ctx, l.dirty); err != nil {
		return err
	}
	l.dirty = nil
	if err := l.sameFile(0); err != nil {
		return err
	}
	crashpoint.At("compact.filled")
	if err := os.Rename(n.temp, l.path); err != nil {
		if l.sameFile(0) == nil {
			return err
		}
		return l.commitFailed(err, 0)
	}
	crashpoint.At("compact.renamed")
	if err := syncDir(l.path); err != nil {
		// After a power cut the old file could be back, without what follows.
		return l.commitFailed(fmt.Errorf("swap the files: %w", err), 0)
	}
	l.at.Store(n.next)
	if l.keys = nil; l.ring.encrypts() {
		l.keys = []keyID{l.ring.first.id}
	}
	crashpoint.At("compact.swapped")
	return nil
}

// letGoOf closes the old file once nobody reads it any more.
func (l *Ledger) letGoOf(old *opened, overwrite bool) error {
	if !overwrite {
		return old.db.Close()
	}
	// bbolt closes its own handle.
	fd, err := syscall.Dup(int(old.file.Fd()))
	if err != nil {
		return errors.Join(fmt.Errorf("overwrite the old file: %w", err), old.db.Close())
	}
	f := os.NewFile(uintptr(fd), "old ledger")
	crashpoint.At("compact.overwrite")
	return errors.Join(old.db.Close(), overwriteFile(f), f.Close())
}

// overwriteFile fills a file with zeros and lets go of its blocks.
func overwriteFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for at := int64(0); at < info.Size(); at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(int64(len(zeros)), info.Size()-at)], at); err != nil {
			return fmt.Errorf("overwrite the old file: %w", err)
		}
	}
	return f.Sync()
}
