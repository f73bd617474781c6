package sandbox

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

const (
	pdStamp      = "2006-01-02 15:04:05"
	pdMaxVarchar = 255
	pdMaxNote    = 100_000 // bytes (changelog of 2025-09-21)
)

// take checks one value as strictly as v2 does, which takes neither text for
// numbers nor 0 and 1 for truths, and gives what is stored.
func (p *pipedrive) take(f *pdField, v any) (any, *pdErr) {
	bad := func(want string) (any, *pdErr) {
		return nil, pdInvalid("Validation failed: '%s' must be %s", f.code, want)
	}
	if v == nil {
		return nil, nil
	}
	s, isText := v.(string)
	n, isNumber := v.(json.Number)
	whole := isNumber && !strings.ContainsAny(n.String(), ".eE")
	switch f.typ {
	case "varchar", "phone":
		if !isText || len([]rune(s)) > pdMaxVarchar {
			return bad("a string of at most 255 characters")
		}
	case "text":
		if !isText {
			return bad("a string")
		}
	case "note":
		if !isText || len(s) > pdMaxNote {
			return bad("a string of at most 100 kB")
		}
	case "int":
		if !whole {
			return bad("an integer")
		}
	case "double":
		if !isNumber {
			return bad("a number")
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			return bad("a boolean")
		}
	case "flag":
		if !isNumber || n != "0" && n != "1" {
			return bad("one of 0, 1")
		}
	case "seconds":
		if _, err := strconv.Atoi(s); err != nil {
			return bad("a string of seconds")
		}
	case "date":
		return pdLayout(f, v, time.DateOnly)
	case "datetime":
		return pdLayout(f, v, time.RFC3339)
	case "stamp":
		return pdLayout(f, v, pdStamp)
	case "clock":
		return pdClock(f, v)
	case "user":
		if u := p.user(n.String()); !whole || u == nil || !u.Active {
			return bad("the ID of an active user")
		}
	case "ref":
		return p.takeRef(f, v)
	case "enum":
		if !isNumber || f.option(n.String()) == nil {
			return bad("the ID of an option")
		}
	case "word":
		if !isText || f.option(s) == nil {
			return bad("one of its values")
		}
	case "type":
		for _, t := range p.types {
			if t.Key == s && t.Active {
				return v, nil
			}
		}
		return bad("the key_string of an activity type")
	default:
		return p.takeGroup(f, v)
	}
	return v, nil
}

func pdLayout(f *pdField, v any, layout string) (any, *pdErr) {
	s, _ := v.(string)
	if _, err := time.Parse(layout, s); err != nil {
		return nil, pdInvalid("Validation failed: '%s' must be in the format %s", f.code, layout)
	}
	return v, nil
}

// pdClock takes HH:MM and HH:MM:SS, and keeps the latter.
func pdClock(f *pdField, v any) (any, *pdErr) {
	s, _ := v.(string)
	parts := strings.Split(s, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return nil, pdInvalid("Validation failed: '%s' must be in the format HH:MM", f.code)
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || len(part) != 2 || n < 0 || i > 0 && n > 59 || i == 0 && f.code == "due_time" && n > 23 {
			return nil, pdInvalid("Validation failed: '%s' must be in the format HH:MM", f.code)
		}
	}
	if len(parts) == 2 {
		s += ":00"
	}
	return s, nil
}

func (p *pipedrive) takeRef(f *pdField, v any) (any, *pdErr) {
	o := p.object(f.target)
	id := pdText(v)
	if _, isText := v.(string); isText != (f.target == "leads") {
		return nil, pdInvalid("Validation failed: '%s' has the wrong type", f.code)
	}
	if r := o.byID[id]; r == nil || r.deleted {
		return nil, pdInvalid("%s %s not found", o.single, id)
	}
	return v, nil
}

// takeGroup checks lists and objects.
func (p *pipedrive) takeGroup(f *pdField, v any) (any, *pdErr) {
	list, isList := v.([]any)
	group, isGroup := v.(map[string]any)
	bad := pdInvalid("Validation failed: '%s' has the wrong type", f.code)
	switch f.typ {
	case "set", "uuids":
		for _, x := range list {
			_, number := x.(json.Number)
			if number != (f.typ == "set") || f.typ == "set" && f.option(pdText(x)) == nil || f.typ == "uuids" && !pdIsLabel(x) {
				return nil, pdInvalid("Validation failed: '%s' must hold IDs of options", f.code)
			}
		}
		if !isList {
			return nil, bad
		}
	case "points":
		return pdPoints(f, list, isList)
	case "participants":
		for _, x := range list {
			one, _ := x.(map[string]any)
			id, number := one["person_id"].(json.Number)
			if !number || !pdOnly(one, "person_id", "primary") {
				return nil, bad
			}
			if r := p.object("persons").byID[id.String()]; r == nil || r.deleted {
				return nil, pdInvalid("Person %s not found", id)
			}
			if _, ok := one["primary"].(bool); one["primary"] != nil && !ok {
				return nil, bad
			}
		}
		if !isList {
			return nil, bad
		}
	case "list":
		if !isList {
			return nil, bad
		}
	case "address":
		if _, ok := group["value"].(string); !isGroup || !ok {
			return nil, bad
		}
	case "monetary", "amount":
		name := map[string]string{"monetary": "value", "amount": "amount"}[f.typ]
		currency, _ := group["currency"].(string)
		if _, ok := group[name].(json.Number); !ok || len(currency) != 3 || !pdOnly(group, name, "currency") {
			return nil, bad
		}
	case "time":
		s, ok := group["value"].(string)
		if _, err := time.Parse("15:04:05", s); !ok || err != nil {
			return nil, bad
		}
	default:
		return nil, pdInvalid("Validation failed: '%s' cannot be written", f.code)
	}
	return v, nil
}

// pdPoints checks addresses or numbers: objects with a value, of which the
// first is the primary one if none is said to be.
func pdPoints(f *pdField, list []any, isList bool) (any, *pdErr) {
	bad := pdInvalid("Validation failed: '%s' must be a list of {value, primary, label}", f.code)
	if !isList {
		return nil, bad
	}
	out, primaries := []any{}, 0
	for _, x := range list {
		one, _ := x.(map[string]any)
		value, ok := one["value"].(string)
		primary, isBool := one["primary"].(bool)
		label, isText := one["label"].(string)
		if !ok || !pdOnly(one, "value", "primary", "label") || one["primary"] != nil && !isBool || one["label"] != nil && !isText {
			return nil, bad
		}
		if primary {
			primaries++
		}
		out = append(out, map[string]any{"value": value, "primary": primary, "label": orElse(label, "work")})
	}
	if primaries > 1 {
		return nil, pdInvalid("Validation failed: '%s' may have one primary entry", f.code)
	}
	if primaries == 0 && len(out) > 0 {
		out[0].(map[string]any)["primary"] = true
	}
	return out, nil
}

func pdOnly(group map[string]any, names ...string) bool {
	for key := range group {
		known := false
		for _, n := range names {
			known = known || n == key
		}
		if !known {
			return false
		}
	}
	return group != nil
}

func pdIsLabel(v any) bool {
	for _, l := range pdLeadLabels {
		if l["id"] == v {
			return true
		}
	}
	return false
}

func (p *pipedrive) user(id string) *pdUser {
	for i := range p.users {
		if strconv.Itoa(p.users[i].ID) == id {
			return &p.users[i]
		}
	}
	return nil
}
