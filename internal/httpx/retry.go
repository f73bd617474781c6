package httpx

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	backoffBase = 200 * time.Millisecond
	backoffMax  = 2 * time.Second
	// maxGuess is the longest wait that is slept where only the vendor's file
	// guesses it: an announced second is worth it, ten are the ledger's.
	maxGuess = 2 * time.Second
)

// policy decides about quick retries. All longer retry is the ledger's.
type policy struct {
	attempts int
	outage   *outage
	refused  func(*Response) time.Duration
}

// checkRetry repeats what was surely not applied (429, 503), and, if the
// request is marked as repeatable, what may have been. The wait before that is
// over when it returns, as retryablehttp's own would hold up the program's end.
func (p *policy) checkRetry(ctx context.Context, r *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	fate := fateOf(ctx)
	if !p.again(fate, r, err) || fate.sends >= p.attempts {
		return false, nil
	}
	return Pause(ctx, p.backoff(fate.sends-1, r)), ctx.Err()
}

// again decides whether another try is worth it.
func (p *policy) again(fate *fate, r *http.Response, err error) bool {
	if !p.outage.again() {
		return false
	}
	if err != nil {
		return (fate.repeatable || !fate.written.Load()) && worthwhile(err)
	}
	switch {
	case r.StatusCode == http.StatusTooManyRequests, r.StatusCode == http.StatusServiceUnavailable:
		wait, said := p.wait(r)
		if said {
			return wait <= MaxWait
		}
		return wait <= maxGuess
	case r.StatusCode >= 500 && r.StatusCode != http.StatusNotImplemented:
		wait, _ := p.wait(r)
		return fate.repeatable && wait <= MaxWait
	}
	return false
}

// backoff is the wait that the vendor asks for, else a random part of a
// doubling bound, so that many workers do not come back together.
func (p *policy) backoff(attempt int, r *http.Response) time.Duration {
	if r != nil {
		if wait, _ := p.wait(r); wait > 0 {
			return min(wait, MaxWait)
		}
	}
	bound := min(backoffBase<<min(attempt, 10), backoffMax)
	return time.Duration(rand.Int64N(int64(bound)))
}

// wait tells how long an answer wants us to wait, and whether it said so
// itself.
func (p *policy) wait(r *http.Response) (wait time.Duration, said bool) {
	if wait := retryAfter(r.Header, time.Now()); wait > 0 {
		return wait, true
	}
	if p.refused != nil && r.StatusCode == http.StatusTooManyRequests {
		if whole, ok := r.Body.(*wholeBody); ok {
			return p.refused(&Response{Status: r.StatusCode, Header: r.Header, Body: whole.text}), false
		}
	}
	return 0, false
}

// longestWait is where waits that are asked for are cut, so that they can be
// counted with; what is waited is for the deliverer to bound.
const longestWait = 366 * 24 * time.Hour

// retryAfter reads seconds or an HTTP date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if text == "" {
		return 0
	}
	if s, err := strconv.ParseFloat(text, 64); err == nil {
		if !(s > 0) {
			return 0
		}
		return time.Duration(min(s, longestWait.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return min(at.Sub(now), longestWait)
	}
	return 0
}
