package deliver

import (
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

func TestBeforeAGap(t *testing.T) {
	t.Parallel()
	to := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	gap := store.Gap{From: to.Add(-time.Hour), To: to, Last: 7}
	for name, c := range map[string]struct {
		seq                uint64
		occurred, received time.Duration // after the gap's end
		want               bool
	}{
		"it was in the restored ledger, and its vendor's clock is an hour ahead": {7, 30 * time.Minute, -30 * time.Minute, true},
		"it was in the restored ledger, and our clock was wrong, too":            {7, 72 * time.Hour, 72 * time.Hour, true},
		"it was received before":                                  {0, time.Hour, -time.Minute, true},
		"it happened before and is sent again":                    {8, -time.Minute, time.Hour, true},
		"it is sent again, and its vendor's clock is hours ahead": {8, 3 * time.Hour, time.Hour, true},
		"it is sent again without a time":                         {8, 27 * time.Hour, 27 * time.Hour, true},
		"it came later than anything is sent again":               {8, 40 * time.Hour, 29 * time.Hour, false},
		"it happened after":                                       {8, time.Hour, time.Hour + time.Second, false},
		"it happened after, by a clock that is a little ahead":    {8, time.Hour + time.Minute, time.Hour, false},
	} {
		e := store.Event{Seq: c.seq, OccurredAt: to.Add(c.occurred), ReceivedAt: to.Add(c.received)}
		g := gap
		if c.seq == 0 {
			e.Seq, g.Last = 3, 0 // a gap that an earlier version noted
		}
		if got := before(e, g); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
