package sandbox

import "time"

// window counts calls in a rolling span of time. Not safe for concurrent use.
type window struct {
	span  time.Duration
	limit int
	calls []time.Time
}

// take tells whether one more call fits, and counts it if so.
func (w *window) take(now time.Time) bool {
	old := 0
	for old < len(w.calls) && now.Sub(w.calls[old]) >= w.span {
		old++
	}
	w.calls = append(w.calls[:0], w.calls[old:]...)
	if len(w.calls) >= w.limit {
		return false
	}
	w.calls = append(w.calls, now)
	return true
}

// left is how many calls still fit, as of the last take.
func (w *window) left() int { return max(0, w.limit-len(w.calls)) }
