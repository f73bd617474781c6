package bolt

import (
	"context"
	"sync"

	"github.com/crmsyncd/crmsyncd/store"
)

// appending is an event on its way to the disk. All that does not depend on
// what the ledger holds is done by the caller, side by side with others; the
// one goroutine that commits has little left to do.
type appending struct {
	e store.Event
	eventRecord
	body packed
	marks
	hashes  idHashes
	receipt store.Receipt
}

// recordBuffers holds the buffers of records that have been written.
var recordBuffers = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

// keepBuffer is the largest buffer worth keeping, in bytes.
const keepBuffer = 64 << 10

// Append implements store.Ledger.
func (l *Ledger) Append(ctx context.Context, e store.Event) (store.Receipt, error) {
	if err := checkEvent(&e); err != nil {
		return store.Receipt{}, err
	}
	a := prepare(e)
	buf := recordBuffers.Get().(*[]byte)
	if err := a.encode(l.ring, (*buf)[:0]); err != nil {
		return store.Receipt{}, err
	}
	err := l.write(ctx, len(a.rec), a.run, func() {
		if cap(a.rec) <= keepBuffer {
			*buf = a.rec[:0]
			recordBuffers.Put(buf)
		}
	})
	if err != nil {
		return store.Receipt{}, err
	}
	return a.receipt, nil
}

func prepare(e store.Event) *appending {
	e.Discarded, e.Stripped = "", false
	a := &appending{e: e, marks: marks{body: bodyHash(e.Body)}}
	if e.Sense != nil {
		a.marks.body = bodyHash(e.Sense)
	}
	if e.DeliveryID != "" {
		a.kinds |= markDelivery
	}
	if e.Problem != "" {
		a.kinds |= markBody
	} else if e.ContentKey != "" {
		a.kinds |= markContent
		if a.day = dayOf(e.OccurredAt); e.OccurredAt.Equal(e.ReceivedAt) {
			a.day = undated
		}
	}
	a.hashes = a.marks.hashes(&e)
	return a
}

func (a *appending) encode(r *ring, buf []byte) (err error) {
	if a.body, err = r.pack(a.e.Body); err == nil {
		a.eventRecord = r.encodeEvent(buf, &a.e, a.marks, a.body)
	}
	return err
}

// run decides and writes. It may run again if another change of its batch fails.
func (a *appending) run(t *txn) error {
	received := dayOf(a.e.ReceivedAt)
	e := a.e
	conflict := false
	if e.DeliveryID != "" {
		days := receivedDays(received)
		if seq, body := t.seen(idDelivery, a.hashes.delivery, days...); seq != 0 {
			if body == 0 || body == a.marks.body {
				a.receipt = store.Receipt{Seq: seq, Duplicate: true}
				return nil
			}
			if again, _ := t.seen(idConflict, marks{kinds: markConflict, body: a.marks.body}.hashes(&e).conflict, days...); again != 0 {
				a.receipt = store.Receipt{Seq: again, Duplicate: true}
				return nil
			}
			conflict = true
			e.Problem = joinProblems("another payload came under the same delivery id ("+store.EventID(seq)+")", e.Problem)
		}
	}
	switch {
	case conflict:
		// Kept whatever else is known of it: a person has to see it.
	case e.Problem != "":
		if seq, _ := t.seen(idBody, a.hashes.body, receivedDays(received)...); seq != 0 {
			a.receipt = store.Receipt{Seq: seq, Duplicate: true}
			return nil
		}
	case e.ContentKey != "":
		day := dayOf(e.OccurredAt)
		if seq, _ := t.seen(idContent, a.hashes.content, day, undated, day-1, day+1); seq != 0 {
			a.receipt = store.Receipt{Seq: seq, Duplicate: true}
			return nil
		}
	}
	e.Seq = t.counts.seq + 1
	if err := a.keep(t, &e, conflict); err != nil {
		return err
	}
	a.receipt = store.Receipt{Seq: e.Seq, Conflict: conflict}
	return nil
}

func (a *appending) keep(t *txn, e *store.Event, conflict bool) error {
	x, m, hashes := &a.eventRecord, a.marks, a.hashes
	if conflict {
		m = marks{kinds: markConflict, body: a.marks.body}
		hashes = m.hashes(e)
		other := t.ring().encodeEvent(make([]byte, 0, len(a.rec)+128), e, m, a.body)
		x = &other
	}
	if err := t.putRecord(e.Seq, x); err != nil {
		return err
	}
	m.eachKey(e, &hashes, t.remember)
	t.counts.seq = e.Seq
	t.counts.events++
	if e.Problem == "" {
		t.counts.unplanned++
		return t.indexCalls(e)
	}
	t.counts.quarantined++
	if t.counts.planned == e.Seq-1 {
		t.counts.planned = e.Seq
	}
	return t.putState(stateQuarantined, "", e.Seq, e.ReceivedAt)
}

func joinProblems(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}
