package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
)

func TestSchedulesThatNobodyMeansAreRefused(t *testing.T) {
	t.Parallel()
	for spec, want := range map[string]string{
		"* * * *":                  "wants five fields, and has 4",
		"0 15 * * * *":             "wants five fields, and has 6",
		"61 * * * *":               `is no schedule: "61" is no minute, which is 0 to 59`,
		"L * * * *":                `is no schedule: "L" is no minute, which is 0 to 59`,
		"0 0 * * 8":                `"8" is no weekday, which is 0 to 7 or SUN to SAT`,
		"0 0 * * 5-8":              `"5-8" is no list, range (a-b) or step (*/n) of the weekday`,
		"0 0 x-y * *":              `"x-y" is no list, range (a-b) or step (*/n) of the day of the month`,
		"0 */0 * * *":              `"*/0" is no list`,
		"@every soon":              `"soon" is no length of time such as 30m, 12h or 30d`,
		"@every -1d":               "comes too often",
		"@every":                   `but no "@every"`,
		"@fortnightly":             `there are @hourly, @daily, @weekly`,
		"0 0 31 2 *":               "never comes",
		"TZ=0":                     "no time zone of its own",
		"CRON_TZ=x":                "no time zone of its own",
		"TZ=Europe/Rome * * * * *": "no time zone of its own",
		"@every 500ms":             "comes too often",
		"@reboot":                  "is no schedule",
		"hourly":                   "wants five fields, and has 1",
	} {
		if _, err := config.ParseSchedule(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want an error with %q, got %v", spec, want, err)
		} else if strings.Contains(err.Error(), "strconv") || strings.Contains(err.Error(), "failed to") {
			t.Errorf("%q: %v is of the library", spec, err)
		}
	}
	for _, spec := range []string{"", "off"} {
		s, err := config.ParseSchedule(spec)
		if err != nil || !s.Next(time.Now(), time.UTC).IsZero() {
			t.Errorf("%q: want never, got %v, %v", spec, s.Next(time.Now(), time.UTC), err)
		}
	}
}

func TestSundayIsSevenToo(t *testing.T) {
	t.Parallel()
	wednesday := time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)
	for spec, want := range map[string]string{
		"0 0 * * 7":     "Sun Sun Sun",
		"0 0 * * 5-7":   "Fri Sat Sun",
		"0 0 * * 1-7/3": "Thu Sun Mon",
		"0 0 * * 1-7/2": "Fri Sun Mon",
		"0 0 * * 0-7":   "Thu Fri Sat",
		"0 0 * * 7,3":   "Sun Wed Sun",
		"0 0 * * SUN,1": "Sun Mon Sun",
		"@every 30d":    "Fri Sun Tue",
		"@every 1d12h":  "",
		"@every 36h":    "Thu Sat Sun",
		"0 0 * * 7-7":   "Sun Sun Sun",
		"0 0 * * MON-7": "Thu Fri Sat", "0 0 * * sat-SUN": "Sat Sun Sat",
		"0 0 * * 7/2": "Sun Sun Sun",
	} {
		s, err := config.ParseSchedule(spec)
		var days []string
		for at := wednesday; err == nil && len(days) < 3; {
			at = s.Next(at, time.UTC)
			days = append(days, at.Format("Mon"))
		}
		if got := strings.Join(days, " "); got != want || (err != nil) != (want == "") {
			t.Errorf("%q comes %s (%v), want %s", spec, got, err, want)
		}
	}
}

func TestSchedulesKeepTimeWhenClocksChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, spec, zone, from string
		want                   []string
	}{
		{"what falls into the hour that is left out comes an hour later", "30 2 * * *", "America/New_York", "2026-03-07T12:00:00-05:00",
			[]string{"2026-03-08T03:30:00-04:00", "2026-03-09T02:30:00-04:00"}},
		{"what falls into the hour that comes twice comes once", "30 1 * * *", "America/New_York", "2026-10-31T12:00:00-04:00",
			[]string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
		{"in Berlin too", "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00+02:00",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"}},
		{"several times of the missing hour come once each", "15,45 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00+01:00",
			[]string{"2026-03-29T03:15:00+02:00", "2026-03-29T03:45:00+02:00", "2026-03-30T02:15:00+02:00"}},
		{"every half hour goes on through the hour that comes twice", "*/30 * * * *", "Europe/Berlin", "2026-10-25T01:45:00+02:00",
			[]string{"2026-10-25T02:00:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T02:30:00+01:00", "2026-10-25T03:00:00+01:00"}},
		{"every half hour goes on over the hour that is left out", "*/30 * * * *", "Europe/Berlin", "2026-03-29T01:15:00+01:00",
			[]string{"2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00"}},
		{"a length of time knows no clock", "@every 90m", "Europe/Berlin", "2026-10-25T01:00:00+02:00",
			[]string{"2026-10-25T02:30:00+02:00", "2026-10-25T03:00:00+01:00"}},
		{"midnight that does not exist", "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00-03:00",
			[]string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := config.ParseSchedule(c.spec)
			if err != nil {
				t.Fatal(err)
			}
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			at, err := time.Parse(time.RFC3339, c.from)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.want {
				if at = s.Next(at, zone); at.In(zone).Format(time.RFC3339) != want {
					t.Fatalf("got %s, want %s", at.In(zone).Format(time.RFC3339), want)
				}
			}
		})
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, spec := range []string{"*/15 * * * *", "TZ=0", "CRON_TZ=x * * * * *", "@every 1h", "0 0 31 2 *", "@daily", "\x00", "1-5/2 * ? * MON-FRI"} {
		f.Add(spec)
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		s, err := config.ParseSchedule(spec)
		if err != nil || len(spec) > 200 {
			return
		}
		at := time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC)
		for range 3 {
			next := s.Next(at, zone)
			if next.IsZero() {
				return
			}
			if !next.After(at) {
				t.Fatalf("%q after %v comes at %v", spec, at, next)
			}
			at = next
		}
	})
}
