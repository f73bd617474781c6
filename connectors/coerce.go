package connectors

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/crmsyncd/crmsyncd/event"
)

// Coercion makes values right for the types of CRM fields. It neither guesses
// nor drops anything silently: what it cannot make right is an error, and what
// it shortened is noted.
type Coercion struct {
	Zone    *time.Location // of times without zone, and of the day that a time falls on; nil is UTC
	Country string         // of telephone numbers without country code, and of 1,234, which means two numbers: ISO 3166 code
	// AnyOption takes words that are no option of a select, for CRMs that make
	// new options by themselves.
	AnyOption bool
}

// Coerced is a value made right for a field. Value is nil (clear the field), or
//
//	string       Text, LongText, HTML (escaped), Select (the option's Value), Email, Phone, URL
//	json.Number  Number, Duration (in the field's Unit; seconds if it has none)
//	bool         Boolean
//	time.Time    DateTime in UTC, Date as midnight UTC
//	[]string     MultiSelect (the options' Values), Reference
//	any of them  Other, as given; texts for lists
type Coerced struct {
	Value Value
	Note  string // how the value was adjusted; "" if it was not
	Skip  bool   // there is nothing to write; Note says why
}

// Coerce makes a value right for a field. Errors are Invalid and name field,
// type of the value and wanted type, never the value.
func (c Coercion) Coerce(f Field, v Value) (Coerced, *Error) {
	if v == nil {
		return Coerced{}, nil
	}
	if s, ok := v.(string); ok {
		s = strings.ToValidUTF8(s, "\uFFFD")
		v = s
		if strings.TrimSpace(s) == "" && !holdsText(f.Type) {
			return Coerced{Skip: true, Note: "empty text was not written"}, nil
		}
	}
	switch f.Type {
	case Text, LongText:
		s, err := c.text(f, v)
		if err != nil {
			return Coerced{}, err
		}
		return shortened(f, s, Truncate), nil
	case HTML:
		s, err := c.text(f, v)
		if err != nil {
			return Coerced{}, err
		}
		return shortened(f, s, TruncateHTML), nil
	case Email, URL, Phone:
		s, err := c.text(f, v)
		if err != nil {
			return Coerced{}, err
		}
		return c.address(f, strings.TrimSpace(s))
	case Number:
		n, ok := c.Number(v)
		if ok {
			return Coerced{Value: n}, nil
		}
		if _, _, two := TwoReadings(v); two {
			return Coerced{}, &Error{Kind: Invalid, Field: f.Name, Code: CodeValue, Message: Twofold}
		}
		return Coerced{}, Wrong(f, v, "a number such as 12 or 12.5")
	case Duration:
		n, ok := c.duration(f, v)
		if !ok {
			return Coerced{}, Wrong(f, v, "a duration: seconds, or text such as 90, 1:30 or 1h30m")
		}
		if strings.HasPrefix(n.String(), "-") {
			return Coerced{}, &Error{Kind: Invalid, Field: f.Name, Code: CodeValue, Message: "is less than nothing, and a duration is 0 seconds or more; do its times stand the other way round?"}
		}
		return Coerced{Value: n}, nil
	case Boolean:
		b, ok := AsBool(v)
		if !ok {
			return Coerced{}, Wrong(f, v, "true or false")
		}
		return Coerced{Value: b}, nil
	case Date, DateTime:
		return c.time(f, v)
	case Select:
		return c.option(f, v)
	case MultiSelect:
		return c.options(f, v)
	case Reference:
		return c.references(f, v)
	case Other:
		return c.other(f, v)
	}
	return c.other(f, v)
}

// holdsText tells whether empty text is a value of the type.
func holdsText(t FieldType) bool { return t == Text || t == LongText || t == HTML }

func (c Coercion) text(f Field, v Value) (string, *Error) {
	s, ok := AsText(v, c.zone())
	if !ok {
		return "", Wrong(f, v, "text")
	}
	return s, nil
}

func (c Coercion) zone() *time.Location {
	if c.Zone == nil {
		return time.UTC
	}
	return c.Zone
}

func (c Coercion) time(f Field, v Value) (Coerced, *Error) {
	t, day, ok := AsTime(v, c.zone())
	if !ok {
		return Coerced{}, Wrong(f, v, "a time such as 2026-11-21T10:00:00Z or a day such as 2026-11-21")
	}
	if f.Type == DateTime {
		return Coerced{Value: t.UTC()}, nil
	}
	if !day {
		t = t.In(c.zone())
	}
	return Coerced{Value: time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)}, nil
}

func (c Coercion) address(f Field, s string) (Coerced, *Error) {
	switch f.Type {
	case Email:
		at := strings.LastIndexByte(s, '@')
		if at < 1 || !strings.Contains(s[at:], ".") || strings.ContainsAny(s, " \t\r\n,;<>") {
			return Coerced{}, &Error{Kind: Invalid, Field: f.Name, Code: CodeValue, Message: "the text is no e-mail address"}
		}
		s = strings.ToLower(s)
	case Phone:
		if Withheld(s, c.Country) {
			return Coerced{Skip: true, Note: "no telephone number stands there, as where a caller withholds it; it was not written"}, nil
		}
	case URL:
		if !strings.HasPrefix(s, "https://") && !strings.HasPrefix(s, "http://") || strings.ContainsAny(s, " \t\r\n") {
			return Coerced{}, &Error{Kind: Invalid, Field: f.Name, Code: CodeValue, Message: "the text is no link; links begin with https://"}
		}
	}
	if f.MaxLength > 0 && utf8.RuneCountInString(s) > f.MaxLength {
		return Coerced{}, &Error{Kind: Invalid, Field: f.Name, Code: CodeValue,
			Message: fmt.Sprintf("the text is longer than the CRM's %d characters, and a shortened %s would be a wrong one", f.MaxLength, f.Type)}
	}
	return Coerced{Value: s}, nil
}

func (c Coercion) references(f Field, v Value) (Coerced, *Error) {
	var ids []string
	for _, item := range AsList(v) {
		s, ok := item.(string)
		if !ok {
			return Coerced{}, Wrong(f, v, "ids of records")
		}
		ids = append(ids, strings.TrimSpace(s))
	}
	return Coerced{Value: ids}, nil
}

func (c Coercion) other(f Field, v Value) (Coerced, *Error) {
	switch v := v.(type) {
	case string, bool:
		return Coerced{Value: v}, nil
	case []any, []string:
		var out []string
		for _, item := range AsList(v) {
			s, ok := AsText(item, c.zone())
			if !ok {
				return Coerced{}, Wrong(f, v, "plain values")
			}
			out = append(out, s)
		}
		return Coerced{Value: out}, nil
	}
	if n, ok := AsNumber(v); ok {
		return Coerced{Value: n}, nil
	}
	s, err := c.text(f, v)
	return Coerced{Value: s}, err
}

func shortened(f Field, s string, cut func(string, int) (string, bool)) Coerced {
	out, was := cut(s, f.MaxLength)
	if !was {
		return Coerced{Value: out}
	}
	return Coerced{Value: out, Note: fmt.Sprintf("cut to the CRM's %d characters", f.MaxLength)}
}

// CodeValue is the code of errors about values that were found wrong before
// anything was sent.
const CodeValue = "WRONG_VALUE"

// Wrong is the error about a value that cannot be made right. It never shows
// the value.
func Wrong(f Field, v Value, want string) *Error {
	return &Error{Kind: Invalid, Field: f.Name, Code: CodeValue, Message: fmt.Sprintf("is %s, but this field wants %s", typeWord(v), want)}
}

// typeWord names a value's type for people.
func typeWord(v Value) string {
	switch v := v.(type) {
	case nil:
		return "empty"
	case string:
		return "text"
	case bool:
		return "true or false"
	case int, int64, float64, json.Number:
		return "a number"
	case time.Time:
		return "a time"
	case event.Seconds:
		return "a duration"
	case []any, []string:
		return "a list"
	case map[string]any:
		return "a group of values"
	default:
		return "a value of type " + reflect.TypeOf(v).String()
	}
}
