package pipedrive

import (
	"testing"
	"time"
)

func TestTokensLeftOfTheDay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 22, 0, 0, 0, time.UTC)
	b := newBudget(100)
	want := func(at time.Time, left, most int) {
		t.Helper()
		if l, m := b.left(at); l != left || m != most {
			t.Errorf("left at %s: %d of %d, want %d of %d", at, l, m, left, most)
		}
	}
	want(now, 100, 100)
	if err := b.take(30, now); err != nil {
		t.Fatal(err)
	}
	want(now, 70, 100)
	want(now.Add(3*time.Hour), 100, 100)
	b = newBudget(0)
	want(now, 0, 0)
}
