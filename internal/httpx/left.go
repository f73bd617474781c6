package httpx

import (
	"math"
	"time"
)

// Left is how many requests may be sent now without a wait, and how many when
// none was sent for long; both 0 for a nil Limiter. While the vendor wants to be
// waited for, none is left.
func (l *Limiter) Left() (left, most int) {
	if l == nil {
		return 0, 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.span == 0 {
		l.fill(now)
		left, most = int(l.tokens), int(l.burst)
	} else {
		l.forget(now)
		most = l.limit
		left = int(math.Ceil(float64(most)*l.part)) - len(l.slots)
		if l.said > 0 {
			left = min(left, l.said-l.others()-len(l.slots))
		}
	}
	if now.Before(l.paused) {
		left = 0
	}
	return max(left, 0), most
}

// Address is the base URL, without user and password.
func (c *Client) Address() string { return c.rest.BaseURL }
