package sources

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/crmsyncd/crmsyncd/event"
)

// Value is a value of a JSON document, or a missing one. Every method works on
// every value: what is absent, null or of another type than asked for reads as
// not known, since vendors change types without notice and one odd field must
// not cost the others. Keys are compared exactly.
type Value struct {
	*document
	i int32
}

func (v Value) node() *node {
	if v.document == nil {
		return &node{}
	}
	return &v.nodes[v.i]
}

func (v Value) raw() []byte {
	n := v.node()
	if n.kind == nothing {
		return nil
	}
	return v.text[n.start:n.end]
}

// Known reports whether v is there, and neither null nor {} nor [] nor "".
func (v Value) Known() bool {
	switch n := v.node(); n.kind {
	case nothing, null:
		return false
	case str:
		return n.start < n.end
	case object, array:
		return n.child != 0
	}
	return true
}

// IsObject reports whether v is an object.
func (v Value) IsObject() bool { return v.node().kind == object }

// IsArray reports whether v is an array.
func (v Value) IsArray() bool { return v.node().kind == array }

// Get returns the member of an object.
func (v Value) Get(key string) Value {
	if !v.IsObject() {
		return Value{}
	}
	for i := v.node().child; i != 0; i = v.nodes[i].next {
		n := &v.nodes[i]
		if k := v.text[n.key:n.keyEnd]; string(k) == key || n.keyEscaped && string(unescape(nil, k)) == key {
			return Value{v.document, i}
		}
	}
	return Value{}
}

// Members yields the members of an object in their order.
func (v Value) Members() iter.Seq2[string, Value] {
	return func(yield func(string, Value) bool) {
		if !v.IsObject() {
			return
		}
		for i := v.node().child; i != 0; i = v.nodes[i].next {
			n := &v.nodes[i]
			if !yield(v.read(n.key, n.keyEnd, n.keyEscaped), Value{v.document, i}) {
				return
			}
		}
	}
}

// Items yields the items of an array in their order.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if !v.IsArray() {
			return
		}
		for i := v.node().child; i != 0; i = v.nodes[i].next {
			if !yield(Value{v.document, i}) {
				return
			}
		}
	}
}

// read gives a string without its escapes and without NUL, which no CRM takes.
func (v Value) read(from, to int32, escaped bool) string {
	s := v.text[from:to]
	if escaped {
		if s = unescape(make([]byte, 0, len(s)), s); bytes.IndexByte(s, 0) >= 0 {
			s = bytes.ReplaceAll(s, []byte{0}, nil)
		}
	}
	return string(s)
}

// Text returns a string, or the digits of a number as they stand there, without
// blanks at its ends; "" for all else.
func (v Value) Text() string {
	n := v.node()
	switch n.kind {
	case str:
		return strings.TrimSpace(v.read(n.start, n.end, n.escaped))
	case number:
		return string(v.raw())
	}
	return ""
}

// Word returns Text in lower case.
func (v Value) Word() string { return strings.ToLower(v.Text()) }

// Number returns a number, also from a string that holds one.
func (v Value) Number() (float64, bool) {
	if k := v.node().kind; k != number && k != str {
		return 0, false
	}
	f, err := strconv.ParseFloat(v.Text(), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, false
	}
	return f, true
}

// Int returns a whole number between 0 and 2^31-1, also from a string; else 0.
func (v Value) Int() int {
	f, ok := v.Number()
	if !ok || f < 0 || f > math.MaxInt32 || f != math.Trunc(f) {
		return 0
	}
	return int(f)
}

// True reports whether v is true, also as a string or as the number 1.
func (v Value) True() bool {
	if v.node().kind == boolean {
		return string(v.raw()) == "true"
	}
	t := v.Word()
	return t == "true" || t == "1"
}

// Time returns a time: ISO 8601 with or without fraction and zone (UTC where it
// has none), or seconds, milliseconds, microseconds or nanoseconds since 1970,
// told apart by their size, also in a string. Zero and false for all else.
func (v Value) Time() (time.Time, bool) {
	switch v.node().kind {
	case str, number:
		return ParseTime(v.Text())
	}
	return time.Time{}, false
}

// Plain returns text, bool, int, float64, or []any of these; nil where v is
// null, missing, an empty string or an object. Numbers that neither type holds
// exactly stay text.
func (v Value) Plain() any {
	n := v.node()
	switch n.kind {
	case str:
		if s := v.read(n.start, n.end, n.escaped); s != "" {
			return s
		}
	case boolean:
		return v.True()
	case number:
		return event.Plain(json.Number(v.raw()))
	case array:
		var list []any
		for item := range v.Items() {
			if p := item.Plain(); p != nil {
				list = append(list, p)
			}
		}
		if list != nil {
			return list
		}
	}
	return nil
}

// ParseTime reads what Value.Time describes.
func ParseTime(s string) (time.Time, bool) {
	if t, ok := parseISO(s, time.UTC); ok {
		return t, true
	}
	if whole, err := strconv.ParseInt(s, 10, 64); err == nil && whole >= 0 {
		switch {
		case whole < 1e11: // seconds up to the year 5138
			return time.Unix(whole, 0).UTC(), true
		case whole < 1e14:
			return time.UnixMilli(whole).UTC(), true
		case whole < 1e17:
			return time.UnixMicro(whole).UTC(), true
		}
		return time.Unix(0, whole).UTC(), true
	}
	f, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || !(f >= 0) || f >= 1e14:
		return time.Time{}, false
	case f < 1e11:
		return time.UnixMicro(int64(math.Round(f * 1e6))).UTC(), true
	}
	return time.UnixMicro(int64(math.Round(f * 1e3))).UTC(), true
}

// unescape appends s without its escapes to dst. Halves of surrogate pairs
// become U+FFFD, as in encoding/json.
func unescape(dst, s []byte) []byte {
	for {
		i := bytes.IndexByte(s, '\\')
		if i < 0 {
			return append(dst, s...)
		}
		dst = append(dst, s[:i]...)
		c := s[i+1]
		s = s[i+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, _ := hex4(s)
			s = s[4:]
			if utf16.IsSurrogate(r) {
				pair := utf8.RuneError
				if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
					if low, ok := hex4(s[2:]); ok {
						pair = utf16.DecodeRune(r, low)
					}
				}
				if r = pair; r != utf8.RuneError {
					s = s[6:]
				}
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
}

func hex4(s []byte) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for _, c := range s[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
