package bolt

import (
	"context"
	"encoding/binary"
	"sync"

	"github.com/crmsyncd/crmsyncd/store"
)

// appending is an event on its way to the disk. All that does not depend on
// what the ledger holds is done by the caller, side by side with others; the
// one goroutine that commits has little left to do.
type appending struct {
	e       store.Event
	rec     []byte
	sum     uint32 // payloadSum of the record's header
	body    uint64
	id      idHash
	clash   idHash
	content idHash
	payload idHash
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
	a.encode((*buf)[:0])
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
	a := &appending{e: e, body: bodyHash(e.Body)}
	body := string(binary.BigEndian.AppendUint64(nil, a.body))
	if e.DeliveryID != "" {
		a.id = idOf(idDelivery, e.Source, e.DeliveryID)
		a.clash = idOf(idConflict, e.Source, e.DeliveryID, body)
	}
	if e.Problem != "" {
		a.payload = idOf(idBody, e.Source, body)
	} else if e.ContentKey != "" {
		a.content = idOf(idContent, e.Vendor, e.ContentKey)
	}
	return a
}

func (a *appending) encode(buf []byte) {
	buf = append(buf, 0, 0, 0, 0, recordVersion)
	rec, headEnd := encodeEvent(buf, &a.e)
	a.rec, a.sum = rec, payloadSum(rec[:headEnd])
}

// run decides and writes. It may run again if another change of its batch fails.
func (a *appending) run(t *txn) error {
	received := dayOf(a.e.ReceivedAt)
	e := a.e
	conflict := false
	if e.DeliveryID != "" {
		days := receivedDays(received)
		if seq, body := t.seen(idDelivery, a.id, days...); seq != 0 {
			if body == 0 || body == a.body {
				a.receipt = store.Receipt{Seq: seq, Duplicate: true}
				return nil
			}
			if again, _ := t.seen(idConflict, a.clash, days...); again != 0 {
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
		if seq, _ := t.seen(idBody, a.payload, receivedDays(received)...); seq != 0 {
			a.receipt = store.Receipt{Seq: seq, Duplicate: true}
			return nil
		}
	case e.ContentKey != "":
		day := dayOf(e.OccurredAt)
		if seq, _ := t.seen(idContent, a.content, day, undated, day-1, day+1); seq != 0 {
			a.receipt = store.Receipt{Seq: seq, Duplicate: true}
			return nil
		}
	}
	e.Seq = t.counts.seq + 1
	if err := a.keep(t, &e, received, conflict); err != nil {
		return err
	}
	a.receipt = store.Receipt{Seq: e.Seq, Conflict: conflict}
	return nil
}

func (a *appending) keep(t *txn, e *store.Event, received int32, conflict bool) error {
	rec, sum := a.rec, a.sum
	if conflict {
		var headEnd int
		rec, headEnd = encodeEvent(newRecord(len(a.rec)+128), e)
		sum = payloadSum(rec[:headEnd])
	}
	if err := t.putSummed(eventsBucket, seqKey(e.Seq), rec, sum); err != nil {
		return err
	}
	if err := a.rememberIDs(t, e, received, conflict); err != nil {
		return err
	}
	t.counts.seq = e.Seq
	t.counts.events++
	if e.Problem != "" {
		t.counts.quarantined++
		return t.putState(stateQuarantined, "", e.Seq, e.ReceivedAt)
	}
	t.counts.unplanned++
	return t.put(unplannedBucket, seqKey(e.Seq), newRecord(0))
}

func (a *appending) rememberIDs(t *txn, e *store.Event, received int32, conflict bool) error {
	if conflict {
		return t.remember(idConflict, received, a.clash, e.Seq, a.body)
	}
	if e.DeliveryID != "" {
		if err := t.remember(idDelivery, received, a.id, e.Seq, a.body); err != nil {
			return err
		}
	}
	switch {
	case e.Problem != "":
		return t.remember(idBody, received, a.payload, e.Seq, a.body)
	case e.ContentKey != "":
		day := dayOf(e.OccurredAt)
		if e.OccurredAt.Equal(e.ReceivedAt) {
			day = undated
		}
		return t.remember(idContent, day, a.content, e.Seq, a.body)
	}
	return nil
}

func joinProblems(a, b string) string {
	if b == "" {
		return a
	}
	return a + "; " + b
}
