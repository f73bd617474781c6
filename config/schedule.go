package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Schedule is when something is to happen by itself, as cron writes it. The
// zero value is never. All use of the cron library is in this file: it panics
// on some specs and takes others that never come.
type Schedule struct {
	spec  string
	times cron.Schedule // nil: never
	wall  bool          // by the clock on the wall; else by the time that passes
}

// shortestEvery is the least length of @every.
const shortestEvery = time.Minute

const scheduleHint = "write it like 15 * * * * (minute hour day month weekday), @daily or @every 30m; off is never"

// ParseSchedule reads five fields, or @hourly, @daily, @weekly, @monthly, @every
// and a length of time; "" and off are never. The error is for people.
func ParseSchedule(spec string) (s Schedule, err error) {
	spec = strings.TrimSpace(spec)
	if spec == "" || spec == "off" {
		return Schedule{}, nil
	}
	if strings.Contains(spec, "=") {
		return s, errors.New("has no time zone of its own; set timezone: beside it")
	}
	defer func() {
		if recover() != nil {
			s, err = Schedule{}, errors.New("is no schedule")
		}
	}()
	times, err := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).Parse(spec)
	if err != nil {
		if n := len(strings.Fields(spec)); n != 5 && !strings.HasPrefix(spec, "@") {
			return s, fmt.Errorf("wants five fields, and has %d", n)
		}
		return s, errors.New("is no schedule: " + err.Error())
	}
	s = Schedule{spec: spec, times: times}
	switch t := times.(type) {
	case cron.ConstantDelaySchedule:
		if t.Delay < shortestEvery {
			return Schedule{}, fmt.Errorf("comes too often; the least is @every %v", shortestEvery)
		}
	case *cron.SpecSchedule:
		t.Location = time.UTC
		const everyHour = 1<<24 - 1
		s.wall = t.Hour&everyHour != everyHour
	}
	// A leap day comes every eight years at the most.
	if times.Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, errors.New("never comes: there is no such day")
	}
	return s, nil
}

// UnmarshalNode implements diag.Unmarshaler.
func (s *Schedule) UnmarshalNode(n *diag.Node) diag.Problems {
	if n.Null {
		return nil
	}
	if n.Shape != diag.Scalar {
		return diag.Problems{n.Problem("wants a schedule, not "+n.Shape.String(), scheduleHint)}
	}
	parsed, err := ParseSchedule(n.Value)
	if err != nil {
		return diag.Problems{n.Problem("the schedule "+err.Error(), scheduleHint)}
	}
	if parsed.spec == "" {
		parsed.spec = "off" // which is something else than nothing said
	}
	*s = parsed
	return nil
}

// String is the schedule as it was written.
func (s Schedule) String() string { return s.spec }

// Said is true if the settings name a schedule, be it off.
func (s Schedule) Said() bool { return s.spec != "" }

// Next is the first time after t, in a zone; zero if there is none.
//
// Where hours are named, the clock on the wall counts: what falls into the hour
// that a change of the clocks leaves out comes an hour later by the clock, and
// what falls into the hour that comes twice comes once. Where every hour is
// meant, it comes each hour that passes.
func (s Schedule) Next(t time.Time, zone *time.Location) time.Time {
	if s.times == nil {
		return time.Time{}
	}
	if !s.wall {
		spec, ok := s.times.(*cron.SpecSchedule)
		if !ok {
			return s.times.Next(t)
		}
		here := *spec
		here.Location = zone
		return here.Next(t.In(zone))
	}
	local := t.In(zone)
	// The wall's time as if there were no changes.
	w := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
	// After a change back the wall repeats what was served already.
	for range 10_000 {
		if w = s.times.Next(w); w.IsZero() {
			return time.Time{}
		}
		if at := onWall(w, zone); at.After(t) {
			return at
		}
	}
	return time.Time{}
}

// onWall is when the clock of a zone shows what w, in UTC, shows: for the first
// time where it does twice, and as much later as the clock is put forward where
// it never does. time.Date promises neither.
func onWall(w time.Time, zone *time.Location) time.Time {
	at := func(off time.Duration) time.Time {
		_, seconds := w.Add(off).In(zone).Zone()
		return w.Add(-time.Duration(seconds) * time.Second).In(zone)
	}
	before, after := at(-day), at(day)
	if shows := after.Format(time.DateTime); before.Format(time.DateTime) != w.Format(time.DateTime) && shows == w.Format(time.DateTime) {
		return after
	}
	return before
}
