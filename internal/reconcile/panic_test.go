package reconcile

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// inPanic is what a panic carries, and what must be nowhere.
const inPanic = "+49 151 23456789"

func quiet(t *testing.T, log, place string) {
	t.Helper()
	if strings.Contains(log, inPanic) || !strings.Contains(log, "please report this") || !strings.Contains(log, place) {
		t.Errorf("the log is to have the place, %q, and not what the panic carried:\n%s", place, log)
	}
}

// brittle is a vendor whose answer makes its reader panic.
type brittle struct{ *oracle }

func (brittle) Statuses(context.Context, []string, sources.Turn) ([]sources.Status, error) {
	panic("cannot read " + inPanic)
}

func TestAPanicEndsTheRunThatItIsIn(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	var log bytes.Buffer
	d.Log = slog.New(slog.NewTextHandler(&log, nil))
	d.happens(1, -30, "pending", true)
	o.status, o.at = map[string]string{"c001": "reached"}, noon.Add(-time.Minute)
	sound := d.setup.Sources["v"]
	broken := sound
	broken.Reader = brittle{o}
	d.setup.Sources = map[string]Source{"v": broken}
	run, err := d.Run(d.Context(), Order{Target: Target{Source: "v"}, Trigger: BySchedule}, nil)
	if run.State != store.RunFailed || err == nil || !strings.Contains(run.Note, "crmsyncd itself went wrong") || strings.Contains(run.Note+err.Error(), inPanic) {
		t.Errorf("the run is %s (%s), %v; want failed, with the reason", run.State, run.Note, err)
	}
	quiet(t, log.String(), "reconcile.brittle.Statuses")
	d.setup.Sources = map[string]Source{"v": sound}
	if run := d.ask(true); run.State != store.RunDone || run.Mended != 1 {
		t.Errorf("the next run is %s, mended %d; want done, and 1", run.State, run.Mended)
	}
}

// openCalls is a ledger in which calls run, and nothing else is.
type openCalls struct {
	store.Ledger
	running []string
}

func (l *openCalls) Running(context.Context, string, time.Time, int) (out []store.Running, err error) {
	for _, call := range l.running {
		out = append(out, store.Running{Call: call})
	}
	return out, nil
}

func (l *openCalls) StopRunning(_ context.Context, _ string, call string) error {
	if len(l.running) == 0 || l.running[0] != call {
		return errors.New("it is another call's turn")
	}
	l.running = l.running[1:]
	return nil
}

func TestACallWhoseClosingPanicsDoesNotKeepOthersOpen(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var kept []string
	l := &openCalls{running: []string{"a", "poison", "b"}}
	s := &Sweeper{
		Ledger: l, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Sources: func() map[string]time.Duration { return map[string]time.Duration{"v": time.Minute} },
		Close: func(_ context.Context, _, call string, _ time.Time) (*store.Event, error) {
			if call == "poison" {
				panic("cannot read " + inPanic)
			}
			return &store.Event{Lane: call}, nil
		},
		Append: func(_ context.Context, e store.Event) (store.Receipt, error) {
			kept = append(kept, e.Lane)
			return store.Receipt{}, nil
		},
	}
	closed, err := s.Once(t.Context(), noon)
	if closed != 2 || err != nil || strings.Join(kept, " ") != "a b" || len(l.running) != 0 {
		t.Errorf("closed %d (%v), %v, and %v are left; want a and b", closed, kept, err, l.running)
	}
	quiet(t, log.String(), "TestACallWhoseClosingPanics")
}
