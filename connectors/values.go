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

	"github.com/crmsyncd/crmsyncd/event"
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

// The ways in which people write numbers. A single separator with three digits
// behind it may group them or begin the decimals: 1.234 is read as the decimals
// that programs mean by it, 1,234 is no number.
var (
	decimal = regexp.MustCompile(`^[+-]?[0-9]{1,300}(\.[0-9]{1,300})?$`)
	german  = regexp.MustCompile(`^[+-]?([0-9]{1,3}(\.[0-9]{3}){1,10},[0-9]{1,20}|[0-9]{1,3}(\.[0-9]{3}){2,10}|[0-9]{1,300},([0-9]{1,2}|[0-9]{4,20})|0,[0-9]{3})$`)
	english = regexp.MustCompile(`^[+-]?([0-9]{1,3}(,[0-9]{3}){1,10}\.[0-9]{1,20}|[0-9]{1,3}(,[0-9]{3}){2,10})$`)
	money   = regexp.MustCompile(`^(?:EUR|USD|GBP|CHF|[€$£])?[\s\x{a0}\x{202f}]*([+-]?[0-9].*?)[\s\x{a0}\x{202f}]*(?:EUR|USD|GBP|CHF|[€$£])?$`)
)

// AsNumber gives a value as a plain decimal. Text is a number if it is written
// as one, in the German or the English way: 1234.5, 1.234,50 and 1,234.50, also
// beside the sign of a currency.
func AsNumber(v Value) (json.Number, bool) {
	switch v := v.(type) {
	case int:
		return json.Number(strconv.Itoa(v)), true
	case int64:
		return json.Number(strconv.FormatInt(v, 10)), true
	case float64:
		return floatNumber(v)
	case event.Seconds:
		return floatNumber(float64(v))
	case json.Number:
		return AsNumber(v.String())
	case string:
		return textNumber(v)
	}
	return "", false
}

func textNumber(text string) (json.Number, bool) {
	s := strings.TrimSpace(text)
	if m := money.FindStringSubmatch(s); len(s) <= 400 && m != nil {
		s = m[1]
	}
	switch {
	case decimal.MatchString(s):
	case german.MatchString(s):
		s = strings.Replace(strings.ReplaceAll(s, ".", ""), ",", ".", 1)
	case english.MatchString(s):
		s = strings.ReplaceAll(s, ",", "")
	default:
		return "", false
	}
	s = strings.TrimPrefix(s, "+")
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	// JSON allows no leading zeros.
	s = strings.TrimLeft(s, "0")
	if s == "" || s[0] == '.' {
		s = "0" + s
	}
	return json.Number(sign + s), true
}

func floatNumber(f float64) (json.Number, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return "", false
	}
	return json.Number(strconv.FormatFloat(f, 'f', -1, 64)), true
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
			if t, err := time.ParseInLocation(layout, s, zone); err == nil {
				return t, false, true
			}
		}
		for _, layout := range days {
			if t, err := time.ParseInLocation(layout, s, zone); err == nil {
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

func unix(f float64) (time.Time, bool) {
	switch {
	case f >= 1e9 && f < 1e10:
		return time.UnixMilli(int64(math.Round(f * 1000))).UTC(), true
	case f >= 1e12 && f < 1e13:
		return time.UnixMilli(int64(f)).UTC(), true
	}
	return time.Time{}, false
}

// asDuration gives a number in the field's unit, which may be negative. Plain
// numbers are seconds.
func asDuration(f Field, v Value) (json.Number, bool) {
	n, ok := AsNumber(v)
	if text, isText := v.(string); isText && (!ok || strings.ContainsAny(text, "€$£") || strings.ContainsFunc(text, unicode.IsLetter)) {
		n, ok = lengthOf(strings.TrimSpace(text))
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

var stopwatch = regexp.MustCompile(`^([0-9]{1,6}:)?[0-9]{1,6}:[0-5]?[0-9]$`)

// lengthOf gives the seconds of 1:30, 0:01:30 or 1h30m, as the function seconds
// of rules reads them.
func lengthOf(s string) (json.Number, bool) {
	if d, err := time.ParseDuration(strings.ReplaceAll(s, " ", "")); err == nil {
		return floatNumber(d.Seconds())
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
