package connectors

import (
	"encoding/json"
	"html"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// AsText gives a value as text; times with their zone, lists with commas.
// Groups of values are not text.
func AsText(v Value, zone *time.Location) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return strings.ToValidUTF8(v, "\uFFFD"), true
	case bool:
		return strconv.FormatBool(v), true
	case time.Time:
		return v.In(zone).Format(time.RFC3339), true
	case []any, []string:
		var parts []string
		for _, item := range AsList(v) {
			s, ok := AsText(item, zone)
			if !ok {
				return "", false
			}
			parts = append(parts, s)
		}
		return strings.Join(parts, ", "), true
	}
	n, ok := AsNumber(v)
	return n.String(), ok
}

// AsBool gives a value as true or false; of text, the words that people use.
func AsBool(v Value) (value, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case int:
		return v == 1, v == 0 || v == 1
	case float64:
		return v == 1, v == 0 || v == 1
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "yes", "on", "1", "ja", "wahr":
			return true, true
		case "false", "no", "off", "0", "nein", "falsch":
			return false, true
		}
	}
	return false, false
}

// clocks are the ways in which times without zone are read, days last. Slashed
// dates are not among them: 03/04/2026 means two days.
var (
	clocks = []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04", "02.01.2006 15:04:05", "02.01.2006 15:04"}
	days   = []string{"2006-01-02", "02.01.2006"}
	zoned  = []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 Z07:00", "2006-01-02T15:04:05.999999999Z0700"}
)

// AsTime gives a value as a time; day says that it names a day only, in the
// zone. Numbers are Unix seconds or milliseconds, told apart by their size:
// they must fall between 2001 and 2286.
func AsTime(v Value, zone *time.Location) (t time.Time, day, ok bool) {
	switch v := v.(type) {
	case time.Time:
		return v, false, !v.IsZero()
	case int:
		t, ok = unix(float64(v))
		return t, false, ok
	case float64:
		t, ok = unix(v)
		return t, false, ok
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return t, false, false
		}
		t, ok = unix(f)
		return t, false, ok
	case string:
		s := strings.TrimSpace(v)
		for _, layout := range zoned {
			if t, err := time.Parse(layout, s); err == nil {
				return t, false, true
			}
		}
		for _, layout := range clocks {
			if t, err := InZone(layout, s, zone); err == nil {
				return t, false, true
			}
		}
		for _, layout := range days {
			if t, err := InZone(layout, s, zone); err == nil {
				return t, true, true
			}
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && len(s) >= 10 {
			t, ok = unix(f)
			return t, false, ok
		}
	}
	return time.Time{}, false, false
}

// InZone is time.ParseInLocation, but never of the day before: some zones put
// their clocks forward at midnight (Chile, Cuba, Lebanon), which that day then lacks.
func InZone(layout, s string, zone *time.Location) (time.Time, error) {
	t, err := time.ParseInLocation(layout, s, zone)
	if err != nil || zone == time.UTC {
		return t, err
	}
	said, err := time.Parse(layout, s)
	for n := 0; n < 8 && t.Day() != said.Day(); n++ {
		t = t.Add(15 * time.Minute)
	}
	return t, err
}

func unix(f float64) (time.Time, bool) {
	switch {
	case f >= 1e9 && f < 1e10:
		return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), true
	case f >= 1e12 && f < 1e13:
		return time.UnixMilli(int64(f)).UTC(), true
	}
	return time.Time{}, false
}

// duration gives a number in the field's unit, which may be negative. Plain
// numbers are seconds.
func (c Coercion) duration(f Field, v Value) (json.Number, bool) {
	n, ok := c.Number(v)
	if text, isText := v.(string); isText {
		if _, priced := amount(text); !ok || priced || strings.ContainsFunc(text, unicode.IsLetter) {
			n, ok = AsLength(text)
		}
	}
	if !ok {
		return "", false
	}
	s, err := n.Float64()
	if err != nil {
		return "", false
	}
	if f.Unit == "ms" {
		return floatNumber(math.Round(s * 1000))
	}
	return n, true
}

var (
	stopwatch = regexp.MustCompile(`^(?:[0-9]{1,6}:[0-5]?[0-9]|[0-9]{1,6}):[0-5]?[0-9]$`)
	wholeDays = regexp.MustCompile(`^(-?)([0-9]{1,6})d(.*)$`)
)

// AsLength gives the seconds of a length of time that is written as 1:30, 0:01:30,
// 1h30m or 2d12h; a day has 24 hours. Numbers without a unit are none of it.
func AsLength(s string) (json.Number, bool) {
	s = strings.ReplaceAll(s, " ", "")
	days := 0
	if m := wholeDays.FindStringSubmatch(s); m != nil {
		days, _ = strconv.Atoi(m[1] + m[2])
		if s = m[1] + m[3]; m[3] == "" {
			s = "0s"
		}
	}
	if d, err := time.ParseDuration(s); err == nil {
		return floatNumber(float64(days)*86400 + d.Seconds())
	}
	if !stopwatch.MatchString(s) {
		return "", false
	}
	total := 0
	for part := range strings.SplitSeq(s, ":") {
		n, _ := strconv.Atoi(part) // digits, by the pattern
		total = total*60 + n
	}
	return json.Number(strconv.Itoa(total)), true
}

// AsList gives a list's items, or the value as the only item of one.
func AsList(v Value) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	}
	return []any{v}
}

// Truncate cuts text to max characters, the last of which is then an
// ellipsis. A max of 0 is no limit.
func Truncate(s string, max int) (string, bool) {
	if max <= 0 || utf8.RuneCountInString(s) <= max {
		return s, false
	}
	n := 0
	for i := range s {
		if n == max-1 {
			return s[:i] + "…", true
		}
		n++
	}
	return s, false
}

// EscapeHTML makes text safe for a field that shows HTML, and keeps its lines.
func EscapeHTML(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.ReplaceAll(html.EscapeString(s), "\n", "<br>")
}

// TruncateHTML escapes text and cuts it, never within an entity or a tag, so
// that max characters hold the escaped text. A max of 0 is no limit.
func TruncateHTML(s string, max int) (string, bool) {
	whole := EscapeHTML(s)
	if max <= 0 || utf8.RuneCountInString(whole) <= max {
		return whole, false
	}
	var b strings.Builder
	n := 0
	for _, r := range strings.ReplaceAll(s, "\r\n", "\n") {
		piece := EscapeHTML(string(r))
		if n += utf8.RuneCountInString(piece); n > max-1 {
			break
		}
		b.WriteString(piece)
	}
	return b.String() + "…", true
}
