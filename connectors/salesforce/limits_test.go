package salesforce

import (
	"testing"
	"time"
)

func TestCallsLeftOfTheDay(t *testing.T) {
	t.Parallel()
	u := newUsage(10)
	if left, most := u.left(); left != 0 || most != 0 {
		t.Errorf("before any answer %d of %d are left, want nothing to be known", left, most)
	}
	for text, want := range map[string]int{"api-usage=18/5000": 4482, "api-usage=4600/5000": 0} {
		u.learn(text, time.Now())
		if left, most := u.left(); left != want || most != 5000 {
			t.Errorf("%s: %d of %d are left, want %d of 5000", text, left, most, want)
		}
	}
}
