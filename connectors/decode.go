package connectors

import (
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

// Decode gives the value that a CRM holds as text: numbers as int or float64,
// durations as event.Seconds, times in UTC, several options as []any. What does
// not look like its type stays text. Empty text is nil.
func Decode(f Field, s string) Value {
	if s == "" {
		return nil
	}
	switch f.Type {
	case Number:
		return number(s)
	case Duration:
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return s
		}
		return DurationIn(f.Unit, n)
	case Boolean:
		if b, err := strconv.ParseBool(s); err == nil {
			return b
		}
	case Date, DateTime:
		if t, _, ok := AsTime(s, time.UTC); ok {
			return t.UTC()
		}
	case MultiSelect:
		return AsList(strings.Split(strings.Trim(s, ";"), ";"))
	}
	return s
}

// DurationIn gives a length in the unit, "ms" or seconds, as a value.
func DurationIn(unit string, n float64) Value {
	if unit == "ms" {
		n /= 1000
	}
	return event.Seconds(n)
}

func number(s string) Value {
	if i, err := strconv.Atoi(s); err == nil {
		return i
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f
	}
	return s
}
