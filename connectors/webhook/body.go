package webhook

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// encode makes the body of a change's request: an object of its fields, in
// which the field a.b stands within the object a. The whole event, if it is
// asked for, comes first, and fields go over it.
func encode(c *connectors.Change) (json.RawMessage, *connectors.Error) {
	body := map[string]any{}
	if whole, ok := plain(c.Fields[connectors.WholeEvent]).(map[string]any); ok {
		body = whole
	}
	// Sorted, a comes before a.b, so that the order of a map changes nothing.
	for _, name := range slices.Sorted(maps.Keys(c.Fields)) {
		if name == connectors.WholeEvent || name == connectors.ID {
			continue
		}
		if !put(body, strings.Split(name, "."), plain(c.Fields[name])) {
			return nil, &connectors.Error{Kind: connectors.Invalid, Field: name, Code: "NO_PLACE",
				Message: "there is no place for it in the body: a part of its name is empty, or holds a plain value already"}
		}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, &connectors.Error{Kind: connectors.Invalid, Code: connectors.CodeValue, Message: "the body cannot be written as JSON"}
	}
	return text, nil
}

func put(into map[string]any, path []string, v any) bool {
	name := path[0]
	if name == "" {
		return false
	}
	if len(path) == 1 {
		into[name] = v
		return true
	}
	inner, ok := into[name].(map[string]any)
	if !ok {
		if into[name] != nil {
			return false
		}
		inner = map[string]any{}
		into[name] = inner
	}
	return put(inner, path[1:], v)
}

// plain gives a value as JSON has it: times in UTC, durations in seconds,
// groups copied, as fields are put into them.
func plain(v connectors.Value) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case event.Seconds:
		return plain(float64(v))
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil // JSON has no such number
		}
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = plain(x)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = plain(x)
		}
		return out
	}
	return v
}
