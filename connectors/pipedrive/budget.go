package pipedrive

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// cost is how many tokens of the company's day a request takes, as the vendor's
// OpenAPI documents say for every operation (x-token-cost, 2026-11).
func cost(method, path string) int {
	rest, old := strings.CutPrefix(path, v1+"/")
	rest = strings.TrimPrefix(rest, v2+"/")
	parts := strings.Split(rest, "/")
	factor := 1
	if old {
		factor = 2
	}
	switch {
	case method == http.MethodDelete:
		return 3 * factor
	case method != http.MethodGet:
		return 5 * factor
	case parts[len(parts)-1] == "search":
		return 20 * factor
	case len(parts) > 1:
		return 1 * factor
	}
	return 10 * factor
}

const (
	// burstSpan is the length of the short limit, and so the wait for it.
	burstSpan = 2 * time.Second
	// dayWait is how long a used-up day is waited for at once. It ends at
	// midnight of a time zone that Pipedrive does not name.
	dayWait = time.Hour
	// refusedLong is after how much time of nothing but refusals they are no
	// burst any more: Pipedrive words both in the same way.
	refusedLong = time.Minute
)

// budget counts tokens and tells the two limits apart. It is safe for
// concurrent use.
type budget struct {
	perDay int // 0: no limit of our own

	mu      sync.Mutex
	all     int
	today   int
	day     time.Time
	refused time.Time // since when nothing was accepted
}

func newBudget(perDay int) *budget { return &budget{perDay: perDay} }

// take counts a request, or refuses it where it would go beyond what the
// settings allow for a day.
func (b *budget) take(tokens int, now time.Time) *connectors.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if day := now.UTC().Truncate(24 * time.Hour); !day.Equal(b.day) {
		b.day, b.today = day, 0
	}
	if b.perDay > 0 && b.today+tokens > b.perDay {
		return &connectors.Error{Kind: connectors.RateLimited, Code: "TOKENS_PER_DAY", Account: true, Park: true,
			Wait: b.day.Add(24 * time.Hour).Sub(now), Message: "the tokens_per_day of the settings are used up; they come back at midnight UTC"}
	}
	b.today += tokens
	b.all += tokens
	return nil
}

// giveBack takes back what take counted for a request that was never sent: an
// outage must not use up the day.
func (b *budget) giveBack(tokens int, taken time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all -= tokens
	if taken.UTC().Truncate(24 * time.Hour).Equal(b.day) {
		b.today -= tokens
	}
}

func (b *budget) total() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all
}

func (b *budget) accepted() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refused = time.Time{}
}

// judge takes a burst that does not end for what it is: a used-up day.
func (b *budget) judge(e *connectors.Error, now time.Time) *connectors.Error {
	if e.Code != codeBurst {
		return e
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refused.IsZero() {
		b.refused = now
	}
	if now.Sub(b.refused) >= refusedLong {
		usedUp(e)
	}
	return e
}
