package deliver

import (
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	p := Policy{}.withDefaults()
	for n, want := range map[int]time.Duration{0: 5 * time.Second, 1: 5 * time.Second, 2: 10 * time.Second, 5: 80 * time.Second, 12: time.Hour, 1000: time.Hour} {
		for range 100 {
			if got := p.Backoff(n, 0); got < want/2 || got > want {
				t.Fatalf("Backoff(%d) = %s, want between half of %s and all of it", n, got, want)
			}
		}
	}
	if got := p.Backoff(1, time.Minute); got != time.Minute {
		t.Errorf("Backoff with a wait that the CRM asked for = %s, want 1m", got)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind    connectors.Kind
		account bool
		want    verdict
	}{
		{connectors.Transient, false, retry}, {connectors.Transient, true, suspend},
		{connectors.RateLimited, true, suspend}, {connectors.Auth, false, suspend}, {connectors.Auth, true, suspend},
		{connectors.Unknown, false, retry}, {connectors.Invalid, false, die}, {connectors.Ambiguous, false, die},
		{connectors.NotFound, false, again}, {connectors.Conflict, false, again},
	} {
		if got := judge(&connectors.Error{Kind: c.kind, Account: c.account}); got != c.want {
			t.Errorf("judge(%s, account %t) = %d, want %d", c.kind, c.account, got, c.want)
		}
	}
}

// TestPause/an account that waits for a person or a new month is parked; one
// that is only too fast or down is not.
func TestPause(t *testing.T) {
	t.Parallel()
	p := Policy{}.withDefaults()
	for _, c := range []struct {
		name     string
		err      connectors.Error
		failures int
		min, max time.Duration
		parked   bool
	}{
		{"bad credentials", connectors.Error{Kind: connectors.Auth, Account: true}, 1, 5 * time.Minute, 5 * time.Minute, true},
		{"exhausted month", connectors.Error{Kind: connectors.RateLimited, Account: true, Park: true}, 1, 30 * time.Minute, 30 * time.Minute, true},
		{"exhausted day with its hour", connectors.Error{Kind: connectors.RateLimited, Account: true, Park: true, Wait: time.Hour}, 1, time.Hour, time.Hour, true},
		{"a burst too many", connectors.Error{Kind: connectors.RateLimited, Account: true, Wait: 10 * time.Second}, 1, 10 * time.Second, 11*time.Second + time.Millisecond, false},
		{"down for a moment", connectors.Error{Kind: connectors.Transient, Account: true}, 1, 500 * time.Millisecond, time.Second, false},
		{"down for hours", connectors.Error{Kind: connectors.Transient, Account: true}, 500, 30 * time.Second, time.Minute, false},
	} {
		wait, parked := p.pause(&c.err, c.failures)
		if wait < c.min || wait > c.max || parked != c.parked {
			t.Errorf("%s: pause %s, parked %t; want %s to %s, %t", c.name, wait, parked, c.min, c.max, c.parked)
		}
	}
}
