package bolt

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/store"
)

// schema is the version of the file's layout. A change of a record's payload,
// of a key or of what a bucket means makes it the next.
const schema = 4

var (
	schemaKey = []byte("schema")
	cleanKey  = []byte("clean") // there if the file was closed cleanly and not written since
)

// oldestSchema is the oldest layout that Open can bring to today's.
const oldestSchema = 2

// mapSize is how much more address space than the file needs is mapped at the
// start, in bytes. Memory is used only for pages that are read; a map that need
// not grow never makes a writer wait for readers, such as for a backup.
const mapSize = 1 << 30

// Open opens the ledger. Errors are store.ErrNotFound (no file, and Init was
// not set), ErrLocked, ErrSchema, ErrCorrupt (the file is left as it is, or is
// missing though there was one),
// ErrFull (no space for the copy after a commit that failed) or the file system's.
func Open(o Options) (*Ledger, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Second
	}
	until := time.Now().Add(o.Timeout)
	f, err := openFile(o)
	for errors.Is(err, errSwapped) && time.Now().Before(until) {
		f, err = openFile(o)
	}
	if errors.Is(err, store.ErrNotFound) {
		err = cmp.Or(neverMade(o.Path), err) // a loss is told of as one
	}
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", o.Path, err)
	}
	l, unread, err := open(o, f)
	if err == nil {
		if err = l.recallIDs(cmp.Or(o.tableLen, idTableLen), cmp.Or(o.runLen, idRunLen)); err != nil {
			l.recent.stop()
			err = errors.Join(err, l.at.Load().db.Close())
		}
	}
	if err != nil && unread {
		o.surveyFirst = math.MaxInt // reading all of it tells what is wrong
		return Open(o)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", o.Path, err)
	}
	if unread {
		l.later.Go(l.surveyLater)
	}
	if o.Init {
		noteMade(o)
	}
	l.letGo(time.Now())
	go l.commitLoop()
	return l, nil
}

// errNoFile is a store.ErrNotFound, of the ledger itself.
var errNoFile error = noFileError{}

type noFileError struct{}

func (noFileError) Error() string { return "there is no such file" }
func (noFileError) Unwrap() error { return store.ErrNotFound }

// errSwapped is that another process put a new file in place of the one that
// was waited for.
var errSwapped = fmt.Errorf("%w (it was replaced just now)", store.ErrLocked)

// openFile gives the file, locked by this process.
func openFile(o Options) (*os.File, error) {
	f, err := os.OpenFile(o.Path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		if o.Init {
			if err := neverMade(o.Path); err != nil {
				return nil, err
			}
			return create(o)
		}
		return nil, fmt.Errorf("%w; check data_dir", errNoFile)
	}
	if err != nil {
		return nil, err
	}
	return lock(f, o)
}

// lock waits for the lock and makes sure that the file is still the one at its
// path: the process that held the lock may have put a copy in its place.
func lock(f *os.File, o Options) (*os.File, error) {
	if err := flock(f, o.Timeout); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	here, err := os.Stat(o.Path)
	if err == nil {
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil && !os.SameFile(here, info) {
			err = errSwapped
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// A compaction that was cut short left a second copy of everything.
	_ = os.Remove(o.Path + ".compact")
	return f, nil
}

func flock(f *os.File, timeout time.Duration) error {
	const pause = 20 * time.Millisecond
	for until := time.Now().Add(timeout); ; time.Sleep(pause) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return fmt.Errorf("lock: %w", err)
		case time.Now().After(until):
			return store.ErrLocked
		}
	}
}

// create makes an empty ledger under another name first, so that a crash never
// leaves half a file at the path.
func create(o Options) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(o.Path), 0o700); err != nil {
		return nil, err
	}
	temp := o.Path + ".new"
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f, o.Timeout); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := os.Stat(o.Path); err == nil {
		return nil, errors.Join(errSwapped, f.Close()) // another process was faster
	}
	if err := layOut(f, o); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// Closing let go of the lock: the file is opened again as any other.
	crashpoint.At("create.written")
	if err := os.Rename(temp, o.Path); err != nil {
		return nil, err
	}
	crashpoint.At("create.renamed")
	if err := syncDir(o.Path); err != nil {
		return nil, err
	}
	o.Init = false
	return openFile(o)
}

// layOut writes the buckets of an empty ledger into f and closes it.
func layOut(f *os.File, o Options) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	db, err := openBolt(f, o)
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, b := range buckets {
			if _, err := tx.CreateBucket([]byte(b.name)); err != nil {
				return err
			}
		}
		t := &txn{tx: tx, l: &Ledger{ring: newRing(o.Keys)}}
		return errors.Join(
			t.hide(),
			t.put(metaBucket, schemaKey, binary.AppendUvarint(newRecord(8), schema)),
			t.put(metaBucket, countsKey, counts{}.record()),
			t.put(metaBucket, cleanKey, newRecord(0)),
		)
	})
	return errors.Join(err, db.Close())
}

// openBolt hands a file that is open and locked to bbolt, which closes it.
func openBolt(f *os.File, o Options) (*bbolt.DB, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	db, err := bbolt.Open(o.Path, 0o600, &bbolt.Options{
		Timeout:         o.Timeout,
		NoFreelistSync:  true, // else every commit rewrites the list of free pages
		FreelistType:    bbolt.FreelistMapType,
		InitialMmapSize: cmp.Or(o.mapSize, mapSize) + int(info.Size()),
		NoStatistics:    true,
		NoSync:          crashpoint.NoSync,
		MaxSize:         o.maxSize,
		OpenFile:        func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	})
	if err == nil {
		crashpoint.Writes(db)
	}
	if err != nil && isFull(err) {
		err = fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return db, err
}

// open takes over f, whatever comes of it. What is unread is to be read later.
func open(o Options, f *os.File) (l *Ledger, unread bool, err error) {
	_, notSuspect := os.Stat(suspect(o.Path))
	var s survey
	if notSuspect != nil {
		s, unread = peekFile(f, o)
	}
	if unread {
		err = rewriteHeader(f, s.header)
	} else if s, err = surveyFile(f); err == nil && notSuspect != nil && s.usable(o) { // a suspect file is copied before anything is written to it
		err = settleFile(f, &s)
	}
	if err != nil {
		return nil, unread, errors.Join(err, f.Close())
	}
	if s.lostCommit {
		o.Log.Error("the ledger's newest header is damaged: the last commit may be missing; vendors' retries and a reconcile run bring back what it held", "path", o.Path)
	}
	l, err = start(o, f)
	if old, ok := errors.AsType[*oldLayoutError](err); ok && (o.Migrate || old.version == schema) {
		if f, err = upgraded(o, old.version); err != nil {
			return nil, unread, err
		}
		if l, err = start(o, f); err == nil {
			l.oldHeads = true
		}
	}
	if err != nil {
		return nil, unread, err
	}
	l.oldHeads = l.oldHeads || s.oldHeads
	if !l.clean {
		o.Log.Info("the ledger was not closed cleanly; all that was acknowledged is in it", "path", o.Path)
	}
	if notSuspect != nil {
		return l, unread, nil
	}
	// Where a write or a sync failed, pages may be in the page cache but not on
	// disk. A copy is written anew from the first page to the last.
	at := l.at.Load()
	o.Log.Info("the ledger failed before; it is copied", "path", o.Path, "bytes", at.info.Size())
	next, err := at.copyTo(o, o.Path+".copy", o.Path)
	if err = errors.Join(err, at.db.Close()); err != nil {
		if next != nil {
			_ = next.Close()
		}
		return nil, false, err
	}
	if err := os.Remove(suspect(o.Path)); err != nil {
		return nil, false, errors.Join(err, next.Close())
	}
	if l, err = start(o, next); err == nil {
		l.oldHeads = s.oldHeads
	}
	return l, false, err
}

// usable reports whether a file has today's layout and no keys but those given,
// so that it may be written to.
func (s *survey) usable(o Options) bool {
	payload := func(key []byte) []byte { return s.meta[string(key)][min(sealLen, len(s.meta[string(key)])):] }
	r := reader{payload(schemaKey), true}
	t := &txn{l: &Ledger{ring: newRing(o.Keys)}}
	return r.uvarint() == schema && r.ok && t.hasKeys(keyIDs(payload(keysKey))) == nil
}

// start makes the ledger of a file whose structure is sound.
func start(o Options, f *os.File) (_ *Ledger, err error) {
	l := &Ledger{
		path: o.Path, options: o, log: o.Log, observe: o.Observe, ring: newRing(o.Keys),
		queue: make(chan *change, queueLen), closing: make(chan struct{}), stopped: make(chan struct{}),
	}
	at := &opened{file: f}
	l.at.Store(at)
	if at.info, err = f.Stat(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	defer func() {
		if r := recover(); r != nil {
			err = errors.Join(corruptFile(fmt.Sprint(r)), f.Close())
		}
	}()
	if at.db, err = openBolt(f, o); err != nil {
		return nil, err
	}
	if err := l.read(context.Background(), l.readMeta); err != nil {
		return nil, errors.Join(err, at.db.Close())
	}
	return l, nil
}

func (l *Ledger) readMeta(t *txn) error {
	if t.tx.Bucket([]byte(metaBucket.name)) == nil {
		return corruptFile("it has no " + metaBucket.name)
	}
	payload, err := t.get(metaBucket, schemaKey)
	if err != nil {
		return fmt.Errorf("%w; use %s", err, mend)
	}
	r := reader{payload, true}
	switch v := r.uvarint(); {
	case !r.ok:
		return corruptFile("its schema version is missing")
	case v > schema:
		return fmt.Errorf("%w: its schema is %d, this one knows up to %d; install the newer crmsyncd again, or go back to the ledger of before the upgrade, without what came since: crmsyncd ledger restore %s", store.ErrSchema, v, schema, l.keptOlder())
	case v < oldestSchema:
		return fmt.Errorf("%w: its schema is %d, which only unreleased versions wrote, this one knows %d; begin a new ledger", store.ErrSchema, v, schema)
	case v < schema:
		return &oldLayoutError{int(v)}
	}
	if err := t.hasBuckets(); err != nil {
		return err
	}
	if err := l.unlock(t); err != nil {
		return err
	}
	if l.counts, err = t.readCounts(); err != nil {
		return fmt.Errorf("%w; use %s", err, mend)
	}
	l.idDays = t.readIDDays()
	payload, err = t.get(metaBucket, cleanKey)
	l.clean = payload != nil && err == nil
	return nil
}

// hasBuckets finds out whether the file has all buckets. It may lack the last
// ones, which were added since it was written. Anything else is damage: a
// bucket whose name lost a bit is not made again, empty, beside it.
func (t *txn) hasBuckets() error {
	err := t.tx.ForEach(func(name []byte, bb *bbolt.Bucket) error {
		if bb == nil || !slices.ContainsFunc(buckets, func(b bucket) bool { return b.name == string(name) }) {
			return corruptFile("it has something that is none of its buckets")
		}
		return nil
	})
	if err != nil {
		return err
	}
	missing := ""
	for _, b := range buckets {
		switch there := t.tx.Bucket([]byte(b.name)) != nil; {
		case there && missing != "":
			return corruptFile("it has no " + missing)
		case !there && missing == "":
			missing = b.name
		}
		if missing != "" && b.id < callsBucket.id {
			return corruptFile("it has no " + missing)
		}
	}
	if missing != "" {
		return &oldLayoutError{schema}
	}
	return nil
}

func corruptFile(what string) error {
	return fmt.Errorf("%w: %s; the file is left as it is: keep a copy of it and use %s", store.ErrCorrupt, what, mend)
}
