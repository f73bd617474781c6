package app

import (
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

func TestTheLastHourForgetsWhatIsOlder(t *testing.T) {
	t.Parallel()
	var h hour
	at := time.Date(2026, 3, 4, 9, 0, 30, 0, time.UTC)
	h.note("telli", false, at)
	h.note("telli", false, at.Add(time.Minute))
	h.note("telli", true, at.Add(30*time.Minute))
	for after, want := range map[time.Duration]admin.LastHour{
		30 * time.Minute: {Received: 2, Refused: 1}, 59 * time.Minute: {Received: 2, Refused: 1}, 60 * time.Minute: {Received: 1, Refused: 1},
		61 * time.Minute: {Refused: 1}, 90 * time.Minute: {}, 240 * time.Hour: {},
	} {
		if got := *h.last("telli", at.Add(after)); got != want {
			t.Errorf("after %s: %+v, want %+v", after, got, want)
		}
	}
	h.note("telli", false, at.Add(60*time.Minute)) // the same place as the first
	if got := *h.last("telli", at.Add(60*time.Minute)); got != (admin.LastHour{Received: 2, Refused: 1}) {
		t.Errorf("a minute's place is used again: %+v", got)
	}
	if got := *h.last("nobody", at); got != (admin.LastHour{}) {
		t.Errorf("of a source without webhooks: %+v", got)
	}
}

func TestTheLastHourCountsWhatIsKeptAndWhatIsRefused(t *testing.T) {
	t.Parallel()
	m := newMetrics("test")
	for _, result := range []string{"accepted", "duplicate", "unknown", "quarantined", "greeted", "refused", "failed"} {
		m.received("telli", result, "", time.Millisecond)
	}
	if got := *m.hour.last("telli", time.Now()); got != (admin.LastHour{Received: 4, Refused: 2}) {
		t.Errorf("got %+v, want 4 received and 2 refused: a vendor that only asks whether we are there has sent no webhook", got)
	}
}
