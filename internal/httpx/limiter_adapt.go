package httpx

import "time"

const (
	// slowest is the part of the published rate that refusals cannot undercut.
	slowest = 1.0 / 8
	// recovery is the part of the published rate that an accepted request
	// gives back, up to careful of the rate that was refused; what is above
	// may be what others use of the limit, and is tried slowly.
	recovery = 1.0 / 50
	careful  = 0.9
	probing  = 1.0 / 2500
	// together is how long after the first one refusals count as one.
	together = time.Second
)

// Refused tells of a 429: nobody sends for the wait, at most MaxWait, and the
// rate is halved. Refusals of what was sent before that count as one. Where the
// wait is longer than MaxWait, requests fail at once until then: the ledger
// waits better.
func (l *Limiter) Refused(wait time.Duration) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	known := now.Before(l.paused) || now.Sub(l.slowed) < together
	if until := now.Add(min(wait, MaxWait)); until.After(l.paused) {
		l.paused = until
	}
	l.closed = l.closed || wait > MaxWait
	if known {
		return
	}
	l.fill(now)
	l.slowed = now
	if l.tried || l.good == 1 {
		l.good = max(l.part*careful, slowest)
	}
	l.tried = false
	l.part = max(l.part/2, slowest)
	l.tokens = min(l.tokens, 1)
}

// Accepted tells of a request that was not refused.
func (l *Limiter) Accepted() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.part == 1 || now.Before(l.paused) { // then it was sent before
		return
	}
	l.fill(now)
	l.tried = true
	if l.part < l.good {
		l.part = min(l.part+recovery, l.good)
		return
	}
	l.part = min(l.part+probing, 1)
	l.good = l.part
}

// Observe tells what the headers of an answer said: the requests that the
// account may send in a span of time, and how many are left of them. Zero as
// limit or span, or a negative remaining, is not said. Of a limit in another
// span than the Limiter's it takes no note.
//
// The limit replaces the one that the Limiter was made with, but is never
// higher where that one is Fixed. What is missing in remaining and was not sent
// through this Limiter was sent by others, and leaves less for us for one span.
func (l *Limiter) Observe(limit, remaining int, span time.Duration) {
	if l == nil || l.span == 0 || span != l.span || limit <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.said = limit
	mine := limit
	if l.fixed {
		mine = min(limit, l.made)
	}
	if mine != l.limit {
		l.fill(now)
		l.allow(mine, 0)
	}
	if remaining < 0 {
		return
	}
	l.forget(now)
	if theirs := limit - remaining - len(l.slots) - l.others(); theirs > 0 {
		l.foreign = append(l.foreign, foreign{now, theirs})
	}
}
