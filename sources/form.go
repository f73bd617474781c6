package sources

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// FormType is the media type of the bodies that ReadForm reads.
const FormType = "application/x-www-form-urlencoded"

// maxFields bounds the fields of a form; vendors send some thirty.
const maxFields = 1000

// ReadForm reads an application/x-www-form-urlencoded body into a tree, so that
// what reads JSON reads forms as well, and gives the JSON of that tree for
// Event.Raw. Every value is text. A name that is repeated, or ends in [], is a
// list, also of one, and loses its []: user%5B%5D=a&to=b is
// {"user": ["a"], "to": "b"}. An empty body is a form without fields.
//
// An escape that is none, a name or value that is not UTF-8, names that differ
// only in case, and over 1,000 fields are errors. The error never quotes the
// body.
func ReadForm(body []byte) (Value, json.RawMessage, error) {
	type field struct {
		name   string
		list   bool
		values []string
	}
	var fields []field
	index := map[string]int{}
	count := 0
	for rest := string(body); rest != ""; {
		var pair string
		if pair, rest, _ = strings.Cut(rest, "&"); pair == "" {
			continue
		}
		if count++; count > maxFields {
			return Value{}, nil, badForm(fmt.Sprintf("more than %d fields", maxFields))
		}
		name, value, _ := strings.Cut(pair, "=")
		name, ok := formText(name)
		value, valueOK := formText(value)
		if !ok || !valueOK {
			return Value{}, nil, badForm(fmt.Sprintf("field %d is not percent-encoded UTF-8", count))
		}
		name, list := strings.CutSuffix(name, "[]")
		i, known := index[name]
		if !known {
			i = len(fields)
			index[name] = i
			fields = append(fields, field{name: name})
		}
		fields[i].list = fields[i].list || list || known
		fields[i].values = append(fields[i].values, value)
	}

	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	write := func(v any) {
		_ = enc.Encode(v)       // strings and lists of strings can always be written
		b.Truncate(b.Len() - 1) // the line feed of Encode
	}
	b.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		write(f.name)
		b.WriteByte(':')
		if f.list {
			write(f.values)
		} else {
			write(f.values[0])
		}
	}
	b.WriteByte('}')
	raw := json.RawMessage(b.Bytes())
	v, err := ReadJSON(raw)
	if err != nil {
		return Value{}, nil, badForm("two names differ only in case")
	}
	return v, raw, nil
}

type badForm string

func (b badForm) Error() string { return "not a form: " + string(b) }

// formText decodes %xx and +.
func formText(s string) (string, bool) {
	t, err := url.QueryUnescape(s)
	return t, err == nil && utf8.ValidString(t)
}
