package reconcile

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// scanPage is how many events of the ledger are read at a time.
const scanPage = 500

// isFinal tells whether a vendor is done with a contact of that status: telli
// calls it no more, respond.io's conversation is over. It may begin anew.
func isFinal(status string) bool { return status == "" || status == "reached" || status == "closed" }

// eachEvent calls see with the events of the ledger, newest first, and with the
// common model of those that can be read.
func (p *passage) eachEvent(ctx context.Context, f store.EventFilter, see func([]store.View, []*event.Event) error) error {
	f.Limit = scanPage
	for {
		views, err := p.Ledger.Events(ctx, f)
		if err != nil || len(views) == 0 {
			return err
		}
		f.Before = views[len(views)-1].Event.Seq
		events := make([]*event.Event, len(views))
		views = slices.DeleteFunc(views, func(v store.View) bool {
			return v.State == store.Quarantined || v.Event.Stripped
		})
		events = events[:len(views)]
		for i, v := range views {
			if ev, err := p.setup.Parse(v.Event); err == nil {
				events[i] = ev
			}
		}
		if err := see(views, events); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// sweep is how far the rolling look at everything is.
type sweep struct {
	Began time.Time
	After string // key of the last one that was looked at
	Over  bool
}

// rolling gives the sweep of the run's target, begun anew where that is due.
func (p *passage) rolling(ctx context.Context) (sweep, error) {
	var s sweep
	text, err := p.Ledger.Mark(ctx, targetOf(p.run).mark("sweep"))
	if err != nil {
		return s, err
	}
	if text != nil && json.Unmarshal(text, &s) != nil {
		s = sweep{}
	}
	switch {
	case p.setup.FullEvery <= 0:
		s.Over = true
	case s.Began.IsZero() || p.run.BeganAt.Sub(s.Began) >= p.setup.FullEvery && s.Over:
		s = sweep{Began: p.run.BeganAt}
	}
	return s, nil
}

func (p *passage) keepSweep(ctx context.Context, s sweep) error {
	if p.run.DryRun {
		return nil
	}
	return p.putMark(ctx, "sweep", s)
}

func (p *passage) putMark(ctx context.Context, what string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return p.Ledger.PutMark(ctx, targetOf(p.run).mark(what), text)
}

// news is the mark of the time up to which all was looked at: of a source, whose
// events are brought in by each run to its end, its contacts' statuses.
func (p *passage) news() string {
	if p.run.Source != "" {
		return "asked"
	}
	return "until"
}

// since is the time from which on events are news for the run: its last run's
// beginning, less the overlap. Zero if there was none.
func (p *passage) since(ctx context.Context) (time.Time, error) { return p.sinceMark(ctx, "until") }

func (p *passage) sinceMark(ctx context.Context, what string) (time.Time, error) {
	var at time.Time
	text, err := p.Ledger.Mark(ctx, targetOf(p.run).mark(what))
	if err != nil || text == nil || json.Unmarshal(text, &at) != nil {
		return time.Time{}, err
	}
	return at.Add(-p.setup.Overlap), nil
}
