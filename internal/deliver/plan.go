package deliver

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/store"
)

const (
	// planPause is how long new events gather before they are planned, so that
	// planning's commits do not stand in the way of the next webhooks'.
	planPause = 5 * time.Millisecond
	// planBackstop is after how long it is looked for new events that nobody
	// woke for: where a commit takes longer than its sender waits, the event is
	// there though the sender was told to come again.
	planBackstop = 10 * time.Second
	planEvents   = 512     // events planned in one commit
	planBytes    = 8 << 20 // of their bodies
)

// plan decides for every new event which connectors it goes to, until ctx
// ends. Errors of the ledger are tried again: events only wait.
func (d *Deliverer) plan(ctx context.Context) {
	for failures := 0; ctx.Err() == nil; {
		d.pulse.turn()
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
			case <-time.After(planBackstop):
			case <-ctx.Done():
			}
			failures = 0
		default:
			failures = 0
		}
	}
}

// planOnce plans the next events and returns how many there were. A panic is an
// error: the events wait.
func (d *Deliverer) planOnce(ctx context.Context) (n int, err error) {
	defer func() {
		if p := caught.Of(recover()); p != nil {
			d.log.Error("planning panicked; please report this", "err", p, "stack", p.Stack)
			n, err = 0, p
		}
	}()
	events, err := d.ledger.Unplanned(ctx, planEvents, planBytes)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	setup := d.current()
	if err := d.followUp(ctx, setup, events); err != nil {
		return 0, err
	}
	plans := make([]store.Plan, 0, len(events))
	var unread []store.Requeue
	added := map[string]int{}
	for _, stored := range events {
		began := time.Now()
		connectors, err := d.wanted(setup, stored)
		if d.spans != nil {
			d.spans.Did("plan", "", failedBy(err), began, stored.InTrace())
		}
		if err != nil {
			d.log.Error("event cannot be read any more; it goes into quarantine", "event", stored.ID(), "trace_id", stored.InTrace().String(), "source", stored.Source, "err", err)
			unread = append(unread, store.Requeue{Seq: stored.Seq, Type: stored.Type, OccurredAt: stored.OccurredAt, Rank: stored.Rank, Lane: stored.Lane, Problem: "it cannot be read any more: " + err.Error()})
			continue
		}
		plans = append(plans, store.Plan{Seq: stored.Seq, Connectors: connectors})
		for _, c := range connectors {
			added[c]++
		}
	}
	if len(unread) > 0 {
		if err := d.ledger.Replay(ctx, unread); err != nil {
			return 0, err
		}
	}
	crashpoint.At("plan.begun")
	if err := d.ledger.Plan(ctx, plans); err != nil {
		return 0, err
	}
	crashpoint.At("plan.kept")
	for c, n := range added {
		if t := d.target(c); t != nil {
			t.planned(n)
		}
	}
	return len(events), nil
}

// followUp keeps what the events bring with them before they are planned: after
// a crash in between they come up again.
func (d *Deliverer) followUp(ctx context.Context, setup Setup, events []store.Event) error {
	if setup.FollowUp == nil {
		return nil
	}
	var replay []store.Requeue
	for _, e := range events {
		more, again, err := d.brings(setup, e)
		if err != nil {
			continue // planning meets the same error and knows what to do
		}
		for _, m := range more {
			if _, err := d.ledger.Append(ctx, m); err != nil {
				return err
			}
		}
		for _, a := range again {
			here := func(other store.Event) bool { return other.Seq == a.Seq && a.Seq != e.Seq }
			if !slices.ContainsFunc(events, here) && !slices.ContainsFunc(replay, func(r store.Requeue) bool { return r.Seq == a.Seq }) {
				replay = append(replay, a)
			}
		}
	}
	if len(replay) == 0 {
		return nil
	}
	return d.ledger.Replay(ctx, replay)
}

// brings is FollowUp, of which a panic is that event's affair.
func (d *Deliverer) brings(setup Setup, e store.Event) (more []store.Event, again []store.Requeue, err error) {
	defer func() {
		if p := caught.Of(recover()); p != nil {
			d.log.Error("reading the story of a call panicked; please report this", "event", e.ID(), "trace_id", e.InTrace().String(), "err", p, "stack", p.Stack)
			err = errors.New("panic")
		}
	}()
	return setup.FollowUp(e)
}

// wanted names the connectors that an event goes to. A panic is that event's
// affair: all others go on.
func (d *Deliverer) wanted(setup Setup, stored store.Event) (connectors []string, err error) {
	defer func() {
		if p := caught.Of(recover()); p != nil {
			d.log.Error("planning panicked; please report this", "event", stored.ID(), "trace_id", stored.InTrace().String(), "err", p, "stack", p.Stack)
			err = errors.New("crmsyncd itself went wrong in reading it; its log has the place")
		}
	}()
	// Most rules have no condition beyond type and source, which the ledger
	// keeps: then the payload need not be read for it. What reconcile made may
	// be for one connector alone.
	if names, certain := setup.Rules.Candidates(stored.Type, stored.Source); certain && stored.Origin != event.Reconcile {
		return names, nil
	}
	ev, err := setup.Parse(stored)
	if err != nil {
		return nil, err
	}
	return setup.Rules.Connectors(ev), nil
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
