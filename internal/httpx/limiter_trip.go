package httpx

import "time"

// trip is how long answers usually take: mean and deviation, as TCP keeps them
// of its round trips (RFC 6298).
type trip struct{ mean, dev time.Duration }

// lateLeast is by how much an answer must be late before it counts as late.
const lateLeast = 10 * time.Millisecond

// late takes note of an answer's time and says by how much it is unusual.
func (t *trip) late(took time.Duration) time.Duration {
	if t.mean == 0 {
		t.mean, t.dev = took, took/2
		return 0
	}
	late := took - t.mean
	bound := max(4*t.dev, lateLeast)
	t.dev += (late.Abs() - t.dev) / 4
	t.mean += late / 8
	if late < bound {
		return 0
	}
	return late
}

// answered moves a request whose answer was unusually late to when the vendor
// may have counted it: it may have been on its way for long, and with those
// that are sent a window after it he would count too many.
func (l *Limiter) answered(s *slot) {
	if l == nil || l.span == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.at = s.at.Add(min(l.trip.late(time.Since(s.at)), l.span))
}
