package app

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/crashpoint"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/store"
)

const (
	firstExpiry = 10 * time.Minute // after the start
	expiryEvery = time.Hour        // between two rounds
	expireAtOne = 200              // events at a time
	expirePause = 50 * time.Millisecond
	// clockSlip is how far the wall clock may go astray between two readings
	// before it is not believed: what it would delete cannot be brought back.
	clockSlip = 5 * time.Minute
)

// expirer has the ledger let go of what is old, now and then, and slowly: what
// it deletes shares commits with events that come in.
type expirer struct {
	ledger interface {
		Expire(ctx context.Context, now time.Time, r store.Retention, limit int) (store.Expired, error)
		Mark(ctx context.Context, name string) ([]byte, error)
		PutMark(ctx context.Context, name string, value []byte) error
	}
	retention func() store.Retention
	log       *slog.Logger
	wall      func() time.Time // without a monotonic reading
	// ahead is by how much it is ahead of the vendors' clocks, if known.
	ahead func() (ahead time.Duration, known bool)
}

func (a *App) expirer() *expirer {
	return &expirer{
		ledger: a.ledger, log: a.log,
		retention: func() store.Retention { return retention(a.setup.Load().Settings.Retention) },
		wall:      func() time.Time { return time.Now().Round(0) },
		ahead:     httpx.Clock.Ahead,
	}
}

func retention(r config.Retention) store.Retention {
	return store.Retention{
		Done: r.Done, Unmatched: r.Unmatched, Discarded: r.Discarded, Dead: r.Dead, Quarantined: r.Quarantined,
		Payloads: r.Payloads, Identity: r.Identity,
	}
}

// seenMark is the mark that keeps when the wall clock was believed last.
const (
	seenMark = "expire.clock"
	gap      = 3 * 24 * time.Hour // from then to now that needs no further proof
	believed = 24 * time.Hour     // of going steadily, after which a clock that nobody mended is believed
)

// doubt says why the wall clock is not to be believed, or "". A process that
// starts under a wrong clock sees no jump: what the vendors' clocks say counts,
// and where none was heard, a leap since the last round must have lasted a day.
func (x *expirer) doubt(ctx context.Context, steady time.Duration) string {
	now := x.wall()
	ahead, known := x.ahead()
	if ahead.Abs() > clockSlip {
		return "the clock differs from those of the CRMs by " + ahead.Round(time.Second).String()
	}
	kept, err := x.ledger.Mark(ctx, seenMark)
	if err != nil {
		return "the ledger could not be read"
	}
	if last, err := time.Parse(time.RFC3339, string(kept)); err == nil && !known && steady < believed {
		if leap := now.Sub(last); leap > gap || leap < -clockSlip {
			return "the clock has moved by " + leap.Round(time.Second).String() + " since old events were deleted last, and no CRM has told the time"
		}
	}
	if err := x.ledger.PutMark(ctx, seenMark, []byte(now.UTC().Format(time.RFC3339))); err != nil {
		return "the ledger could not be written"
	}
	return ""
}

func (x *expirer) run(ctx context.Context) {
	steady := time.Now() // since when the clock has not jumped
	for wait := crashpoint.Soon(firstExpiry); ; wait = expiryEvery {
		began, wall := time.Now(), x.wall()
		if !pause(ctx, wait) {
			return
		}
		if slip := x.wall().Sub(wall) - time.Since(began); slip > clockSlip || slip < -clockSlip {
			x.log.Warn("the clock was put forward or back: nothing old is deleted for now", "by", slip.Round(time.Second).String())
			steady = time.Now()
			continue
		}
		if why := x.doubt(ctx, time.Since(steady)); why != "" {
			x.log.Warn("nothing old is deleted for now: " + why)
			continue
		}
		x.round(ctx)
	}
}

// round lets go of all that is old by now.
func (x *expirer) round(ctx context.Context) {
	var sum store.Expired
	now, r := x.wall(), x.retention()
	for ctx.Err() == nil {
		began := time.Now()
		done, err := x.ledger.Expire(ctx, now, r, expireAtOne)
		if err != nil {
			if ctx.Err() == nil && !errors.Is(err, store.ErrFull) {
				x.log.Error("old events could not be deleted; the next round tries again", "err", err)
			}
			return
		}
		sum.Events, sum.Payloads, sum.IDs = sum.Events+done.Events, sum.Payloads+done.Payloads, sum.IDs+done.IDs
		if done.Over {
			break
		}
		// A tenth of the time at most, whatever the disk can do.
		if !pause(ctx, max(expirePause, 9*time.Since(began))) {
			return
		}
	}
	if sum.Events+sum.Payloads > 0 {
		x.log.Info("what retention lets go of was deleted", "events", sum.Events, "payloads", sum.Payloads)
	}
}

// pause waits for d; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
