package sandbox

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// holds tells whether a condition is true of a record.
func (s *salesforce) holds(o *sfObject, r *sfRecord, n soqlNode) (bool, *sfError) {
	switch n := n.(type) {
	case soqlAnd:
		// All parts are looked at, so that a bad one is found in any case.
		all := true
		for _, part := range n {
			ok, e := s.holds(o, r, part)
			if e != nil {
				return false, e
			}
			all = all && ok
		}
		return all, nil
	case soqlOr:
		some := false
		for _, part := range n {
			ok, e := s.holds(o, r, part)
			if e != nil {
				return false, e
			}
			some = some || ok
		}
		return some, nil
	case soqlNot:
		ok, e := s.holds(o, r, n.of)
		return !ok, e
	case soqlIs:
		f, v, e := s.path(o, r, n.field)
		if e != nil {
			return false, e
		}
		return s.is(f, v, n)
	}
	return false, soqlBad("unexpected condition")
}

func (s *salesforce) is(f *sfField, have any, n soqlIs) (bool, *sfError) {
	if f.noFilter {
		return false, sfBad("INVALID_FIELD", "field '"+f.name+"' can not be filtered in a query call")
	}
	if n.read.values == nil {
		if e := s.read(f, n); e != nil {
			return false, e
		}
	}
	some := false
	if text, ok := have.(string); ok && n.read.texts != nil {
		some = n.read.texts[strings.ToLower(text)]
	} else {
		for _, want := range n.read.values {
			ok, e := compareSOQL(f, have, want, n.op)
			if e != nil {
				return false, e
			}
			some = some || ok
		}
	}
	if n.op == "NOT IN" || n.op == "EXCLUDES" {
		return !some, nil
	}
	return some, nil
}

// read reads a condition's values for its field.
func (s *salesforce) read(f *sfField, n soqlIs) *sfError {
	texts := map[string]bool{}
	for _, literal := range n.values {
		want, e := s.literal(f, literal, n.op)
		if e != nil {
			return e
		}
		if text, ok := want.(string); ok {
			texts[strings.ToLower(text)] = true
			if n.op == "LIKE" {
				want = strings.ToLower(text)
			}
		}
		n.read.values = append(n.read.values, want)
	}
	if len(texts) > 0 && !f.caseSensitive && (n.op == "IN" || n.op == "NOT IN") {
		n.read.texts = texts
	}
	return nil
}

// literal reads a value for a field, as the field's type wants it.
func (s *salesforce) literal(f *sfField, v soqlValue, op string) (any, *sfError) {
	wrong := sfBad("INVALID_FIELD", "value of filter criterion for field '"+f.name+"' must be of type "+f.jsonType())
	if v.quoted {
		switch f.typ {
		case "boolean", "int", "double", "currency", "date", "datetime", "time":
			wrong.message += " and should not be enclosed in quotes"
			return nil, wrong
		case "id", "reference":
			if v.text == "" && op != "LIKE" {
				return nil, nil
			}
			if o, _ := s.byID(v.text); o == nil {
				return nil, sfBad("INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: "+v.text)
			}
			return sfFull(v.text), nil
		}
		return v.text, nil
	}
	if strings.EqualFold(v.text, "null") {
		return nil, nil
	}
	switch f.typ {
	case "boolean":
		if b, err := strconv.ParseBool(strings.ToLower(v.text)); err == nil && len(v.text) > 3 {
			return b, nil
		}
	case "int", "double", "currency":
		if n, err := strconv.ParseFloat(v.text, 64); err == nil {
			return n, nil
		}
	case "date":
		if d, ok := sfDay(v.text, s.opts.Now()); ok {
			return d.Format(time.DateOnly), nil
		}
		if t, err := time.Parse(time.DateOnly, v.text); err == nil {
			return t.Format(time.DateOnly), nil
		}
	case "datetime":
		if d, ok := sfDay(v.text, s.opts.Now()); ok {
			return d.Format(sfInstant), nil
		}
		for _, layout := range sfInstants {
			if t, err := time.Parse(layout, v.text); err == nil {
				return t.UTC().Format(sfInstant), nil
			}
		}
	case "time":
		if t, err := time.Parse("15:04:05.999Z", v.text); err == nil {
			return t.Format("15:04:05.000Z"), nil
		}
	default:
		return nil, sfBad("MALFORMED_QUERY", "unexpected token: '"+v.text+"'")
	}
	return nil, wrong
}

func compareSOQL(f *sfField, have, want any, op string) (bool, *sfError) {
	switch op {
	case "=", "IN", "NOT IN":
		return have == nil && want == nil || sfEqual(f, have, want), nil
	case "!=":
		return have != want && !sfEqual(f, have, want), nil
	case "INCLUDES", "EXCLUDES":
		text, _ := have.(string)
		chosen := strings.Split(strings.ToLower(text), ";")
		word, _ := want.(string)
		for part := range strings.SplitSeq(strings.ToLower(word), ";") {
			if !slices.Contains(chosen, part) {
				return false, nil
			}
		}
		return true, nil
	case "LIKE":
		pattern, ok := want.(string)
		if !ok {
			return false, sfBad("INVALID_QUERY_FILTER_OPERATOR", "field '"+f.name+"' does not support filter operator like")
		}
		text, ok := have.(string)
		return ok && like(pattern, strings.ToLower(text)), nil
	}
	if have == nil || want == nil {
		return false, nil
	}
	n := sfCompare(have, want)
	switch op {
	case "<":
		return n < 0, nil
	case "<=":
		return n <= 0, nil
	case ">":
		return n > 0, nil
	}
	return n >= 0, nil
}

// like compares with % for any text and _ for one character.
func like(pattern, text string) bool {
	star, back := -1, 0
	i, j := 0, 0
	for j < len(text) {
		at, width := i, 1
		if i+1 < len(pattern) && pattern[i] == '\\' {
			at, width = i+1, 2
		}
		_, size := utf8.DecodeRuneInString(text[j:])
		switch {
		case i < len(pattern) && width == 1 && pattern[i] == '%':
			star, back = i, j
			i++
		case i < len(pattern) && width == 1 && pattern[i] == '_':
			i, j = i+1, j+size
		case i < len(pattern) && pattern[at] == text[j]:
			i, j = i+width, j+1
		case star >= 0:
			_, skip := utf8.DecodeRuneInString(text[back:])
			back += skip
			i, j = star+1, back
		default:
			return false
		}
	}
	for i < len(pattern) && pattern[i] == '%' {
		i++
	}
	return i == len(pattern)
}
