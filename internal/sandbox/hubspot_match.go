package sandbox

import (
	"slices"
	"strings"
)

// matches is true where one group's filters all hold, and the query if there is one.
func (s *hsSearch) matches(h *hubspot, r *hsRecord, props map[string]string) bool {
	if q := strings.ToLower(strings.TrimSpace(s.Query)); q != "" {
		hit := false
		for _, name := range []string{"firstname", "lastname", "email", "company", "name", "dealname", "hs_call_title", "hs_note_body",
			"hs_searchable_calculated_phone_number", "hs_searchable_calculated_mobile_number"} {
			hit = hit || strings.Contains(strings.ToLower(props[name]), q)
		}
		if !hit {
			return false
		}
	}
	if len(s.Groups) == 0 {
		return true
	}
	for _, g := range s.Groups {
		all := true
		for _, f := range g.Filters {
			all = all && f.matches(h, r, props)
		}
		if all {
			return true
		}
	}
	return false
}

func (f hsFilter) matches(h *hubspot, r *hsRecord, props map[string]string) bool {
	value, _ := hsText(f.Value)
	if to, ok := strings.CutPrefix(f.Property, "associations."); ok {
		return r.linkedTo(h.object(to), append(f.texts(), value))
	}
	p := r.object.byName[f.Property]
	have, set := props[f.Property]
	switch f.Operator {
	case "HAS_PROPERTY":
		return set
	case "NOT_HAS_PROPERTY":
		return !set
	case "EQ":
		return set && hsEqual(p, have, value)
	case "NEQ":
		return set && !hsEqual(p, have, value)
	case "IN":
		return set && f.in(p, have)
	case "NOT_IN":
		return set && !f.in(p, have)
	case "CONTAINS_TOKEN":
		return set && containsToken(p, have, value)
	case "NOT_CONTAINS_TOKEN":
		return set && !containsToken(p, have, value)
	}
	high, _ := hsText(f.HighValue)
	x, ok := hsNumeric(p, have)
	y, ok2 := hsNumeric(p, value)
	z, _ := hsNumeric(p, high)
	if !ok || !ok2 {
		return false
	}
	switch f.Operator {
	case "GT":
		return x > y
	case "GTE":
		return x >= y
	case "LT":
		return x < y
	case "LTE":
		return x <= y
	default: // BETWEEN
		return x >= y && x <= z
	}
}

func (f hsFilter) texts() []string {
	out := make([]string, 0, len(f.Values))
	for _, v := range f.Values {
		if text, ok := hsText(v); ok {
			out = append(out, text)
		}
	}
	return out
}

// in compares text properties against values that must be lower case already
// (search guide, 2026-11): a value with capitals finds nothing.
func (f hsFilter) in(p *hsProperty, have string) bool {
	for _, v := range f.texts() {
		switch {
		case p.Type == "enumeration":
			if slices.Contains(strings.Split(have, ";"), v) {
				return true
			}
		case p.Type == "string" && !isPhone(p):
			if strings.ToLower(have) == v {
				return true
			}
		case hsEqual(p, have, v):
			return true
		}
	}
	return false
}

func isPhone(p *hsProperty) bool { return p.FieldType == "phonenumber" }

// hsEqual compares one value. Phone numbers are found by their national digits
// only: with a country code nothing is found.
func hsEqual(p *hsProperty, have, value string) bool {
	if isPhone(p) {
		if strings.HasPrefix(strings.TrimSpace(value), "+") || strings.HasPrefix(value, "00") {
			return false
		}
		return have == value || nationalDigits(have) == value
	}
	if p.Type == "enumeration" {
		return slices.Contains(strings.Split(have, ";"), value) || have == value
	}
	if x, ok := hsNumeric(p, have); ok && p.Type != "string" {
		y, ok := hsNumeric(p, value)
		return ok && x == y
	}
	return strings.EqualFold(have, value)
}

// containsToken matches whole words; * stands for any part of one.
func containsToken(p *hsProperty, have, value string) bool {
	if isPhone(p) {
		if strings.Contains(value, "+") {
			return false
		}
		have = nationalDigits(have)
	}
	split := func(r rune) bool { return strings.ContainsRune(" \t\n,;:@.!?()<>/\"'", r) }
	tokens := strings.FieldsFunc(strings.ToLower(have), split)
	for _, want := range strings.FieldsFunc(strings.ToLower(value), split) {
		hit := wildcard(want, strings.ToLower(have))
		for _, t := range tokens {
			hit = hit || wildcard(want, t)
		}
		if !hit {
			return false
		}
	}
	return true
}

// wildcard matches a pattern whose only special sign is *.
func wildcard(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	if !strings.HasPrefix(text, parts[0]) || !strings.HasSuffix(text, parts[len(parts)-1]) {
		return false
	}
	for _, part := range parts {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return true
}
