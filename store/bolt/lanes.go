package bolt

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// A lane is the waiting deliveries of one connector and lane in their order:
// one entry each in the lanes bucket. The due bucket has one entry per lane:
// when its first delivery is due. These two and the states bucket are made
// from the deliveries; where they are damaged, deliveries decide.

// laneHead is the first delivery of a lane.
type laneHead struct {
	seq uint64 // 0: the lane is empty
	due time.Time
}

func (t *txn) laneHead(connector string, prefix []byte) laneHead {
	k, v := t.seek(lanesBucket, prefix)
	if len(k) != len(prefix)+laneTailLen || !bytes.HasPrefix(k, prefix) {
		return laneHead{}
	}
	h := laneHead{seq: laneSeq(k)}
	payload, err := t.unseal(lanesBucket, k, v)
	if err == nil && len(payload) == timeLen {
		h.due = readTime(payload)
		return h
	}
	t.l.reportDamage(err)
	if d, err := t.delivery(store.DeliveryID{Seq: h.seq, Connector: connector}); err == nil {
		h.due = d.Due
	}
	return h
}

// laneSeq is the seq at the end of a key of the lanes bucket.
func laneSeq(k []byte) uint64 { return binary.BigEndian.Uint64(k[len(k)-8:]) }

// inLane changes a lane and keeps its entry in the due bucket right.
func (t *txn) inLane(connector, lane string, change func(prefix []byte) error) error {
	hash := t.laneHash(lane)
	prefix := lanePrefix(connector, hash)
	before := t.laneHead(connector, prefix)
	if err := change(prefix); err != nil {
		return err
	}
	after := t.laneHead(connector, prefix)
	if after.seq == before.seq && after.due.Equal(before.due) {
		return nil
	}
	if before.seq != 0 {
		if err := t.del(dueBucket, dueKey(connector, before.due, before.seq, hash)); err != nil {
			return err
		}
	}
	if after.seq == 0 {
		return nil
	}
	return t.put(dueBucket, dueKey(connector, after.due, after.seq, hash), appendString(newRecord(len(lane)+4), lane))
}

// enqueue puts a waiting delivery into its lane, or moves its due time there.
func (t *txn) enqueue(d *store.Delivery) error {
	return t.inLane(d.ID.Connector, d.Lane, func(prefix []byte) error {
		return t.put(lanesBucket, laneKey(prefix, d.OccurredAt, d.Rank, d.ID.Seq), appendTime(newRecord(timeLen), d.Due))
	})
}

// dequeue takes a delivery out of its lane.
func (t *txn) dequeue(d *store.Delivery) error {
	return t.inLane(d.ID.Connector, d.Lane, func(prefix []byte) error {
		return t.del(lanesBucket, laneKey(prefix, d.OccurredAt, d.Rank, d.ID.Seq))
	})
}

// putState lists an event or a delivery under a state; at is the event's receipt,
// or of a delivery that waits again since when it does.
func (t *txn) putState(state byte, connector string, seq uint64, at time.Time) error {
	return t.put(statesBucket, stateKey(state, connector, seq), appendTime(newRecord(timeLen), at))
}

func (t *txn) delState(state byte, connector string, seq uint64) error {
	return t.del(statesBucket, stateKey(state, connector, seq))
}

// listed gives the letter under which deliveries in a state are listed; 0 if
// they are not.
func listed(s store.State) byte {
	switch s {
	case store.Waiting:
		return stateWaiting
	case store.Dead:
		return stateDead
	case store.Discarded:
		return stateDiscarded
	case store.Done, store.Unmatched, store.Quarantined:
		return 0
	}
	return 0
}
