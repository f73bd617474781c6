package bolt

import (
	"bytes"
	"context"
	"slices"
)

// Keys of the index are hashes. If each event put its own there, every commit
// would touch a page of the index for each of them. So they gather in memory
// first, in the young table. When that is full it becomes the old one: it is
// sorted, and moved into the index in runs of neighbours, each within a commit
// that takes place anyway, while a new young table gathers. Nothing is lost
// with the memory: ids are made again from the records of the events whose ids
// are not all in the index yet (counts.indexed).
const (
	// idTableLen is how many ids, and ids of how many events, a table takes.
	// Two tables and one in order take 15 MB, and at a start hardly more than
	// twice as many events are read.
	idTableLen = 64 << 10
	// idRunLen is how many ids are moved at once: enough for neighbours to
	// share pages while the index is small, few enough for a commit to stay short.
	idRunLen = 256
)

// recentIDs are the ids that are not in the index yet. They belong to the
// committing goroutine.
type recentIDs struct {
	tableLen, runLen int

	young map[idKey]idValue
	since uint64 // young has the ids of events after this seq
	old   *oldIDs
	spare map[idKey]idValue // empty, to be the next young one
	owed  int               // ids to be moved so that old is gone when young is full
	parts []part            // of the index, by number; see untimed.go
}

// oldIDs is a table on its way into the index.
type oldIDs struct {
	ids   map[idKey]idValue // not changed any more
	upTo  uint64            // ids of events after this seq are not in it
	moved int               // of order
	gone  map[idKey]bool    // of ids, with their events

	sorted chan struct{} // closed when what follows is there
	order  []idEntry
	part   part // number is there at once; no filter: no id is of no day
}

type idEntry struct {
	key   idKey
	value idValue
}

func newRecentIDs(tableLen, runLen int, since uint64, parts []part) *recentIDs {
	return &recentIDs{tableLen: tableLen, runLen: runLen, since: since, young: map[idKey]idValue{}, parts: parts}
}

func (r *recentIDs) find(k idKey) (idValue, bool) {
	v, known := r.young[k]
	if !known && r.old != nil && !r.old.gone[k] {
		v, known = r.old.ids[k]
	}
	return v, known
}

// add returns false if the id is there already: the first event keeps it.
func (r *recentIDs) add(k idKey, v idValue) bool {
	if _, known := r.young[k]; known {
		return false
	}
	r.young[k] = v
	return true
}

// forget takes back what was added for a commit that did not come about.
func (r *recentIDs) forget(keys []idKey) {
	for _, k := range keys {
		delete(r.young, k)
	}
}

// expire forgets ids that are gone with their events.
func (r *recentIDs) expire(keys []idKey) {
	for _, k := range keys {
		if _, young := r.young[k]; young {
			delete(r.young, k)
		} else if r.old != nil {
			r.old.gone[k] = true
		}
	}
}

// grow makes the young table the old one if it is full and the last one is
// gone. seq is that of the last event kept.
func (r *recentIDs) grow(seq uint64) {
	if r.old != nil || len(r.young) < r.tableLen && seq-r.since < uint64(r.tableLen) {
		return
	}
	r.old = &oldIDs{ids: r.young, upTo: seq, gone: map[idKey]bool{}, sorted: make(chan struct{})}
	if n := len(r.parts); n > 0 {
		r.old.part.number = r.parts[n-1].number + 1
	}
	r.young, r.spare, r.since, r.owed = r.spare, nil, seq, 0
	if r.young == nil {
		r.young = map[idKey]idValue{}
	}
	// Sorting would hold up a commit for some 20 ms.
	go r.old.sort()
}

func (o *oldIDs) sort() {
	defer close(o.sorted)
	o.order = make([]idEntry, 0, len(o.ids))
	untimed := 0
	for k, v := range o.ids {
		if k.untimed() {
			k = makeIDKey(idUntimed, o.part.number, k.hash())
			untimed++
		}
		o.order = append(o.order, idEntry{k, v})
	}
	if untimed > 0 {
		o.part.filter = newFilter(untimed)
	}
	for i := range o.order {
		if k := &o.order[i].key; k[0] == idUntimed {
			o.part.filter.add(k.hash())
		}
	}
	slices.SortFunc(o.order, func(a, b idEntry) int { return bytes.Compare(a.key[:], b.key[:]) })
}

// next returns the ids to be moved in a commit that kept some ids and events.
// done is true if none are left then.
func (r *recentIDs) next(ids, events int) (run []idEntry, done bool) {
	if r.old == nil {
		return nil, false
	}
	// A quarter more than came, so that old is always gone in time.
	came := max(ids, events)
	r.owed += came + (came+3)/4
	if r.owed < r.runLen {
		return nil, false
	}
	select {
	case <-r.old.sorted:
	default:
		return nil, false
	}
	run = r.old.order[r.old.moved:]
	if n := min(r.owed, max(4*r.runLen, 2*came)); len(run) > n {
		run = run[:n]
	}
	return run, r.old.moved+len(run) == len(r.old.order)
}

// moved notes that a run is in the index, and on disk.
func (r *recentIDs) moved(n int, done bool) {
	if r.owed = max(r.owed-n, 0); !done {
		r.old.moved += n
		return
	}
	if r.old.part.filter != nil {
		r.parts = append(r.parts, r.old.part)
	}
	clear(r.old.ids)
	r.spare, r.old = r.old.ids, nil
}

// drop forgets parts that are gone.
func (r *recentIDs) drop(numbers []int32) {
	if len(numbers) > 0 {
		r.parts = slices.DeleteFunc(r.parts, func(p part) bool { return slices.Contains(numbers, p.number) })
	}
}

// stop waits for what runs beside the committing goroutine. r may be nil.
func (r *recentIDs) stop() {
	if r != nil && r.old != nil {
		<-r.old.sorted
	}
}

// moveIDs puts the next run into the index.
func (t *txn) moveIDs() (n int, done bool, err error) {
	r := t.l.recent
	run, done := r.next(len(t.remembered), int(t.counts.seq-t.l.counts.seq))
	for i := range run {
		if k := run[i].key; k[0] == idUntimed {
			if k = makeIDKey(idContent, undated, k.hash()); r.old.gone[k] || slices.Contains(t.forgotten, k) {
				continue
			}
		}
		if err := t.put(idsBucket, run[i].key[:], run[i].value.record()); err != nil {
			return 0, false, err
		}
	}
	if done {
		t.counts.indexed = r.old.upTo
		if p := &r.old.part; p.filter != nil {
			err = t.put(idsBucket, filterKey(p.number), p.filter.record())
		}
	}
	return len(run), done, err
}

// recallIDs makes the ids anew that were in memory when the ledger was last
// open. Those of a damaged event are lost.
func (l *Ledger) recallIDs(tableLen, runLen int) error {
	return l.read(context.Background(), func(t *txn) error {
		l.recent = newRecentIDs(tableLen, runLen, l.counts.indexed, t.readParts())
		remember := func(k idKey, v idValue) {
			l.idDays[k.day()] = struct{}{}
			l.recent.add(k, v)
		}
		c := t.bucket(eventsBucket).Cursor()
		for k, rec := c.Seek(seqKey(l.counts.indexed + 1)); k != nil; k, rec = c.Next() {
			e, err := t.decodeHead(k, rec)
			if err != nil {
				l.reportDamage(err)
				continue
			}
			hashes := e.hashes(&e.Event)
			e.eachKey(&e.Event, &hashes, remember)
			l.recent.grow(e.Seq)
		}
		return nil
	})
}
