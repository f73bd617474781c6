package admin

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// ParseTime reads a time as people write it: a date, a time of day on a date
// (of zone where it names none), or a length of time before now. "" is the zero time.
func ParseTime(s string, now time.Time, zone *time.Location) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		if d < 0 {
			return time.Time{}, fmt.Errorf("%q lies ahead, as a length of time is before now already; write it without the minus", s)
		}
		return now.Add(-d), nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return now.AddDate(0, 0, -int(n)), nil
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := connectors.InZone(layout, s, zone); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time; write 2026-03-04, 2026-03-04T09:30:00Z, 2h or 7d", s)
}
