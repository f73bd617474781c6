package reconcile

import (
	"context"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// What is left to live deliveries of an account's limits: one part of so many.
const (
	keptOfWindow = 4
	keptOfDay    = 10
)

// room is how many requests may be sent now, beside those that are left to live
// deliveries; also of searches, which have a limit of their own.
func (c Connector) room(searches bool) int {
	room := readAtOnce / perRequest
	if c.Limits == nil {
		return room
	}
	for _, l := range c.Limits() {
		if l.Most > 0 && (l.Name == connectors.LimitWindow || searches && l.Name == connectors.LimitSearch) {
			room = min(room, l.Left-l.Most/keptOfWindow)
		}
	}
	return max(room, 0)
}

// dayUsed tells whether what is left of the account's day is for live deliveries.
func (c Connector) dayUsed() bool {
	if c.Limits == nil {
		return false
	}
	for _, l := range c.Limits() {
		if l.Name == connectors.LimitDay && l.Most > 0 && l.Left <= l.Most/keptOfDay {
			return true
		}
	}
	return false
}

// letLivePass waits while deliveries are under way, or the account's limit is
// so far used up that the rest is theirs.
func (p *passage) letLivePass(ctx context.Context, conn Connector, searches bool) error {
	for waited := time.Duration(0); ; waited += pass {
		busy, down := false, false
		if p.Busy != nil {
			busy, down = p.Busy(p.run.Connector)
		}
		switch {
		case down:
			return errDown
		case !busy && conn.room(searches) > 0, waited >= letPass:
			return nil
		}
		if p.step.Waiting == "" {
			p.step.Waiting = "live deliveries go first"
			p.show(p.step)
		}
		if err := p.wait(ctx, pass); err != nil {
			return err
		}
	}
}

// makeRoom waits before something that mends is sent on its way, as the
// deliverer takes it for a delivery like any other: for a minute at most in each
// batch, so that a CRM that is always busy is mended all the same.
func (b *bench) makeRoom(ctx context.Context) error {
	for ; b.conn.room(false) == 0 && b.waited < letPass; b.waited += pass {
		if err := b.passage.wait(ctx, pass); err != nil {
			return err
		}
	}
	return nil
}
