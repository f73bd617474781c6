package mapping

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// present reports whether v is there. Like an empty cell, empty text and an
// empty list are not.
func present(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	}
	return true
}

// normal turns what sources may put into the model's maps into the types that
// formulas know.
func normal(v any) any {
	switch v := v.(type) {
	case nil, string, bool, int, float64, time.Time, event.Seconds, []any, map[string]any:
		return v
	case json.Number:
		return event.Plain(v)
	case []string:
		return listOf(v)
	case *event.Seconds:
		if v == nil {
			return nil
		}
		return *v
	}
	switch r := reflect.ValueOf(v); {
	case r.CanInt():
		return int(r.Int())
	case r.CanUint() && r.Uint() <= math.MaxInt64:
		return int(r.Uint())
	case r.CanFloat():
		return r.Float()
	case r.Kind() == reflect.String:
		return r.String()
	case r.Kind() == reflect.Bool:
		return r.Bool()
	}
	return nil
}

// truth reports whether v counts as true. A vendor's map may hold the words.
func truth(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		if b, word := connectors.AsBool(v); word {
			return b
		}
	case int:
		return v != 0
	case float64:
		return v != 0
	}
	return present(v)
}

// number returns v as a number: durations are seconds, text is read as a field
// of the CRM would read it.
func (e *env) number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case float64:
		return v, finite(v)
	case event.Seconds:
		return float64(v), finite(float64(v))
	case string:
		return parseNumber(v, e.home)
	}
	return 0, false
}

func finite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// parseNumber reads what a number field of a CRM would be given for it.
func parseNumber(s string, home connectors.Coercion) (float64, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 {
		return 0, false
	}
	n, ok := home.Number(s)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil && finite(f)
}

// num gives a number back as int where it is whole.
func num(f float64) any {
	if !finite(f) {
		return nil
	}
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int(f)
	}
	return f
}

// toText writes v as it stands in text: times in ISO in the zone, durations
// in seconds, lists with commas, the rest as JSON. Missing is nothing.
func toText(v any, zone *time.Location) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		return formatNumber(v)
	case event.Seconds:
		return formatNumber(float64(v))
	case time.Time:
		return v.In(zone).Format(time.RFC3339)
	case []any:
		var parts []string
		for _, x := range v {
			if s := toText(normal(x), zone); s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, ", ")
	}
	return toJSON(v)
}

func formatNumber(f float64) string {
	if !finite(f) {
		return ""
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func toJSON(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// compare orders two values; ok is false where they cannot be compared or one
// is missing. Text is read as a number, a time or a truth value where the
// other side is one.
func (e *env) compare(a, b any) (order int, ok bool) {
	if a == nil || b == nil {
		return 0, false
	}
	if x, isText := a.(string); isText {
		if y, both := b.(string); both {
			return strings.Compare(x, y), true
		}
		order, ok = e.compare(b, a)
		return -order, ok
	}
	switch x := a.(type) {
	case int, float64, event.Seconds:
		m, ok1 := e.number(x)
		n, ok2 := e.number(b)
		if _, length := x.(event.Seconds); length {
			n, ok2 = e.durationOf(b)
		}
		if _, isTime := b.(time.Time); isTime || !ok1 || !ok2 {
			return 0, false
		}
		return compareNumbers(m, n), true
	case time.Time:
		switch y := b.(type) {
		case time.Time:
			return x.Compare(y), true
		case string:
			if t, ok := parseTime(y, e.zone); ok {
				return x.Compare(t), true
			}
		}
	}
	return 0, false
}

func compareNumbers(m, n float64) int {
	switch {
	case m < n:
		return -1
	case m > n:
		return 1
	}
	return 0
}

// equal is the == of formulas. Missing and empty are equal.
func (e *env) equal(a, b any) bool {
	if !present(a) || !present(b) {
		return !present(a) && !present(b)
	}
	switch x := a.(type) {
	case string:
		if y, ok := b.(string); ok {
			return x == y
		}
		return e.equal(b, a)
	case int:
		if y, ok := b.(int); ok {
			return x == y
		}
	case bool:
		switch y := b.(type) {
		case bool:
			return x == y
		case string:
			return strings.EqualFold(y, strconv.FormatBool(x))
		}
		return false
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !e.equal(normal(x[i]), normal(y[i])) {
				return false
			}
		}
		return true
	case map[string]any:
		return reflect.DeepEqual(a, b)
	}
	order, ok := e.compare(a, b)
	return ok && order == 0
}

// fieldValue makes v fit to be put into a record: what is empty is missing,
// and a group within a list becomes its JSON. A group itself is refused by the
// field, which knows what it wants.
func fieldValue(v any, zone *time.Location) any {
	switch v := v.(type) {
	case string:
		if strings.TrimSpace(v) == "" {
			return nil
		}
	case float64:
		if !finite(v) {
			return nil
		}
	case event.Seconds:
		if !finite(float64(v)) {
			return nil
		}
	case []any:
		items := make([]any, 0, len(v))
		for _, x := range v {
			x = normal(x)
			switch x.(type) {
			case []any, map[string]any:
				x = toText(x, zone)
			}
			if x = fieldValue(x, zone); x != nil {
				items = append(items, x)
			}
		}
		if len(items) == 0 {
			return nil
		}
		return items
	}
	return v
}
