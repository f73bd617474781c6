package deliver

import (
	"context"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/store"
)

// What is called for one event, a rule or a connector, is guarded where it is
// called: wave.go, plan.go and call.go. Here it is about mistakes of this package
// itself, of which one event must not end the daemon, and again after each start.

// guarded is run. What it was about to keep is lost with a panic, as in a crash:
// the ledger knows what was begun. Each delivery of the wave is then tried by
// itself, and the one that it was about is dead.
func (w *wave) guarded(ctx context.Context) {
	defer func() {
		if p := caught.Of(recover()); p != nil {
			w.t.broke(ctx, w, p)
		}
	}()
	w.run(ctx)
	w.t.clear(w)
}

// broke takes note of a wave that panicked.
func (t *target) broke(ctx context.Context, w *wave, p *caught.Panic) {
	log := t.d.log.With("connector", t.name)
	defer func() {
		if again := caught.Of(recover()); again != nil {
			log.Error("a panic could not be noted", "err", again, "stack", again.Stack)
			t.restFor(time.Now(), afterPanic)
		}
	}()
	if len(w.work) > 1 {
		log.Error("delivering panicked; please report this. Each is tried by itself now", "deliveries", len(w.work), "err", p, "stack", p.Stack)
		t.mu.Lock()
		defer t.mu.Unlock()
		for _, x := range w.work {
			t.suspects[x.Delivery.ID] = time.Now()
		}
		return
	}
	id := w.work[0].Delivery.ID
	log.Error("a delivery panicked; please report this", "event", store.EventID(id.Seq), "err", p, "stack", p.Stack)
	if err := t.bury(context.WithoutCancel(ctx), id, "crmsyncd itself went wrong in delivering it ("+p.What+"); its log has the place"); err != nil {
		log.Error("it cannot be kept that a delivery is dead; it is tried again", "event", store.EventID(id.Seq), "err", err)
		t.restFor(time.Now(), afterPanic)
		return
	}
	t.clear(w)
}

// bury ends a delivery as it is in the ledger now: with all that was begun or
// made for it, so that nothing is made twice when a person has it tried again.
func (t *target) bury(ctx context.Context, id store.DeliveryID, reason string) error {
	v, err := t.d.ledger.Event(ctx, id.Seq)
	if err != nil {
		return err
	}
	for _, d := range v.Deliveries {
		if d.ID != id || d.State != store.Waiting {
			continue
		}
		d.State, d.Due, d.UpdatedAt = store.Dead, time.Time{}, t.d.clock.now()
		d.Kind, d.Reason = connectors.Unknown.String(), reason
		if err := t.d.ledger.Settle(ctx, []store.Update{{Delivery: d}}); err != nil {
			return err
		}
		t.d.meter.Attempted(t.name, string(store.Dead), 1)
	}
	return nil
}

// clear forgets suspicions of deliveries that a wave has settled.
func (t *target) clear(w *wave) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, x := range w.work {
		delete(t.suspects, x.Delivery.ID)
	}
}

// apart is what of due deliveries may share a wave: one that is suspected is
// tried by itself.
func (t *target) apart(work []store.Work) []store.Work {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, x := range work {
		if _, suspected := t.suspects[x.Delivery.ID]; suspected {
			return work[:max(i, 1)]
		}
	}
	return work
}

// afterPanic is how long a loop rests that panicked outside of a wave.
const afterPanic = time.Second

// keepLooping is loop, begun again after a panic.
func (t *target) keepLooping(ctx context.Context) {
	for ctx.Err() == nil {
		func() {
			defer func() {
				if p := caught.Of(recover()); p != nil {
					t.d.log.Error("delivering panicked; please report this", "connector", t.name, "err", p, "stack", p.Stack)
				}
			}()
			t.loop(ctx)
		}()
		sleep(ctx, afterPanic)
	}
}
