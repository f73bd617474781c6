package mapping

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

func timeFunctions() []function {
	return []function{
		{Function: Function{"date", "date(time[, \"DD.MM.YYYY HH:mm\"[, zone]])", "the time as text, YYYY-MM-DD unless a form is given, in the zone of the settings unless one is given", `date(call.started_at, "DD.MM.YYYY HH:mm")`, "04.03.2026 09:30"}, params: []kinds{kTime | kText | kNumber, kText, kText}, required: 1, result: kText, bind: bindDate},
		{Function: Function{"time", "time(value[, zone])", "a time read from text (ISO, or 31.12.2026 14:30) or from seconds or milliseconds since 1970", `time("2026-03-04 09:30")`, "2026-03-04T09:30:00Z"}, params: []kinds{kTime | kText | kNumber, kText}, required: 1, result: kTime, bind: bindTime},
		{Function: Function{"seconds", "seconds(value)", "a duration read from a number of seconds or from text such as 90, 1:30, 1h30m or 2d", `call.started_at + seconds("1h")`, "2026-03-04T10:30:00Z"}, params: []kinds{kDuration | kNumber | kText}, required: 1, result: kDuration, bind: bindLength(toSeconds, kDuration)},
		{Function: Function{"minutes", "minutes(duration)", "the duration in minutes, as a number", `minutes(call.duration)`, "2"}, params: []kinds{kDuration | kNumber | kText}, required: 1, result: kNumber, bind: bindLength(toMinutes, kNumber)},
		{Function: Function{"number", "number(value[, \"DE\"])", "a number read from text; true is 1, a duration its seconds. The country says whether 1.234 and 1,234 have decimals", `number("1.234,50 €") * 2`, "2469"}, params: []kinds{kText | kNumber | kBool | kDuration, kText}, required: 1, result: kNumber, bind: bindNumber},
		{Function: Function{"round", "round(number[, digits])", "the number rounded, to whole numbers unless digits are given", `round(2.675, 1)`, "2.7"}, params: []kinds{kNumber | kDuration | kText, kNumber}, required: 1, result: kNumber, bind: bindCount(round, kNumber, 0, 12, "write how many digits are to stay behind the point, 0 to 12")},
		{Function: Function{"abs", "abs(number)", "the number without its sign", `abs(-3)`, "3"}, params: []kinds{kNumber | kDuration | kText}, required: 1, result: kNumber, run: func(e *env, _ int, args []any) any {
			f, ok := e.number(args[0])
			if !ok {
				return nil
			}
			return num(math.Abs(f))
		}},
	}
}

// zoneOf reads a zone that stands as a literal at load, so that nothing is
// looked up while events run.
func zoneOf(c *compiler, args []operand, i int) (*time.Location, bool) {
	if i >= len(args) {
		return c.zone, true
	}
	name, ok := args[i].literal.(string)
	if !ok {
		c.problem(args[i].from, args[i].to, "the zone must be written out", `write "Europe/Berlin"`)
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		hint := `write it like "Europe/Berlin" or "UTC"`
		if near := diag.Zone(name); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		c.problem(args[i].from, args[i].to, "unknown time zone "+name, hint)
		return nil, false
	}
	return zone, true
}

// unzoned warns of times whose zone nobody has said.
func (c *compiler) unzoned(at operand, what string) {
	if !c.zoned && !c.rawOnly {
		c.add(diag.Warning, at.from, at.to, what+" in UTC: the settings name no time zone", `set defaults: {timezone: Europe/Berlin} in config.yaml, or the zone as the last argument: "Europe/Berlin"`)
	}
}

func bindTime(c *compiler, args []operand, at operand) (runner, kinds) {
	zone, ok := zoneOf(c, args, 1)
	if !ok {
		return nil, kTime
	}
	if s, isText := args[0].literal.(string); isText {
		if _, ok := parseTime(s, zone); !ok {
			c.problem(args[0].from, args[0].to, fmt.Sprintf("%q is no time", s), `write it like "2026-12-31 14:30" or "31.12.2026 14:30"`)
			return nil, kTime
		}
	}
	if s, isText := args[0].literal.(string); len(args) < 2 && args[0].kinds.can(kText) && !(isText && hasZone(s)) {
		c.unzoned(at, "a time without a zone of its own is read")
	}
	return func(_ *env, _ int, args []any) any {
		if t, ok := toTime(args[0], zone); ok {
			return t
		}
		return nil
	}, kTime
}

func bindDate(c *compiler, args []operand, at operand) (runner, kinds) {
	zone, ok := zoneOf(c, args, 2)
	if !ok {
		return nil, kText
	}
	if len(args) < 3 {
		c.unzoned(at, "the time is written")
	}
	if len(args) > 1 {
		if form, ok := args[1].literal.(string); ok && !strings.ContainsAny(form, "YMDHhms") {
			c.problem(args[1].from, args[1].to, "this form of a date shows nothing of the time", `write it like "DD.MM.YYYY HH:mm"`)
			return nil, kText
		} else if ok {
			c.checkForm(form, args[1])
		}
	}
	return func(e *env, at int, args []any) any {
		t, ok := toTime(args[0], zone)
		if !ok {
			return nil
		}
		form, _ := argument(args, 1).(string)
		if form == "" {
			form = "YYYY-MM-DD"
		}
		return e.built(formatDate(t.In(zone), form), at)
	}, kText
}

// dateParts are the letters of a date's form, the longer before the shorter.
var dateParts = []struct{ part, layout string }{
	{"YYYY", "2006"}, {"YY", "06"}, {"MMMM", "January"}, {"MMM", "Jan"}, {"MM", "01"}, {"M", "1"}, {"DD", "02"}, {"D", "2"},
	{"HH", "15"}, {"hh", "03"}, {"mm", "04"}, {"ss", "05"}, {"A", "PM"}, {"ZZ", "-0700"}, {"Z", "-07:00"},
}

const longestForm = 64 // characters of a date's form

func formatDate(t time.Time, form string) string {
	if len(form) > longestForm {
		return ""
	}
	var b strings.Builder
outer:
	for form != "" {
		for _, p := range dateParts {
			if strings.HasPrefix(form, p.part) {
				b.WriteString(t.Format(p.layout))
				form = form[len(p.part):]
				continue outer
			}
		}
		b.WriteByte(form[0])
		form = form[1:]
	}
	return b.String()
}

// toTime reads a time from what vendors send: ISO text, seconds or
// milliseconds since 1970. A time without a zone is in the given one.
func toTime(v any, zone *time.Location) (time.Time, bool) {
	switch v := v.(type) {
	case time.Time:
		return v, true
	case int:
		return unixTime(float64(v))
	case float64:
		return unixTime(v)
	case string:
		return parseTime(v, zone)
	}
	return time.Time{}, false
}

// unixTime tells seconds from milliseconds by size: 1e11 seconds are the year
// 5138, 1e11 milliseconds were in March 1973.
func unixTime(f float64) (time.Time, bool) {
	if !finite(f) || f <= 0 || f > 1e14 {
		return time.Time{}, false
	}
	if f < 1e11 {
		f *= 1000
	}
	return time.UnixMilli(int64(f)).UTC(), true
}

var layouts = []string{
	time.RFC3339, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02",
	"02.01.2006 15:04:05", "02.01.2006 15:04", "02.01.2006", "2.1.2006 15:04", "2.1.2006",
}

func parseTime(s string, zone *time.Location) (time.Time, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 40 {
		return time.Time{}, false
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		if len(s) < 9 { // 20261231 is a date or an id, no time since 1970
			return time.Time{}, false
		}
		return unixTime(f)
	}
	for _, l := range layouts {
		if t, err := connectors.InZone(l, s, zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// hasZone reports whether a time that is written out says its zone.
func hasZone(s string) bool {
	east, ok := parseTime(s, time.FixedZone("", 3600))
	utc, also := parseTime(s, time.UTC)
	return ok && also && east.Equal(utc)
}

func toSeconds(e *env, _ int, args []any) any {
	if f, ok := e.durationOf(args[0]); ok {
		return event.Seconds(f)
	}
	return nil
}

func toMinutes(e *env, _ int, args []any) any {
	if f, ok := e.durationOf(args[0]); ok {
		return num(f / 60)
	}
	return nil
}

// durationOf reads seconds from a number, "90", "1:30", "01:02:03", "1h30m" or
// "2d", as a field of the CRM would.
func (e *env) durationOf(v any) (float64, bool) {
	s, isText := v.(string)
	if !isText {
		return e.number(v)
	}
	if f, ok := parseNumber(s, e.home); ok {
		return f, true
	}
	n, ok := connectors.AsLength(strings.TrimSpace(s))
	if !ok || len(s) > 64 {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil && finite(f)
}

// bindLength refuses a text that is written out and no length of time: what
// becomes of it would always be missing.
func bindLength(run runner, k kinds) func(*compiler, []operand, operand) (runner, kinds) {
	return func(c *compiler, args []operand, _ operand) (runner, kinds) {
		if text, ok := args[0].literal.(string); ok {
			if _, ok := newEnv(nil, c.zone, c.country).durationOf(text); !ok {
				c.problem(args[0].from, args[0].to, fmt.Sprintf("%q is no length of time", text), `write it like "90", "1:30", "1h30m" or "2d"`)
				return nil, k
			}
		}
		return run, k
	}
}

// bindNumber reads numbers as the fields of the CRM do; a country that is
// written out says how this text is written.
func bindNumber(c *compiler, args []operand, _ operand) (runner, kinds) {
	if len(args) > 1 && !c.knownCountry(args[1]) {
		return nil, kNumber
	}
	home := connectors.Coercion{Country: c.country}
	if text, ok := args[0].literal.(string); ok && len(args) < 2 {
		_, clear := home.Number(text)
		_, isNumber := newEnv(nil, c.zone, c.country).number(text)
		thousands, decimals, two := connectors.TwoReadings(text)
		switch {
		case clear || text == "":
		case two:
			c.problem(args[0].from, args[0].to, fmt.Sprintf("%q is %s in some countries and %s in others", text, thousands, decimals), fmt.Sprintf("write %s or %s, or whose way of writing it is: number(…, \"DE\")", thousands, decimals))
			return nil, kNumber
		case !isNumber:
			c.problem(args[0].from, args[0].to, fmt.Sprintf("%q is no number", text), "write it like 12.5")
			return nil, kNumber
		}
	}
	return func(e *env, at int, args []any) any {
		if b, ok := args[0].(bool); ok {
			if b {
				return 1
			}
			return 0
		}
		s, isText := args[0].(string)
		if country, ok := argument(args, 1).(string); ok && isText && len(s) <= 64 {
			if n, ok := connectors.NumberIn(s, country); ok {
				f, err := n.Float64()
				if err != nil {
					return nil
				}
				return num(f)
			}
		}
		if f, ok := e.number(args[0]); ok {
			return num(f)
		}
		if _, _, two := connectors.TwoReadings(args[0]); two && len(s) <= 64 {
			e.fail(at, "the text that number is given "+strings.TrimPrefix(connectors.Twofold, "is text that "))
		}
		return nil
	}, kNumber
}

func round(e *env, _ int, args []any) any {
	f, ok := e.number(args[0])
	digits, _ := e.number(argument(args, 1))
	if !ok || digits < 0 || digits > 12 {
		return nil
	}
	scale := math.Pow(10, math.Trunc(digits))
	if math.Abs(f*scale) > 1<<53 {
		return num(f)
	}
	return num(math.Round(f*scale) / scale)
}
