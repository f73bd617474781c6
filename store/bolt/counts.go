package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// counts are the sums that are kept up with every commit, so that nothing ever
// has to be counted.
type counts struct {
	seq         uint64 // the last one given
	events      uint64
	quarantined uint64
	unplanned   uint64
	planned     uint64            // see planned.go
	indexed     uint64            // the ids of events up to this seq are all in the index
	connectors  []connectorCounts // by name
}

type connectorCounts struct {
	name                           string
	waiting, done, dead, discarded uint64
}

func (c counts) clone() counts {
	c.connectors = slices.Clone(c.connectors)
	return c
}

// of returns the number to be changed for a state of a connector.
func (c *counts) of(connector string, s store.State) *uint64 {
	i, found := slices.BinarySearchFunc(c.connectors, connector, func(e connectorCounts, name string) int {
		return strings.Compare(e.name, name)
	})
	if !found {
		c.connectors = slices.Insert(c.connectors, i, connectorCounts{name: connector})
	}
	e := &c.connectors[i]
	switch s {
	case store.Waiting:
		return &e.waiting
	case store.Done:
		return &e.done
	case store.Dead:
		return &e.dead
	default:
		return &e.discarded
	}
}

var countsKey = []byte("counts")

func (c counts) record() []byte {
	rec := newRecord(64 + 64*len(c.connectors))
	for _, n := range []uint64{c.seq, c.events, c.quarantined, c.unplanned, c.planned, c.indexed, uint64(len(c.connectors))} {
		rec = binary.AppendUvarint(rec, n)
	}
	for _, e := range c.connectors {
		rec = appendString(rec, e.name)
		for _, n := range []uint64{e.waiting, e.done, e.dead, e.discarded} {
			rec = binary.AppendUvarint(rec, n)
		}
	}
	return rec
}

func (t *txn) readCounts() (counts, error) {
	payload, err := t.get(metaBucket, countsKey)
	if err != nil {
		return counts{}, err
	}
	if payload == nil {
		return counts{}, damaged(metaBucket, countsKey, "it is missing")
	}
	r := reader{payload, true}
	c := counts{
		seq: r.uvarint(), events: r.uvarint(), quarantined: r.uvarint(), unplanned: r.uvarint(),
		planned: r.uvarint(), indexed: r.uvarint(),
	}
	for range r.uvarint() {
		if !r.ok {
			break
		}
		c.connectors = append(c.connectors, connectorCounts{
			name: r.text(), waiting: r.uvarint(), done: r.uvarint(), dead: r.uvarint(), discarded: r.uvarint(),
		})
	}
	if !r.ok {
		return counts{}, damaged(metaBucket, countsKey, "it cannot be read")
	}
	return c, nil
}

// Stats implements store.Ledger.
func (l *Ledger) Stats(ctx context.Context) (store.Stats, error) {
	var s store.Stats
	err := l.read(ctx, func(t *txn) error {
		c, err := t.readCounts()
		if err != nil {
			return err
		}
		s = store.Stats{
			Events: c.events, Quarantined: c.quarantined, Unplanned: c.unplanned,
			Connectors: make(map[string]store.ConnectorStats, len(c.connectors)), Bytes: t.tx.Size(),
		}
		for _, e := range c.connectors {
			oldest, err := t.oldestWaiting(e.name)
			if err != nil {
				l.reportDamage(err)
			}
			s.Connectors[e.name] = store.ConnectorStats{
				Waiting: e.waiting, Done: e.done, Dead: e.dead, OldestWaiting: oldest,
			}
		}
		return nil
	})
	if err != nil {
		return store.Stats{}, err
	}
	return s, nil
}

// mostOldest is how many deliveries of a connector are looked at for the one that
// waits longest. The first by Seq is it, but for those that were replayed.
const mostOldest = 1000

// oldestWaiting is since when the delivery waits that waits longest. Damaged
// records are passed over; the last of them is the error.
func (t *txn) oldestWaiting(connector string) (oldest time.Time, damage error) {
	prefix := statePrefix(stateWaiting, connector)
	c := t.bucket(statesBucket).Cursor()
	n := 0
	for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix) && n < mostOldest; k, v = c.Next() {
		n++
		since, err := t.since(k, v)
		if err != nil {
			damage = err
		} else if oldest.IsZero() || since.Before(oldest) {
			oldest = since
		}
	}
	return oldest, damage
}

// since reads a record of the states bucket.
func (t *txn) since(k, v []byte) (time.Time, error) {
	payload, err := t.unseal(statesBucket, k, v)
	if err != nil {
		return time.Time{}, err
	}
	r := reader{payload, true}
	at := r.time()
	if !r.ok {
		return time.Time{}, damaged(statesBucket, k, "it cannot be read")
	}
	return at, nil
}

// queued is since when a delivery waits: planned, or replayed or retried last.
func (t *txn) queued(d *store.Delivery) time.Time {
	k := stateKey(stateWaiting, d.ID.Connector, d.ID.Seq)
	if v := t.raw(statesBucket, k); v != nil {
		if at, err := t.since(k, v); err != nil {
			t.l.reportDamage(err)
		} else if at.After(d.CreatedAt) {
			return at
		}
	}
	return d.CreatedAt
}
