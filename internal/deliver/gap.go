package deliver

import (
	"context"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

const (
	// gapMargin is by how much the clocks of vendors and CRMs may differ from
	// the one by which a gap was noted.
	gapMargin = 10 * time.Minute
	// resent is for how long after a gap an event may come again for which its
	// vendor gives no time, or one that is still to come: Svix, which sends for telli, gives up after 28 hours
	// (docs, 2026-11).
	resent = 28 * time.Hour
)

// perhaps is since when the records of an event were perhaps made, though the
// ledger does not know of it: the event happened before a backup took the place
// of the ledger that it was delivered from. Zero: they were not.
func (d *Deliverer) perhaps(e store.Event) (since time.Time) {
	for _, g := range d.gaps {
		if before(e, g) {
			since = earlier(since, g.From.Add(-gapMargin))
		}
	}
	return since
}

// before reports whether an event perhaps happened before the end of a gap. What
// the ledger had by then did, and what was received by then; of what came later
// only its vendor's time tells, unless that cannot be true.
func before(e store.Event, g store.Gap) bool {
	if e.Seq <= g.Last {
		return true
	}
	happened, until := e.OccurredAt, g.To.Add(gapMargin)
	told := e.ReceivedAt.Year() >= trueYear // our own clock
	if happened.Equal(e.ReceivedAt) || told && happened.Sub(e.ReceivedAt) > gapMargin {
		happened, until = e.ReceivedAt, g.To.Add(resent) // the vendor gives no time, or one to come
	}
	return happened.Before(until) || told && !e.ReceivedAt.After(g.To)
}

// suspect takes a record that is not known for one that was perhaps made since
// a time, as an attempt with an unknown outcome would have: it is looked for
// before it is made.
func (g *group) suspect(since time.Time) {
	if g.known() || since.IsZero() {
		return
	}
	g.guessed = g.attempted.IsZero()
	g.attempted = earlier(g.attempted, since)
}

// unsoughtNote is what a delivery says of such a record.
const unsoughtNote = "could not be looked for: if it was made before the ledger was restored, it is there twice"

// unsought sends those changes again, as new ones, that could not be looked for
// and of which nothing but a gap says that they may have been made. To give
// them up would lose what came while nobody was there.
func (w *wave) unsought(ctx context.Context, groups []*group, changes []connectors.Change, results []connectors.Result) {
	var at []int
	var again []connectors.Change
	for i, r := range results {
		if i < len(groups) && groups[i].guessed && r.ID == "" && r.Err != nil && r.Err.Unseekable() {
			groups[i].unsought, changes[i].Attempted = true, time.Time{}
			at, again = append(at, i), append(again, changes[i])
		}
	}
	if len(again) == 0 {
		return
	}
	more, whole := w.send(ctx, again)
	for n, i := range at {
		results[i] = connectors.Result{Err: whole}
		if n < len(more) && (more[n].ID != "" || more[n].Err != nil) {
			results[i] = more[n]
		}
	}
}
