package sandbox

import (
	"encoding/json"
	"fmt"
	"math"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const sfInstant = "2006-01-02T15:04:05.000-0700"

// sfInstants are how the API takes times; a zone must be there.
var sfInstants = []string{"2006-01-02T15:04:05.999Z07:00", "2006-01-02T15:04:05.999-0700", "2006-01-02T15:04Z07:00"}

// parse reads a value out of JSON. Errors are those of Salesforce's reader: the
// whole request is refused.
func (f *sfField) parse(v any) (any, *sfError) {
	wrong := func(got string) *sfError {
		return sfBad("JSON_PARSER_ERROR", "Cannot deserialize instance of "+f.jsonType()+" from "+got+" value or request may be missing a required field at [line:1, column:1]")
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool:
		if f.typ != "boolean" {
			return nil, wrong("VALUE_BOOLEAN")
		}
		return v, nil
	case json.Number:
		if f.typ != "int" && f.typ != "double" && f.typ != "currency" {
			return nil, wrong("VALUE_NUMBER_INT")
		}
		n, err := v.Float64()
		if err != nil || f.typ == "int" && strings.ContainsAny(v.String(), ".eE") {
			return nil, wrong("VALUE_NUMBER_FLOAT")
		}
		return n, nil
	case float64:
		return f.parse(json.Number(strconv.FormatFloat(v, 'f', -1, 64)))
	case string:
		return f.parseText(v, wrong)
	case []any:
		return nil, wrong("START_ARRAY")
	}
	return nil, wrong("START_OBJECT")
}

func (f *sfField) parseText(v string, wrong func(string) *sfError) (any, *sfError) {
	switch f.typ {
	case "boolean", "int", "double", "currency":
		return nil, wrong("VALUE_STRING " + v)
	case "datetime":
		for _, layout := range sfInstants {
			if t, err := time.Parse(layout, v); err == nil {
				return t.UTC().Truncate(time.Second).Format(sfInstant), nil
			}
		}
		return nil, wrong("VALUE_STRING " + v)
	case "date":
		if len(v) > 10 {
			v = v[:10]
		}
		if _, err := time.Parse(time.DateOnly, v); err != nil {
			return nil, wrong("VALUE_STRING " + v)
		}
		return v, nil
	case "time":
		t, err := time.Parse("15:04:05.999Z", v)
		if err != nil {
			return nil, wrong("VALUE_STRING " + v)
		}
		return t.Format("15:04:05.000Z"), nil
	}
	if v = strings.TrimSpace(v); v == "" {
		return nil, nil
	}
	return v, nil
}

func (f *sfField) jsonType() string {
	switch f.typ {
	case "boolean", "int", "double", "date", "datetime", "time":
		return f.typ
	case "currency":
		return "double"
	case "reference", "id":
		return "reference"
	}
	return "string"
}

// check refuses values that the record cannot hold; only this record fails.
func (s *salesforce) check(f *sfField, v any) *sfError {
	switch v := v.(type) {
	case string:
		return s.checkText(f, v)
	case float64:
		whole := f.digits
		if whole == 0 {
			whole = f.precision - f.scale
		}
		if math.Abs(v) >= math.Pow10(whole) {
			return sfBad("NUMBER_OUTSIDE_VALID_RANGE", f.label+": value outside of valid range on numeric field: "+strconv.FormatFloat(v, 'f', -1, 64), f.name)
		}
	}
	return nil
}

func (s *salesforce) checkText(f *sfField, v string) *sfError {
	if f.length > 0 && f.typ != "reference" && f.typ != "multipicklist" && utf8.RuneCountInString(v) > f.length {
		return sfBad("STRING_TOO_LONG", fmt.Sprintf("%s: data value too large: %s (max length=%d)", f.label, v, f.length), f.name)
	}
	switch f.typ {
	case "email":
		if a, err := mail.ParseAddress(v); err != nil || a.Address != v || !strings.Contains(v[strings.LastIndexByte(v, '@'):], ".") {
			return sfBad("INVALID_EMAIL_ADDRESS", f.label+": invalid email address: "+v, f.name)
		}
	case "picklist", "multipicklist":
		parts := []string{v}
		if f.typ == "multipicklist" {
			parts = strings.Split(v, ";")
		}
		for _, part := range parts {
			if f.restricted && !slices.ContainsFunc(f.values, func(p sfPick) bool { return strings.EqualFold(p.value, part) }) {
				return sfBad("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", f.label+": bad value for restricted picklist field: "+part, f.name)
			}
		}
	case "reference":
		return s.checkReference(f, v)
	}
	return nil
}

func (s *salesforce) checkReference(f *sfField, id string) *sfError {
	o, r := s.byID(id)
	switch {
	case o == nil || !slices.Contains(f.refs, o.name):
		return sfBad("MALFORMED_ID", f.label+": id value of incorrect type: "+id, f.name)
	case r == nil:
		return sfBad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
	case r.deleted:
		return sfBad("ENTITY_IS_DELETED", "entity is deleted")
	case o.name == "User" && r.values["IsActive"] != true:
		return sfBad("INACTIVE_OWNER_OR_USER", "operation performed with inactive user ["+id+"] as owner of "+f.name)
	case o.name == "Lead" && r.values["IsConverted"] == true:
		return sfBad("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
	}
	return nil
}

// stored is a checked value as it is kept.
func (f *sfField) stored(v any) any {
	switch v := v.(type) {
	case string:
		if f.typ == "reference" && len(v) == 15 {
			return sfLongID(v)
		}
		if f.typ == "email" {
			return strings.ToLower(v)
		}
		if f.typ == "picklist" {
			for _, p := range f.values {
				if strings.EqualFold(p.value, v) {
					return p.value
				}
			}
		}
	case float64:
		if f.typ != "int" {
			unit := math.Pow10(f.scale)
			return math.Round(v*unit) / unit
		}
	}
	return v
}
