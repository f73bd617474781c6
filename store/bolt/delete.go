package bolt

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/crmsyncd/crmsyncd/store"
)

// deleteEvent deletes an event with its deliveries and all that lists them, and
// returns how many deliveries there were. What the index does not have yet of
// its ids is put there: at the next start there is no record any more to make
// them from. Where its record is damaged, only what is found by its seq goes.
func (t *txn) deleteEvent(seq uint64) (deliveries int, err error) {
	e, err := t.eventHead(seq)
	if isNotFound(err) {
		return 0, nil
	}
	if err != nil {
		t.l.reportDamage(err)
	}
	sound := err == nil
	if deliveries, err = t.deleteDeliveries(seq); err != nil {
		return 0, err
	}
	if sound {
		if t.isUnplanned(&e.Event) {
			t.counts.unplanned--
		}
		if inQuarantine(&e.Event) {
			t.counts.quarantined--
		}
		if err := t.forgetCalls(&e); err != nil {
			return 0, err
		}
		if err := t.indexIDs(&e); err != nil {
			return 0, err
		}
	}
	for _, state := range []byte{stateQuarantined, stateUnmatched, stateDiscarded} {
		if err := t.delIfThere(statesBucket, stateKey(state, "", seq)); err != nil {
			return 0, err
		}
	}
	if err := t.delIfThere(replanBucket, seqKey(seq)); err != nil {
		return 0, err
	}
	t.counts.events--
	return deliveries, t.del(eventsBucket, seqKey(seq))
}

// forgetCalls takes an event out of the index of calls. A call of which no
// event is left does not run any more.
func (t *txn) forgetCalls(e *eventHead) error {
	for _, call := range e.calls {
		key := t.blind().callKey(e.Source, call)
		if err := t.delIfThere(callsBucket, binary.BigEndian.AppendUint64(bytes.Clone(key), e.Seq)); err != nil {
			return err
		}
		if t.bucket(runningBucket).Get(key) == nil {
			continue
		}
		if k, _ := t.bucket(callsBucket).Cursor().Seek(key); bytes.HasPrefix(k, key) {
			continue // told by other events too
		}
		if err := t.del(runningBucket, key); err != nil {
			return err
		}
	}
	return nil
}

// indexIDs puts the ids of an event into the index that are in memory only.
func (t *txn) indexIDs(e *eventHead) (err error) {
	if e.Seq <= t.counts.indexed {
		return nil
	}
	hashes := e.hashes(&e.Event)
	e.eachKey(&e.Event, &hashes, func(k idKey, v idValue) {
		if err == nil && !slices.Contains(t.forgotten, k) {
			err = t.put(idsBucket, k[:], v.record())
		}
	})
	return err
}

// deleteDeliveries deletes the deliveries of an event, also damaged ones; the
// sums are not right then, which Verify says.
func (t *txn) deleteDeliveries(seq uint64) (n int, err error) {
	for _, d := range t.deliveriesOf(seq) {
		if d.State == store.Waiting {
			if err := t.dequeue(&d); err != nil {
				return n, err
			}
		}
		if s := listed(d.State); s != 0 {
			if err := t.delState(s, d.ID.Connector, seq); err != nil {
				return n, err
			}
		}
		if sum := t.counts.of(d.ID.Connector, d.State); *sum > 0 {
			*sum--
		}
		if err := t.del(deliveriesBucket, deliveryKey(d.ID)); err != nil {
			return n, err
		}
		n++
	}
	for {
		k, _ := t.bucket(deliveriesBucket).Cursor().Seek(seqKey(seq))
		if len(k) <= 8 || binary.BigEndian.Uint64(k) != seq {
			return n, nil
		}
		if err := t.del(deliveriesBucket, bytes.Clone(k)); err != nil {
			return n, err
		}
		n++
	}
}

func (t *txn) delIfThere(b bucket, key []byte) error {
	if t.bucket(b).Get(key) == nil {
		return nil
	}
	return t.del(b, key)
}
