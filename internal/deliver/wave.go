package deliver

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// wave is a number of deliveries of one connector, taken together record by
// record: all first records, then all second ones, and so on, so that many
// deliveries share a request. Within a lane they are in order.
type wave struct {
	t     *target
	id    int
	setup Setup
	conn  connectors.Connector
	work  []store.Work
	jobs  []*job
	begun time.Time
	steps int // that were begun

	account   *connectors.Error // hit the account as a whole: nothing more is tried
	succeeded bool              // at least one record was written or looked up
	answered  bool              // the CRM said of a record what is wrong with it: it works
	failed    *connectors.Error // the last failure that may be the CRM's as a whole

	objects map[string]connectors.Object // the CRM's fields, as far as they were asked for

	shadowed bool // nothing is written to this connector at all

	// What is to be kept with the deliveries. One map each for all of them: a
	// record may be written by several, and the last to write it counts.
	links map[store.LinkKey]string
	heads map[store.RecordKey]store.Head
}

// job is one delivery in a wave.
type job struct {
	d     store.Delivery
	read  time.Time // what d was read with as UpdatedAt
	queue time.Time // since when it waits
	plan  mapping.Plan
	state jobState
	err   *connectors.Error
	place string        // in the mapping, of what err says is wrong; "" where it is not there
	wait  time.Duration // of its own before the next attempt, which is not the CRM's fault
	event string        // tells the event from any other, also of another ledger
	trace event.Trace   // that the event is a part of
	since time.Time     // since when its records were perhaps made, without the ledger knowing; or zero
}

type jobState int

const (
	open     jobState = iota // goes on
	failed                   // by err; policy decides what becomes of it
	deferred                 // must wait for another delivery first
	kept                     // the ledger has it as done
)

// prepare maps the events by today's rules.
func (w *wave) prepare() {
	w.objects = map[string]connectors.Object{}
	w.links, w.heads = map[store.LinkKey]string{}, map[store.RecordKey]store.Head{}
	for _, x := range w.work {
		j := &job{d: x.Delivery, read: x.Delivery.UpdatedAt, queue: x.Queued, event: eventIdentity(x.Event), trace: x.Event.InTrace(), since: w.t.d.perhaps(x.Event)}
		j.d.OccurredAt = ordered(x.Event)
		w.jobs = append(w.jobs, j)
		began := time.Now()
		plan, call, err := w.plan(x.Event)
		w.t.d.spans.Did("map", w.t.name, failedBy(err), began, j.trace)
		if err != nil {
			j.fail(&connectors.Error{Kind: connectors.Invalid, Message: err.Error(), Err: err})
			continue
		}
		j.plan = plan
		j.d.Records = progress(j.plan, j.d.Records, call, w.setup.Rules.Named)
		for i := range j.plan.Records {
			if r := &j.d.Records[i]; r.Shadow() { // of an attempt in shadow mode
				r.Action, r.Note, r.Changes = "", "", nil
			}
		}
	}
}

// plan maps one event, and gives the id of its call. A panic is that event's
// affair: the process, and with it all others, goes on.
func (w *wave) plan(stored store.Event) (plan mapping.Plan, call string, err error) {
	defer func() {
		if p := caught.Of(recover()); p != nil {
			w.t.d.log.Error("mapping panicked; please report this", "connector", w.t.name, "event", stored.ID(), "trace_id", stored.InTrace().String(), "err", p, "stack", p.Stack)
			err = errors.New("crmsyncd itself went wrong in mapping it; its log has the place")
		}
	}()
	ev, err := w.setup.Parse(stored)
	if err != nil {
		return mapping.Plan{}, "", err
	}
	if ev.Call != nil {
		call = ev.Call.ID
	}
	plan, err = w.setup.Rules.Plan(ev, w.t.name)
	return plan, call, err
}

// progress carries over what earlier attempts did to the records that the
// plan has still, wherever in it they stand now. What it has no more but was
// made, or perhaps made, is kept behind them: the rule may come back. Where
// the event turned out to be of another call, the records that have keys are
// found by them anew; those made for the first call stay that one's.
func progress(p mapping.Plan, before []store.Record, call string, named func(rule string) bool) []store.Record {
	before = slices.DeleteFunc(slices.Clone(before), func(b store.Record) bool {
		keyed := slices.ContainsFunc(p.Records, func(r mapping.Record) bool {
			return len(r.Keys) > 0 && r.Rule == b.Rule && r.Object == b.Object
		})
		return keyed && b.Call != "" && b.Call != call
	})
	now := make([]store.Record, len(p.Records))
	var fresh []int
	for i, r := range p.Records {
		now[i] = store.Record{Rule: r.Rule, Object: r.Object, Call: call}
		same := func(b store.Record) bool { return b.Rule == r.Rule && b.Object == r.Object }
		if at := slices.IndexFunc(before, same); at >= 0 {
			now[i] = before[at]
			now[i].Call = call
			before = slices.Delete(before, at, at+1)
			continue
		}
		fresh = append(fresh, i)
	}
	// Where a rule got another name, what it made under the old one is its own
	// still: nothing else finds a record without keys. What it only began may have
	// been made: such records are looked for before they are made.
	for _, i := range fresh {
		renamed := func(b store.Record) bool { return b.Object == now[i].Object && b.ID != "" && !named(b.Rule) }
		if at := slices.IndexFunc(before, renamed); at >= 0 && len(p.Records[i].Keys) == 0 {
			now[i] = before[at]
			now[i].Rule, now[i].Call = p.Records[i].Rule, call
			before = slices.Delete(before, at, at+1)
			continue
		}
		for _, b := range before {
			if b.Object == now[i].Object && b.ID == "" {
				now[i].Attempted = earlier(now[i].Attempted, b.Attempted)
			}
		}
	}
	for _, b := range before {
		if b.ID != "" || !b.Attempted.IsZero() {
			now = append(now, b)
		}
	}
	return now
}

func (j *job) fail(e *connectors.Error) {
	if j.state == open {
		j.state, j.err = failed, e
	}
}

func (j *job) postpone() {
	if j.state == open {
		j.state = deferred
	}
}

// run takes the wave through its records and settles it.
func (w *wave) run(ctx context.Context) {
	w.prepare()
	for step := 0; w.account == nil && ctx.Err() == nil && !w.leaving(); step++ {
		var items []item
		more := false
		for _, j := range w.jobs {
			if j.state != open || step >= len(j.plan.Records) {
				continue
			}
			more = true
			if rec := &j.plan.Records[step]; !rec.Shadow {
				items = append(items, item{j, step, rec})
			}
		}
		if !more {
			break
		}
		w.steps = step + 1
		if len(items) > 0 {
			w.step(ctx, items)
			crashpoint.At("wave.step")
			w.holdLanes()
		}
	}
	w.shadow(ctx)
	w.holdLanes()
	w.settle(ctx)
}

// leaving reports whether the program ends: what the wave has not begun by then
// waits on disk, and costs no attempt.
func (w *wave) leaving() bool { return w.t.d.leaving.Err() != nil }

// holdLanes keeps what is behind a delivery that must be tried again in its
// lane. What was written for them already is not written twice.
func (w *wave) holdLanes() {
	held := map[string]bool{}
	for _, j := range w.jobs {
		switch {
		case j.state == failed && judge(j.err) != die, j.state == deferred:
			held[j.d.Lane] = true
		case j.state == open && held[j.d.Lane]:
			j.state = deferred
		}
	}
}
