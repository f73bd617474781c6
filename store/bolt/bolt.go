// Package bolt keeps the ledger in one bbolt file, for one daemon.
//
// What it adds to bbolt: many writers share one commit (commit.go), every
// record has a checksum (record.go), the file's structure is read before bbolt
// trusts it (pages.go) and told which pages are free (freelist.go), and after a
// commit that failed nothing more is written and the file is copied before it is
// used again (open.go).
//
// Long bodies are compressed (pack.go), and where a key is given, what is known
// of people is encrypted (keyring.go, blind.go).
//
// It deletes only what it is told to, and it knows nothing of rules and CRMs.
package bolt

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	bbolt "go.etcd.io/bbolt"
	bberrors "go.etcd.io/bbolt/errors"

	"github.com/crmsyncd/crmsyncd/store"
)

// mend is what a person does about a damaged file.
const mend = "a backup (crmsyncd ledger restore FILE), or move it and " + madeFile + " away to begin with an empty ledger"

// Options say where the ledger is and who hears of it.
type Options struct {
	Path string
	// Init lets Open create the file, once: one that was there and is missing
	// stays an error. Without it a missing file always is, because it is more
	// often a wrong path than a first start.
	Init bool
	// Migrate lets Open bring a file that an older crmsyncd wrote to today's
	// layout; the file as it was stays beside it.
	Migrate bool
	// Timeout is how long to wait for another process to let go of the file; 0: 1 s.
	Timeout time.Duration
	// Keys encrypt what the ledger holds of people: the first encrypts, all
	// decrypt. None, or the zero Key first: nothing is encrypted from now on.
	// What is there stays as it is until Compact.
	Keys []Key
	Log  *slog.Logger // nil: slog.Default()
	// Observe hears of every commit ("commit"), of how many changes it held
	// and how long it took. It must be quick. May be nil.
	Observe func(op string, n int, d time.Duration)
	// Failed hears of every commit that failed: store.ErrFull, after which the
	// ledger goes on, or store.ErrBroken, after which it must be closed; also of
	// the latter where the file cannot be read any more, and of store.ErrCorrupt
	// where a file that was opened unread is found damaged. It must be quick.
	// May be nil.
	Failed func(error)

	// For tests: a full disk, and tables of ids that are soon full.
	maxSize          int // bytes
	tableLen, runLen int // 0: idTableLen, idRunLen
	mapSize          int // 0: mapSize
	surveyFirst      int // bytes; 0: surveyFirst
	surveyAfter      time.Duration
}

// Ledger is the ledger in a bbolt file. It implements store.Ledger.
type Ledger struct {
	path    string
	options Options
	at      atomic.Pointer[opened]
	commits atomic.Uint64
	log     *slog.Logger
	observe func(op string, n int, d time.Duration)
	ring    *ring

	queue   chan *change
	closing chan struct{}
	stopped chan struct{}
	later   sync.WaitGroup // what goes on beside the committing goroutine
	once    sync.Once
	closed  error

	broken   atomic.Pointer[error]
	reported sync.Map // damage that was logged already, by its text

	oldHeads bool // some heads have their keys of layout 3 still; fixed at the start

	compacting sync.Mutex // one at a time
	expiring   sync.Mutex // one at a time
	round      round      // of Expire

	// Of the committing goroutine alone.
	counts    counts
	clean     bool    // the file says that it was closed cleanly
	keys      []keyID // that the file says its records are encrypted with
	fullUntil time.Time
	idDays    map[idDay]struct{} // one too many does no harm
	recent    *recentIDs
	letGoAt   time.Time
	dirty     map[place]struct{} // what changed since Compact began; nil while it does not run
}

// opened is the file in use; Compact puts another in its place.
type opened struct {
	db   *bbolt.DB
	file *os.File // closed by db
	info fs.FileInfo

	blind *blind // nil: hashes in keys are as they are
}

var (
	_ store.Ledger = (*Ledger)(nil)
	_ store.File   = (*Ledger)(nil)
)

// usable says why nothing can be read or written.
func (l *Ledger) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-l.closing:
		return store.ErrClosed
	default:
		return l.failure()
	}
}

func (l *Ledger) failure() error {
	if err := l.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// read runs fn in a short read transaction. A long one would keep bbolt from
// using free pages again, and the file would grow.
func (l *Ledger) read(ctx context.Context, fn func(*txn) error) (err error) {
	if err := l.usable(ctx); err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = l.damagedBy(r)
		}
	}()
	for {
		at := l.at.Load()
		err = at.db.View(func(tx *bbolt.Tx) error { return fn(&txn{tx: tx, l: l, at: at}) })
		switch {
		case !errors.Is(err, bberrors.ErrDatabaseNotOpen):
			return err
		case at == l.at.Load():
			return store.ErrClosed
		}
	}
}

// reportDamage logs a damaged record that is passed over, once.
func (l *Ledger) reportDamage(err error) {
	if _, logged := l.reported.LoadOrStore(err.Error(), true); logged {
		return
	}
	l.log.Error("a damaged record of the ledger is passed over; `crmsyncd ledger verify` lists all", "error", err)
}

// Close implements store.Ledger. Closing again does nothing.
func (l *Ledger) Close() error {
	l.once.Do(func() {
		close(l.closing)
		<-l.stopped
		l.recent.stop()
		l.later.Wait()
		l.compacting.Lock() // it ends by itself: nothing is written any more
		defer l.compacting.Unlock()
		if err := l.at.Load().db.Close(); l.closed == nil {
			l.closed = err
		}
	})
	return l.closed
}

// markClean is the last commit: the next start may trust the file as it is, and
// has the list of its free pages.
func (l *Ledger) markClean() {
	if l.clean || l.failure() != nil {
		return
	}
	at := l.at.Load()
	for _, listed := range []bool{true, false} { // the second time on a full disk
		at.db.NoFreelistSync = !listed
		b := batch{l: l}
		b.add(&change{ctx: context.Background(), over: make(chan struct{}), run: func(t *txn) error {
			return t.put(metaBucket, cleanKey, cleanRecord(!l.oldHeads))
		}})
		if l.closed = b.close(); l.closed == nil || !isFull(l.closed) {
			break
		}
	}
	if l.closed == nil {
		l.closed = sealList(at.file)
	}
}
