package deliver_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/store"
)

// runAfter restarts the deliverer on a ledger that knows nothing of the ten
// minutes from the third hour on after epoch.
func (b *bench) runAfter(text string) {
	b.halt(true)
	gap := store.Gap{From: epoch.Add(3 * time.Hour), To: epoch.Add(3*time.Hour + 10*time.Minute)}
	b.d = deliver.New(deliver.Options{Ledger: b.ledger, Setup: setup(b.t, b.crm, text), Log: slog.New(slog.DiscardHandler), Gaps: []store.Gap{gap}})
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.ended = stop, make(chan struct{})
	go func() { b.d.Run(ctx, time.Second); close(b.ended) }()
}

// TestGap/what happened before a backup took the place of the ledger was perhaps
// delivered already.
func TestGap(t *testing.T) {
	t.Parallel()
	looked := func(b *bench) (since []time.Time) {
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Object == "notes" {
				since = append(since, c.Attempted)
			}
			return nil
		}
		b.call("1", 3*60+5) // in the gap
		b.call("2", 10)     // long before it
		b.call("3", 5*60)   // after it
		b.call("4", 5*60, func(e *event.Event) { e.OccurredAt = time.Now() })
		b.settled(time.Minute)
		return since
	}
	storyOf(t, "what happened before the restore is looked for from the backup on, what came after is not", notes, func(t *testing.T, b *bench) {
		b.runAfter(notes)
		since := looked(b)
		sought := 0
		for _, at := range since {
			if at.IsZero() {
				continue
			}
			sought++
			if want := epoch.Add(3*time.Hour - 10*time.Minute); !at.Equal(want) {
				t.Errorf("looked for since %v, want %v", at, want)
			}
		}
		// That of the fourth happened before all of them by its own clock.
		if len(since) != 4 || sought != 3 {
			t.Errorf("%d of %d notes were looked for, want 3 of 4", sought, len(since))
		}
	})
	storyOf(t, "without a restore nothing is looked for", notes, func(t *testing.T, b *bench) {
		for _, at := range looked(b) {
			if !at.IsZero() {
				t.Errorf("a new note is looked for since %v", at)
			}
		}
	})
	storyOf(t, "what is there is found, also after an attempt that failed", notes, func(t *testing.T, b *bench) {
		b.crm.records = append(b.crm.records, &row{object: "notes", id: "notes-0", fields: map[string]any{"text": "Note on c001"}, created: epoch.Add(3*time.Hour + 6*time.Minute)})
		b.runAfter(notes)
		failing := 3
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Object == "notes" && failing > 0 {
				failing--
				return &connectors.Error{Kind: connectors.Transient, Message: "500"}
			}
			return nil
		}
		b.call("1", 3*60+5)
		b.settled(time.Hour)
		if got := b.crm.list("notes"); len(got) != 1 || got[0].id != "notes-0" {
			t.Errorf("notes %+v, want the one that was there", got)
		}
	})
	storyOf(t, "what cannot be looked for is made, and says so", notes, func(t *testing.T, b *bench) {
		b.runAfter(notes)
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Object == "notes" && !c.Attempted.IsZero() {
				return &connectors.Error{Kind: connectors.Invalid, Code: connectors.CodeUnseen, Message: "not listed"}
			}
			return nil
		}
		seq := b.call("1", 3*60+5)
		b.settled(time.Minute)
		d := b.delivery(seq)
		if n := len(b.crm.list("notes")); n != 1 || d.State != store.Done {
			t.Errorf("%d notes, delivery %s (%s); want one, done", n, d.State, d.Reason)
		}
		if note := d.Records[0].Note; !strings.Contains(note, "could not be looked for") {
			t.Errorf("its note is %q", note)
		}
	})
	storyOf(t, "what an attempt of its own may have made is not made again, though it cannot be looked for", notes, func(t *testing.T, b *bench) {
		b.runAfter(notes)
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			switch {
			case c.Object != "notes":
				return nil
			case len(b.crm.records) == 0:
				return &connectors.Error{Kind: connectors.Unknown, Message: "no answer"} // and it is made
			}
			return &connectors.Error{Kind: connectors.Invalid, Code: connectors.CodeUnseen, Message: "not listed"}
		}
		seq := b.call("1", 3*60+5)
		b.settled(time.Hour)
		if d := b.delivery(seq); d.State != store.Dead || len(b.crm.list("notes")) != 1 {
			t.Errorf("delivery %s, %d notes; want dead and one", d.State, len(b.crm.list("notes")))
		}
	})
}
