package deliver

import (
	"context"
	"errors"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

const (
	// planPause is how long new events gather before they are planned, so that
	// planning's commits do not stand in the way of the next webhooks'.
	planPause  = 5 * time.Millisecond
	planEvents = 512     // events planned in one commit
	planBytes  = 8 << 20 // of their bodies
)

// plan decides for every new event which connectors it goes to, until ctx
// ends. Errors of the ledger are tried again: events only wait.
func (d *Deliverer) plan(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		n, err := d.planOnce(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			failures++
			if failures == 1 || !errors.Is(err, store.ErrFull) {
				d.log.Error("cannot plan events; they wait", "err", err)
			}
			sleep(ctx, Policy{BackoffMin: 100 * time.Millisecond, BackoffMax: 5 * time.Second}.Backoff(failures, 0))
		case n == 0:
			select {
			case <-d.wake:
				sleep(ctx, planPause)
			case <-ctx.Done():
			}
			failures = 0
		default:
			failures = 0
		}
	}
}

// planOnce plans the next events and returns how many there were.
func (d *Deliverer) planOnce(ctx context.Context) (int, error) {
	events, err := d.ledger.Unplanned(ctx, planEvents, planBytes)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	setup := d.current()
	plans := make([]store.Plan, len(events))
	added := map[string]int{}
	for i, stored := range events {
		plans[i] = store.Plan{Seq: stored.Seq}
		ev, err := setup.Parse(stored)
		if err != nil {
			d.log.Error("event cannot be read any more; no rule gets it", "event", stored.ID(), "source", stored.Source, "err", err)
			continue
		}
		plans[i].Connectors = setup.Rules.Connectors(ev)
		for _, c := range plans[i].Connectors {
			added[c]++
		}
	}
	if err := d.ledger.Plan(ctx, plans); err != nil {
		return 0, err
	}
	for c, n := range added {
		if t := d.target(c); t != nil {
			t.planned(n)
		}
	}
	return len(events), nil
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
