package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
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
	times, err := timesOf(spec)
	if err != nil {
		return Schedule{}, err
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

// cronFields are the five fields, and what each may hold.
var cronFields = []struct{ name, holds string }{
	{"minute", "0 to 59"}, {"hour", "0 to 23"}, {"day of the month", "1 to 31"}, {"month", "1 to 12 or JAN to DEC"}, {"weekday", "0 to 7 or SUN to SAT"},
}

// timesOf has the library read a spec, and says in our words what is wrong with
// one: its own speak of bounds and of Go.
func timesOf(spec string) (cron.Schedule, error) {
	parser := cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	fields := strings.Fields(spec)
	if fields[0] == "@every" && len(fields) == 2 {
		var d time.Duration
		if n := (&diag.Node{Shape: diag.Scalar, Value: fields[1], File: new(diag.File)}); n.Decode(&d).Has(diag.Error) {
			return nil, fmt.Errorf("is no schedule: %q is no length of time such as 30m, 12h or 30d", fields[1])
		}
		return cron.Every(d), nil
	}
	if strings.HasPrefix(spec, "@") {
		times, err := parser.Parse(spec)
		if err != nil {
			err = fmt.Errorf("is no schedule: there are @hourly, @daily, @weekly, @monthly, @yearly, and @every with a length of time, but no %q", fields[0])
		}
		return times, err
	}
	if len(fields) != len(cronFields) {
		return nil, fmt.Errorf("wants five fields, and has %d", len(fields))
	}
	written := fields[len(fields)-1]
	fields[len(fields)-1] = sundays(written)
	for i, f := range cronFields {
		alone := []string{"*", "*", "*", "*", "*"}
		alone[i] = fields[i]
		if _, err := parser.Parse(strings.Join(alone, " ")); err != nil {
			if fields[len(fields)-1] = written; strings.ContainsAny(fields[i], "-,/") {
				return nil, fmt.Errorf("is no schedule: %q is no list, range (a-b) or step (*/n) of the %s, which is %s", fields[i], f.name, f.holds)
			}
			return nil, fmt.Errorf("is no schedule: %q is no %s, which is %s, or * for every one", fields[i], f.name, f.holds)
		}
	}
	return parser.Parse(strings.Join(fields, " "))
}

// weekdays are as cron counts them; the library knows no Sunday at the end of a
// week.
var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// sundays writes the Sunday that ends a week, which is 7 to cron, as 0.
func sundays(days string) string {
	parts := strings.Split(days, ",")
	for i, part := range parts {
		span, step, stepped := strings.Cut(part, "/")
		first, last, ranged := strings.Cut(span, "-")
		if i := slices.Index(weekdays, strings.ToLower(first)); i >= 0 {
			first = strconv.Itoa(i)
		}
		if ranged && first != "0" && strings.EqualFold(last, weekdays[0]) {
			last = "7"
		}
		from, err := strconv.ParseUint(first, 10, 3)
		every, wrong := uint64(1), error(nil)
		if stepped {
			every, wrong = strconv.ParseUint(step, 10, 8)
		}
		if !ranged {
			last = first
		}
		if last != "7" || err != nil || wrong != nil || every == 0 {
			continue
		}
		var days []string
		for d := from; d <= 7; d += every {
			days = append(days, strconv.FormatUint(d%7, 10))
		}
		parts[i] = strings.Join(days, ",")
	}
	return strings.Join(parts, ",")
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
