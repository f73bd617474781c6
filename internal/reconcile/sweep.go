package reconcile

import (
	"context"
	"log/slog"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/store"
)

// sweepCalls is how many calls of a source are closed in one sweep.
const sweepCalls = 500

// Sweeper closes calls that run for longer than their source allows.
type Sweeper struct {
	Ledger store.Ledger
	// Sources returns how long after its last event a call of each source is
	// closed; sources that tell a call by one event are not among them.
	Sources func() map[string]time.Duration
	// Close gives the event that ends a call, or none if it has ended.
	Close func(ctx context.Context, source, call string, now time.Time) (*store.Event, error)
	// Append keeps an event.
	Append func(context.Context, store.Event) (store.Receipt, error)
	Log    *slog.Logger
}

// Run sweeps until ctx ends, each time after a part of the shortest time that
// a source allows, at most a minute.
func (s *Sweeper) Run(ctx context.Context) {
	for {
		pause := time.Minute
		for _, after := range s.Sources() {
			pause = min(pause, max(after/4, 100*time.Millisecond))
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		if _, err := s.Once(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.Log.Error("calls without an end could not be closed; the next sweep tries again", "err", err)
		}
	}
}

// Once closes what is overdue at now and returns how many calls that were.
func (s *Sweeper) Once(ctx context.Context, now time.Time) (closed int, err error) {
	for source, after := range s.Sources() {
		calls, err := s.Ledger.Running(ctx, source, now.Add(-after), sweepCalls)
		if err != nil {
			return closed, err
		}
		ended := 0
		for _, c := range calls {
			done, err := s.close(ctx, source, c.Call, now)
			if err != nil {
				return closed, err
			}
			if done {
				ended++
			}
		}
		if ended > 0 {
			s.Log.Warn("calls were closed, as no event of their end came", "source", source, "calls", ended, "after", after.String())
		}
		closed += ended
	}
	return closed, nil
}

func (s *Sweeper) close(ctx context.Context, source, call string, now time.Time) (bool, error) {
	end, err := s.guarded(ctx, source, call, now)
	if err != nil {
		return false, err
	}
	if end != nil {
		if _, err := s.Append(ctx, *end); err != nil {
			return false, err
		}
	}
	crashpoint.At("sweep.kept")
	// The event may be that of the call's other id, or one of earlier.
	return end != nil, s.Ledger.StopRunning(ctx, source, call)
}

// guarded is Close. A call that makes it panic is let go, or it would keep all
// others from being closed for ever.
func (s *Sweeper) guarded(ctx context.Context, source, call string, now time.Time) (end *store.Event, err error) {
	defer func() {
		if p := caught.Of(recover()); p != nil {
			s.Log.Error("closing a call panicked, and it stays open; please report this", "source", source, "err", p, "stack", p.Stack)
			end, err = nil, nil
		}
	}()
	return s.Close(ctx, source, call, now)
}
