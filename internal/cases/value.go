package cases

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// clocks are the ways in which times are written here.
var clocks = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"}

func parseTime(s string, zone *time.Location) (time.Time, bool) {
	for _, layout := range clocks {
		if t, err := connectors.InZone(layout, s, zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// same reports whether a value of a record is what is written. A text matches
// with or without quotes; true, numbers and times only without the quotes that
// would make them text, but times also with.
func same(n *diag.Node, v connectors.Value, zone *time.Location) bool {
	switch v := v.(type) {
	case nil:
		return n.Null
	case string:
		if n.Shape != diag.Scalar {
			return false
		}
		if n.Block {
			return strings.TrimRight(n.Value, "\n") == strings.TrimRight(v, "\n")
		}
		return n.Value == v
	case bool:
		return n.Shape == diag.Scalar && !n.Quoted && n.Value == strconv.FormatBool(v)
	case time.Time:
		t, ok := parseTime(n.Value, zone)
		return n.Shape == diag.Scalar && ok && t.Equal(v)
	case []any:
		if n.Shape != diag.Sequence || len(n.Items) != len(v) {
			return false
		}
		for i, item := range n.Items {
			if !same(item, v[i], zone) {
				return false
			}
		}
		return true
	case map[string]any:
		if n.Shape != diag.Mapping || len(n.Pairs) != len(v) {
			return false
		}
		for _, p := range n.Pairs {
			item, ok := v[p.Key.Value]
			if !ok || !same(p.Value, item, zone) {
				return false
			}
		}
		return true
	}
	number, ok := connectors.AsNumber(v)
	want, err := strconv.ParseFloat(n.Value, 64)
	got, err2 := strconv.ParseFloat(string(number), 64)
	return ok && n.Shape == diag.Scalar && !n.Quoted && err == nil && err2 == nil && want == got
}

// shown is a value for people, on one line.
func shown(v connectors.Value, zone *time.Location) string {
	switch v := v.(type) {
	case nil:
		return "cleared"
	case string:
		return strconv.Quote(v)
	case time.Time:
		return v.In(zone).Format(time.RFC3339Nano)
	case event.Seconds:
		return strconv.FormatFloat(float64(v), 'f', -1, 64)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = shown(item, zone)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, k+": "+shown(v[k], zone))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// written is what stands in the file, for people, as shown would show it.
func written(n *diag.Node) string {
	switch {
	case n.Null && !n.Quoted:
		return "cleared"
	case n.Shape == diag.Sequence:
		parts := make([]string, len(n.Items))
		for i, item := range n.Items {
			parts[i] = written(item)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case n.Shape == diag.Mapping:
		parts := make([]string, len(n.Pairs))
		for i, p := range n.Pairs {
			parts[i] = p.Key.Value + ": " + written(p.Value)
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	case n.Block:
		return strconv.Quote(strings.TrimRight(n.Value, "\n"))
	case n.Quoted:
		return strconv.Quote(n.Value)
	}
	if _, isTime := parseTime(n.Value, time.UTC); isTime || isNumber(n.Value) || n.Value == "true" || n.Value == "false" {
		return n.Value
	}
	return strconv.Quote(n.Value)
}

const (
	longest = 100 // characters of a value that are shown
	lead    = 30  // of them before the first difference
)

// apart cuts two long values to where they begin to differ.
func apart(a, b string) (string, string) {
	x, y := []rune(a), []rune(b)
	if len(x) <= longest && len(y) <= longest {
		return a, b
	}
	n := 0
	for n < len(x) && n < len(y) && x[n] == y[n] {
		n++
	}
	from := max(0, n-lead)
	return window(x, from), window(y, from)
}

func window(r []rune, from int) string {
	pre, post := "", ""
	if from > 0 {
		pre = "…"
	}
	to := min(len(r), from+longest)
	if to < len(r) {
		post = "…"
	}
	return pre + string(r[min(from, len(r)):to]) + post
}
