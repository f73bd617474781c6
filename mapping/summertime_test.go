package mapping

import (
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

// TestSummerTime/formulas in the nights in which clocks change: every moment has
// its own local time, and a local time that is missing or there twice is taken
// for one next to it, never for none.
func TestSummerTime(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("this machine has no time zones")
	}
	s := testScope()
	s.zone = berlin
	for _, c := range []struct{ moment, formula, want string }{
		{"2026-03-29T00:59:59Z", `date(call.started_at, "YYYY-MM-DD HH:mm:ss Z")`, "2026-03-29 01:59:59 +01:00"},
		{"2026-03-29T01:00:00Z", `date(call.started_at, "YYYY-MM-DD HH:mm:ss Z")`, "2026-03-29 03:00:00 +02:00"},
		{"2026-10-25T00:30:00Z", `date(call.started_at, "YYYY-MM-DD HH:mm:ss Z")`, "2026-10-25 02:30:00 +02:00"},
		{"2026-10-25T01:30:00Z", `date(call.started_at, "YYYY-MM-DD HH:mm:ss Z")`, "2026-10-25 02:30:00 +01:00"},
		{"2026-03-28T23:30:00Z", `date(call.started_at, "YYYY-MM-DD")`, "2026-03-29"},
		{"2026-10-24T22:30:00Z", `date(call.started_at, "YYYY-MM-DD")`, "2026-10-25"},
		{"2026-03-29T00:30:00Z", `date(call.started_at + seconds("1h"), "HH:mm")`, "03:30"},
		{"2026-03-29T00:30:00Z", `date(time("2026-03-29 12:00"), "HH:mm Z")`, "12:00 +02:00"},
		{"2026-03-29T00:30:00Z", `date(time("2026-03-29 02:30"), "YYYY-MM-DD")`, "2026-03-29"},
		{"2026-10-25T00:30:00Z", `date(time("2026-10-25 02:30"), "YYYY-MM-DD HH:mm")`, "2026-10-25 02:30"},
		{"2026-03-29T00:30:00Z", `(call.started_at + seconds("2h")) - call.started_at == seconds("2h")`, "true"},
	} {
		at, err := time.Parse(time.RFC3339, c.moment)
		if err != nil {
			t.Fatal(err)
		}
		ev := &event.Event{Type: event.CallEnded, OccurredAt: at, Call: &event.Call{ID: "1", StartedAt: at}}
		v, ps := evaluate(t, s, c.formula, ev)
		if len(ps) > 0 {
			t.Errorf("%s: %s", c.formula, ps.Error())
			continue
		}
		if got := toText(v, berlin); got != c.want {
			t.Errorf("%s at %s gives %q, want %q", c.formula, c.moment, got, c.want)
		}
	}
}

func TestADayThatBeginsAtOneIsThatDay(t *testing.T) {
	t.Parallel()
	for name, day := range map[string]string{"America/Havana": "2024-03-10", "America/Santiago": "2024-09-08", "America/Asuncion": "2023-10-01", "Africa/Cairo": "2024-04-26"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Skip("this machine has no time zones")
		}
		got, ok := parseTime(day, zone)
		if !ok || got.In(zone).Format(time.DateOnly) != day {
			t.Errorf("%s in %s is %v", day, name, got)
		}
	}
}
