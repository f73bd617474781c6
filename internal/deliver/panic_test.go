package deliver_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/store"
)

// inPanic is what a panic carries, and what must be nowhere.
const inPanic = "+49 151 23456789"

// said is a log that is kept.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// runNoting runs a deliverer on a ledger, whose log is kept.
func (b *bench) runNoting(l store.Ledger, s deliver.Setup) *said {
	log := &said{}
	b.d = deliver.New(deliver.Options{Ledger: l, Setup: s, Log: slog.New(slog.NewTextHandler(log, nil))})
	ctx, cancel := context.WithCancel(context.Background())
	b.stop, b.ended = cancel, make(chan struct{})
	go func() { b.d.Run(ctx, time.Second); close(b.ended) }()
	return log
}

func (s *said) quiet(t *testing.T, place string) {
	t.Helper()
	if text := s.String(); strings.Contains(text, inPanic) || !strings.Contains(text, "please report this") || !strings.Contains(text, place) {
		t.Errorf("the log is to have the place, %q, and not what the panic carried:\n%s", place, text)
	}
}

func TestAPanicOfOneEventIsItsOwn(t *testing.T) {
	t.Parallel()
	poisoned := func(seq uint64, done bool) func(u []store.Update) error {
		return func(us []store.Update) error {
			if slices.ContainsFunc(us, func(u store.Update) bool {
				return u.Delivery.ID.Seq == seq && (u.Delivery.State == store.Done) == done && u.Delivery.State != store.Dead
			}) {
				panic("about " + inPanic)
			}
			return nil
		}
	}
	for name, done := range map[string]bool{"when it is kept that it is done": true, "when it is kept what is begun": false} {
		storyOf(t, "a panic "+name+" makes that delivery dead, and the others of its wave arrive", notes, func(t *testing.T, b *bench) {
			b.halt(true)
			l := &faultyLedger{Ledger: b.ledger}
			var seqs []uint64
			for _, contact := range []string{"1", "2", "3", "4", "5"} {
				seqs = append(seqs, b.call(contact, 0))
			}
			l.settle = poisoned(seqs[2], done)
			log := b.runNoting(l, setup(t, b.crm, notes))
			b.settled(time.Hour)
			for i, seq := range seqs {
				d := b.delivery(seq)
				if want := map[bool]store.State{true: store.Dead, false: store.Done}[i == 2]; d.State != want {
					t.Errorf("delivery %d is %s (%s), want %s", i, d.State, d.Reason, want)
				}
				if i == 2 && (!strings.Contains(d.Reason, "crmsyncd itself went wrong") || strings.Contains(d.Reason, inPanic)) {
					t.Errorf("its reason is %q", d.Reason)
				}
			}
			log.quiet(t, "deliver.(*wave)")

			// Mended, a person has it tried again: nothing is made twice.
			l.settle = nil
			b.retry(seqs[2])
			b.d.WakeAll()
			b.settled(time.Hour)
			if n := len(b.crm.list("notes")); n != 5 || b.delivery(seqs[2]).State != store.Done {
				t.Errorf("%d notes and %+v, want 5 and done", n, b.delivery(seqs[2]))
			}
		})
	}
	storyOf(t, "a panic in a goroutine of a connector makes its deliveries wait", notes, func(t *testing.T, b *bench) {
		b.halt(true)
		cut := true
		log := b.runNoting(b.ledger, setup(t, &oddCRM{crm: b.crm, write: func(c []connectors.Change, r []connectors.Result, err error) ([]connectors.Result, error) {
			if cut {
				cut = false
				connectors.Parallel([]int{1, 2, 3}, 2, func(n int) {
					if n == 2 {
						panic(inPanic)
					}
				})
			}
			return r, err
		}}, notes))
		b.call("1", 0)
		b.settled(time.Hour)
		if n := len(b.crm.list("notes")); n != 1 {
			t.Errorf("%d notes, want 1", n)
		}
		log.quiet(t, "TestAPanicOfOneEventIsItsOwn")
	})
	storyOf(t, "a panic while due deliveries are looked for is over in a second", notes, func(t *testing.T, b *bench) {
		b.halt(true)
		l := &brittleLedger{Ledger: b.ledger, left: 3}
		before := caught.Number()
		log := b.runNoting(l, setup(t, b.crm, notes))
		b.call("1", 0)
		b.settled(time.Hour)
		if n := len(b.crm.list("notes")); n != 1 || caught.Number()-before < 3 {
			t.Errorf("%d notes after %d panics, want 1 after 3", n, caught.Number()-before)
		}
		log.quiet(t, "deliver.(*target)")
	})
}

// brittleLedger panics a few times where it is asked for what is due or new.
type brittleLedger struct {
	store.Ledger
	mu   sync.Mutex
	left int
}

func (l *brittleLedger) fall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left > 0 {
		l.left--
		panic(inPanic)
	}
}

func (l *brittleLedger) Unplanned(ctx context.Context, events, bytes int) ([]store.Event, error) {
	l.fall()
	return l.Ledger.Unplanned(ctx, events, bytes)
}

func (l *brittleLedger) Due(ctx context.Context, connector string, now time.Time, busy func(lane string) bool, limit, bytes int) ([]store.Work, time.Time, error) {
	l.fall()
	return l.Ledger.Due(ctx, connector, now, busy, limit, bytes)
}
