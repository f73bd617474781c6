package httpx

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limiter keeps one account within the vendor's limit. It slows down when the
// vendor refuses and comes back slowly. It is shared by all workers and safe
// for concurrent use; a nil Limiter does not limit.
type Limiter struct {
	bucket *rate.Limiter
	top    rate.Limit

	mu     sync.Mutex
	paused time.Time // nothing is sent before
	slowed time.Time // when the rate was last lowered
}

const (
	// slowest is the part of the published rate that refusals cannot undercut.
	slowest = 1.0 / 8
	// recovery is the part of the published rate that an accepted request
	// gives back.
	recovery = 1.0 / 50
)

// NewLimiter allows perSecond requests, and burst at once after a rest.
func NewLimiter(perSecond float64, burst int) *Limiter {
	return &Limiter{bucket: rate.NewLimiter(rate.Limit(perSecond), max(burst, 1)), top: rate.Limit(perSecond)}
}

// Wait returns when one request may be sent, or with an error once it is
// certain that the context ends before.
func (l *Limiter) Wait(ctx context.Context) error {
	if l == nil {
		return ctx.Err()
	}
	for {
		l.mu.Lock()
		pause := time.Until(l.paused)
		l.mu.Unlock()
		if pause <= 0 {
			err := l.bucket.Wait(ctx)
			if err != nil && ctx.Err() == nil {
				return errTurn // the bucket sees that the deadline comes first
			}
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// Refused tells of a 429: nothing is sent for the wait, at most MaxWait, and
// the rate is halved. Refusals that come together count as one.
func (l *Limiter) Refused(wait time.Duration) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if until := now.Add(min(wait, MaxWait)); until.After(l.paused) {
		l.paused = until
	}
	if now.Sub(l.slowed) < time.Second {
		return
	}
	l.slowed = now
	l.bucket.SetLimit(max(l.bucket.Limit()/2, l.top*slowest))
}

// Accepted tells of a request that was not refused.
func (l *Limiter) Accepted() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now := l.bucket.Limit(); now < l.top {
		l.bucket.SetLimit(min(now+l.top*recovery, l.top))
	}
}

// Rate is the requests per second allowed now.
func (l *Limiter) Rate() float64 { return float64(l.bucket.Limit()) }
