package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

const (
	// readAtOnce is how many records are read between two times that it is kept
	// how far the run is. The more at once, the fewer requests; see
	// connectors.Reader.
	readAtOnce = 1000
	// perRequest is how many records one request reads in the CRM with the
	// smallest pages: by it the last batch of a budget is cut.
	perRequest = 100
	// pass and letPass are how often, and for how long at most before each
	// batch, it is waited for live deliveries. A batch now and then does not
	// hold them up, and a CRM that is always busy is compared all the same.
	pass    = 250 * time.Millisecond
	letPass = time.Minute
)

// errDown says that a connector cannot be asked at present.
var errDown = errors.New("the connector is paused or parked; crmsyncd status says why")

// phases of a run of a connector: those that may have drifted from where the
// last run's budget ended, those before that, and then the others of the sweep.
const (
	phaseMay   = "may"
	phaseBegin = "begin"
	phaseRest  = "rest"
)

// contrast is a run of a connector: its CRM is compared with what was written.
func (p *passage) contrast(ctx context.Context) error {
	conn, ok := p.setup.Connectors[p.run.Connector]
	if !ok {
		return fmt.Errorf("no connector %q is in the settings", p.run.Connector)
	}
	if conn.Reader == nil {
		p.run.Note = "its records cannot be read: nothing is compared"
		return nil
	}
	rolling, err := p.rolling(ctx)
	if err != nil {
		return err
	}
	kept, err := p.markText(ctx, "next")
	if err != nil {
		return err
	}
	first := kept
	if p.run.Full {
		first = ""
	}
	full := p.run.Full || !rolling.Over
	for _, ph := range []struct {
		name, after, upTo string
		pass              func(*record) bool
	}{
		{phaseMay, first, "", func(r *record) bool { return p.run.Full || r.mayDrift() }},
		{phaseBegin, "", first, func(r *record) bool { return r.mayDrift() }},
		{phaseRest, rolling.After, "", func(r *record) bool { return !r.mayDrift() }},
	} {
		at, rest, _ := strings.Cut(p.run.Cursor, " ")
		switch {
		case ph.name == phaseBegin && first == "", ph.name == phaseRest && (!full || p.run.Full):
			continue
		case slices.Index([]string{"", phaseMay, phaseBegin, phaseRest}, at) > slices.Index([]string{"", phaseMay, phaseBegin, phaseRest}, ph.name):
			continue // before the crash
		case at == ph.name:
			ph.after = rest
		}
		over, err := p.goThrough(ctx, conn, ph.name, ph.after, ph.upTo, ph.pass)
		if err != nil {
			return err
		}
		if over {
			continue
		}
		// The budget is used up: the next run goes on from here.
		reached, here, _ := strings.Cut(p.run.Cursor, " ")
		switch {
		case reached == ph.name:
		case ph.name == phaseMay: // nothing was compared: the place of before counts
			here = kept
		default:
			here = ph.after
		}
		if ph.name == phaseRest {
			rolling.After = here
			err = errors.Join(p.keepSweep(ctx, rolling), p.putText(ctx, "next", ""))
		} else {
			err = errors.Join(p.keepSweep(ctx, rolling), p.putText(ctx, "next", here))
		}
		p.run.State = store.RunStopped
		return errors.Join(err, p.keepLooks(ctx, false), p.turnOver(ctx, ph.name, kept))
	}
	p.run.Cursor = ""
	if full {
		rolling = sweep{Began: rolling.Began, Over: true}
	}
	return errors.Join(p.keepSweep(ctx, rolling), p.keepLooks(ctx, true), p.putText(ctx, "next", ""), p.putUntil(ctx))
}

// turnOver keeps, where the budget ended a run in a phase, since when events are
// news: those that it did not come to are so for the next run, too. Once runs
// have come to the last place, all is looked at that came in before the first of
// them began.
func (p *passage) turnOver(ctx context.Context, phase, kept string) error {
	var first time.Time // when that one began
	text, err := p.markText(ctx, "round")
	if err != nil {
		return err
	}
	_ = json.Unmarshal([]byte(text), &first) // there is none, mostly
	switch {
	case p.run.DryRun:
		return nil
	case phase == phaseRest:
		return p.putUntil(ctx)
	case phase == phaseMay && (kept == "" || first.IsZero() || p.run.Full && p.run.Cursor != ""):
		return p.putMark(ctx, "round", p.run.BeganAt)
	case phase == phaseMay:
		return nil
	case !first.IsZero():
		err = p.putMark(ctx, p.news(), first)
	}
	return errors.Join(err, p.putMark(ctx, "round", p.run.BeganAt))
}

func (p *passage) putUntil(ctx context.Context) error {
	if p.run.DryRun {
		return nil
	}
	return p.putMark(ctx, p.news(), p.run.BeganAt)
}

func (p *passage) markText(ctx context.Context, what string) (s string, err error) {
	text, err := p.Ledger.Mark(ctx, targetOf(p.run).mark(what))
	return string(text), err
}

func (p *passage) putText(ctx context.Context, what, text string) error {
	if p.run.DryRun {
		return nil
	}
	return p.Ledger.PutMark(ctx, targetOf(p.run).mark(what), []byte(text))
}

// goThrough compares records from a place on. over is false if the budget ended it.
func (p *passage) goThrough(ctx context.Context, conn Connector, name, after, upTo string, pass func(*record) bool) (over bool, err error) {
	p.phase = name
	for {
		list, next, err := p.wanted(ctx, after, name != phaseRest && !p.run.Full)
		if err != nil {
			return false, err
		}
		list = slices.DeleteFunc(list, func(r *record) bool { return !pass(r) || upTo != "" && place(r.key) > upTo })
		p.step.Total += len(list)
		for len(list) > 0 {
			if err := p.letLivePass(ctx, conn, false); err != nil {
				return false, err
			}
			n, err := p.afford(ctx, conn)
			if err != nil || n == 0 {
				return false, err
			}
			n = min(n, len(list))
			for i := 1; i < n; i++ {
				if list[i].key.Object != list[0].key.Object {
					n = i
				}
			}
			if err := p.batch(ctx, conn, list[:n]); err != nil {
				return false, err
			}
			p.step.Done += n
			p.run.Cursor = name + " " + place(list[n-1].key)
			if err := p.keep(ctx); err != nil {
				return false, err
			}
			list = list[n:]
		}
		if next == "" || upTo != "" && next > upTo {
			return true, nil
		}
		after = next
	}
}
