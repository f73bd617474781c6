package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

const (
	// firstLook is how far back the first run of a source asks its vendor; for
	// more there is the backfill.
	firstLook = 24 * time.Hour
	// statusBatch is how many contacts' statuses are asked for between two times
	// that it is kept how far the run is. Vendors take a request for each.
	statusBatch = 25
	// sweepShare is the part of a run's requests, one of so many, that those who
	// may have changed leave to the sweep while it goes.
	sweepShare  = 4
	statusPhase = "status "
	budgetUsed  = "the budget of requests of one run is used up; the next run goes on"
)

// truth is a run of a source: what its vendor knows comes into the ledger.
func (p *passage) truth(ctx context.Context) error {
	src, ok := p.setup.Sources[p.run.Source]
	if !ok {
		return fmt.Errorf("no source %q is in the settings", p.run.Source)
	}
	if src.Reader == nil {
		p.run.Note = src.Mute + ": the newest event in the ledger counts"
		return nil
	}
	if err := src.Reader.Readable(); err != nil {
		p.run.Note = "the vendor cannot be asked (" + err.Error() + "): the newest event in the ledger counts"
		return nil
	}
	if !strings.HasPrefix(p.run.Cursor, statusPhase) {
		err := p.pull(ctx, src)
		if errors.Is(err, errBudget) {
			p.run.State, p.run.Note = store.RunStopped, budgetUsed
			return nil // what was pulled is kept, and how far it is
		}
		if err != nil {
			return err
		}
		p.run.Cursor = statusPhase
		if err := p.keep(ctx); err != nil {
			return err
		}
	}
	if asks, ok := src.Reader.(sources.StatusReader); ok {
		if err := p.statuses(ctx, src, asks); err != nil {
			return err
		}
	}
	p.run.Cursor = ""
	if p.run.DryRun {
		return nil
	}
	return p.putMark(ctx, "until", p.run.BeganAt)
}

// pull brings in what happened since the last run.
func (p *passage) pull(ctx context.Context, src Source) error {
	from, err := p.since(ctx)
	if err != nil {
		return err
	}
	if from.IsZero() {
		from = p.run.BeganAt.Add(-firstLook)
	}
	p.asks(true)
	defer func() { p.step.Asks = false }()
	before, brought := p.run.Requests, p.run.Brought
	begun := p.run.Resumed > 0 // after a crash all of the pull is its own
	b := &Backfill{Ledger: p.Ledger, Source: p.run.Source, Reader: src.Reader, Take: src.Take, Append: p.Append, Now: p.now, Wait: p.Wait, Lasts: true}
	if !p.run.Full {
		b.Most = p.setup.PerRun
	}
	done, err := b.Run(ctx, BackfillOrder{From: from, Until: p.run.BeganAt, Name: "reconcile", Open: true, DryRun: p.run.DryRun}, func(at Progress) {
		if !begun {
			begun, brought = true, brought-at.New
		}
		p.run.Requests, p.run.Brought = before+at.Requests, brought+at.New
		p.step.Run, p.step.Waiting = p.run, at.Waiting
		p.show(p.step)
	})
	p.run.Requests, p.run.Brought = before+done.Requests, brought+done.New
	return err
}

// turn is a part of the contacts whose statuses are asked for.
type turn struct {
	name string // in the cursor
	ids  []string
}

// known is a contact as the ledger has it.
type known struct {
	status  string
	version store.FieldHead
	event   string
	recent  bool
}

// statuses asks for the status of contacts that may have another one by now.
func (p *passage) statuses(ctx context.Context, src Source, asks sources.StatusReader) error {
	all, err := p.contacts(ctx)
	if err != nil {
		return err
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
	after := strings.TrimPrefix(p.run.Cursor, statusPhase)
	// Those that may have changed from where the last run's budget ended, those
	// before that, and then the others of the sweep.
	phases := []turn{{name: phaseMay + " "}, {name: phaseBegin + " "}, {name: phaseRest + " "}}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		at := -1
		switch k := all[id]; {
		case k.recent || !isFinal(k.status) || p.run.Full:
			if at = 0; id <= first {
				at = 1
			}
		case full && id > rolling.After:
			at = 2
		}
		if at >= 0 {
			phases[at].ids = append(phases[at].ids, id)
			p.step.Total++
		}
	}
	// A part of the budget is for the sweep: those that are open could take all of
	// it, run for run.
	most, share := p.setup.PerRun, 0
	if len(phases[2].ids) > 0 {
		share = max(most-p.run.Requests, 0) / sweepShare
	}
	next, come, cut, swept := "", phaseRest, false, true
	for i, phase := range phases {
		if slices.ContainsFunc(phases[i+1:], func(later turn) bool { return strings.HasPrefix(after, later.name) }) {
			p.step.Done += len(phase.ids)
			continue // before the crash
		}
		last := strings.TrimPrefix(after, phase.name)
		resumed := last != after
		if !resumed {
			last = ""
		}
		limit := most - share
		switch {
		case i == 1 && cut:
			continue
		case i == 2:
			limit = most
			if !resumed {
				if err := errors.Join(p.putText(ctx, "next", next), p.turnOver(ctx, come, kept)); err != nil {
					return err
				}
			}
		}
		for here := last; len(phase.ids) > 0; {
			size := min(statusBatch, len(phase.ids))
			if !p.run.Full && most > 0 {
				if p.run.Requests >= limit {
					cut = true
					switch {
					case i == 2:
						swept = false
					case i == 0 && here == "":
						next, come = first, phaseMay
					default:
						next, come = here, strings.TrimSpace(phase.name)
					}
					break
				}
				size = min(size, limit-p.run.Requests)
			}
			batch := phase.ids[:size]
			phase.ids = phase.ids[len(batch):]
			p.step.Done += len(batch)
			end := batch[len(batch)-1]
			if end <= last {
				continue // before the crash
			}
			if err := p.ask(ctx, src, asks, batch, all); err != nil {
				return err
			}
			here, p.run.Cursor = end, statusPhase+phase.name+end
			if i == 2 {
				rolling.After = end
			}
			if err := p.keep(ctx); err != nil {
				return err
			}
		}
	}
	if cut {
		p.run.State, p.run.Note = store.RunStopped, budgetUsed
	}
	switch {
	case !full:
		return nil
	case swept:
		rolling = sweep{Began: rolling.Began, Over: true}
	}
	return p.keepSweep(ctx, rolling)
}

// contacts are those of the source, by the vendor's id.
func (p *passage) contacts(ctx context.Context) (map[string]known, error) {
	if err := p.takeOver(ctx); err != nil {
		return nil, err
	}
	since, err := p.sinceMark(ctx, p.news())
	if err == nil && since.IsZero() && p.run.DryRun { // which keeps nothing
		since, err = p.since(ctx)
	}
	if err != nil {
		return nil, err
	}
	all := map[string]known{}
	err = p.eachEvent(ctx, store.EventFilter{Source: p.run.Source}, func(views []store.View, events []*event.Event) error {
		for i, v := range views {
			ev := events[i]
			if ev == nil || ev.Contact == nil || ev.Contact.ID == "" || ev.Only != nil {
				continue
			}
			k, seen := all[ev.Contact.ID]
			k.recent = k.recent || !v.Event.ReceivedAt.Before(since)
			now := store.FieldHead{At: v.Event.OccurredAt, Rank: v.Event.Rank, Seq: v.Event.Seq}
			if ev.Contact.Status != "" && (k.status == "" || k.version.Older(now)) {
				k.status, k.version, k.event = ev.Contact.Status, now, v.Event.ID()
			} else if !seen {
				k.version = now
			}
			all[ev.Contact.ID] = k
		}
		return nil
	})
	return all, err
}

// takeOver has the news of statuses begin where runs of crmsyncd until 2026-11
// ended, which kept one time for them and for what is brought in.
func (p *passage) takeOver(ctx context.Context) error {
	for _, what := range []string{p.news(), "round"} {
		if text, err := p.markText(ctx, what); err != nil || text != "" {
			return err
		}
	}
	until, err := p.markText(ctx, "until")
	return errors.Join(err, p.putText(ctx, p.news(), until))
}

// ask asks for the statuses of some contacts, and makes events of those that
// the ledger has another status of.
func (p *passage) ask(ctx context.Context, src Source, asks sources.StatusReader, ids []string, all map[string]known) error {
	turn := func(ctx context.Context) error {
		p.run.Requests++
		p.asks(true) // of this one: many may take their time without one being slow
		return ctx.Err()
	}
	for failed := 0; len(ids) > 0; {
		p.asks(true)
		list, err := asks.Statuses(ctx, ids, turn)
		p.step.Asks = false
		for _, s := range list {
			if err := p.heard(ctx, src, s, all[s.ID]); err != nil {
				return err
			}
		}
		if len(list) > 0 {
			failed = 0
		}
		if ids = ids[len(list):]; err == nil {
			continue
		}
		e, again := errors.AsType[*sources.ReadError](err)
		if failed++; failed >= tries || !again || !e.Again {
			return err
		}
		wait := max(e.Wait, backoff<<failed)
		if wait > patience {
			return fmt.Errorf("%w; the vendor asks to come back in %v", err, wait.Round(time.Second))
		}
		p.step.Waiting = e.What
		p.show(p.step)
		if err := p.wait(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}

// heard takes in what the vendor says of a contact.
func (p *passage) heard(ctx context.Context, src Source, s sources.Status, k known) error {
	p.run.Compared++
	switch {
	case s.Gone:
		p.run.Missing++
		p.find(store.Finding{Kind: KindStatus, Contact: s.ID, Ours: k.status, Note: "the vendor has no such contact any more", Event: k.event})
		return nil
	case s.Status == "" || s.Status == k.status:
		p.run.Agreed++
		return nil
	case !s.At.After(k.version.At):
		p.run.Waiting++ // a webhook of this very second knows better
		return nil
	}
	f := store.Finding{Kind: KindStatus, Contact: s.ID, Ours: k.status, Theirs: s.Status, Did: "mended"}
	if s.Derived {
		f.Note = "the vendor does not say the status any more: it follows from the contact's calls"
	}
	if p.run.DryRun {
		f.Did = wouldBe + "mended"
		p.run.Mended++
		p.find(f)
		return nil
	}
	e, same, err := src.Take(ctx, s.Item, p.now().Truncate(time.Microsecond))
	if err != nil {
		return err
	}
	if same {
		p.run.Agreed++
		return nil
	}
	receipt, err := p.Append(ctx, e)
	if err != nil {
		return err
	}
	f.Event = store.EventID(receipt.Seq)
	p.run.Mended++
	p.find(f)
	return nil
}
