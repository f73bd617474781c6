package webhook

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// made makes a value into one of the field's kind. ok is false where it cannot
// be: the field then stays unknown, as one odd value must not cost the others.
func (s *Source) made(f *field, v any) (out reflect.Value, ok bool) {
	var x any
	switch {
	case f.key != "":
		x = plain(v)
	case f.kind == event.Text:
		if t := s.text(f.path, v); t != "" {
			x = t
		}
	case f.kind == event.Number:
		if n, ok := number(v); ok && n >= 0 && n <= math.MaxInt32 && n == math.Trunc(n) {
			x = int(n)
		}
	case f.kind == event.Time:
		if t, ok := s.time(v); ok {
			x = t
		}
	case f.kind == event.Duration:
		if d, ok := seconds(v); ok {
			x = &d
		}
	case f.kind == event.List:
		if items := list(v); len(items) > 0 {
			x = items
		}
	case f.kind == event.Map:
		if m := flat(v); len(m) > 0 {
			x = m
		}
	}
	return reflect.ValueOf(x), x != nil
}

// text makes a text, fit for what the path holds.
func (s *Source) text(path string, v any) string {
	if path == "call.transcript" {
		return transcript(v)
	}
	t := scalarText(v)
	switch {
	case path == "call.from", path == "call.to", path == "contact.phone":
		return sources.Phone(t, s.country)
	case strings.HasSuffix(path, ".email"):
		return sources.Email(t)
	case path == "call.direction":
		return word(t, s.directions, "unknown")
	case path == "message.direction":
		if d := word(t, s.directions, ""); d != "internal" && d != "unknown" {
			return d
		}
		return ""
	case path == "contact.status", path == "conversation.status":
		return strings.ToLower(t)
	case path == "call.transfer":
		if t = strings.ToLower(t); t != "warm" && t != "cold" {
			return ""
		}
	case path == "call.recording_url":
		if !strings.HasPrefix(t, "https://") && !strings.HasPrefix(t, "http://") {
			return "" // a browser may be sent there from a CRM
		}
	}
	return t
}

// word looks up a word of the vendor's; "" stays "".
func word(t string, table map[string]string, fallback string) string {
	if t == "" {
		return ""
	}
	if meaning, ok := table[strings.ToLower(t)]; ok {
		return meaning
	}
	if meaning, ok := table["*"]; ok {
		return meaning
	}
	return fallback
}

// scalarText is a value as text; lists with commas, nothing for named values.
// NUL is taken out, as no CRM takes it.
func scalarText(v any) string {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(strings.ReplaceAll(v, "\x00", ""))
	case bool:
		return strconv.FormatBool(v)
	case int:
		return strconv.Itoa(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case event.Seconds:
		return strconv.FormatFloat(float64(v), 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case []any:
		return strings.Join(list(v), ", ")
	}
	return ""
}

// plain is a value as the model's maps hold them; nil for what they cannot hold.
func plain(v any) any {
	switch v := v.(type) {
	case string:
		if t := scalarText(v); t != "" {
			return t
		}
		return nil
	case bool, int, float64:
		return v
	case event.Seconds, time.Time:
		return scalarText(v)
	case []any:
		var out []any
		for _, item := range v {
			if p := plain(item); p != nil {
				out = append(out, p)
			}
		}
		if out == nil {
			return nil
		}
		return out
	}
	return nil
}

// list are the texts of a list; a single value is a list of one. Of named
// values within it counts their name.
func list(v any) (out []string) {
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			item = m["name"]
		}
		if t := scalarText(item); t != "" {
			out = append(out, t)
		}
	}
	return out
}

// flat are named values as the model holds them: of an object with a value,
// as many vendors write findings, that value; other objects' names are joined
// with _.
func flat(v any) map[string]any {
	out := map[string]any{}
	flatten(out, "", v, 0)
	return out
}

func flatten(into map[string]any, prefix string, v any, depth int) {
	const deepest = 4 // levels; these are forms, not documents
	m, _ := v.(map[string]any)
	for name, item := range m {
		if inner, ok := item.(map[string]any); ok {
			if value, ok := inner["value"]; ok {
				item = value
			} else if depth < deepest {
				flatten(into, prefix+name+"_", inner, depth+1)
			}
		}
		if p := plain(item); p != nil && name != "" {
			into[prefix+name] = p
		}
	}
}

// transcript is a text, or turns of {role, message} one a line.
func transcript(v any) string {
	turns, ok := v.([]any)
	if !ok {
		return scalarText(v)
	}
	var lines []string
	for _, turn := range turns {
		t, ok := turn.(map[string]any)
		if !ok {
			if line := scalarText(turn); line != "" {
				lines = append(lines, line)
			}
			continue
		}
		said := either(t, "message", "content", "text")
		who := either(t, "role", "speaker", "name")
		switch strings.ToLower(who) {
		case "agent", "assistant", "bot", "ai":
			who = "Agent"
		case "user", "customer", "caller", "contact", "human":
			who = "User"
		case "system", "tool":
			continue
		}
		if said == "" {
			continue
		}
		if who != "" {
			said = who + ": " + said
		}
		lines = append(lines, said)
	}
	return strings.Join(lines, "\n")
}

func either(m map[string]any, names ...string) string {
	for _, name := range names {
		if t := scalarText(m[name]); t != "" {
			return t
		}
	}
	return ""
}
