package deliver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
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

	account   *connectors.Error // hit the account as a whole: nothing more is tried
	succeeded bool              // at least one record was written or found
	failed    *connectors.Error // the last failure of a single change
}

// job is one delivery in a wave.
type job struct {
	d     store.Delivery
	plan  mapping.Plan
	state jobState
	err   *connectors.Error
	links map[store.LinkKey]string
	heads map[store.RecordKey]store.Head
}

type jobState int

const (
	open     jobState = iota // goes on
	failed                   // by err; policy decides what becomes of it
	deferred                 // must wait for another delivery first
)

// prepare maps the events by today's rules.
func (w *wave) prepare() {
	for _, x := range w.work {
		j := &job{d: x.Delivery, links: map[store.LinkKey]string{}, heads: map[store.RecordKey]store.Head{}}
		w.jobs = append(w.jobs, j)
		ev, err := w.setup.Parse(x.Event)
		if err == nil {
			j.plan, err = w.setup.Rules.Plan(ev, w.t.name)
		}
		if err != nil {
			j.fail(&connectors.Error{Kind: connectors.Invalid, Message: err.Error(), Err: err})
		}
		j.d.Records = progress(j.plan, j.d.Records)
	}
}

// progress carries over what earlier attempts did, record by record, as far
// as the plan still has the same records.
func progress(p mapping.Plan, before []store.Record) []store.Record {
	now := make([]store.Record, len(p.Records))
	for i, r := range p.Records {
		now[i] = store.Record{Rule: r.Rule, Object: r.Object}
		if i < len(before) && before[i].Rule == r.Rule && before[i].Object == r.Object {
			now[i] = before[i]
		}
	}
	return now
}

func (j *job) fail(e *connectors.Error) {
	if j.state == open {
		j.state, j.err = failed, e
	}
}

// run takes the wave through its records and settles it.
func (w *wave) run(ctx context.Context) {
	w.prepare()
	for step := 0; w.account == nil && ctx.Err() == nil; step++ {
		var items []item
		for _, j := range w.jobs {
			if j.state == open && step < len(j.plan.Records) {
				items = append(items, item{j, step, &j.plan.Records[step]})
			}
		}
		if len(items) == 0 {
			break
		}
		w.step(ctx, items)
		w.holdLanes()
	}
	w.settle(ctx)
}

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

// settle decides what becomes of each delivery and keeps it.
func (w *wave) settle(ctx context.Context) {
	now := time.Now()
	w.judgeAccount()
	updates := make([]store.Update, 0, len(w.jobs))
	results := map[string]int{}
	interrupted := ctx.Err() != nil
	for _, j := range w.jobs {
		results[w.verdict(j, now, interrupted)]++
		updates = append(updates, store.Update{Delivery: j.d, Links: j.links, Heads: j.heads})
	}
	w.keep(context.WithoutCancel(ctx), updates)
	for r, n := range results {
		w.t.d.meter.Attempted(w.t.name, r, n)
	}
	w.t.d.meter.Wave(w.t.name, len(w.jobs), time.Since(w.begun))
	if !interrupted {
		w.t.fared(w.account, w.succeeded)
	}
}

// judgeAccount takes a wave in which everything failed for no reason of its
// own as an outage: then the connector pauses, and the deliveries do not pay
// for it.
func (w *wave) judgeAccount() {
	if w.account != nil || w.succeeded || w.failed == nil || judge(w.failed) != retry {
		return
	}
	for _, j := range w.jobs {
		if j.state == failed && judge(j.err) == retry {
			continue
		}
		if j.state == deferred {
			continue
		}
		return
	}
	e := *w.failed
	e.Account = true
	w.account = &e
}

// verdict writes into the delivery what becomes of it, and names the result
// for the metrics.
func (w *wave) verdict(j *job, now time.Time, interrupted bool) string {
	d := &j.d
	previous := d.UpdatedAt
	d.UpdatedAt = now
	switch {
	case j.complete():
		d.State, d.Kind, d.Reason, d.Due = store.Done, "", "", time.Time{}
		if len(d.Records) == 0 {
			d.Reason = "no rule wants it any more"
		}
		return string(store.Done)
	case j.state != failed:
		d.Due = now
		return "deferred"
	}
	v := judge(j.err)
	d.Kind, d.Reason = j.err.Kind.String(), w.reason(j.err)
	outage := v == retry && w.account != nil
	if outage || v == retry && interrupted {
		v = suspend
	}
	if v != die && now.Sub(d.CreatedAt) > w.t.d.policy.MaxAge {
		v = die
		d.Reason = fmt.Sprintf("given up after %s: %s", w.t.d.policy.MaxAge, d.Reason)
	}
	switch v {
	case die:
	case suspend:
		d.Due = now
		if outage {
			// If the CRM took others since, the failure is this delivery's own.
			if w.t.succeededSince(previous) {
				d.Attempts++
			}
			d.Due = now.Add(w.t.d.policy.Backoff(d.Attempts, 0))
		}
	case again:
		d.Attempts++
		d.Due = now
		if d.Attempts > 3 {
			d.Due = now.Add(w.t.d.policy.Backoff(d.Attempts, 0))
		}
	case retry:
		d.Attempts++
		d.Due = now.Add(w.t.d.policy.Backoff(d.Attempts, j.err.Wait))
	}
	if most := w.t.d.policy.MaxAttempts; v != die && most > 0 && d.Attempts >= most {
		v = die
		d.Reason = fmt.Sprintf("given up after %d attempts: %s", d.Attempts, d.Reason)
	}
	if v == die {
		d.State, d.Due = store.Dead, time.Time{}
		w.t.unsolo(d.ID)
		w.t.d.log.Error("delivery dead", "connector", w.t.name, "event", store.EventID(d.ID.Seq), "kind", d.Kind, "reason", d.Reason)
		return string(store.Dead)
	}
	return d.Kind
}

// complete reports whether every record is as the rules want it.
func (j *job) complete() bool {
	return j.state == open && !slices.ContainsFunc(j.d.Records, func(r store.Record) bool { return r.Action == "" })
}

// reason is what a person reads: the connector's name and the error, which
// names the place in the mapping where there is one.
func (w *wave) reason(e *connectors.Error) string {
	if f, ok := errors.AsType[*mapping.FormulaError](e); ok {
		return f.Error()
	}
	return w.t.name + ": " + e.Error()
}

func (t *target) succeededSince(at time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !at.IsZero() && t.lastSuccess.After(at)
}

// keep settles, for as long as it takes: what a CRM has confirmed should not
// be forgotten because the disk is full for a moment. If it is forgotten all
// the same, the intents kept before make the next attempt look first.
func (w *wave) keep(ctx context.Context, updates []store.Update) {
	for n := 1; n <= 10; n++ {
		err := w.t.d.ledger.Settle(ctx, updates)
		if err == nil {
			return
		}
		w.t.d.log.Error("cannot keep what became of deliveries; they will be tried again", "connector", w.t.name, "deliveries", len(updates), "err", err)
		if !errors.Is(err, store.ErrFull) {
			return
		}
		sleep(w.t.d.work, Policy{BackoffMin: 100 * time.Millisecond, BackoffMax: 5 * time.Second}.Backoff(n, 0))
	}
}

// intend keeps the time at which the creation of records begins, before
// the first byte goes out.
func (w *wave) intend(ctx context.Context, groups []*group) error {
	now := time.Now()
	touched := map[*job]bool{}
	for _, g := range groups {
		if g.known() {
			continue
		}
		for _, it := range g.items {
			r := &it.job.d.Records[it.step]
			if r.Attempted.IsZero() {
				r.Attempted = now
				touched[it.job] = true
			}
		}
	}
	if len(touched) == 0 {
		return nil
	}
	updates := make([]store.Update, 0, len(touched))
	for j := range maps.Keys(touched) {
		updates = append(updates, store.Update{Delivery: j.d})
	}
	return w.t.d.ledger.Settle(ctx, updates)
}
