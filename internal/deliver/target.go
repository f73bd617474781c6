package deliver

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

const (
	// quiet, lull and patience bound how long a wave gathers: it begins when
	// nothing was planned for quiet, or for lull once there are more than few
	// deliveries, at the latest after patience. A single event is held up by
	// quiet only; a burst shares its requests.
	quiet    = 15 * time.Millisecond
	lull     = 100 * time.Millisecond
	few      = 2
	patience = 500 * time.Millisecond

	waveBytes  = 32 << 20        // bodies in one wave
	slowWave   = 2 * time.Second // after which another wave may begin beside it
	slowLook   = 5 * slowWave    // after which it may although one looks up records still
	glance     = time.Minute     // after which a connector with nothing to do looks at the clock again
	maxWaves   = 4               // side by side, so that one that hangs holds up nobody else
	recentLife = 5 * time.Minute // longer than any CRM's search index lags behind
	doubtLife  = 24 * time.Hour  // of what is held against a delivery, which may be discarded or erased meanwhile
)

// target is one connector's loop: it gathers due deliveries into waves and
// pauses while the account cannot take any.
type target struct {
	d      *Deliverer
	name   string
	signal chan struct{}
	pulse  pulse

	mu          sync.Mutex
	pending     int       // planned since the last wave began
	firstNew    time.Time // when the first of them was planned
	lastNew     time.Time
	pausedUntil time.Time
	parked      bool
	generation  int // of the setup that it was last resumed by
	reason      string
	kind        connectors.Kind           // of the failure that reason tells of
	failures    int                       // account-wide failures in a row
	failedAt    time.Time                 // when the last of them was noted
	trickle     int                       // deliveries in the next wave after a pause; 0: no bound
	lastSuccess time.Time                 // of any record
	busy        map[string]bool           // lanes in waves under way
	under       map[store.DeliveryID]bool // in waves under way
	keys        map[string]turn           // keys of records in waves under way, and who has them
	waves       int                       // under way
	over        int                       // waves that have ended
	begun       time.Time                 // when the youngest of them began
	looks       int                       // of them, that look up records
	lookBegan   time.Time                 // when one began that found no other doing so
	waveID      int
	recent      map[store.LinkKey]recentID     // records written lately, which neither the ledger knows nor searches may find yet
	swept       time.Time                      // when the old ones among them were thrown away
	solo        map[store.DeliveryID]time.Time // not to be merged with others since then: the merged change was invalid
	suspects    map[store.DeliveryID]time.Time // were then in a wave that panicked
}

type recentID struct {
	id   string
	till time.Time
}

// turn is a step of a wave.
type turn struct{ wave, step int }

func newTarget(d *Deliverer, name string) *target {
	return &target{
		d: d, name: name, signal: make(chan struct{}, 1), busy: map[string]bool{}, under: map[store.DeliveryID]bool{}, keys: map[string]turn{},
		recent: map[store.LinkKey]recentID{}, solo: map[store.DeliveryID]time.Time{}, suspects: map[store.DeliveryID]time.Time{},
	}
}

// planned says that n deliveries were added.
func (t *target) planned(n int) {
	now := time.Now()
	t.mu.Lock()
	if t.pending == 0 {
		t.firstNew = now
	}
	t.lastNew = now
	t.pending += n
	t.mu.Unlock()
	t.poke()
}

func (t *target) poke() {
	select {
	case t.signal <- struct{}{}:
	default:
	}
}

// resume ends a pause: the settings may have mended its cause.
func (t *target) resume(generation int) {
	t.mu.Lock()
	t.pausedUntil, t.parked, t.reason, t.generation = time.Time{}, false, "", generation
	t.mu.Unlock()
	t.poke()
}

// unpark has a parked connector tried at once.
func (t *target) unpark() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.parked {
		t.pausedUntil = time.Time{}
	}
}

func (t *target) condition() Condition {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !t.parked && !time.Now().Before(t.pausedUntil):
		return Condition{State: "ok"}
	case t.parked:
		return Condition{State: "parked", Kind: t.kind.String(), Reason: t.reason, Until: t.pausedUntil}
	}
	return Condition{State: "paused", Kind: t.kind.String(), Reason: t.reason, Until: t.pausedUntil}
}

// loop begins waves until ctx ends, then waits for those under way.
func (t *target) loop(ctx context.Context) {
	var under sync.WaitGroup
	defer under.Wait()
	for ctx.Err() == nil {
		t.pulse.turn()
		if wait := t.holdUp(time.Now()); wait > 0 {
			t.await(ctx, wait)
			continue
		}
		setup := t.d.current()
		to, ok := setup.Connectors[t.name]
		if !ok {
			t.await(ctx, time.Hour) // a reload signals
			continue
		}
		t.mu.Lock()
		limit := max(to.Wave, 1)
		if t.trickle > 0 {
			limit = min(limit, t.trickle)
		}
		t.pending = 0
		t.mu.Unlock()
		work, next, err := t.d.ledger.Due(ctx, t.name, t.d.clock.now(), t.isBusy, limit, waveBytes)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			t.d.log.Error("cannot read due deliveries; they wait", "connector", t.name, "err", err)
			t.await(ctx, time.Second)
		case len(work) == 0 && next.IsZero():
			t.await(ctx, time.Hour)
		case len(work) == 0:
			// Not for long: the wall clock may be put forward meanwhile.
			t.await(ctx, min(next.Sub(t.d.clock.now()), glance))
		default:
			if work = t.apart(t.free(work)); len(work) == 0 {
				t.await(ctx, glance) // the end of a wave signals
				continue
			}
			w := t.begin(setup, to, work)
			under.Go(func() {
				defer t.end(w)
				w.guarded(t.d.work)
			})
		}
	}
}

// await waits for d, a signal, or the end of ctx.
func (t *target) await(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(max(d, time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.signal:
	case <-ctx.Done():
	}
}

// holdUp says how long no wave may begin; 0: now.
func (t *target) holdUp(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Before(t.pausedUntil) {
		return t.pausedUntil.Sub(now)
	}
	if t.waves >= maxWaves || t.waves > 0 && t.trickle > 0 {
		return time.Hour // the end of a wave signals
	}
	if t.waves > 0 && now.Sub(t.begun) < slowWave {
		return slowWave - now.Sub(t.begun)
	}
	// Searches have the narrowest limits. Waves that share one would all end
	// their look-ups late and together, and then share the limit of writes:
	// one after the other uses both all the time.
	if t.looks > 1 && now.Sub(t.lookBegan) < slowLook {
		return slowLook - now.Sub(t.lookBegan)
	}
	gather := quiet
	if t.pending > few {
		gather = lull
	}
	if t.pending > 0 && now.Sub(t.lastNew) < gather && now.Sub(t.firstNew) < patience {
		return gather - now.Sub(t.lastNew)
	}
	return 0
}

func (t *target) isBusy(lane string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.busy[lane]
}

// free leaves out lanes with a delivery that is under way: a replay has moved it
// there from another one since.
func (t *target) free(work []store.Work) []store.Work {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := map[string]bool{}
	for _, x := range work {
		held[x.Delivery.Lane] = held[x.Delivery.Lane] || t.under[x.Delivery.ID]
	}
	return slices.DeleteFunc(work, func(x store.Work) bool { return held[x.Delivery.Lane] })
}

func (t *target) begin(setup Setup, to Target, work []store.Work) *wave {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waveID++
	t.waves++
	t.begun = time.Now()
	for _, w := range work {
		t.busy[w.Delivery.Lane], t.under[w.Delivery.ID] = true, true
	}
	if t.begun.Sub(t.swept) > recentLife/20 { // there may be very many
		t.swept = t.begun
		maps.DeleteFunc(t.recent, func(_ store.LinkKey, r recentID) bool { return t.begun.After(r.till) })
		for _, doubts := range []map[store.DeliveryID]time.Time{t.solo, t.suspects} {
			maps.DeleteFunc(doubts, func(_ store.DeliveryID, since time.Time) bool { return t.begun.Sub(since) > doubtLife })
		}
	}
	return &wave{t: t, id: t.waveID, setup: setup, conn: to.Connector, shadowed: to.Shadow, work: work, begun: t.begun}
}

// inLedger says that the ledger has links, so that nothing else need know them.
func (t *target) inLedger(links map[store.LinkKey]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k := range links {
		delete(t.recent, k)
	}
}

func (t *target) end(w *wave) {
	t.mu.Lock()
	t.waves--
	t.over++
	for _, x := range w.work {
		delete(t.busy, x.Delivery.Lane)
		delete(t.under, x.Delivery.ID)
	}
	for k, by := range t.keys {
		if by.wave == w.id {
			delete(t.keys, k)
		}
	}
	t.mu.Unlock()
	t.poke()
}

// ended counts the waves that have ended.
func (t *target) ended() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.over
}

// looking notes that a wave looks up records, until the function that it
// returns is called.
func (t *target) looking() (looked func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.looks == 0 {
		t.lookBegan = time.Now()
	}
	t.looks++
	return func() {
		t.mu.Lock()
		t.looks--
		t.mu.Unlock()
		t.poke()
	}
}

// claim takes a record's keys for a step of a wave; false if another record of
// the step or another wave has one of them, so that the same person is never
// made twice side by side. What earlier steps of the wave had is free: they
// are over.
func (t *target) claim(by turn, mine map[string]bool, keys []string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, k := range keys {
		if holder, taken := t.keys[k]; taken && !mine[k] && (holder.wave != by.wave || holder.step >= by.step) {
			return false
		}
	}
	for _, k := range keys {
		t.keys[k] = by
		mine[k] = true
	}
	return true
}

// standstill is how long a connector rests after a wave in which everything
// had to wait for something else: it must not ask for the same at once again.
const standstill = 50 * time.Millisecond

func (t *target) rest(now time.Time) { t.restFor(now, standstill) }

func (t *target) restFor(now time.Time, d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if till := now.Add(d); t.pausedUntil.Before(till) {
		t.pausedUntil = till
	}
}

// flowing is from how many deliveries in one wave on an account that was down
// is taken to bear everything again: after waves of 1, 2, 4 and so on, one at
// a time.
const flowing = 64

// fared takes note of how the account did in a wave. What a wave says that
// began before the last failure is the same story: neither do waves that fail
// side by side make the pause longer, nor does an older success end it.
func (t *target) fared(w *wave) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, e := time.Now(), w.account
	if w.succeeded {
		t.lastSuccess = now
	}
	same := w.begun.Before(t.failedAt)
	switch {
	case e == nil && (same || !w.succeeded && !w.answered):
	case e == nil:
		t.failures, t.parked, t.reason = 0, false, ""
		if t.trickle *= 2; t.trickle >= flowing {
			t.trickle = 0
		}
	case w.setup.generation < t.generation:
		// Settings that were replaced meanwhile failed: those in force are tried.
	case tooFast(e) && w.succeeded && t.failures < bursts:
		// The account works. What it wants to be waited for, its limiter waits.
		t.failures++
		t.pausedUntil, t.reason, t.kind = later(t.pausedUntil, now.Add(breath)), e.Error(), e.Kind
	default:
		if !same {
			t.failures++
		}
		t.pause(w.setup.Policy, e, now)
	}
}

// pause stops the connector for a failure of its account; t.mu is held.
func (t *target) pause(p Policy, e *connectors.Error, now time.Time) {
	wait, parked := p.pause(e, t.failures)
	first := !now.Before(t.pausedUntil) && t.failures == 1
	if parked && !t.parked {
		t.d.log.Error("connector parked; its deliveries wait", "connector", t.name, "kind", e.Kind.String(), "reason", e.Error(), "next_try", wait.Round(time.Second).String())
	} else if first {
		t.d.log.Warn("connector paused; its deliveries wait", "connector", t.name, "kind", e.Kind.String(), "reason", e.Error(), "next_try", wait.Round(time.Millisecond).String())
	}
	t.failedAt, t.trickle, t.reason, t.kind = now, 1, e.Error(), e.Kind
	t.parked = parked || t.parked && now.Before(t.pausedUntil)
	t.pausedUntil = later(t.pausedUntil, now.Add(wait))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
