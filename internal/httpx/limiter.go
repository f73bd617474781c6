package httpx

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Limiter keeps one account within a vendor's limit. It is shared by all
// workers of the account and safe for concurrent use: they take turns in the
// order in which they came, and one refusal holds up all of them. It slows down
// when the vendor refuses and comes back. A nil Limiter does not limit.
//
// A connector makes one with NewWindow, or NewLimiter where the vendor names
// no window, and gives it to New; its requests wait for their turns, and 429s
// and successes are told to it, by the Client. What a vendor says of the limit
// in the headers of an answer, the connector tells to Observe.
type Limiter struct {
	head  chan struct{} // held by the one whose turn is next
	fixed bool
	made  int           // the window's limit as it was made
	span  time.Duration // the vendor's window; 0: only a rate
	slack time.Duration // by which our window is longer

	mu      sync.Mutex
	limit   int     // requests in a window
	top     float64 // requests per second when nothing is wrong
	burst   float64
	tokens  float64
	filled  time.Time // as of when tokens is right
	slots   []*slot   // requests of the last window
	trip    trip      // how long answers take
	foreign []foreign // what others sent of what the account may
	said    int       // the vendor's own number, of ours and theirs together; 0: not told

	part   float64 // of top that is used now
	good   float64 // part up to which is come back quickly
	tried  bool    // a request was accepted since the last refusal
	paused time.Time
	slowed time.Time // when part was last lowered
	closed bool      // until paused ends nobody waits: it would be in vain
}

// slot is a request's place in the window.
type slot struct {
	at  time.Time // when it went out, as far as is known
	out bool
}

type foreign struct {
	at time.Time
	n  int
}

const (
	// slackPart and slackLeast are by how much our window is longer than the
	// vendor's: requests are not as long on their way as those before them.
	// It costs 2% of HubSpot's ten seconds and 4% of a second.
	slackPart  = 50
	slackLeast = 40 * time.Millisecond
	// connecting is after how long it is looked again whether a request that
	// still connects has gone out.
	connecting = 10 * time.Millisecond
)

// Window is a limit of requests in any span of time, as vendors publish it.
type Window struct {
	Limit int           // requests
	Span  time.Duration // in any span as long as this
	// Burst is how many are sent at once after a rest, before they are paced; 0
	// is a fifth of Limit, at least 5. The window is kept in any case.
	Burst int
	// Fixed: Limit is a person's setting, not the vendor's usual number, and
	// no header raises it.
	Fixed bool
}

// NewWindow returns a Limiter that never sends more than the window allows.
// A backlog gets at least 96% of the limit of one second, 98% of longer ones.
func NewWindow(w Window) *Limiter {
	l := NewLimiter(1, 1)
	l.fixed, l.made = w.Fixed, max(w.Limit, 1)
	l.span, l.slack = w.Span, max(w.Span/slackPart, slackLeast)
	l.allow(l.made, w.Burst)
	l.tokens = l.burst
	return l
}

// NewLimiter allows perSecond requests, and burst at once after a rest. In the
// second after a rest that is burst too many for a vendor who counts all
// requests of a window: then use NewWindow.
func NewLimiter(perSecond float64, burst int) *Limiter {
	b := float64(max(burst, 1))
	return &Limiter{head: make(chan struct{}, 1), top: perSecond, burst: b, tokens: b, filled: time.Now(), part: 1, good: 1}
}

// allow sets the window's limit; burst 0 is the usual one.
func (l *Limiter) allow(limit, burst int) {
	if burst <= 0 {
		burst = max(5, limit/5)
	}
	l.limit, l.burst = limit, float64(min(burst, limit))
	l.top = float64(limit) / (l.span + l.slack).Seconds()
}

// Rate is the requests per second allowed now.
func (l *Limiter) Rate() float64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.top * l.part
}

// Wait returns when one request may be sent, or with an error if the context
// ends before, as soon as that is certain.
func (l *Limiter) Wait(ctx context.Context) error {
	mine, err := turns(ctx, l)
	if err != nil {
		return err
	}
	mine.out()
	return nil
}

// ticket is one request's turn at all limiters that it is subject to.
type ticket struct {
	limiters []*Limiter
	slots    []*slot
}

// out says that the request goes out now, which matters where a connection had
// to be made first. It must be called, of what was never sent at its end.
func (t *ticket) out() {
	for i, l := range t.limiters {
		l.went(t.slots[i])
	}
}

// back says that the answer is there.
func (t *ticket) back() {
	for i, l := range t.limiters {
		l.answered(t.slots[i])
	}
}

// turns waits until one request may be sent that is subject to all limiters,
// the narrowest first: nobody is held up by one who waits for a limit that is
// not his. The request counts from then on.
func turns(ctx context.Context, limiters ...*Limiter) (*ticket, error) {
	for {
		slots, err := tryTurns(ctx, limiters)
		if err != nil {
			return nil, err
		}
		if slots != nil {
			return &ticket{limiters, slots}, nil
		}
	}
}

// tryTurns is one try of turns; no slots and no error: try again.
func tryTurns(ctx context.Context, limiters []*Limiter) ([]*slot, error) {
	leaving := leavingOf(ctx)
	for _, l := range limiters {
		if l == nil {
			continue
		}
		select {
		case l.head <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-leaving.Done():
			return nil, errLeaving
		}
		defer func() { <-l.head }()
		if err := l.ready(ctx); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if leaving.Err() != nil {
		return nil, errLeaving
	}
	now := time.Now()
	for _, l := range limiters {
		// Meanwhile a vendor may have refused.
		if wait, _ := l.turn(now); wait > 0 {
			return nil, nil
		}
	}
	slots := make([]*slot, len(limiters))
	for i, l := range limiters {
		slots[i] = l.take(now)
	}
	return slots, nil
}

// ready waits for the turn of the one who holds the head.
func (l *Limiter) ready(ctx context.Context) error {
	for {
		now := time.Now()
		wait, closed := l.turn(now)
		if wait <= 0 {
			return nil
		}
		if deadline, ok := ctx.Deadline(); closed || ok && now.Add(wait).After(deadline) {
			return errTurn
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-leavingOf(ctx).Done():
			timer.Stop()
			return errLeaving
		case <-timer.C:
		}
	}
}

// turn says how long the next request must wait at least, and whether to wait
// is in vain.
func (l *Limiter) turn(now time.Time) (wait time.Duration, closed bool) {
	if l == nil {
		return 0, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait = l.paused.Sub(now); wait > 0 {
		return wait, l.closed
	}
	l.closed = false
	l.fill(now)
	if l.tokens < 1 {
		wait = time.Duration((1 - l.tokens) / (l.top * l.part) * float64(time.Second))
	}
	if l.span > 0 {
		wait = max(wait, l.full(now))
	}
	return wait, false
}

// fill adds the tokens of the time since it was done last.
func (l *Limiter) fill(now time.Time) {
	most := l.burst
	if l.part < 1 {
		most = 1 // who was refused sends evenly
	}
	if since := now.Sub(l.filled).Seconds(); since > 0 {
		l.tokens = min(l.tokens+since*l.top*l.part, most)
		l.filled = now
	}
}

// full says how long the window has no place.
func (l *Limiter) full(now time.Time) time.Duration {
	l.forget(now)
	most := int(math.Ceil(float64(l.limit) * l.part))
	if l.said > 0 {
		most = max(1, min(most, l.said-l.others()))
	}
	over := len(l.slots) - most
	if over < 0 {
		return 0
	}
	wait := connecting
	if s := l.slots[over]; s.out {
		wait = l.span + l.slack - now.Sub(s.at)
	}
	if len(l.foreign) > 0 {
		wait = min(wait, l.span-now.Sub(l.foreign[0].at))
	}
	return wait
}

// forget drops what has left the window, and puts the rest in the order in
// which it will.
func (l *Limiter) forget(now time.Time) {
	slices.SortStableFunc(l.slots, func(a, b *slot) int {
		if a.out != b.out {
			if a.out {
				return -1
			}
			return 1
		}
		return a.at.Compare(b.at)
	})
	old := 0
	for old < len(l.slots) && l.slots[old].out && now.Sub(l.slots[old].at) >= l.span+l.slack {
		old++
	}
	l.slots = append(l.slots[:0], l.slots[old:]...)
	for len(l.foreign) > 0 && now.Sub(l.foreign[0].at) >= l.span {
		l.foreign = l.foreign[1:]
	}
}

func (l *Limiter) others() (n int) {
	for _, f := range l.foreign {
		n += f.n
	}
	return n
}

// take counts a request.
func (l *Limiter) take(now time.Time) *slot {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fill(now)
	l.tokens--
	s := &slot{at: now}
	if l.span > 0 {
		l.slots = append(l.slots, s)
	}
	return s
}

// went notes that a request goes out now.
func (l *Limiter) went(s *slot) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !s.out {
		s.at, s.out = time.Now(), true
	}
}
