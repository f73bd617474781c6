package bolt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/store"
)

// Snapshot implements store.File. While it runs, the pages of the state that it
// copies cannot be used again, and the file grows by what is written.
func (l *Ledger) Snapshot(ctx context.Context, w io.Writer, size func(int64)) (n int64, err error) {
	err = l.read(ctx, func(t *txn) error {
		if size != nil {
			size(t.tx.Size())
		}
		to := &abortable{Writer: w, ctx: ctx, closing: l.closing}
		var err error
		n, err = t.tx.WriteTo(to)
		return cmp.Or(to.err, err) // bbolt does not wrap it
	})
	return n, err
}

// abortable is a Writer that gives up when its context ends or the ledger closes.
type abortable struct {
	io.Writer
	ctx     context.Context
	closing <-chan struct{}
	err     error
}

func (a *abortable) Write(b []byte) (n int, err error) {
	select {
	case <-a.ctx.Done():
		a.err = a.ctx.Err()
	case <-a.closing:
		a.err = store.ErrClosed
	default:
		n, a.err = a.Writer.Write(b)
	}
	return n, a.err
}

// Inspect is Verify for a file that nobody has open, such as a backup; it
// changes nothing. Errors are those of Open. A file of an older layout that
// Open can bring to today's is inspected as well.
func Inspect(ctx context.Context, path string, progress func(done, total int), keys ...Key) ([]store.Damage, error) {
	damage, err := inspect(ctx, path, progress, keys, false)
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	return damage, nil
}

// InspectSums is Inspect for an encrypted file whose keys are not at hand: it
// looks at the structure, and at the checksums of all but the bodies of events.
func InspectSums(ctx context.Context, path string, progress func(done, total int)) ([]store.Damage, error) {
	damage, err := inspect(ctx, path, progress, nil, true)
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", path, err)
	}
	return damage, nil
}

func inspect(ctx context.Context, path string, progress func(done, total int), keys []Key, closed bool) (_ []store.Damage, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoFile
	}
	if err != nil {
		return nil, err
	}
	s, err := surveyFile(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	defer func() {
		if r := recover(); r != nil {
			err = errors.Join(corruptFile(fmt.Sprint(r)), f.Close())
		}
	}()
	at := &opened{file: f}
	at.db, err = bbolt.Open(path, 0, &bbolt.Options{
		ReadOnly: true, Timeout: time.Second, NoStatistics: true,
		OpenFile: func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	})
	if errors.Is(err, syscall.EWOULDBLOCK) || err != nil && err.Error() == "timeout" {
		err = store.ErrLocked
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l := &Ledger{path: path, ring: newRing(keys), log: slog.New(slog.DiscardHandler), closing: make(chan struct{})}
	l.at.Store(at)
	defer func() { err = errors.Join(err, at.db.Close()) }()
	err = l.read(ctx, l.readMeta)
	if closed && errors.Is(err, store.ErrKey) {
		v := &verifier{l: l, progress: progress, closed: true}
		err = v.all(ctx)
		return v.damage, err
	}
	if _, older := errors.AsType[*oldLayoutError](err); err != nil && !older {
		return nil, err
	}
	damage, err := l.Verify(ctx, progress)
	if s.lostCommit {
		damage = append(damage, store.Damage{Bucket: "file", What: "one of its two headers is damaged; the last commit may be missing"})
	}
	return damage, err
}

// Restore puts a copy of the file from in the place of the ledger at path and
// returns under which name the ledger that was there is kept; "" if there was
// none. from must be sound: see Inspect. ErrLocked: a daemon has the ledger open.
func Restore(path, from string, now time.Time) (kept string, err error) {
	kept, err = restore(path, from, now)
	if err != nil {
		return "", fmt.Errorf("ledger %s: %w", path, err)
	}
	return kept, nil
}

func restore(path, from string, now time.Time) (kept string, err error) {
	var owner fs.FileInfo
	old, err := openFile(Options{Path: path, Timeout: time.Second})
	switch {
	case errors.Is(err, store.ErrNotFound):
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return "", err
		}
		if owner, err = os.Stat(filepath.Dir(path)); err != nil {
			return "", err
		}
	case err != nil:
		return "", err
	default:
		defer old.Close() // until then it is locked
		if owner, err = old.Stat(); err != nil {
			return "", err
		}
		kept = path + ".before-restore-" + now.UTC().Format("20060102T150405.000Z")
	}
	temp := path + ".restore"
	if err := copyDurably(temp, from, owner); err != nil {
		return "", errors.Join(err, os.Remove(temp))
	}
	crashpoint.At("restore.copied")
	if err := noteRestored(path, owner); err != nil {
		return "", errors.Join(err, os.Remove(temp))
	}
	if kept != "" {
		if err := os.Link(path, kept); err != nil {
			return "", errors.Join(err, os.Remove(temp))
		}
	}
	crashpoint.At("restore.linked")
	if err := os.Rename(temp, path); err != nil {
		return "", err
	}
	crashpoint.At("restore.renamed")
	return kept, syncDir(path)
}

// restored is the name of the mark that a backup took the place of a ledger. It
// lies beside it, as a kill may come before anything is written into the ledger
// itself. One without a restore does no harm.
func restored(path string) string { return path + ".restored" }

func noteRestored(path string, owner fs.FileInfo) error {
	f, err := os.OpenFile(restored(path), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString("a backup took the place of the ledger; crmsyncd notes it there at its next start\n")
	return errors.Join(err, keepOwner(f, owner), f.Sync(), f.Close(), syncDir(path))
}

// Restored reports when Restore put a backup in the place of the ledger at path,
// if ForgetRestored was not called since.
func Restored(path string) (at time.Time, ok bool) {
	info, err := os.Stat(restored(path))
	if err != nil {
		return time.Time{}, false
	}
	return info.ModTime(), true
}

// ForgetRestored is called once the ledger itself tells that it was restored.
func ForgetRestored(path string) error {
	if err := os.Remove(restored(path)); err != nil {
		return err
	}
	return syncDir(path)
}

// copyDurably copies a file for the owner of another.
func copyDurably(to, from string, owner fs.FileInfo) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = keepOwner(out, owner)
	if err == nil {
		_, err = io.Copy(out, in)
	}
	if err == nil {
		err = out.Sync()
	}
	if info, statErr := in.Stat(); err != nil && statErr == nil {
		err = needsSpace(err, "the restored ledger", info.Size())
	}
	return errors.Join(err, out.Close())
}
