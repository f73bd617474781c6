package bolt

import (
	"bytes"
	"context"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// Due implements store.Ledger. Damaged deliveries and events are passed over
// and logged: one flipped bit must not stop a connector.
func (l *Ledger) Due(ctx context.Context, connector string, now time.Time, busy func(lane string) bool, limit, maxBytes int) ([]store.Work, time.Time, error) {
	var g *gathering
	err := l.read(ctx, func(t *txn) error {
		g = &gathering{t: t, connector: connector, now: now, limit: limit, maxBytes: maxBytes}
		prefix := connectorPrefix(connector, 0)
		c := t.bucket(dueBucket).Cursor()
		each := func(from []byte) (rest bool) {
			for k, v := c.Seek(from); bytes.HasPrefix(k, prefix) && !g.cut; k, v = c.Next() {
				if len(k) != len(prefix)+dueTailLen {
					continue
				}
				tail := k[len(prefix):]
				hash := tail[timeLen+8:]
				lane, ok := g.laneName(k, v, hash)
				if !ok || busy != nil && busy(lane) {
					continue
				}
				if due := readTime(tail); g.waits(due) {
					g.later(due)
					return true
				}
				g.lane(hash)
			}
			return false
		}
		if each(prefix) {
			// What is due in years was settled under a wrong clock.
			each(appendTime(connectorPrefix(connector, timeLen), now.Add(store.LongestWait+1)))
		}
		if g.cut {
			g.next = now
		}
		return nil
	})
	if err != nil {
		return nil, time.Time{}, err
	}
	return g.work, g.next, nil
}

// gathering is an answer of Due in the making.
type gathering struct {
	t               *txn
	connector       string
	now             time.Time
	limit, maxBytes int

	work  []store.Work
	bytes int
	next  time.Time
	cut   bool // there is more than limit or maxBytes allow
}

// waits tells whether what has this due may not be tried yet.
func (g *gathering) waits(due time.Time) bool {
	return due.After(g.now) && due.Sub(g.now) <= store.LongestWait
}

// later notes a lane that is not returned and when it becomes due.
func (g *gathering) later(due time.Time) {
	if g.next.IsZero() || due.Before(g.next) {
		g.next = due
	}
}

func (g *gathering) laneName(k, v, hash []byte) (string, bool) {
	payload, err := g.t.unseal(dueBucket, k, v)
	if err == nil {
		r := reader{payload, true}
		if name := r.text(); r.ok {
			return name, true
		}
		err = damaged(dueBucket, k, "it cannot be read")
	}
	g.t.l.reportDamage(err)
	head := g.t.laneHead(g.connector, lanePrefix(g.connector, hash))
	d, err := g.t.delivery(store.DeliveryID{Seq: head.seq, Connector: g.connector})
	return d.Lane, err == nil
}

// lane adds the deliveries of a lane up to the first that is not due.
func (g *gathering) lane(hash []byte) {
	prefix := lanePrefix(g.connector, hash)
	first := len(g.work)
	c := g.t.bucket(lanesBucket).Cursor()
	for k, _ := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = c.Next() {
		if len(k) != len(prefix)+laneTailLen {
			continue
		}
		d, err := g.t.delivery(store.DeliveryID{Seq: laneSeq(k), Connector: g.connector})
		if err == nil && d.State != store.Waiting {
			err = damaged(lanesBucket, k, "its delivery does not wait")
		}
		if err != nil {
			g.t.l.reportDamage(err)
			continue
		}
		if g.waits(d.Due) {
			if len(g.work) == first {
				g.later(d.Due)
			}
			return
		}
		if !g.add(d) {
			return
		}
	}
}

// add adds a delivery with its event; false if limits forbid it.
func (g *gathering) add(d store.Delivery) bool {
	key := seqKey(d.ID.Seq)
	rec := g.t.raw(eventsBucket, key)
	if len(g.work) >= g.limit {
		g.cut = true
		return false
	}
	if rec == nil {
		g.t.l.reportDamage(damaged(eventsBucket, key, "it is missing"))
		return true
	}
	head, err := g.t.decodeHead(key, rec)
	if err == nil && len(g.work) > 0 && g.bytes+head.body.size > g.maxBytes {
		g.cut = true
		return false
	}
	e := head.Event
	if err == nil {
		e, err = head.whole(key)
	}
	if err != nil {
		g.t.l.reportDamage(err)
		return true
	}
	g.bytes += len(e.Body)
	g.work = append(g.work, store.Work{Delivery: d, Event: e, Queued: g.t.queued(&d)})
	return true
}
