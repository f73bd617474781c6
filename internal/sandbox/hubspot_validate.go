package sandbox

import (
	"encoding/json"
	"math"
	"net/mail"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// hsMaxText is the longest text value: 65,536 characters are reported for note
// bodies (2026-11); the sandbox holds every text property to it.
const hsMaxText = 65_536

// hsText turns a value of a request into text, as HubSpot does with the numbers
// and booleans it is sent. Lists and objects are refused.
func hsText(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	default:
		return "", false
	}
}

// validate checks the values of a write and returns them as they are stored. An
// empty value clears the property.
func (h *hubspot) validate(o *hsObject, in map[string]any) (map[string]string, *hsError) {
	out := make(map[string]string, len(in))
	var problems []hsProblem
	names := make([]string, 0, len(in))
	for name := range in {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		text, ok := hsText(in[name])
		if !ok {
			return nil, hsInvalid("Invalid input JSON on line 1, column 1: Cannot deserialize value of type `java.lang.String` from the value of %q", name)
		}
		p := o.byName[name]
		switch {
		case p == nil:
			problems = append(problems, newProblem(name, "PROPERTY_DOESNT_EXIST", "Property %q does not exist", name))
			continue
		case p.Modify.ReadOnlyValue:
			problems = append(problems, newProblem(name, "READ_ONLY_VALUE", "%q is a read only property; its value cannot be set.", name))
			continue
		case text == "":
			out[name] = ""
			continue
		}
		stored, problem := h.validValue(p, text)
		if problem != nil {
			problems = append(problems, *problem)
			continue
		}
		out[name] = stored
	}
	if problems != nil {
		return nil, hsBadValues(problems)
	}
	return out, nil
}

func (h *hubspot) validValue(p *hsProperty, text string) (string, *hsProblem) {
	refuse := func(code, format string, args ...any) (string, *hsProblem) {
		problem := newProblem(p.Name, code, format, args...)
		return "", &problem
	}
	switch p.Type {
	case "number":
		if !hsNumber.MatchString(text) {
			return refuse("INVALID_INTEGER", "%s was not a valid number.", text)
		}
		return text, nil
	case "bool":
		if text != "true" && text != "false" {
			return refuse("INVALID_OPTION", "%s was not one of the allowed options: [true, false]", text)
		}
		return text, nil
	case "date":
		t, ok := hsTime(text)
		if day, err := time.Parse("2006-01-02", text); err == nil {
			t, ok = day, true
		}
		if !ok {
			return refuse("INVALID_DATE", "%s was not a valid date.", text)
		}
		if h, m, s := t.Clock(); h+m+s+t.Nanosecond() != 0 {
			return refuse("INVALID_DATE", "%s is at %d:%d:%d.%d UTC, not midnight!", text, h, m, s, t.Nanosecond()/1e6)
		}
		return t.Format("2006-01-02"), nil
	case "datetime":
		t, ok := hsTime(text)
		if !ok {
			return refuse("INVALID_LONG", "%s was not a valid long.", text)
		}
		return isoTime(t), nil
	case "enumeration":
		return h.validOption(p, text)
	}
	return validText(p, text)
}

func validText(p *hsProperty, text string) (string, *hsProblem) {
	refuse := func(code, format string, args ...any) (string, *hsProblem) {
		problem := newProblem(p.Name, code, format, args...)
		return "", &problem
	}
	switch {
	case utf8.RuneCountInString(text) > hsMaxText:
		return refuse("VALUE_TOO_LONG", "Property %q is too long: at most %d characters", p.Name, hsMaxText)
	case (p.Name == "email" || p.Name == "work_email") && !validEmail(text):
		return refuse("INVALID_EMAIL", "Email address %s is invalid", text)
	case p.Name == "email":
		return strings.ToLower(strings.TrimSpace(text)), nil
	case p.Name == "hs_call_recording_url" && !strings.HasPrefix(text, "https://"):
		return refuse("INVALID_URL", "%s is not a valid https URL", p.Name)
	}
	return text, nil
}

func (h *hubspot) validOption(p *hsProperty, text string) (string, *hsProblem) {
	if p.External {
		if p.Name == "hubspot_owner_id" && h.owner(text) == nil {
			problem := newProblem(p.Name, "INVALID_OWNER_ID", "Owner %s does not exist", text)
			return "", &problem
		}
		return text, nil
	}
	values := []string{text}
	if p.FieldType == "checkbox" {
		// A leading semicolon means "append" in HubSpot; the sandbox keeps the set.
		values = strings.Split(strings.Trim(text, ";"), ";")
	}
	for _, v := range values {
		if !p.hasOption(v) {
			allowed := make([]string, 0, len(p.Options))
			for _, o := range p.Options {
				allowed = append(allowed, o.Value)
			}
			problem := newProblem(p.Name, "INVALID_OPTION", "%s was not one of the allowed options: [%s]", v, strings.Join(allowed, ", "))
			return "", &problem
		}
	}
	return strings.Join(values, ";"), nil
}

var (
	hsNumber = regexp.MustCompile(`^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$`)
	hsMillis = regexp.MustCompile(`^-?\d{1,15}$`)
)

// hsTime reads Unix milliseconds or ISO 8601 with an offset.
func hsTime(text string) (time.Time, bool) {
	if hsMillis.MatchString(text) {
		ms, err := strconv.ParseInt(text, 10, 64)
		return time.UnixMilli(ms).UTC(), err == nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

func validEmail(text string) bool {
	a, err := mail.ParseAddress(text)
	if err != nil || a.Address != strings.TrimSpace(text) || a.Name != "" {
		return false
	}
	_, domain, _ := strings.Cut(a.Address, "@")
	return strings.Contains(strings.Trim(domain, "."), ".")
}

// lifecycle is the order in which lifecyclestage may move (contacts guide,
// 2026-11). A step back is left out of the write without an error: the value
// has to be cleared first.
var lifecycle = []string{"subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "evangelist", "other"}

func lifecycleBack(from, to string) bool {
	return from != "" && to != "" && slices.Index(lifecycle, to) < slices.Index(lifecycle, from)
}

// hsNumeric is the number behind a value for comparison, times as milliseconds.
func hsNumeric(p *hsProperty, text string) (float64, bool) {
	if p.Type == "date" || p.Type == "datetime" {
		if day, err := time.Parse("2006-01-02", text); err == nil {
			return float64(day.UnixMilli()), true
		}
		t, ok := hsTime(text)
		return float64(t.UnixMilli()), ok
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && !math.IsNaN(n)
}
