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

func (t *txn) oldestWaiting(connector string) (time.Time, error) {
	prefix := statePrefix(stateWaiting, connector)
	k, v := t.bucket(statesBucket).Cursor().Seek(prefix)
	if k == nil || !bytes.HasPrefix(k, prefix) {
		return time.Time{}, nil
	}
	payload, err := t.unseal(statesBucket, k, v)
	if err != nil {
		return time.Time{}, err
	}
	r := reader{payload, true}
	return r.time(), nil
}
