// Package deliver takes what waits in the ledger to the CRMs: it plans events,
// gathers due deliveries into waves, writes their records in batches, and
// settles what became of each. It decides what an error means (retry, pause
// the connector, dead); connectors only classify. It keeps nothing that
// matters over a restart: that is the ledger's.
package deliver

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/trace"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// Setup is what a reload swaps: how stored events are read, the rules, and
// where deliveries go. A wave under way ends with the Setup it began with.
type Setup struct {
	// Parse gives the common model of a stored event. An error means that it
	// cannot be read any more, for example because its source was removed.
	Parse func(store.Event) (*event.Event, error)
	// FollowUp says what a new event brings with it: further events to append,
	// whose content keys keep them from being there twice, and events to plan
	// again, as it changes how they read. nil: nothing ever.
	FollowUp   func(store.Event) (more []store.Event, again []store.Requeue, err error)
	Rules      Planner
	Connectors map[string]Target
	// Fit gives a value as a field of the CRM takes it, for shadow mode. nil:
	// values are compared as they are.
	Fit    func(object connectors.Object, field string, v connectors.Value) connectors.Value
	Policy Policy

	generation int // how many there were before
}

// Planner says what rules want; *mapping.Rules is one.
type Planner interface {
	Connectors(*event.Event) []string
	Candidates(t event.Type, source string) (connectors []string, certain bool)
	Plan(ev *event.Event, connector string) (mapping.Plan, error)
	// Named reports whether there is a rule of that name, whether it wants the event or not.
	Named(rule string) bool
}

// Target is a connector with how many deliveries it is given at a time.
type Target struct {
	Connector connectors.Connector
	Wave      int // deliveries in one wave, at least 1
	// Shadow says that nothing is ever written there, so that a CRM that does
	// not answer holds up nothing that is.
	Shadow bool
}

// Meter counts; its methods are called from several goroutines.
type Meter interface {
	// Attempted counts deliveries tried, by result: done, dead, or an error's kind.
	Attempted(connector, result string, n int)
	// Wave counts one wave and its deliveries.
	Wave(connector string, deliveries int, took time.Duration)
}

// Options is what a Deliverer needs.
type Options struct {
	Ledger store.Ledger
	Setup  Setup
	Log    *slog.Logger
	Meter  Meter           // may be nil
	Spans  *trace.Recorder // may be nil
	// Wall is the wall clock; nil is time.Now. Vendors is the time as the CRMs
	// have it, as far as they told; nil is the wall clock's.
	Wall, Vendors func() time.Time
	// Gaps are times of which the ledger may know less than the CRMs.
	Gaps []store.Gap
}

// Deliverer brings deliveries to CRMs. Use New, then Run.
type Deliverer struct {
	ledger store.Ledger
	log    *slog.Logger
	meter  Meter
	spans  *trace.Recorder

	clock   clock
	vendors func() time.Time // the time at the CRMs
	gaps    []store.Gap

	work    context.Context // of requests under way; ends when Run's drain time is over
	leaving context.Context // nothing is begun once it has ended
	wake    chan struct{}   // events were appended
	pulse   pulse           // of planning

	mu      sync.Mutex
	setup   Setup
	targets map[string]*target
	running context.Context // of the loops; nil before Run
	loops   sync.WaitGroup
}

// New returns a Deliverer that does nothing until Run.
func New(o Options) *Deliverer {
	o.Setup.Policy = o.Setup.Policy.withDefaults()
	d := &Deliverer{
		ledger: o.Ledger, log: o.Log, meter: o.Meter, spans: o.Spans, gaps: o.Gaps,
		wake: make(chan struct{}, 1), targets: map[string]*target{}, setup: o.Setup,
		leaving: context.Background(),
	}
	if d.meter == nil {
		d.meter = noMeter{}
	}
	if d.clock.wall = o.Wall; o.Wall == nil {
		d.clock.wall = time.Now
	}
	if d.vendors = o.Vendors; d.vendors == nil {
		d.vendors = d.clock.now
	}
	return d
}

// Run plans and delivers until ctx ends. Then nothing new is begun, and work
// under way may go on for at most drain; what is not done by then waits in
// the ledger.
func (d *Deliverer) Run(ctx context.Context, drain time.Duration) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(drain, cancel) })
	defer stop()

	d.mu.Lock()
	d.work, d.running, d.leaving = work, ctx, ctx
	d.start()
	d.mu.Unlock()

	d.plan(ctx)
	d.mu.Lock()
	d.running = nil // no loop begins any more
	d.mu.Unlock()
	d.loops.Wait()
}

// Wake says that events may have been appended or deliveries made due.
func (d *Deliverer) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// WakeAll also has every connector look for due deliveries, as after a retry
// by hand; a parked one is tried at once, as its cause may be mended.
func (d *Deliverer) WakeAll() {
	d.Wake()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.targets {
		t.unpark()
		t.planned(0)
	}
}

// Reload swaps the setup. Connectors that were parked or paused are tried
// again; those no longer there begin no wave until they are back. Their
// targets stay, as they know what is under way.
func (d *Deliverer) Reload(s Setup) {
	s.Policy = s.Policy.withDefaults()
	d.mu.Lock()
	s.generation = d.setup.generation + 1
	d.setup = s
	for _, t := range d.targets {
		t.resume(s.generation)
	}
	d.start()
	d.mu.Unlock()
	d.Wake()
}

// start begins a loop for each connector that has none; d.mu is held.
func (d *Deliverer) start() {
	if d.running == nil {
		return
	}
	for name := range d.setup.Connectors {
		if d.targets[name] != nil {
			continue
		}
		ctx, t := d.running, newTarget(d, name)
		d.targets[name] = t
		d.loops.Go(func() { t.keepLooping(ctx) })
	}
}

func (d *Deliverer) current() Setup {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.setup
}

func (d *Deliverer) target(name string) *target {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.targets[name]
}

// Busy reports whether deliveries of a connector are under way or were planned
// and wait for the next wave, and so what is not urgent should let them pass;
// down, whether it is paused or parked.
func (d *Deliverer) Busy(connector string) (busy, down bool) {
	t := d.target(connector)
	if t == nil {
		return false, false
	}
	down = t.condition().State != "ok"
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.waves > 0 || t.pending > 0, down
}

// Condition is how a connector fares.
type Condition struct {
	State  string    `json:"state"`          // ok, paused or parked
	Kind   string    `json:"kind,omitempty"` // of the error behind it, where not ok
	Reason string    `json:"reason,omitempty"`
	Until  time.Time `json:"until,omitzero"`
}

// Conditions returns the condition of each connector.
func (d *Deliverer) Conditions() map[string]Condition {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]Condition{}
	for name, t := range d.targets {
		if _, ok := d.setup.Connectors[name]; ok {
			out[name] = t.condition()
		}
	}
	return out
}

type noMeter struct{}

func (noMeter) Attempted(string, string, int)   {}
func (noMeter) Wave(string, int, time.Duration) {}
