package reconcile

import (
	"context"
	"errors"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/store"
)

// passage is one run on its way.
type passage struct {
	*Reconciler
	setup   Setup
	run     store.Run
	show    func(Step)
	step    Step
	found   []store.Finding // since it was kept last
	drifts  map[string]int
	asked   int // requests before it was resumed
	began   time.Time
	told    bool             // of dead deliveries
	roster  *roster          // what was read last of the deliveries
	resting *resting         // of the connector; nil: nothing is known
	looked  int              // records that are gone and were looked for
	looks   map[string]*look // by phase; that of phaseBegin goes on with that of phaseMay
	phase   string
}

// carryOn does what is left of a run, and keeps how it ended.
func (r *Reconciler) carryOn(ctx context.Context, run store.Run, tell func(Step)) (_ store.Run, err error) {
	p := &passage{Reconciler: r, setup: r.Setup(), run: run, show: tell, drifts: map[string]int{}, asked: run.Requests, began: r.now()}
	p.resting = r.rests(targetOf(run), p.setup.Basis)
	if p.show == nil {
		p.show = func(Step) {}
	}
	p.asks(false) // whoever waits sees which it is
	if run.Source != "" {
		err = p.guarded(ctx, p.truth)
	} else {
		err = p.guarded(ctx, p.contrast)
	}
	switch {
	case ctx.Err() != nil && run.Trigger != ByHand:
		// The daemon stops: the next one goes on.
		return p.run, ctx.Err()
	case ctx.Err() != nil:
		p.run.State, p.run.Note = store.RunStopped, "it was stopped before it was over"
	case err != nil:
		p.run.State, p.run.Note = store.RunFailed, err.Error()
	case p.run.State == store.RunGoing:
		p.run.State = store.RunDone
	}
	p.run.EndedAt = r.now()
	if kept := p.keep(context.WithoutCancel(ctx)); kept != nil && err == nil {
		err = kept
	}
	if r.Meter != nil {
		r.Meter.Reconciled(targetOf(run), p.run.State, p.run.EndedAt.Sub(p.began))
	}
	p.log(err)
	if err == nil {
		err = ctx.Err()
	}
	return p.run, err
}

// guarded turns a panic into an error: one run's affair.
func (p *passage) guarded(ctx context.Context, do func(context.Context) error) (err error) {
	defer func() {
		if c := caught.Of(recover()); c != nil {
			p.Log.Error("a reconcile run panicked; please report this", "run", p.run.ID, "err", c, "stack", c.Stack)
			err = errors.New("crmsyncd itself went wrong in it; its log has the place")
		}
	}()
	return do(ctx)
}

func (p *passage) log(err error) {
	args := []any{"run", p.run.ID, "state", p.run.State, "compared", p.run.Compared, "mended", p.run.Mended, "edited", p.run.Edited, "missing", p.run.Missing, "failed", p.run.Failed, "requests", p.run.Requests}
	if p.run.Source != "" {
		args = append(args, "source", p.run.Source, "brought", p.run.Brought)
	} else {
		args = append(args, "connector", p.run.Connector)
	}
	if err != nil {
		p.Log.Warn("reconcile run ended early", append(args, "err", err)...)
		return
	}
	p.Log.Info("reconciled", args...)
}

// find notes a finding, to be kept with the next keep.
func (p *passage) find(f store.Finding) {
	p.found = append(p.found, f)
	p.drifts[f.Kind]++
}

// keep keeps the run as it is, with what was found since the last time: a crash
// goes on from here.
func (p *passage) keep(ctx context.Context) error {
	run, err := p.Ledger.PutRun(ctx, p.run, p.found)
	if err != nil {
		return err
	}
	p.run = run
	if p.Meter != nil {
		for kind, n := range p.drifts {
			p.Meter.Drifted(targetOf(p.run), kind, n)
		}
		if p.run.Requests > p.asked {
			p.Meter.Asked(targetOf(p.run), p.run.Requests-p.asked)
		}
	}
	p.found, p.drifts, p.asked = nil, map[string]int{}, p.run.Requests
	p.step.Waiting = ""
	p.asks(false)
	return nil
}

// asks tells whether the vendor or the CRM has yet to answer.
func (p *passage) asks(now bool) {
	p.step.Run, p.step.Asks = p.run, now
	p.show(p.step)
}
