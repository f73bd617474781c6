package deliver

import (
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

// clock is the time by which deliveries wait. It follows the wall clock, which
// alone means something over a restart, but does not go back: a clock that is
// set back by an hour must not have everything wait for an hour. What is more
// than store.LongestWait the ledger takes as due by itself.
type clock struct {
	wall func() time.Time

	mu   sync.Mutex
	last time.Time
	at   time.Time // when last was read, with a monotonic reading
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	at, now := time.Now(), c.wall()
	steady := c.last.Add(at.Sub(c.at))
	if back := steady.Round(0).Sub(now.Round(0)); !c.last.IsZero() && back > 0 && back <= store.LongestWait {
		now = steady
	}
	c.last, c.at = now, at
	return now
}

// before is when something was, by this clock, that was at by the monotonic one.
func (c *clock) before(at time.Time) time.Time { return c.now().Add(-time.Since(at)) }

const (
	// lookBack is how far back it is looked for what an attempt may have made
	// whose time cannot be true, and hold for how long that is waited with: by
	// then nothing is under way any more, and searches know of it.
	lookBack = 24 * time.Hour
	hold     = 2 * time.Minute
)

// doubtful takes an attempt that is to come yet for one made under a clock that
// was wrong: it may have been made at any time of the last day, which is kept.
// Where it says that it did so, the record must not be looked for at once.
func (w *wave) doubtful(g *group) bool {
	now := w.t.d.vendors().Round(0)
	if !g.attempted.After(now.Add(time.Minute)) {
		return false
	}
	g.attempted = now.Add(-lookBack)
	if r := &g.items[0].job.d.Records[g.items[0].step]; !r.Attempted.IsZero() {
		r.Attempted = g.attempted
	}
	if g.marked {
		w.links[attemptKey(g.linkKeys[0])] = g.attempted.UTC().Format(time.RFC3339Nano)
	}
	return true
}

// wrongClock is what a delivery waits for whose attempt was doubtful.
func wrongClock() *connectors.Error {
	return &connectors.Error{Kind: connectors.Transient, Code: "CLOCK", Wait: hold,
		Message: "an earlier attempt was made under a clock that was wrong; it is looked for in a moment"}
}

// ahead is by how much a vendor's time may be ahead of ours before it does not
// count for the order of events: a clock that is years ahead would have nothing
// that comes after overwrite what it said.
const ahead = 24 * time.Hour

// trueYear is the first year that our own clock can show and be right: below
// it a machine has not been told the time yet, and the vendor's is better.
const trueYear = 2026

// ordered is when an event counts as having happened where events are put in
// order: the vendor's time, unless it lies in the future.
func ordered(e store.Event) time.Time {
	if e.OccurredAt.Sub(e.ReceivedAt) > ahead && e.ReceivedAt.Year() >= trueYear {
		return e.ReceivedAt
	}
	return e.OccurredAt
}
