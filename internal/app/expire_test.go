package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// aging is a ledger that has so many events to let go of.
type aging struct {
	left  int
	took  time.Duration
	err   error
	calls []time.Time
	mark  []byte
	ahead time.Duration // of the vendors' clocks
	heard bool          // that vendors told the time
}

func (a *aging) Mark(context.Context, string) ([]byte, error) { return a.mark, nil }

func (a *aging) PutMark(_ context.Context, _ string, value []byte) error {
	a.mark = value
	return nil
}

func (a *aging) Expire(_ context.Context, _ time.Time, _ store.Retention, limit int) (store.Expired, error) {
	a.calls = append(a.calls, time.Now())
	time.Sleep(a.took)
	if a.err != nil {
		return store.Expired{}, a.err
	}
	n := min(a.left, limit)
	a.left -= n
	return store.Expired{Events: n, Over: n < limit}, nil
}

func TestExpirer(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, l *aging, slip func(started, now time.Time) time.Duration, span time.Duration) {
		synctest.Test(t, func(t *testing.T) {
			started := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), span)
			defer cancel()
			x := &expirer{
				ledger: l, log: slog.New(slog.DiscardHandler), retention: func() store.Retention { return store.Retention{} },
				wall:  func() time.Time { return time.Now().Round(0).Add(slip(started, time.Now())) },
				ahead: func() (time.Duration, bool) { return l.ahead, l.heard },
			}
			x.run(ctx)
		})
	}
	steady := func(time.Time, time.Time) time.Duration { return 0 }

	t.Run("it begins some time after the start, and goes on until nothing is left", func(t *testing.T) {
		t.Parallel()
		l := &aging{left: 3*expireAtOne + 1}
		run(t, l, steady, firstExpiry+time.Minute)
		if l.left != 0 || len(l.calls) != 4 {
			t.Errorf("%d are left after %d calls", l.left, len(l.calls))
		}
	})

	t.Run("it takes a tenth of the time at most", func(t *testing.T) {
		t.Parallel()
		l := &aging{left: 5 * expireAtOne, took: time.Second}
		run(t, l, steady, firstExpiry+time.Minute)
		for i := range l.calls[1:] {
			if gap := l.calls[i+1].Sub(l.calls[i]); gap < 10*time.Second {
				t.Errorf("call %d came %v after the one before", i+1, gap)
			}
		}
	})

	t.Run("a clock that jumped is not believed", func(t *testing.T) {
		t.Parallel()
		l := &aging{left: 1}
		jump := func(started, now time.Time) time.Duration {
			if now.Sub(started) > firstExpiry/2 {
				return 10 * 365 * 24 * time.Hour
			}
			return 0
		}
		run(t, l, jump, firstExpiry+expiryEvery/2)
		if len(l.calls) != 0 {
			t.Error("events were deleted by a clock that had just jumped")
		}
	})

	t.Run("a daemon that starts under a clock years ahead believes it after a day only", func(t *testing.T) {
		t.Parallel()
		ago := func() []byte { return []byte("1990-01-01T00:00:00Z") } // synctest begins in the year 2000
		l := &aging{left: 1, mark: ago()}
		run(t, l, steady, 23*time.Hour)
		if len(l.calls) != 0 {
			t.Error("events were deleted by a clock that may be wrong")
		}
		l = &aging{left: 1, mark: ago()}
		run(t, l, steady, 26*time.Hour)
		if len(l.calls) == 0 {
			t.Error("a machine that was off for long never deletes anything again")
		}
		l = &aging{left: 1, mark: ago(), heard: true}
		run(t, l, steady, firstExpiry+time.Minute)
		if len(l.calls) == 0 {
			t.Error("a clock that the CRMs confirm is not believed")
		}
	})

	t.Run("a clock of which the CRMs say that it is wrong is never believed", func(t *testing.T) {
		t.Parallel()
		l := &aging{left: 1, heard: true, ahead: time.Hour}
		run(t, l, steady, 30*time.Hour)
		if len(l.calls) != 0 {
			t.Error("events were deleted by a clock that is wrong")
		}
	})

	t.Run("after an error the next round tries again", func(t *testing.T) {
		t.Parallel()
		l := &aging{left: 1, err: errors.New("no")}
		run(t, l, steady, firstExpiry+expiryEvery+time.Minute)
		if len(l.calls) != 2 {
			t.Errorf("got %d calls, want 2", len(l.calls))
		}
	})
}
