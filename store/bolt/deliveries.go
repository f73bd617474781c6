package bolt

import (
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

func encodeDelivery(d *store.Delivery) []byte {
	rec := newRecord(256)
	rec = appendString(rec, d.State)
	rec = appendString(rec, d.Source)
	rec = appendString(rec, d.Type)
	rec = appendString(rec, d.Lane)
	rec = appendTime(rec, d.OccurredAt)
	rec = append(rec, d.Rank)
	rec = binary.AppendUvarint(rec, uint64(max(d.Attempts, 0)))
	rec = appendTime(rec, d.Due)
	rec = appendString(rec, d.Kind)
	rec = appendString(rec, d.Reason)
	rec = appendTime(rec, d.CreatedAt)
	rec = appendTime(rec, d.UpdatedAt)
	rec = binary.AppendUvarint(rec, uint64(len(d.Records)))
	for i := range d.Records {
		r := &d.Records[i]
		for _, s := range []string{r.Rule, r.Object, r.ID, r.URL, r.Action, r.Note} {
			rec = appendString(rec, s)
		}
		rec = appendTime(rec, r.Attempted)
	}
	// What came later stands behind, so that older records still read.
	changes := slices.ContainsFunc(d.Records, func(r store.Record) bool { return len(r.Changes) > 0 })
	if changes || slices.ContainsFunc(d.Records, func(r store.Record) bool { return r.Call != "" }) {
		for i := range d.Records {
			rec = appendString(rec, d.Records[i].Call)
		}
	}
	if !changes {
		return rec
	}
	for i := range d.Records {
		rec = binary.AppendUvarint(rec, uint64(len(d.Records[i].Changes)))
		for _, c := range d.Records[i].Changes {
			rec = appendString(appendString(appendString(rec, c.Field), c.Before), c.After)
		}
	}
	return rec
}

func (t *txn) decodeDelivery(key, rec []byte) (store.Delivery, error) {
	payload, err := t.unseal(deliveriesBucket, key, rec)
	if err != nil {
		return store.Delivery{}, err
	}
	r := reader{payload, len(key) > 8}
	if !r.ok {
		return store.Delivery{}, damaged(deliveriesBucket, key, "its key is too short")
	}
	d := store.Delivery{
		ID:    store.DeliveryID{Seq: binary.BigEndian.Uint64(key), Connector: string(key[8:])},
		State: store.State(r.text()), Source: r.text(), Type: event.Type(r.text()), Lane: r.text(),
		OccurredAt: r.time(), Rank: r.byte(), Attempts: int(r.uvarint()), Due: r.time(), Kind: r.text(), Reason: r.text(),
		CreatedAt: r.time(), UpdatedAt: r.time(),
	}
	for range r.uvarint() {
		if !r.ok {
			break
		}
		d.Records = append(d.Records, store.Record{
			Rule: r.text(), Object: r.text(), ID: r.text(), URL: r.text(), Action: r.text(), Note: r.text(), Attempted: r.time(),
		})
	}
	if len(r.b) > 0 {
		for i := range d.Records {
			d.Records[i].Call = r.text()
		}
	}
	if len(r.b) > 0 {
		for i := range d.Records {
			for range r.uvarint() {
				if !r.ok {
					break
				}
				d.Records[i].Changes = append(d.Records[i].Changes, store.Change{Field: r.text(), Before: r.text(), After: r.text()})
			}
		}
	}
	if !r.ok {
		return store.Delivery{}, damaged(deliveriesBucket, key, "it cannot be read")
	}
	return d, nil
}

// delivery returns a delivery, or store.ErrNotFound.
func (t *txn) delivery(id store.DeliveryID) (store.Delivery, error) {
	key := deliveryKey(id)
	rec := t.raw(deliveriesBucket, key)
	if rec == nil {
		return store.Delivery{}, notFound(id.String())
	}
	return t.decodeDelivery(key, rec)
}

// deliveriesOf returns the deliveries of an event by connector. Damaged ones
// are left out and reported.
func (t *txn) deliveriesOf(seq uint64) []store.Delivery {
	var all []store.Delivery
	prefix := seqKey(seq)
	c := t.bucket(deliveriesBucket).Cursor()
	for k, v := c.Seek(prefix); len(k) > 8 && binary.BigEndian.Uint64(k) == seq; k, v = c.Next() {
		d, err := t.decodeDelivery(k, v)
		if err != nil {
			t.l.reportDamage(err)
			continue
		}
		all = append(all, d)
	}
	return all
}

// replace writes a delivery where old was (nil: nothing), and keeps lanes,
// states and counts in step. at is the event's ReceivedAt, or since when a new
// delivery waits; the event's is looked up where it is needed and not given.
func (t *txn) replace(old, d *store.Delivery, at time.Time) error {
	id := d.ID
	if old != nil && old.State == store.Waiting && (d.State != store.Waiting || !sameLane(old, d)) {
		if err := t.dequeue(old); err != nil {
			return err
		}
	}
	if err := t.put(deliveriesBucket, deliveryKey(id), encodeDelivery(d)); err != nil {
		return err
	}
	stays := old != nil && old.State == store.Waiting && sameLane(old, d) && old.Due.Equal(d.Due)
	if d.State == store.Waiting && !stays {
		if err := t.enqueue(d); err != nil {
			return err
		}
	}
	if old != nil && old.State == d.State {
		return nil
	}
	if old != nil {
		if n := t.counts.of(id.Connector, old.State); *n > 0 {
			*n--
		}
		if s := listed(old.State); s != 0 {
			if err := t.delState(s, id.Connector, id.Seq); err != nil {
				return err
			}
		}
	}
	*t.counts.of(id.Connector, d.State)++
	s := listed(d.State)
	if s == 0 {
		return nil
	}
	switch {
	case old != nil && d.State == store.Waiting: // again
		at = t.now
	case at.IsZero():
		e, err := t.eventHead(id.Seq)
		if err != nil {
			t.l.reportDamage(err)
		}
		at = e.ReceivedAt
	}
	return t.putState(s, id.Connector, id.Seq, at)
}

func sameLane(a, b *store.Delivery) bool {
	return a.Lane == b.Lane && a.OccurredAt.Equal(b.OccurredAt) && a.Rank == b.Rank
}

func checkState(s store.State) error {
	switch s {
	case store.Waiting, store.Done, store.Dead, store.Discarded:
		return nil
	case store.Unmatched, store.Quarantined:
		return fmt.Errorf("a delivery cannot be %s", s)
	}
	return fmt.Errorf("%q is no state of a delivery", s)
}
