package deliver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// settle decides what becomes of each delivery and keeps it.
func (w *wave) settle(ctx context.Context) {
	now := w.t.d.clock.now()
	interrupted := ctx.Err() != nil || w.leaving()
	if !interrupted {
		w.judgeAccount()
	}
	rest := slices.DeleteFunc(slices.Clone(w.jobs), func(j *job) bool { return j.state == kept })
	updates := make([]store.Update, 0, len(rest))
	results := map[string]int{}
	for _, j := range rest {
		results[w.verdict(j, now, interrupted)]++
		updates = append(updates, j.update())
	}
	crashpoint.At("settle.begun")
	if len(updates) > 0 { // else what they wrote was kept with them
		updates[0].Links, updates[0].Heads = w.links, w.heads
		if err := w.keep(context.WithoutCancel(ctx), updates); err != nil {
			// Without a pause the CRM would be asked the same again and again.
			w.account = ledgerError(err)
		} else {
			w.forget()
			w.tell(rest)
		}
	}
	crashpoint.At("settle.kept")
	for r, n := range results {
		w.t.d.meter.Attempted(w.t.name, r, n)
	}
	w.t.d.meter.Wave(w.t.name, len(w.jobs), time.Since(w.begun))
	if results["deferred"] == len(w.jobs) {
		w.t.rest(time.Now())
	}
	if !interrupted {
		w.t.fared(w)
	}
}

// judgeAccount takes a wave in which everything that the CRM was asked failed
// for no reason of its own as an outage: then the connector pauses, and the
// deliveries do not pay for it. Those that needed no CRM say nothing about it.
func (w *wave) judgeAccount() {
	if w.account != nil || w.succeeded || w.answered || w.failed == nil {
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
	previous, before := d.UpdatedAt, d.Kind
	failedBefore := before != ""
	d.UpdatedAt = now
	switch {
	// What an earlier attempt did is not all where the mapping was mended since:
	// a record counts only once this wave has been at its step.
	case j.complete() && w.steps >= len(j.plan.Records):
		d.State, d.Kind, d.Reason, d.Due = store.Done, "", "", time.Time{}
		if len(j.plan.Records) == 0 {
			d.Reason = "no rule wants it any more"
		} else {
			d.Reason = j.shadowReason()
		}
		w.t.unsolo(d.ID)
		return string(store.Done)
	case j.state != failed:
		d.Due = now
		return "deferred"
	}
	policy, v := w.setup.Policy, judge(j.err)
	d.Kind, d.Reason = j.err.Kind.String(), w.reason(j)
	outage := v == retry && w.account != nil && j.wait == 0
	if outage || v == retry && (interrupted || j.wait > 0) {
		v = suspend
	}
	// If the CRM took others since it failed last, an outage is this delivery's own.
	own := v != suspend || outage && failedBefore && w.t.succeededSince(previous)
	// A first failure is no reason to give up: the delivery may be old because
	// the daemon was off, or because a person had it tried again. Nor is what
	// holds up the account.
	// A clock that was put forward makes everything old: it must have been
	// tried for a time, too.
	if v != die && own && failedBefore && now.Sub(d.CreatedAt) > policy.MaxAge && policy.tried(d.Attempts) >= min(policy.MaxAge, enough) {
		v = die
		d.Reason = fmt.Sprintf("given up after %s: %s", policy.MaxAge, d.Reason)
	}
	// What another record has, and no look-up leads to that one, it has still
	// after an hour: a person must decide, and others wait behind it meanwhile.
	// The attempts may have been of other failures: one look-up it has in any case,
	// which may find that there is no record of the id that the CRM named.
	looked := before == connectors.Conflict.String() || before == connectors.NotFound.String()
	if v == again && j.err.Kind == connectors.Conflict && looked && policy.tried(d.Attempts) >= enough {
		v = die
	}
	switch v {
	case die:
	case suspend:
		d.Due = now.Add(j.wait)
		if outage {
			if own {
				d.Attempts++
			}
			d.Due = now.Add(policy.Backoff(d.Attempts, 0))
		}
	case again:
		d.Attempts++
		d.Due = now
		if d.Attempts > 3 {
			d.Due = now.Add(policy.Backoff(d.Attempts, 0))
		}
	case retry:
		d.Attempts++
		d.Due = now.Add(policy.Backoff(d.Attempts, j.err.Wait))
	}
	if most := policy.MaxAttempts; v != die && most > 0 && d.Attempts >= most {
		v = die
		d.Reason = fmt.Sprintf("given up after %d attempts: %s", d.Attempts, d.Reason)
	}
	if v == die {
		d.State, d.Due = store.Dead, time.Time{}
		w.t.unsolo(d.ID)
		w.t.d.log.Error("delivery dead", "connector", w.t.name, "event", store.EventID(d.ID.Seq), "trace_id", j.trace.String(), "kind", d.Kind, "reason", d.Reason)
		return string(store.Dead)
	}
	return d.Kind
}

// update is the news of the delivery.
func (j *job) update() store.Update { return store.Update{Delivery: j.d, Read: j.read} }

// complete reports whether every record is as the rules want it.
func (j *job) complete() bool {
	return j.state == open && !slices.ContainsFunc(j.d.Records[:len(j.plan.Records)], func(r store.Record) bool { return r.Action == "" })
}

// reason is what a person reads: the connector's name and the error, which
// names the place in the mapping where there is one.
func (w *wave) reason(j *job) string {
	if f, ok := errors.AsType[*mapping.FormulaError](j.err); ok {
		return f.Error()
	}
	reason := w.t.name + ": " + j.err.Error()
	if j.place != "" {
		reason += " (" + j.place + ")"
	}
	return reason
}

// place is where in the mapping a person mends what is wrong with a record: at
// the field that the CRM names, else at the record. Other failures are not of
// the mapping's making.
func place(e *connectors.Error, rec *mapping.Record) string {
	at := rec.Pos
	for _, f := range rec.Fields {
		if f.Name == e.Field {
			at = f.Pos
		}
	}
	if judge(e) != die || at.Line == 0 {
		return ""
	}
	return at.String()
}

func (t *target) succeededSince(at time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !at.IsZero() && !t.lastSuccess.IsZero() && t.d.clock.before(t.lastSuccess).After(at)
}

// keep settles, for as long as it takes: what a CRM has confirmed should not
// be forgotten because the disk is full for a moment. If it is forgotten all
// the same, the intents kept before make the next attempt look first.
func (w *wave) keep(ctx context.Context, updates []store.Update) (err error) {
	defer func(began time.Time) {
		w.t.d.spans.Did("settle", w.t.name, failedBy(err), began, w.traces(updates)...)
	}(time.Now())
	for n := 1; ; n++ {
		err := w.t.d.ledger.Settle(ctx, updates)
		if err == nil {
			return nil
		}
		if errors.Is(err, store.ErrNotFound) && len(updates) > 1 {
			return w.keepEach(ctx, updates)
		}
		full := errors.Is(err, store.ErrFull)
		if n == 1 || !full {
			w.t.d.log.Error("cannot keep what became of deliveries", "connector", w.t.name, "deliveries", len(updates), "err", err)
		}
		if !full || w.t.d.work.Err() != nil {
			return err
		}
		sleep(w.t.d.work, Policy{BackoffMin: 100 * time.Millisecond, BackoffMax: 5 * time.Second}.Backoff(n, 0))
	}
}

// keepEach settles deliveries one by one, as one of them was erased meanwhile.
func (w *wave) keepEach(ctx context.Context, updates []store.Update) error {
	links, heads := updates[0].Links, updates[0].Heads
	for _, u := range updates {
		u.Links, u.Heads = links, heads
		switch err := w.keep(ctx, []store.Update{u}); {
		case errors.Is(err, store.ErrNotFound):
			continue
		case err != nil:
			return err
		}
		links, heads = nil, nil
	}
	return nil
}

// intend keeps the time at which the creation of records begins, before
// the first byte goes out. What earlier steps wrote is kept with it: a delivery
// that is found with their records done looks at them no more. Upserts that the
// CRM itself keeps to one record need no such mark, nor does what a receiver
// knows again: after a crash they are sent again as they were.
func (w *wave) intend(ctx context.Context, groups []*group) error {
	now := w.t.d.vendors().Round(0)
	repeats := w.repeats()
	touched := map[*job]*store.Record{}
	for _, g := range groups {
		if g.known() {
			continue
		}
		for _, it := range g.items {
			r := &it.job.d.Records[it.step]
			if !r.Attempted.IsZero() {
				continue
			}
			r.Attempted = now
			if !g.sure && !repeats {
				touched[it.job] = r
			}
		}
	}
	if len(touched) == 0 {
		return nil
	}
	updates := make([]store.Update, 0, len(touched))
	for j := range maps.Keys(touched) {
		updates = append(updates, j.update())
	}
	updates[0].Links, updates[0].Heads = w.links, w.heads
	crashpoint.At("intent.begun")
	// The ledger is not left alone with what is changed below.
	err := w.t.d.ledger.Settle(context.WithoutCancel(ctx), updates)
	crashpoint.At("intent.kept")
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		for r := range maps.Values(touched) {
			r.Attempted = time.Time{} // nothing was sent
		}
	}
	return err
}

// repeats reports whether who gets the records knows what is sent again.
func (w *wave) repeats() bool {
	r, ok := w.conn.(connectors.Repeater)
	return ok && r.Repeats()
}
