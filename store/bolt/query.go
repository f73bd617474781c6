package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// defaultLimit is the length of a listing whose filter names none.
const defaultLimit = 100

// chunk is how many candidates of a listing are looked at within one read
// transaction.
const chunk = 1000

// Event implements store.Ledger.
func (l *Ledger) Event(ctx context.Context, seq uint64) (store.View, error) {
	var v store.View
	err := l.read(ctx, func(t *txn) (err error) {
		if v.Event, _, err = t.event(seq); err != nil {
			return err
		}
		v.Deliveries = t.deliveriesOf(seq)
		v.State = t.stateOf(&v.Event, v.Deliveries)
		return nil
	})
	if err != nil {
		return store.View{}, err
	}
	return v, nil
}

// stateOf derives the state of an event. One that is to be planned waits.
func (t *txn) stateOf(e *store.Event, deliveries []store.Delivery) store.State {
	if e.Discarded != "" {
		return store.Discarded
	}
	if e.Problem != "" {
		return store.Quarantined
	}
	if t.isUnplanned(e) {
		return store.Waiting
	}
	if len(deliveries) == 0 {
		return store.Unmatched
	}
	state := store.Done
	for _, d := range deliveries {
		switch d.State {
		case store.Waiting:
			return store.Waiting
		case store.Dead:
			state = store.Dead
		case store.Done, store.Discarded, store.Unmatched, store.Quarantined:
		}
	}
	return state
}

// Events implements store.Ledger. Damaged events are passed over and logged.
func (l *Ledger) Events(ctx context.Context, f store.EventFilter) ([]store.View, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	var views []store.View
	old := 0
	err := l.newestFirst(ctx, f.Before, func(t *txn) []listing { return t.eventListings(f.State) }, func(t *txn, seq uint64) (more bool) {
		v, ok, before := t.view(seq, f)
		if ok {
			views = append(views, v)
		}
		if before {
			old++
		} else {
			old = 0
		}
		return len(views) < limit && old < longAgo
	})
	if err != nil {
		return nil, err
	}
	return views, nil
}

// Events come in the order in which they are received, but for a clock that
// was put right: a listing ends after longAgo events in a row that were
// received more than clockSlack before EventFilter.Since.
const (
	longAgo    = 1000
	clockSlack = 24 * time.Hour
)

// view reads an event and says whether it passes the filter; old is true if it
// was received long before f.Since.
func (t *txn) view(seq uint64, f store.EventFilter) (v store.View, ok, old bool) {
	key := seqKey(seq)
	rec := t.bucket(eventsBucket).Get(key)
	if rec == nil {
		return v, false, false
	}
	e, err := t.decodeHead(key, rec)
	if err != nil {
		t.l.reportDamage(err)
		return v, false, false
	}
	if !f.Since.IsZero() && e.ReceivedAt.Before(f.Since) {
		return v, false, e.ReceivedAt.Before(f.Since.Add(-clockSlack))
	}
	if f.Source != "" && e.Source != f.Source || f.Type != "" && e.Type != f.Type || f.Origin != "" && e.Origin != f.Origin ||
		!f.Until.IsZero() && !e.ReceivedAt.Before(f.Until) {
		return v, false, false
	}
	v.Deliveries = t.deliveriesOf(seq)
	v.State = t.stateOf(&e.Event, v.Deliveries)
	if f.State != "" && v.State != f.State {
		return v, false, false
	}
	if v.Event, err = e.whole(key); err != nil {
		t.l.reportDamage(err)
		return v, false, false
	}
	return v, true, false
}

// Deliveries implements store.Ledger. Damaged deliveries are passed over and
// logged.
func (l *Ledger) Deliveries(ctx context.Context, f store.DeliveryFilter) ([]store.Delivery, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	var out []store.Delivery
	err := l.newestFirst(ctx, f.Before, func(t *txn) []listing { return t.deliveryListings(f) }, func(t *txn, seq uint64) bool {
		var of []store.Delivery
		for _, d := range t.deliveriesOf(seq) {
			if (f.State == "" || d.State == f.State) && (f.Connector == "" || d.ID.Connector == f.Connector) {
				of = append(of, d)
			}
		}
		// Paging goes by event: one event's deliveries are not torn apart.
		if len(out) > 0 && len(out)+len(of) > limit {
			return false
		}
		out = append(out, of...)
		return len(out) < limit
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// newestFirst calls visit with each seq that one of the listings names and that
// is below before (0: from the newest), until it returns false.
func (l *Ledger) newestFirst(ctx context.Context, before uint64, listings func(*txn) []listing, visit func(*txn, uint64) bool) error {
	if before == 0 {
		before = math.MaxUint64
	}
	for more := true; more; {
		err := l.read(ctx, func(t *txn) error {
			lists := listings(t)
			for range chunk {
				seq := uint64(0)
				for _, list := range lists {
					seq = max(seq, t.below(list, before))
				}
				if more = seq != 0; !more {
					return nil
				}
				before = seq
				if more = visit(t, seq); !more {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// listing is a run of keys in a bucket that are a prefix and a seq.
type listing struct {
	bucket bucket
	prefix []byte
	after  uint64 // the seqs are greater
}

// below returns the highest seq of a listing that is less than before, or 0.
func (t *txn) below(list listing, before uint64) uint64 {
	c := t.bucket(list.bucket).Cursor()
	k, _ := c.Seek(binary.BigEndian.AppendUint64(bytes.Clone(list.prefix), before))
	if k == nil {
		k, _ = c.Last()
	} else {
		k, _ = c.Prev()
	}
	if len(k) < len(list.prefix)+8 || !bytes.HasPrefix(k, list.prefix) {
		return 0
	}
	if seq := binary.BigEndian.Uint64(k[len(list.prefix):]); seq > list.after {
		return seq
	}
	return 0
}

// eventListings names where events in a state are listed; some there may be in
// another state.
func (t *txn) eventListings(s store.State) []listing {
	switch s {
	case store.Waiting:
		c, err := t.sums()
		if err != nil {
			t.l.reportDamage(err)
			break
		}
		return append(t.stateListings(stateWaiting), listing{bucket: replanBucket}, listing{bucket: eventsBucket, after: c.planned})
	case store.Dead:
		return t.stateListings(stateDead)
	case store.Quarantined:
		return []listing{{bucket: statesBucket, prefix: statePrefix(stateQuarantined, "")}}
	case store.Unmatched:
		return []listing{{bucket: statesBucket, prefix: statePrefix(stateUnmatched, "")}}
	case store.Discarded:
		return []listing{{bucket: statesBucket, prefix: statePrefix(stateDiscarded, "")}}
	case store.Done:
	}
	return []listing{{bucket: eventsBucket}}
}

func (t *txn) stateListings(state byte) []listing {
	c, err := t.sums()
	if err != nil {
		t.l.reportDamage(err)
		return []listing{{bucket: eventsBucket}}
	}
	lists := make([]listing, 0, len(c.connectors)+1)
	for _, e := range c.connectors {
		lists = append(lists, listing{bucket: statesBucket, prefix: statePrefix(state, e.name)})
	}
	return lists
}

func (t *txn) deliveryListings(f store.DeliveryFilter) []listing {
	s := listed(f.State)
	switch {
	case s == 0:
		return []listing{{bucket: deliveriesBucket}}
	case f.Connector != "":
		return []listing{{bucket: statesBucket, prefix: statePrefix(s, f.Connector)}}
	}
	return t.stateListings(s)
}

// isNotFound is errors.Is for the commonest of answers.
func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
