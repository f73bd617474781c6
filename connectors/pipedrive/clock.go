package pipedrive

import (
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// dueTime is the time of day of an activity. Pipedrive has it in UTC, and
// due_date as the day in UTC; every other time of day is as somebody wrote it.
const dueTime = "due_time"

func (c *Connector) zone() *time.Location {
	if c.coercion.Zone == nil {
		return time.UTC
	}
	return c.coercion.Zone
}

// encodeClock writes a time of day: of due_time in UTC, of custom fields in the
// zone of the settings, as their days are.
func (c *Connector) encodeClock(f connectors.Field, v connectors.Value) (any, bool, *connectors.Error) {
	s, text := connectors.AsText(v, time.UTC)
	if text && strings.TrimSpace(s) == "" {
		return nil, true, nil
	}
	t, ok := clockOf(s)
	switch {
	case ok && f.Name == dueTime: // without its day: that of today
		t = on(time.Now().In(c.zone()), t)
	case !ok:
		var day bool
		if t, day, ok = connectors.AsTime(v, c.zone()); !ok || day {
			return nil, false, connectors.Wrong(f, v, "a time, or a time of day such as 14:30")
		}
		t = t.In(c.zone())
	}
	if f.Name == dueTime {
		return t.UTC().Format("15:04"), false, nil
	}
	return map[string]any{"value": t.Format(time.TimeOnly)}, false, nil
}

// clockOf reads a time of day alone.
func clockOf(s string) (time.Time, bool) {
	for _, layout := range []string{"15:04", time.TimeOnly} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// on is the time of day on a day, in the day's zone.
func on(day, clock time.Time) time.Time {
	return time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, day.Location())
}

// due is the moment that an activity's day and time of day mean together, as
// midnight here is another day in UTC. It is false where one of them is missing
// or means nothing, which encode then tells.
func (c *Connector) due(date, clock connectors.Value) (time.Time, bool) {
	day, _, ok := connectors.AsTime(date, c.zone())
	if !ok {
		return time.Time{}, false
	}
	day = day.In(c.zone())
	if t, ok := clockOf(plain(clock)); ok {
		return on(day, t), true
	}
	t, onlyDay, ok := connectors.AsTime(clock, c.zone())
	if !ok || onlyDay {
		return time.Time{}, false
	}
	if t = t.In(c.zone()); t.YearDay() == day.YearDay() && t.Year() == day.Year() {
		return t, true // as it is: an hour may be there twice
	}
	return on(day, t), true
}
