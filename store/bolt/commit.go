package bolt

import (
	"context"
	"runtime"
	"runtime/debug"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/store"
)

// Bounds of one commit and of what waits for the next.
const (
	queueLen   = 4096
	batchLen   = 1024
	batchBytes = 8 << 20
)

// change is a write that waits for its commit.
type change struct {
	ctx  context.Context
	size int              // bytes, roughly
	run  func(*txn) error // decides before it writes; may run more than once
	done func()           // may be nil; called once when run is not needed any more
	// alone is called in place of run, between two commits.
	alone func() error
	err   error
	over  chan struct{}
}

func (c *change) finish(err error) {
	c.err = err
	if c.done != nil {
		c.done()
	}
	close(c.over)
}

// write has run called in a transaction that is shared with other writes and
// returns when it is on disk. done is called when run will not be any more.
func (l *Ledger) write(ctx context.Context, size int, run func(*txn) error, done func()) error {
	if err := l.usable(ctx); err != nil {
		return err
	}
	return l.submit(&change{ctx: ctx, size: size, run: run, done: done, over: make(chan struct{})})
}

// submit hands a change to the committing goroutine and waits for its end.
func (l *Ledger) submit(c *change) error {
	ctx := c.ctx
	select {
	case l.queue <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.closing:
		return store.ErrClosed
	}
	select {
	case <-c.over:
		return c.err
	case <-ctx.Done():
		return ctx.Err()
	case <-l.stopped:
	}
	select {
	case <-c.over:
		return c.err
	default:
		return store.ErrClosed
	}
}

// commitLoop is the only goroutine that writes. While it syncs, the next batch
// gathers in the queue; a lone write is committed at once.
func (l *Ledger) commitLoop() {
	defer close(l.stopped)
	defer func() {
		// Beside reading a damaged file, which is guarded where it happens, only
		// a mistake of ours ends here: it is not known what was half done.
		if p := caught.Of(recover()); p != nil {
			l.log.Error("the ledger's committing goroutine panicked; please report this", "err", p, "stack", p.Stack)
			_ = l.commitFailed(p, 0)
		}
	}()
	// A page that cannot be read any more becomes an error of the batch
	// rather than the end of the process.
	debug.SetPanicOnFault(true)
	idle := time.NewTicker(10 * time.Second) // readers map pages too
	defer idle.Stop()
	for {
		select {
		case c := <-l.queue:
			l.commit(c)
			l.letGo(time.Now())
		case now := <-idle.C:
			l.letGo(now)
		case <-l.closing:
			for {
				select {
				case c := <-l.queue:
					l.commit(c)
				default:
					l.markClean()
					return
				}
			}
		}
	}
}

// next takes what waits already, unless the batch is full.
func (l *Ledger) next(n, bytes int) *change {
	if n >= batchLen || bytes >= batchBytes {
		return nil
	}
	for range 2 {
		select {
		case c := <-l.queue:
			return c
		default:
			// Callers that the last commit has just woken are about to come
			// back: let them, or they would miss this commit and wait for two.
			runtime.Gosched()
		}
	}
	return nil
}

func (l *Ledger) commit(first *change) {
	if err := l.ready(); err != nil {
		first.finish(err)
		return
	}
	began := time.Now()
	b := batch{l: l}
	var alone *change
	for c := first; c != nil; c = l.next(len(b.changes), b.bytes) {
		if c.alone != nil {
			alone = c
			break
		}
		b.add(c)
	}
	err := b.close()
	if err != nil {
		err = l.commitFailed(err, time.Since(began))
	}
	for _, c := range b.changes {
		c.finish(err)
	}
	if b.committed && l.observe != nil {
		l.observe("commit", len(b.changes), time.Since(began))
	}
	if alone == nil {
		return
	}
	if err := l.failure(); err != nil {
		alone.finish(err)
		return
	}
	alone.finish(alone.alone())
}

// ready says why nothing can be committed now.
func (l *Ledger) ready() error {
	if err := l.failure(); err != nil {
		return err
	}
	if time.Now().Before(l.fullUntil) {
		return store.ErrFull
	}
	return nil
}

// batch is the changes of one transaction.
type batch struct {
	l         *Ledger
	t         *txn
	changes   []*change
	bytes     int
	committed bool
	err       error // the transaction could not begin: nobody's in particular
}

func (b *batch) begin() {
	defer func() {
		if r := recover(); r != nil {
			b.err = panicked(r)
		}
	}()
	at := b.l.at.Load()
	var tx *bbolt.Tx
	if tx, b.err = at.db.Begin(true); b.err == nil {
		b.t = &txn{tx: tx, at: at, counts: b.l.counts.clone(), now: time.Now(), l: b.l}
	}
}

func (b *batch) rollback() {
	if b.t != nil {
		b.l.recent.forget(b.t.remembered)
		_ = b.t.tx.Rollback()
		b.t = nil
	}
}

// add runs a change within the batch. If it fails after it wrote something, the
// others are run again without it.
func (b *batch) add(c *change) {
	if err := c.ctx.Err(); err != nil {
		c.finish(err)
		return
	}
	if b.t == nil && b.err == nil {
		b.begin()
	}
	if b.err != nil {
		b.changes = append(b.changes, c)
		return
	}
	before := b.t.wrote
	err := b.t.safely(c.run)
	if err == nil {
		b.changes = append(b.changes, c)
		b.bytes += c.size
		return
	}
	clean := b.t.wrote == before
	c.finish(err)
	if !clean {
		again := b.changes
		b.rollback()
		b.changes, b.bytes = nil, 0
		for _, c := range again {
			b.add(c)
		}
	}
}

// close commits; without a write there is nothing to sync.
func (b *batch) close() (err error) {
	if b.err != nil || b.t == nil {
		return b.err
	}
	defer func() {
		if r := recover(); r != nil {
			err = panicked(r)
		}
		if err != nil {
			b.rollback()
		}
	}()
	if b.t.wrote == 0 {
		b.rollback()
		return nil
	}
	if err := b.l.sameFile(b.t.tx.Size()); err != nil {
		return err
	}
	moved, done, err := b.t.moveIDs()
	if err != nil {
		return err
	}
	if err := b.t.put(metaBucket, countsKey, b.t.counts.record()); err != nil {
		return err
	}
	if b.l.clean {
		if err := b.t.del(metaBucket, cleanKey); err != nil {
			return err
		}
	}
	if b.t.sealed {
		if err := b.t.noteKey(); err != nil {
			return err
		}
	}
	crashpoint.At("commit.begun")
	if err := b.t.tx.Commit(); err != nil {
		return err
	}
	crashpoint.At("commit.synced")
	b.l.counts, b.l.clean, b.committed = b.t.counts, false, true
	b.l.commits.Add(1)
	if b.t.sealed {
		b.l.keys = b.t.keys
	}
	b.l.recent.expire(b.t.forgotten)
	if moved > 0 || done {
		b.l.recent.moved(moved, done)
	}
	b.l.recent.drop(b.t.dropped)
	b.l.recent.grow(b.l.counts.seq)
	return nil
}

// safely turns panics over a damaged file into errors. A panic leaves the
// transaction in an unknown state, so it counts as a write.
func (t *txn) safely(run func(*txn) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			t.wrote++
			err = t.l.damagedBy(r)
		}
	}()
	return run(t)
}
