package bolt

import (
	"bytes"
	"encoding/binary"

	"github.com/crmsyncd/crmsyncd/store"
)

// The checks of Verify that look at one record and at those it belongs with.

func (v *verifier) event(t *txn, k, rec []byte) error {
	v.found.events++
	e, err := t.decodeHead(k, rec)
	if err != nil {
		return err
	}
	if inQuarantine(&e.Event) {
		v.found.quarantined++
	} else if e.Problem == "" && e.Seq > v.planned(t) {
		v.found.unplanned++
	}
	if _, err := e.whole(k); err != nil {
		return err
	}
	if inQuarantine(&e.Event) && t.bucket(statesBucket).Get(stateKey(stateQuarantined, "", e.Seq)) == nil {
		return damaged(eventsBucket, k, "it is in quarantine and not listed there")
	}
	if e.Discarded != "" && t.bucket(statesBucket).Get(stateKey(stateDiscarded, "", e.Seq)) == nil {
		return damaged(eventsBucket, k, "it was set aside and is not listed there")
	}
	if e.Seq > v.counts.indexed {
		return nil
	}
	hashes := e.hashes(&e.Event)
	e.eachKey(&e.Event, &hashes, func(id idKey, _ idValue) {
		known := t.bucket(idsBucket).Get(id[:]) != nil || v.forgotten.has(id)
		if !known && id.untimed() {
			_, _, known = t.inParts(v.parts, id.hash())
		}
		if !known {
			err = damaged(eventsBucket, k, "one of its ids is not in the index")
		}
	})
	return err
}

// planned is the seq up to which events were planned; 0 if that is damaged,
// which is reported elsewhere.
func (v *verifier) planned(t *txn) uint64 {
	c, err := t.sums()
	if err != nil {
		return 0
	}
	return c.planned
}

func (v *verifier) delivery(t *txn, k, rec []byte) error {
	d, err := t.decodeDelivery(k, rec)
	if err != nil {
		return err
	}
	*v.found.of(d.ID.Connector, d.State)++
	if t.bucket(eventsBucket).Get(seqKey(d.ID.Seq)) == nil {
		return damaged(deliveriesBucket, k, "its event is missing")
	}
	if s := listed(d.State); s != 0 && t.bucket(statesBucket).Get(stateKey(s, d.ID.Connector, d.ID.Seq)) == nil {
		return damaged(deliveriesBucket, k, "it is not listed under its state")
	}
	if d.State != store.Waiting {
		return nil
	}
	prefix := lanePrefix(d.ID.Connector, t.laneHash(d.Lane))
	payload, err := t.get(lanesBucket, laneKey(prefix, d.OccurredAt, d.Rank, d.ID.Seq))
	if err != nil {
		return nil // the lane's own record says so
	}
	if len(payload) != timeLen || !readTime(payload).Equal(d.Due) {
		return damaged(deliveriesBucket, k, "it waits and is not in its lane")
	}
	return nil
}

func (v *verifier) replan(t *txn, k []byte) error {
	if len(k) != 8 {
		return damaged(replanBucket, k, "its key has the wrong length")
	}
	e, err := t.eventHead(binary.BigEndian.Uint64(k))
	if isNotFound(err) || err == nil && (e.Problem != "" || !t.isUnplanned(&e.Event) || e.Seq > v.planned(t)) {
		return damaged(replanBucket, k, "there is no such event to be planned")
	}
	return nil
}

func (v *verifier) state(t *txn, k, payload []byte) error {
	end := len(k) - 8 // of state, connector, 0
	if end < 2 || k[end-1] != 0 || len(payload) != timeLen {
		return damaged(statesBucket, k, "it cannot be read")
	}
	seq, connector := binary.BigEndian.Uint64(k[end:]), string(k[1:end-1])
	wrong := damaged(statesBucket, k, "what it lists is not in that state")
	if connector == "" {
		e, err := t.eventHead(seq)
		if err != nil && !isNotFound(err) {
			return nil // reported where the event is
		}
		listed := stateUnmatched
		switch {
		case e.Discarded != "":
			listed = stateDiscarded
		case e.Problem != "":
			listed = stateQuarantined
		}
		if err != nil || k[0] != listed {
			return wrong
		}
		return nil
	}
	d, err := t.delivery(store.DeliveryID{Seq: seq, Connector: connector})
	if isNotFound(err) || err == nil && listed(d.State) != k[0] {
		return wrong
	}
	return nil
}

func (v *verifier) lane(t *txn, k, payload []byte) error {
	split := len(k) - laneTailLen
	if split < laneHashLen+2 || len(payload) != timeLen {
		return damaged(lanesBucket, k, "it cannot be read")
	}
	prefix := k[:split]
	connector, hash := string(prefix[:split-laneHashLen-1]), prefix[split-laneHashLen:]
	d, err := t.delivery(store.DeliveryID{Seq: laneSeq(k), Connector: connector})
	if isNotFound(err) || err == nil && (d.State != store.Waiting || !bytes.Equal(t.laneHash(d.Lane), hash)) {
		return damaged(lanesBucket, k, "its delivery does not wait there")
	}
	head := t.laneHead(connector, prefix)
	if t.bucket(dueBucket).Get(dueKey(connector, head.due, head.seq, hash)) == nil {
		return damaged(lanesBucket, k, "the lane is not in the index of what is due")
	}
	return nil
}

func (v *verifier) due(t *txn, k, payload []byte) error {
	split := len(k) - dueTailLen
	if split < 2 {
		return damaged(dueBucket, k, "it cannot be read")
	}
	connector, hash := string(k[:split-1]), k[len(k)-laneHashLen:]
	r := reader{payload, true}
	if lane := r.text(); !r.ok || !bytes.Equal(t.laneHash(lane), hash) {
		return damaged(dueBucket, k, "it names another lane")
	}
	head := t.laneHead(connector, lanePrefix(connector, hash))
	if head.seq == 0 || !bytes.Equal(dueKey(connector, head.due, head.seq, hash), k) {
		return damaged(dueBucket, k, "it is not when the lane is due")
	}
	return nil
}
