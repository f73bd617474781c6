package bolt

import (
	"bytes"
	"encoding/binary"

	"github.com/crmsyncd/crmsyncd/store"
)

// Events are planned in the order in which they came. So there is no list of
// those that are to be planned, only a mark up to which all were
// (counts.planned), and the replan bucket for exceptions: events up to the mark
// that are to be planned again (their record is replayMark), or that planning
// went past, such as damaged ones (their record is empty). Events in quarantine
// are never to be planned, whatever the mark says.
const replayMark = 1

// sums are the counts as the transaction sees them.
func (t *txn) sums() (*counts, error) {
	if !t.tx.Writable() && t.read == nil {
		c, err := t.readCounts()
		if err != nil {
			return nil, err
		}
		t.read = &c
	}
	if t.read != nil {
		return t.read, nil
	}
	return &t.counts, nil
}

// isUnplanned is true for an event that is to be planned.
func (t *txn) isUnplanned(e *store.Event) bool {
	if e.Problem != "" {
		return false
	}
	c, err := t.sums()
	if err != nil {
		t.l.reportDamage(err)
		return false
	}
	return e.Seq > c.planned || t.bucket(replanBucket).Get(seqKey(e.Seq)) != nil
}

// passUpTo moves the mark to an event that is being planned. Those that it
// goes past become exceptions.
func (t *txn) passUpTo(seq uint64) error {
	if seq > t.counts.planned+1 {
		end := seqKey(seq)
		c := t.bucket(eventsBucket).Cursor()
		for k, rec := c.Seek(seqKey(t.counts.planned + 1)); k != nil && bytes.Compare(k, end) < 0; k, rec = c.Next() {
			if e, err := t.decodeHead(k, rec); err == nil && e.Problem != "" {
				continue
			}
			if err := t.put(replanBucket, bytes.Clone(k), newRecord(0)); err != nil {
				return err
			}
		}
	}
	t.counts.planned = seq
	return nil
}

// passQuarantined moves the mark past events in quarantine, so that nobody
// looks at them again to find what is to be planned.
func (t *txn) passQuarantined() {
	if t.counts.planned == t.counts.seq {
		return
	}
	c := t.bucket(eventsBucket).Cursor()
	for k, rec := c.Seek(seqKey(t.counts.planned + 1)); k != nil; k, rec = c.Next() {
		if e, err := t.decodeHead(k, rec); err != nil || e.Problem == "" {
			return
		}
		t.counts.planned = binary.BigEndian.Uint64(k)
	}
}

// nowPlanned notes that an event is planned. first is true if it never was
// before, replayed if its deliveries are to wait again.
func (t *txn) nowPlanned(seq uint64) (first, replayed bool, err error) {
	if seq > t.counts.planned {
		t.counts.unplanned--
		return true, false, t.passUpTo(seq)
	}
	key := seqKey(seq)
	rec := t.bucket(replanBucket).Get(key)
	if rec == nil {
		return false, false, nil
	}
	// A damaged record is taken for a new event's: its deliveries stay.
	payload, err := t.unseal(replanBucket, key, rec)
	if err != nil {
		t.l.reportDamage(err)
	}
	replayed = len(payload) == 1 && payload[0] == replayMark
	t.counts.unplanned--
	return false, replayed, t.del(replanBucket, key)
}

// planAgain notes that an event, which was as was says, is to be planned again,
// or no more if it is in quarantine now.
func (t *txn) planAgain(was, e *store.Event) error {
	key := seqKey(e.Seq)
	if t.isUnplanned(was) {
		t.counts.unplanned--
	}
	if e.Problem != "" {
		if e.Seq > t.counts.planned {
			t.passQuarantined()
			return nil
		}
		if t.bucket(replanBucket).Get(key) == nil {
			return nil
		}
		return t.del(replanBucket, key)
	}
	t.counts.unplanned++
	if e.Seq > t.counts.planned {
		return nil
	}
	return t.put(replanBucket, key, append(newRecord(1), replayMark))
}
