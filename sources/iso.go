package sources

import (
	"strings"
	"time"
)

// The forms of ISO 8601 that vendors write, with T between date and time. A
// fraction of the second needs none of its own: time.Parse takes one anyway.
var (
	extended = []string{
		time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07",
		"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02T15:04Z0700", "2006-01-02T15:04Z07",
	}
	basic = []string{
		"20060102T150405Z0700", "20060102T150405", "20060102T150405Z07:00", "20060102T150405Z07",
		"20060102T1504Z0700", "20060102T1504", "20060102T1504Z07:00", "20060102T1504Z07",
	}
)

// ParseLocal reads a time as ParseTime does, and one without zone as of that
// zone.
func ParseLocal(s string, zone *time.Location) (time.Time, bool) {
	if t, ok := parseISO(s, zone); ok {
		return t, true
	}
	return ParseTime(s)
}

// parseISO reads ISO 8601: a date and at least hours and minutes, with T or a
// blank between them, in the extended or the basic form, with or without zone.
func parseISO(s string, zone *time.Location) (time.Time, bool) {
	layouts, gap := extended, len("2006-01-02")
	switch {
	case len(s) < len("20060102T1504") || len(s) > 64:
		return time.Time{}, false
	case s[4] == '-':
	case s[8] == 'T' || s[8] == ' ':
		layouts, gap = basic, len("20060102")
	default:
		return time.Time{}, false
	}
	switch s[gap] {
	case 'T':
	case ' ', 't':
		s = s[:gap] + "T" + s[gap+1:]
	default:
		return time.Time{}, false
	}
	if before, zone, ok := strings.Cut(s, " "); ok {
		switch {
		case zone == "UTC":
			zone = "Z"
		case zone == "" || zone[0] != '+' && zone[0] != '-':
			return time.Time{}, false
		}
		s = before + zone
	}
	for _, layout := range layouts {
		if t, err := InZone(layout, s, zone); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// InZone is time.ParseInLocation, but never of the day before: some zones put
// their clocks forward at midnight (Chile, Cuba, Lebanon), which that day then lacks.
func InZone(layout, s string, zone *time.Location) (time.Time, error) {
	t, err := time.ParseInLocation(layout, s, zone)
	if err != nil || t.Location() != zone || zone == time.UTC {
		return t, err
	}
	said, err := time.Parse(layout, s)
	for n := 0; n < 8 && t.Day() != said.Day(); n++ {
		t = t.Add(15 * time.Minute)
	}
	return t, err
}
