package sandbox

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// atFunction is one function of formulas. max is -1 for any number of arguments.
type atFunction struct {
	min, max int
	call     func(s *atScope, args []atExpr) any
}

// values is a function of computed arguments; a failed one fails the whole.
func values(min, max int, f func(s *atScope, v []any) any) atFunction {
	return atFunction{min: min, max: max, call: func(s *atScope, args []atExpr) any {
		v := make([]any, 0, len(args))
		for _, a := range args {
			x := a.eval(s)
			if failed(x) {
				return atFailed{}
			}
			v = append(v, x)
		}
		return f(s, v)
	}}
}

func text1(f func(string) any) atFunction {
	return values(1, 1, func(_ *atScope, v []any) any { return f(asString(v[0])) })
}

var atFunctions = map[string]atFunction{
	"AND": {1, -1, func(s *atScope, args []atExpr) any {
		for _, a := range args {
			if !truth(a.eval(s)) {
				return false
			}
		}
		return true
	}},
	"OR": {1, -1, func(s *atScope, args []atExpr) any {
		for _, a := range args {
			if truth(a.eval(s)) {
				return true
			}
		}
		return false
	}},
	"IF": {2, 3, func(s *atScope, args []atExpr) any {
		if truth(args[0].eval(s)) {
			return args[1].eval(s)
		}
		if len(args) == 3 {
			return args[2].eval(s)
		}
		return nil
	}},
	"ISERROR": {1, 1, func(s *atScope, args []atExpr) any { return failed(args[0].eval(s)) }},

	"NOT":          values(1, 1, func(_ *atScope, v []any) any { return !truth(v[0]) }),
	"BLANK":        values(0, 0, func(*atScope, []any) any { return nil }),
	"TRUE":         values(0, 0, func(*atScope, []any) any { return true }),
	"FALSE":        values(0, 0, func(*atScope, []any) any { return false }),
	"RECORD_ID":    values(0, 0, func(s *atScope, _ []any) any { return s.record.id }),
	"CREATED_TIME": values(0, 0, func(s *atScope, _ []any) any { return s.record.created.Truncate(time.Millisecond) }),
	"NOW":          values(0, 0, func(s *atScope, _ []any) any { return s.now }),
	"TODAY":        values(0, 0, func(s *atScope, _ []any) any { return s.now.UTC().Truncate(24 * time.Hour) }),

	"LOWER":       text1(func(t string) any { return strings.ToLower(t) }),
	"UPPER":       text1(func(t string) any { return strings.ToUpper(t) }),
	"TRIM":        text1(func(t string) any { return strings.TrimSpace(t) }),
	"LEN":         text1(func(t string) any { return float64(len([]rune(t))) }),
	"VALUE":       text1(textValue),
	"T":           text1(func(t string) any { return t }),
	"CONCATENATE": values(1, -1, func(_ *atScope, v []any) any { return joined(v) }),
	"ARRAYJOIN":   values(1, 2, func(_ *atScope, v []any) any { return asString(v[0]) }),
	"LEFT":        values(2, 2, func(_ *atScope, v []any) any { r, n := cutAt(v); return string(r[:n]) }),
	"RIGHT":       values(2, 2, func(_ *atScope, v []any) any { r, n := cutAt(v); return string(r[len(r)-n:]) }),
	"FIND":        values(2, 3, func(_ *atScope, v []any) any { return position(v) }),
	"SEARCH": values(2, 3, func(_ *atScope, v []any) any {
		if n := position(v); n > 0 {
			return n
		}
		return nil
	}),
	"SUBSTITUTE": values(3, 4, func(_ *atScope, v []any) any {
		if asString(v[1]) == "" || len(v) == 4 {
			return atFailed{} // one occurrence alone is not emulated
		}
		return strings.ReplaceAll(asString(v[0]), asString(v[1]), asString(v[2]))
	}),

	"REGEX_MATCH": values(2, 2, func(_ *atScope, v []any) any {
		re, err := regexp.Compile(asString(v[1]))
		if err != nil {
			return atFailed{}
		}
		return re.MatchString(asString(v[0]))
	}),
	"REGEX_REPLACE": values(3, 3, func(_ *atScope, v []any) any {
		re, err := regexp.Compile(asString(v[1]))
		if err != nil {
			return atFailed{}
		}
		return re.ReplaceAllString(asString(v[0]), asString(v[2]))
	}),

	"IS_AFTER":  values(2, 2, func(_ *atScope, v []any) any { return times(v, func(a, b time.Time) bool { return a.After(b) }) }),
	"IS_BEFORE": values(2, 2, func(_ *atScope, v []any) any { return times(v, func(a, b time.Time) bool { return a.Before(b) }) }),
	"IS_SAME":   values(2, 3, isSame),
	"DATETIME_PARSE": values(1, 3, func(_ *atScope, v []any) any {
		if t, ok := asTime(v[0]); ok {
			return t
		}
		return atFailed{}
	}),
}

func textValue(t string) any {
	x, err := strconv.ParseFloat(strings.TrimSpace(t), 64)
	if err != nil {
		return atFailed{}
	}
	return x
}

func joined(v []any) string {
	var b strings.Builder
	for _, x := range v {
		b.WriteString(asString(x))
	}
	return b.String()
}

func cutAt(v []any) ([]rune, int) {
	r := []rune(asString(v[0]))
	n, _ := asNumber(v[1])
	return r, min(max(int(n), 0), len(r))
}

// position is where a text begins in another, counted from one; zero is nowhere.
func position(v []any) float64 {
	needle, hay := []rune(asString(v[0])), []rune(asString(v[1]))
	start := 0
	if len(v) == 3 {
		n, _ := asNumber(v[2])
		start = min(max(int(n)-1, 0), len(hay))
	}
	i := strings.Index(string(hay[start:]), string(needle))
	if i < 0 {
		return 0
	}
	return float64(start + len([]rune(string(hay[start:])[:i])) + 1)
}

func asTime(v any) (time.Time, bool) {
	if t, ok := v.(time.Time); ok {
		return t, true
	}
	text, ok := v.(string)
	if !ok {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

func times(v []any, compare func(a, b time.Time) bool) any {
	a, ok := asTime(v[0])
	b, ok2 := asTime(v[1])
	return ok && ok2 && compare(a, b)
}

// isSame compares two times by a unit; without one they must be equal to the millisecond.
func isSame(_ *atScope, v []any) any {
	layout := "2006-01-02T15:04:05.000"
	if len(v) == 3 {
		known := map[string]string{"year": "2006", "month": "2006-01", "day": "2006-01-02", "hour": "2006-01-02T15",
			"minute": "2006-01-02T15:04", "second": "2006-01-02T15:04:05"}
		unit := strings.TrimSuffix(strings.ToLower(asString(v[2])), "s")
		if layout = known[unit]; layout == "" {
			return atFailed{}
		}
	}
	return times(v[:2], func(a, b time.Time) bool { return a.UTC().Format(layout) == b.UTC().Format(layout) })
}
