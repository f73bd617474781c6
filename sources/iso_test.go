package sources

import (
	"testing"
	"time"
)

func TestParseTimeReadsTheFormsOfISO8601(t *testing.T) {
	t.Parallel()
	const want = "2026-03-04T08:30:01Z"
	for s, want := range map[string]string{
		"2026-03-04T09:30:01+01:00":       want,
		"2026-03-04 09:30:01+01:00":       want,
		"2026-03-04 09:30:01.5+01:00":     "2026-03-04T08:30:01.5Z",
		"2026-03-04T09:30:01,5+0100":      "2026-03-04T08:30:01.5Z",
		"2026-03-04 09:30:01.000001+01":   "2026-03-04T08:30:01.000001Z",
		"2026-03-04 09:30:01 +0100":       want,
		"2026-03-04 08:30:01 UTC":         want,
		"2026-03-04 08:30:01Z":            want,
		"2026-03-04t08:30:01Z":            want,
		"2026-03-04T08:30:01":             want,
		"2026-03-04T09:30+01:00":          "2026-03-04T08:30:00Z",
		"2026-03-04T09:30+0100":           "2026-03-04T08:30:00Z",
		"2026-03-04 08:30":                "2026-03-04T08:30:00Z",
		"2026-03-04T08:30Z":               "2026-03-04T08:30:00Z",
		"20260304T083001Z":                want,
		"20260304T083001":                 want,
		"20260304T093001+0100":            want,
		"20260304T093001.25+01:00":        "2026-03-04T08:30:01.25Z",
		"20260304T0830Z":                  "2026-03-04T08:30:00Z",
		"2026-03-04":                      "",
		"2026-03-04T":                     "",
		"2026-03-04T25:00:00Z":            "",
		"2026-02-30T10:00:00Z":            "",
		"2026-03-04T08:30:01Zulu":         "",
		"2026-03-04  08:30:01":            "",
		"2026-03-04 08:30:01 +01:00 CET":  "",
		"2026-03-04T08:30:01.5.5Z":        "",
		"20260304 noon today":             "",
		"2026-03-04T08:30:01Z and so on ": "",
	} {
		got, ok := ParseTime(s)
		switch {
		case ok != (want != ""):
			t.Errorf("%q: read as %v, %v", s, got, ok)
		case ok && got.Format(time.RFC3339Nano) != want:
			t.Errorf("%q: got %s, want %s", s, got.Format(time.RFC3339Nano), want)
		}
	}
}

func TestParseLocalTakesTheZoneOnlyWhereNoneIsWritten(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for s, want := range map[string]string{
		"2026-07-04 10:30":       "2026-07-04T08:30:00Z",
		"20260304T093000":        "2026-03-04T08:30:00Z",
		"2026-07-04T10:30+00:00": "2026-07-04T10:30:00Z",
		"1772613000":             "2026-03-04T08:30:00Z",
	} {
		if got, ok := ParseLocal(s, berlin); !ok || got.Format(time.RFC3339) != want {
			t.Errorf("%q: got %s, %v, want %s", s, got, ok, want)
		}
	}
}

// TestADayThatBeginsAtOneIsThatDay/where clocks are put forward at midnight.
func TestADayThatBeginsAtOneIsThatDay(t *testing.T) {
	t.Parallel()
	for name, day := range map[string]string{"America/Havana": "2024-03-10", "America/Santiago": "2024-09-08", "America/Asuncion": "2023-10-01", "Africa/Cairo": "2024-04-26", "Europe/Berlin": "2024-03-31"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{day + "T00:00:00", day + " 00:30"} {
			if got, ok := ParseLocal(s, zone); !ok || got.In(zone).Format(time.DateOnly) != day {
				t.Errorf("%s in %s is %v", s, name, got.In(zone))
			}
		}
		if got, _ := ParseLocal(day+"T00:00:00Z", zone); got.Format(time.RFC3339) != day+"T00:00:00Z" {
			t.Errorf("%s in %s with a zone of its own is %v", day, name, got)
		}
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2026-03-04 09:30:01.5+01:00", "20260304T093001Z", "2026-03-04T09:30 +0100", "1773143000000", "1e11", "0001-01-01T00:00:00+23:59", "2026-03-04 ", "2026-03-04T09:30 UTC"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseTime(s)
		switch {
		case !ok && !got.IsZero():
			t.Errorf("%q is no time and yet %s", s, got)
		case !ok:
			return
		case got.Location() != time.UTC:
			t.Errorf("%q: the time is not in UTC", s)
		}
		if y := got.Year(); y < 0 || y > 9999 {
			return // at the ends of the calendar zones lead out of it
		}
		if again, ok := ParseTime(got.Format(time.RFC3339Nano)); !ok || !again.Equal(got) {
			t.Errorf("%q: %s reads as %s", s, got, again)
		}
	})
}
