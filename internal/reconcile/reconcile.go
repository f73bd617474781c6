package reconcile

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// Reconciler does runs, by itself when they are due and when a person wants one.
type Reconciler struct {
	Ledger store.Ledger
	Log    *slog.Logger
	Setup  func() Setup // today's; asked at the beginning of every run
	// Append keeps an event and has it planned.
	Append func(context.Context, store.Event) (store.Receipt, error)
	// Busy says whether a connector has live work, which goes first, and
	// whether it is down. nil: never.
	Busy func(connector string) (busy, down bool)
	// Count has the requests counted that are sent with the returned context.
	Count func(context.Context) (ctx context.Context, requests func() int)
	Meter Meter            // may be nil
	Now   func() time.Time // nil: time.Now
	// Wait waits, or returns with the context's error; nil: by the clock.
	Wait func(context.Context, time.Duration) error

	mu      sync.Mutex
	going   map[Target]bool
	resting map[Target]*resting
	few     int // records at once, in tests
}

// Meter counts what runs do.
type Meter interface {
	// Reconciled counts a run that ended, by its state.
	Reconciled(t Target, state store.RunState, took time.Duration)
	// Drifted counts what was found, by kind.
	Drifted(t Target, kind string, n int)
	// Asked counts requests.
	Asked(t Target, n int)
}

// Setup is what the settings and rules say.
type Setup struct {
	Sources    map[string]Source
	Connectors map[string]Connector
	Overlap    time.Duration // before the last run that is looked at again
	FullEvery  time.Duration // how often everything is; 0: never
	Jitter     time.Duration
	PerRun     int // requests to a vendor at most; 0: no bound
	// Basis is equal only where Parse and Plan say the same; nil: that is not known.
	Basis any
	// Parse gives the common model of a stored event.
	Parse func(store.Event) (*event.Event, error)
	Plan  func(ev *event.Event, connector string) (mapping.Plan, error)
	// Mend makes the event that mends what of describes, of the event that
	// says what is right. key tells it from others of that event.
	Mend func(of store.Event, only event.Only, key string, at time.Time) (store.Event, error)
}

// Source is one source.
type Source struct {
	// Reader asks the vendor; nil where it cannot be asked, as Mute says.
	Reader sources.Reader
	Mute   string
	// Take makes an item the event that the ledger keeps; see Backfill.
	Take func(ctx context.Context, item sources.Item, at time.Time) (e store.Event, known bool, err error)
	Next func(time.Time) time.Time // when a run is due after a time; zero: never
}

// Connector is one connector.
type Connector struct {
	Reader connectors.Reader // nil where records cannot be read
	// Find looks for records by their keys; nil: what is gone is not looked for.
	Find func(context.Context, []connectors.Match) ([]connectors.Found, error)
	// Limits are what the account may still be asked; nil: not known.
	Limits    func() []connectors.Limit
	PerRun    int // requests at most; 0: no bound
	PerDay    int
	OnEdit    string // keep or ours
	OnMissing string // report, recreate or forget
	Next      func(time.Time) time.Time
}

// Target is what a run is about: one source or one connector.
type Target struct {
	Source    string
	Connector string
}

// String is the target's name.
func (t Target) String() string {
	if t.Source != "" {
		return t.Source
	}
	return t.Connector
}

func (t Target) mark(what string) string {
	if t.Source != "" {
		return "reconcile " + what + " source " + t.Source
	}
	return "reconcile " + what + " connector " + t.Connector
}

func targetOf(r store.Run) Target { return Target{Source: r.Source, Connector: r.Connector} }

// Order is what a run is to do.
type Order struct {
	Target
	Trigger string
	Full    bool // everything, not only what may have drifted
	DryRun  bool
}

// Triggers of runs.
const (
	BySchedule = "schedule"
	Missed     = "missed" // it was due while nothing ran
	ByHand     = "hand"
)

// Kinds of findings; see store.Finding.
const (
	KindBehind  = "behind"
	KindEdited  = "edited"
	KindMissing = "missing"
	KindMerged  = "merged"
	KindFailed  = "failed"
	KindStatus  = "status"
)

// Step is how far a run is.
type Step struct {
	store.Run
	Total   int    `json:"total,omitempty"` // contacts to be looked at; 0: not known yet
	Done    int    `json:"done,omitempty"`  // of those
	Waiting string `json:"waiting,omitempty"`
	Asks    bool   `json:"asks,omitempty"` // the vendor or the CRM has not answered yet
}

// Run does one run and tells how far it is. Another of the same target must not
// be going. A run that ctx ends is kept as stopped; one that the process's end
// cut off goes on by Resume.
func (r *Reconciler) Run(ctx context.Context, o Order, tell func(Step)) (store.Run, error) {
	leave, err := r.enter(o.Target)
	if err != nil {
		return store.Run{}, err
	}
	defer leave()
	run := store.Run{Source: o.Source, Connector: o.Connector, Trigger: o.Trigger, State: store.RunGoing, DryRun: o.DryRun, Full: o.Full, BeganAt: r.now()}
	if run, err = r.Ledger.PutRun(ctx, run, nil); err != nil {
		return run, err
	}
	// Not before it is kept, from when on it is gone on with whatever ends it.
	if o.Trigger == BySchedule || o.Trigger == Missed {
		if err := r.putLast(context.WithoutCancel(ctx), o.Target, run.BeganAt); err != nil {
			return run, err
		}
	}
	return r.carryOn(ctx, run, tell)
}

// Resume goes on with runs that the end of the process cut off.
func (r *Reconciler) Resume(ctx context.Context) { r.takeUp(ctx)() }

// takeUp takes the targets of runs that were cut off; what it returns goes on
// with them.
func (r *Reconciler) takeUp(ctx context.Context) (goOn func()) {
	runs, err := r.Ledger.Runs(ctx, store.RunFilter{State: store.RunGoing, Limit: store.MaxRuns})
	if err != nil && ctx.Err() == nil {
		r.Log.Error("reconcile runs that were cut off cannot be read", "err", err)
	}
	var all []func()
	for _, run := range runs {
		leave, err := r.enter(targetOf(run))
		if err != nil {
			continue
		}
		run.Resumed++
		all = append(all, func() {
			defer leave()
			if ctx.Err() == nil {
				_, _ = r.carryOn(ctx, run, nil) // its error is kept with it, and logged
			}
		})
	}
	return func() {
		for _, one := range all {
			one()
		}
	}
}

// enter takes a target for one run.
func (r *Reconciler) enter(t Target) (leave func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.going[t] {
		return nil, fmt.Errorf("a run of %s is going already", t)
	}
	if r.going == nil {
		r.going = map[Target]bool{}
	}
	r.going[t] = true
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.going, t)
	}, nil
}

func (r *Reconciler) now() time.Time {
	if r.Now != nil {
		return r.Now().UTC()
	}
	return time.Now().UTC()
}

func (r *Reconciler) wait(ctx context.Context, d time.Duration) error {
	if r.Wait != nil {
		return r.Wait(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
