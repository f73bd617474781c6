package reconcile

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// lookEvery is how often it is looked at least whether a run is due: the
	// settings and the clock may have changed.
	lookEvery = time.Minute
	// lateBy is from when on a run that is begun late counts as missed.
	lateBy = 5 * time.Minute
	// sideBySide bounds how many runs go at one time: each reads the ledger.
	sideBySide = 2
)

// Schedule goes on with what was cut off and begins runs when they are due,
// until ctx ends; then it waits for those that are going. A run that was due
// while nothing ran is caught up, once however many were.
func (r *Reconciler) Schedule(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(r.takeUp(ctx))
	turns := make(chan struct{}, sideBySide)
	var queued sync.Map // targets that wait for their turn, or have it
	for ctx.Err() == nil {
		now := r.now()
		next := now.Add(lookEvery)
		setup := r.Setup()
		for _, t := range setup.targets() {
			if _, waits := queued.Load(t); waits {
				continue
			}
			due, late, err := r.due(ctx, setup, t, now)
			if err != nil {
				if ctx.Err() == nil {
					r.Log.Error("it cannot be found out when a reconcile run is due", "target", t.String(), "err", err)
				}
				continue
			}
			if due.IsZero() || r.isGoing(t) {
				continue
			}
			if due.After(now) {
				next = earliest(next, due)
				continue
			}
			o := Order{Target: t, Trigger: BySchedule}
			if late {
				o.Trigger = Missed
			}
			queued.Store(t, nil)
			all.Go(func() {
				defer queued.Delete(t)
				select {
				case turns <- struct{}{}:
					defer func() { <-turns }()
				case <-ctx.Done():
					return
				}
				// What has no turn when the daemon stops is caught up. A person
				// may have begun one meanwhile.
				if ctx.Err() == nil && !r.isGoing(t) {
					_, _ = r.Run(ctx, o, nil) // its error is kept with it, and logged
				}
			})
		}
		if r.wait(ctx, next.Sub(now)) != nil {
			return
		}
	}
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// targets are all that can have a schedule.
func (s Setup) targets() (out []Target) {
	for _, name := range slices.Sorted(maps.Keys(s.Sources)) {
		out = append(out, Target{Source: name})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Connectors)) {
		out = append(out, Target{Connector: name})
	}
	return out
}

func (s Setup) next(t Target, after time.Time) time.Time {
	next := s.Connectors[t.Connector].Next
	if t.Source != "" {
		next = s.Sources[t.Source].Next
	}
	if next == nil {
		return time.Time{}
	}
	return next(after)
}

// due says when the next run of a target is; late, that it was missed.
func (r *Reconciler) due(ctx context.Context, setup Setup, t Target, now time.Time) (at time.Time, late bool, err error) {
	if setup.next(t, now).IsZero() {
		return at, false, nil // off
	}
	text, err := r.Ledger.Mark(ctx, t.mark("last"))
	if err != nil {
		return at, false, err
	}
	var last time.Time
	if text == nil || json.Unmarshal(text, &last) != nil || last.After(now.Add(time.Hour)) {
		// The first time, or the clock was put back.
		last, err = now, r.putLast(ctx, t, now)
	}
	at = setup.next(t, last)
	late = now.Sub(at) > setup.Jitter+lateBy
	return at.Add(jitter(t, at, setup.Jitter)), late, err
}

func (r *Reconciler) putLast(ctx context.Context, t Target, at time.Time) error {
	text, err := json.Marshal(at)
	if err != nil {
		return err
	}
	return r.Ledger.PutMark(ctx, t.mark("last"), text)
}

func (r *Reconciler) isGoing(t Target) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.going[t]
}

// jitter is by how much a run is put off: the same for the same run, another
// for each.
func jitter(t Target, at time.Time, most time.Duration) time.Duration {
	if most <= 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(strings.Join([]string{t.Source, t.Connector, at.UTC().Format(time.RFC3339)}, "\x00")))
	return time.Duration(h.Sum64() % uint64(most))
}
