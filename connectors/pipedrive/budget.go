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

	spent *spent

	mu      sync.Mutex
	all     int
	refused time.Time // since when nothing was accepted
}

func newBudget(perDay int) *budget { return &budget{perDay: perDay, spent: new(spent)} }

// spent is what was used of a day.
type spent struct {
	mu    sync.Mutex
	today int
	day   time.Time
}

// spentBy is what each connector has used, by its name and base: a reload makes
// connectors anew, and a day of the company does not begin with it.
var spentBy sync.Map

// budgetOf is the budget of a connector, of which others of its name and base in
// this process may have used a part.
func budgetOf(name, base string, perDay int) *budget {
	used, _ := spentBy.LoadOrStore([2]string{name, base}, new(spent))
	return &budget{perDay: perDay, spent: used.(*spent)}
}

// take counts tokens, unless there would be more than most in the day; 0: no limit.
func (s *spent) take(tokens, most int, now time.Time) (whole bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if day := now.UTC().Truncate(24 * time.Hour); !day.Equal(s.day) {
		s.day, s.today = day, 0
	}
	if most > 0 && s.today+tokens > most {
		return false
	}
	s.today += tokens
	return true
}

func (s *spent) giveBack(tokens int, taken time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if taken.UTC().Truncate(24 * time.Hour).Equal(s.day) {
		s.today -= tokens
	}
}

// on is how many tokens were used on the day of now.
func (s *spent) on(now time.Time) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !now.UTC().Truncate(24 * time.Hour).Equal(s.day) {
		return 0
	}
	return s.today
}

// take counts a request, or refuses it where it would go beyond what the
// settings allow for a day.
func (b *budget) take(tokens int, now time.Time) *connectors.Error {
	if !b.spent.take(tokens, b.perDay, now) {
		return &connectors.Error{Kind: connectors.RateLimited, Code: "TOKENS_PER_DAY", Account: true, Park: true,
			Wait: now.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour).Sub(now), Message: "the tokens_per_day of the settings are used up; they come back at midnight UTC"}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all += tokens
	return nil
}

// giveBack takes back what take counted for a request that was never sent: an
// outage must not use up the day.
func (b *budget) giveBack(tokens int, taken time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all -= tokens
	b.spent.giveBack(tokens, taken)
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
