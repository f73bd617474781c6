package httpx

import (
	"net/http"
	"sync"
	"time"
)

const (
	// clockTrust is how long what a vendor's answer said of our clock counts.
	clockTrust = time.Hour
	// clockHosts bounds how many vendors are remembered.
	clockHosts = 64
)

// Clock compares this machine's clock with those of the vendors who answer. It
// is one for the process, as the clock is.
var Clock clock

// clock keeps what the Date of answers says. It is safe for concurrent use.
type clock struct {
	mu   sync.Mutex
	seen map[string]reading // by host
}

// reading is by how much our clock was ahead of a vendor's, and when that was.
type reading struct {
	ahead time.Duration
	at    time.Time
}

// Ahead is by how much this machine's clock is ahead of those of all vendors
// heard within the hour: that of the vendor who differs least; negative where it
// is behind, 0 where it is right within a second or nobody was heard. known
// says that somebody was.
func (c *clock) Ahead() (ahead time.Duration, known bool) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.seen {
		passed := now.Sub(r.at) // by the monotonic clock
		if passed < 0 || passed > clockTrust {
			continue
		}
		// What the clock was put forward or back by since then.
		slip := now.Round(0).Sub(r.at.Round(0)) - passed
		if off := r.ahead + slip; !known || off.Abs() < ahead.Abs() {
			ahead, known = off, true
		}
	}
	return ahead, known
}

// Now is the time as the vendors have it, as far as they told: what is compared
// with times that they keep must not depend on a clock that is wrong.
func (c *clock) Now() time.Time {
	ahead, _ := c.Ahead()
	return time.Now().Add(-ahead)
}

// Until is how long it is until a time that Now gave, at most d later than now:
// no wait is longer than d because a clock was wrong once.
func (c *clock) Until(since time.Time, d time.Duration) time.Duration {
	return min(since.Add(d).Sub(c.Now().Round(0)), d)
}

// observe takes note of an answer's Date. It has whole seconds, and was set
// between sent and received: only what is certain counts.
func (c *clock) observe(r *http.Response, sent, received time.Time) {
	date, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil || r.Request == nil || r.Header.Get("Age") != "" {
		return
	}
	least, most := sent.Round(0).Sub(date.Add(time.Second)), received.Round(0).Sub(date)
	ahead := time.Duration(0)
	switch {
	case least > 0:
		ahead = least
	case most < 0:
		ahead = most
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	host := r.Request.URL.Host
	if _, known := c.seen[host]; !known && len(c.seen) >= clockHosts || c.seen == nil {
		c.seen = map[string]reading{}
	}
	c.seen[host] = reading{ahead, received}
}
