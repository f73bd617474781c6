package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/store"
)

// lookedAt is how many entries a call of Expire looks at for each one that it
// may delete.
const lookedAt = 8

// round is how far a round of Expire has come: in which of the lists, and there
// after which seq.
type round struct {
	list  int
	after uint64
}

// expiring is a list of events by the time at which they came in, and which of
// them a round looks at.
type expiring struct {
	bucket bucket
	prefix []byte
	before time.Time // received before
}

// Expire implements store.Ledger. A round goes through the lists of states that
// people look at, then through all events from the oldest on, as far as any
// can have to go, then through the index of ids.
func (l *Ledger) Expire(ctx context.Context, now time.Time, r store.Retention, limit int) (store.Expired, error) {
	l.expiring.Lock()
	defer l.expiring.Unlock()
	var found findings
	next := l.round
	drop := forgottenBy(now, r.Identity)
	err := l.read(ctx, func(t *txn) (err error) {
		found, next = findings{}, l.round
		found.over, err = t.find(&found, &next, now, r, limit)
		if found.over {
			found.stale = t.staleIDs(drop, 4*limit)
			found.over = len(found.stale) < 4*limit
			found.small = t.smallParts()
		}
		return err
	})
	if err != nil {
		return store.Expired{}, err
	}
	done := store.Expired{Over: found.over}
	if n := len(found.gone) + len(found.stripped); n+len(found.stale)+len(found.small) > 0 {
		crashpoint.At("expire.found")
		err := l.write(ctx, 4*perRecord*n, func(t *txn) error {
			done = store.Expired{Over: found.over}
			return t.letGo(&found, drop, now, r, &done)
		}, nil)
		if err != nil {
			return store.Expired{}, err
		}
	}
	crashpoint.At("expire.kept")
	if l.round = next; done.Over {
		l.round = round{}
	}
	return done, nil
}

// findings is what a call of Expire found to let go of.
type findings struct {
	gone, stripped []uint64
	stale          [][]byte // keys of the index of ids
	small          []int32  // parts of it with few ids left
	over           bool     // there is no more
}

// find goes on through the lists from next, and returns true at their end.
func (t *txn) find(found *findings, next *round, now time.Time, r store.Retention, limit int) (end bool, err error) {
	lists, err := t.expiring(now, r)
	if err != nil {
		return false, err
	}
	looks := limit * lookedAt
	for ; next.list < len(lists); next.list, next.after = next.list+1, 0 {
		more := t.walkExpiring(lists[next.list], next, &looks, func(seq uint64) bool {
			switch t.fate(seq, now, r) {
			case goes:
				found.gone = append(found.gone, seq)
			case losesBody:
				found.stripped = append(found.stripped, seq)
			case stays:
			}
			return len(found.gone)+len(found.stripped) < limit
		})
		if more {
			return false, nil
		}
	}
	return true, nil
}

// letGo deletes what is still to go: it may have changed since it was found.
func (t *txn) letGo(found *findings, drop forgotten, now time.Time, r store.Retention, done *store.Expired) error {
	for _, seq := range found.gone {
		if t.fate(seq, now, r) != goes {
			continue
		}
		if err := t.dropUndated(seq); err != nil {
			return err
		}
		if _, err := t.deleteEvent(seq); err != nil {
			return err
		}
		done.Events++
	}
	for _, seq := range found.stripped {
		if t.fate(seq, now, r) != losesBody {
			continue
		}
		if err := t.strip(seq); err != nil {
			return err
		}
		done.Payloads++
	}
	for _, number := range found.small {
		if err := t.dropPart(number); err != nil {
			return err
		}
	}
	if len(found.stale) == 0 {
		return nil
	}
	for _, k := range found.stale {
		if err := t.del(idsBucket, k); err != nil {
			return err
		}
	}
	done.IDs = len(found.stale)
	return t.put(metaBucket, forgottenKey, drop.record())
}

// expiring names the lists that a round goes through.
func (t *txn) expiring(now time.Time, r store.Retention) ([]expiring, error) {
	c, err := t.sums()
	if err != nil {
		return nil, err
	}
	var lists []expiring
	add := func(b bucket, prefix []byte, keep time.Duration) {
		if keep > 0 {
			lists = append(lists, expiring{b, prefix, now.Add(-keep)})
		}
	}
	add(statesBucket, statePrefix(stateQuarantined, ""), r.Quarantined)
	add(statesBucket, statePrefix(stateUnmatched, ""), r.Unmatched)
	add(statesBucket, statePrefix(stateDiscarded, ""), r.Discarded)
	for _, e := range c.connectors {
		add(statesBucket, statePrefix(stateDiscarded, e.name), r.Discarded)
		add(statesBucket, statePrefix(stateDead, e.name), r.Dead)
	}
	done := r.Done
	if r.Payloads > 0 && (done == 0 || r.Payloads < done) {
		done = r.Payloads
	}
	add(eventsBucket, nil, done)
	return lists, nil
}

// walkExpiring calls visit for the events of a list that came in early enough,
// and notes in at how far it got; more is true if it was cut short. The list
// ends with longAgo events in a row that came in later: fewer may have come under
// a clock that was put right.
func (t *txn) walkExpiring(x expiring, at *round, looks *int, visit func(seq uint64) bool) (more bool) {
	c, later := t.bucket(x.bucket).Cursor(), 0
	for k, rec := c.Seek(binary.BigEndian.AppendUint64(bytes.Clone(x.prefix), at.after+1)); len(k) == len(x.prefix)+8 && bytes.HasPrefix(k, x.prefix); k, rec = c.Next() {
		seq := binary.BigEndian.Uint64(k[len(x.prefix):])
		received, ok := t.receivedAt(x.bucket, k, rec)
		if ok && received.After(x.before.Add(clockSlack)) {
			if later++; later >= longAgo {
				return false
			}
			continue
		}
		if *looks--; *looks < 0 {
			return true
		}
		at.after, later = seq, 0
		if ok && received.Before(x.before) && !visit(seq) {
			return true
		}
	}
	return false
}

// receivedAt is when an event of a list came in; false if the record is damaged.
func (t *txn) receivedAt(b bucket, k, rec []byte) (time.Time, bool) {
	if b == eventsBucket {
		e, err := t.decodeHead(k, rec)
		return e.ReceivedAt, err == nil
	}
	payload, err := t.unseal(b, k, rec)
	if err != nil || len(payload) != timeLen {
		return time.Time{}, false
	}
	return readTime(payload), true
}

// fate is what becomes of an event.
type fate int

const (
	stays fate = iota
	goes
	losesBody
)

func (t *txn) fate(seq uint64, now time.Time, r store.Retention) fate {
	e, err := t.eventHead(seq)
	if err != nil {
		return stays // damage is for a person
	}
	v := store.View{Event: e.Event, Deliveries: t.deliveriesOf(seq)}
	v.State = t.stateOf(&v.Event, v.Deliveries)
	keep, since := r.Of(v)
	switch {
	case keep > 0 && now.Sub(since) >= keep:
		return goes
	case v.State == store.Done && r.Payloads > 0 && now.Sub(since) >= r.Payloads && len(e.body.raw) > 0:
		return losesBody
	}
	return stays
}

// strip lets go of an event's body.
func (t *txn) strip(seq uint64) error {
	e, head, err := t.event(seq)
	if err != nil {
		return err
	}
	e.Body, e.Stripped = nil, true
	head.kinds |= markStripped
	for _, d := range t.deliveriesOf(seq) {
		had := 0 // values that came from the body
		for i := range d.Records {
			had, d.Records[i].Changes = had+len(d.Records[i].Changes), nil
		}
		if had == 0 {
			continue
		}
		if err := t.put(deliveriesBucket, deliveryKey(d.ID), encodeDelivery(&d)); err != nil {
			return err
		}
	}
	return t.putEvent(e, head)
}
