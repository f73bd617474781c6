package deliver

import (
	"math/rand/v2"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

// Policy says how long and how often is tried.
type Policy struct {
	// MaxAge is how long after it was planned a delivery is given up; 0: 7 days.
	MaxAge time.Duration
	// MaxAttempts is how many failures of its own a delivery may have; failures
	// of a CRM that fails for everything do not count. 0: only MaxAge counts.
	MaxAttempts int
	// BackoffMin and BackoffMax bound the wait between attempts; 0: 5 s and 1 h.
	BackoffMin, BackoffMax time.Duration
	// ParkedProbe is how often a connector with bad credentials is tried; 0: 5 min.
	ParkedProbe time.Duration
}

func (p Policy) withDefaults() Policy {
	if p.MaxAge == 0 {
		p.MaxAge = 7 * 24 * time.Hour
	}
	if p.BackoffMin == 0 {
		p.BackoffMin = 5 * time.Second
	}
	if p.BackoffMax == 0 {
		p.BackoffMax = time.Hour
	}
	if p.ParkedProbe == 0 {
		p.ParkedProbe = 5 * time.Minute
	}
	return p
}

// Backoff is how long to wait after the n-th failure (from 1) in a row: between
// half and all of BackoffMin doubled n-1 times, at most BackoffMax, but at
// least atLeast, which a CRM may have asked for, up to an
// hour; never above store.LongestWait.
func (p Policy) Backoff(n int, atLeast time.Duration) time.Duration {
	d := p.BackoffMax
	if n < 1 {
		n = 1
	}
	if n <= 30 {
		d = min(p.BackoffMin<<(n-1), p.BackoffMax)
	}
	return min(max(min(atLeast, longestAsked), d/2+rand.N(d/2+1)), store.LongestWait)
}

// enough is for how long a delivery is tried at least before its age counts.
const enough = time.Hour

// tried is how long a delivery has waited at least half of, after so many
// failures of its own.
func (p Policy) tried(attempts int) (sum time.Duration) {
	for n := range attempts {
		if n > 30 {
			return sum + time.Duration(attempts-n)*p.BackoffMax
		}
		sum += min(p.BackoffMin<<n, p.BackoffMax)
	}
	return sum
}

// verdict is what an error means for a delivery.
type verdict int

const (
	retry   verdict = iota // wait, and count the failure
	again                  // at once, with a fresh look-up
	die                    // never by itself
	suspend                // the account's fault: wait without counting
)

// judge decides what an error means for the delivery it hit.
func judge(e *connectors.Error) verdict {
	switch e.Kind {
	case connectors.Invalid, connectors.Ambiguous:
		return die
	case connectors.NotFound, connectors.Conflict:
		return again
	case connectors.Auth, connectors.RateLimited:
		return suspend
	case connectors.Transient, connectors.Unknown:
		if e.Account {
			return suspend
		}
		return retry
	}
	return retry
}

// exhaustedProbe is how often a connector is tried whose day or month is used up.
const exhaustedProbe = 30 * time.Minute

// outage is how the pauses of an account grow that fails again and again.
var outage = Policy{BackoffMin: time.Second, BackoffMax: time.Minute}

// pause says for how long an account-wide error stops the connector, and
// whether it is parked: nothing but time or a person mends it.
func (p Policy) pause(e *connectors.Error, failures int) (wait time.Duration, parked bool) {
	switch {
	case e.Park:
		return max(min(e.Wait, store.LongestWait), exhaustedProbe), true
	case e.Kind == connectors.Auth:
		return max(min(e.Wait, longestAsked), p.ParkedProbe), true
	case e.Wait > 0:
		asked := min(e.Wait, longestAsked)
		return max(asked+rand.N(asked/10+time.Millisecond), outage.Backoff(failures, 0)), false
	}
	return outage.Backoff(failures, 0), false
}

const (
	// longestAsked is the longest wait that an answer is given which it asks
	// for: some ask for years. One request an hour is no burden.
	longestAsked = time.Hour
	// breath is how long a connector rests that was too fast for its account
	// while others of its wave were taken, for as many waves in a row as bursts.
	breath = time.Second
	bursts = 3
	// longestTurn is the longest wait for a turn that is a limiter's affair; a
	// longer one is a pause.
	longestTurn = 30 * time.Second
)

// tooFast tells whether an error only says that requests came too fast.
func tooFast(e *connectors.Error) bool {
	return e.Kind == connectors.RateLimited && !e.Park && e.Wait <= longestTurn
}
