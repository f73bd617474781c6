package deliver_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/store"
)

// wrong is a wall clock that can be put forward and back.
type wrong struct {
	mu sync.Mutex
	by time.Duration
}

func (w *wrong) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Round(0).Add(w.by)
}

func (w *wrong) set(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.by = by
}

const year = 365 * 24 * time.Hour

// runUnder restarts the deliverer on the same ledger file under a wall clock.
func (b *bench) runUnder(w *wrong, s deliver.Setup) {
	b.halt(true)
	b.d = deliver.New(deliver.Options{Ledger: b.ledger, Setup: s, Log: slog.New(slog.DiscardHandler), Wall: w.now})
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.ended = stop, make(chan struct{})
	go func() { b.d.Run(ctx, time.Second); close(b.ended) }()
}

// TestClock/the wall clock jumps while deliveries wait, and nothing is lost,
// doubled, starved or given up. Time itself passes as synctest has it.
func TestClock(t *testing.T) {
	t.Parallel()
	for name, by := range map[string]time.Duration{
		"an hour forward": time.Hour, "an hour back": -time.Hour, "a day forward": 24 * time.Hour, "a day back": -24 * time.Hour,
		"ten years forward": 10 * year, "ten years back": -10 * year, "to 1970": -56 * year, "not at all": 0,
	} {
		for _, restart := range []bool{false, true} {
			story(t, fmt.Sprintf("%s while a delivery waits to be tried again, restart in between: %t", name, restart), func(t *testing.T, b *bench) {
				var clock wrong
				s := setup(t, b.crm, rules)
				b.runUnder(&clock, s)
				var tries []time.Time
				failing := true
				b.crm.fault = func(c connectors.Change) *connectors.Error {
					if c.Object != "calls" || c.Fields["id"] != "c001" {
						return nil
					}
					tries = append(tries, time.Now())
					if failing {
						return &connectors.Error{Kind: connectors.Transient, Message: "500"}
					}
					return nil
				}
				b.call("1", 0)
				b.call("2", 0) // tells that the CRM works
				time.Sleep(time.Minute)
				clock.set(by)
				if restart {
					b.runUnder(&clock, s)
				}
				time.Sleep(time.Minute)
				b.call("1", 5)
				b.call("3", 0)
				time.Sleep(time.Minute)
				if got := b.crm.column("calls", "id"); !strings.Contains(got, "c004") {
					t.Errorf("calls %s: what came after the jump waits for what came before", got)
				}
				clock.set(0)
				if restart {
					b.runUnder(&clock, s)
				}
				time.Sleep(time.Minute)
				b.crm.mu.Lock()
				failing = false
				n := len(tries)
				b.crm.mu.Unlock()
				if n > 40 {
					t.Errorf("tried %d times in four minutes", n)
				}
				// A clock that was a day ahead at the end of one process is the longest.
				for range 25 {
					if s, err := b.ledger.Stats(t.Context()); err != nil || s.Connectors["crm"].Waiting == 0 {
						break
					}
					time.Sleep(time.Hour)
				}
				b.settled(time.Minute)
				if got := b.crm.column("calls", "id"); !slices.Equal(sorted(got), []string{"c001", "c002", "c003", "c004"}) {
					t.Errorf("calls %s, want each once", got)
				}
			})
		}
	}
	story(t, "what was to wait under a clock three years ahead does not wait three years", func(t *testing.T, b *bench) {
		clock := wrong{by: 3 * year}
		s := setup(t, b.crm, rules)
		b.runUnder(&clock, s)
		failing := true
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if failing && c.Object == "calls" && c.Fields["id"] == "c001" {
				return &connectors.Error{Kind: connectors.Transient, Message: "500"}
			}
			return nil
		}
		seq := b.call("1", 0)
		b.call("2", 0)
		time.Sleep(time.Minute)
		if d := b.delivery(seq); time.Until(d.Due) < 2*year {
			t.Fatalf("due %v: the story needs a delivery that is due in years", d.Due)
		}
		b.crm.mu.Lock()
		failing = false
		b.crm.mu.Unlock()
		clock.set(0)
		b.runUnder(&clock, s)
		b.settled(time.Minute)
	})
	story(t, "a clock that is put back by hours has nobody wait for hours", func(t *testing.T, b *bench) {
		var clock wrong
		b.runUnder(&clock, setup(t, b.crm, rules))
		failing := true
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if failing && c.Object == "calls" && c.Fields["id"] == "c001" {
				return &connectors.Error{Kind: connectors.Transient, Message: "500"}
			}
			return nil
		}
		b.call("1", 0)
		b.call("2", 0)
		time.Sleep(time.Minute)
		clock.set(-5 * time.Hour)
		b.crm.mu.Lock()
		failing = false
		b.crm.mu.Unlock()
		b.settled(2 * time.Minute)
	})
	storyOf(t, "an attempt of which the clock says that it is to come is looked for before it is made again", notes, func(t *testing.T, b *bench) {
		clock := wrong{by: 3 * year}
		s := setup(t, b.crm, notes)
		b.runUnder(&clock, s)
		lost := true
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if lost && c.Object == "notes" {
				lost = false
				return &connectors.Error{Kind: connectors.Unknown, Message: "connection reset"}
			}
			return nil
		}
		seq := b.call("1", 0)
		time.Sleep(500 * time.Millisecond)
		if d := b.delivery(seq); d.Records[0].Attempted.IsZero() {
			t.Fatalf("delivery %+v: the story needs an attempt with an unknown outcome", d)
		}
		clock.set(0)
		b.runUnder(&clock, s)
		b.settled(10 * time.Minute)
		if got := b.crm.column("notes", "text"); got != "Note on c001" {
			t.Errorf("notes %s, want one", got)
		}
	})
	story(t, "a clock that is put forward does not make what waits too old", func(t *testing.T, b *bench) {
		var clock wrong
		s := setup(t, b.crm, rules)
		s.Policy = deliver.Policy{}
		b.runUnder(&clock, s)
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Object == "calls" && c.Fields["id"] == "c001" {
				return &connectors.Error{Kind: connectors.Transient, Message: "500"}
			}
			return nil
		}
		seq := b.call("1", 0)
		b.call("2", 0)
		time.Sleep(20 * time.Second)
		clock.set(10 * year)
		for i := range 10 {
			b.call(fmt.Sprint(10+i), 0)
			time.Sleep(time.Minute)
		}
		if d := b.delivery(seq); d.State != store.Waiting || d.Attempts < 4 {
			t.Errorf("delivery %s after %d attempts, want it to wait", d.State, d.Attempts)
		}
	})
}

// TestListedTwice/a record that a CRM lists twice, as its pages move while they
// are read, is one.
func TestListedTwice(t *testing.T) {
	t.Parallel()
	story(t, "it is updated and not taken for several", func(t *testing.T, b *bench) {
		b.call("1", 0)
		b.settled(time.Minute)
		b.d.Reload(setup(t, &oddCRM{crm: b.crm, find: func(_ []connectors.Match, f []connectors.Found, err error) ([]connectors.Found, error) {
			for i := range f {
				f[i].Records = append(f[i].Records, f[i].Records...)
			}
			return f, err
		}}, rules))
		seq := b.call("1", 5)
		b.settled(time.Minute)
		if d := b.delivery(seq); d.State != store.Done || b.crm.column("contacts", "status") != "at5" {
			t.Errorf("delivery %s for %q, want it done", d.State, d.Reason)
		}
	})
}

func sorted(column string) []string {
	out := strings.Fields(column)
	slices.Sort(out)
	return out
}

// TestVendorsClock/a vendor's clock that is years ahead freezes nothing.
func TestVendorsClock(t *testing.T) {
	t.Parallel()
	at := func(occurred time.Time) func(*event.Event) {
		return func(e *event.Event) { e.OccurredAt, e.Contact.Status = occurred, occurred.Format(time.DateOnly) }
	}
	t.Run("what comes after an event of the far future overwrites it", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(epoch)) // our own clock must be able to be right
			b := start(t, rules)
			b.call("1", 0, at(epoch.AddDate(10, 0, 0)))
			b.settled(time.Minute)
			b.call("1", 0, at(time.Now().Add(time.Second)))
			b.settled(time.Minute)
			if got := b.crm.column("contacts", "status"); got != "2026-03-04" {
				t.Errorf("status of %s, want that of the event that came last", got)
			}
			b.call("1", 0, at(epoch.AddDate(-20, 0, 0)))
			b.settled(time.Minute)
			if got := b.crm.column("contacts", "status"); got != "2026-03-04" {
				t.Errorf("status of %s: an event of 20 years ago overwrote a newer one", got)
			}
			if got := len(b.crm.list("calls")); got != 3 {
				t.Errorf("%d calls, want 3: each is logged, whatever its time", got)
			}
			b.halt(false)
		})
	})
	t.Run("a clock of ours that was never set does not put events out of order", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) { // which begins in the year 2000
			b := start(t, rules)
			b.call("1", 10)
			b.settled(time.Minute)
			b.call("1", 5)
			b.settled(time.Minute)
			if got := b.crm.column("contacts", "status"); got != "at10" {
				t.Errorf("status %s, want that of the event that is newer by the vendor's time", got)
			}
			b.halt(false)
		})
	})
}
