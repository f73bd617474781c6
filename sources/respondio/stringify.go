package respondio

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of a body that is written anew to be compared with its signature:
// that is work for whoever asks, as it comes before the proof. Signatures over
// the raw bytes have no such limit.
const (
	maxStringify      = 2 << 20 // bytes
	maxStringifyDepth = 64
)

// stringify writes a JSON document as JSON.stringify(JSON.parse(body)) of
// Node.js does: without blanks, nothing escaped that need not be, numbers as
// JavaScript prints them, and keys that are whole numbers first. It is not ok
// if the body is no JSON, or over the limits.
func stringify(body []byte) (text []byte, ok bool) {
	if len(body) > maxStringify || !utf8.Valid(body) || !json.Valid(body) {
		return nil, false
	}
	w := stringifier{in: body, out: make([]byte, 0, len(body))}
	ok = w.value(0)
	return w.out, ok
}

// stringifier reads valid JSON and writes it anew.
type stringifier struct {
	in  []byte
	at  int
	out []byte
}

// next skips blanks and returns the byte that follows.
func (w *stringifier) next() byte {
	for {
		switch c := w.in[w.at]; c {
		case ' ', '\t', '\r', '\n':
			w.at++
		default:
			return c
		}
	}
}

func (w *stringifier) value(depth int) bool {
	if depth > maxStringifyDepth {
		return false
	}
	switch w.next() {
	case '{':
		return w.object(depth)
	case '[':
		return w.array(depth)
	case '"':
		w.text()
	case 't', 'n':
		w.copy(4)
	case 'f':
		w.copy(5)
	default:
		w.number()
	}
	return true
}

func (w *stringifier) copy(n int) {
	w.out = append(w.out, w.in[w.at:w.at+n]...)
	w.at += n
}

func (w *stringifier) array(depth int) bool {
	w.copy(1)
	for w.next() != ']' {
		if w.in[w.at] == ',' {
			w.copy(1)
		}
		if !w.value(depth + 1) {
			return false
		}
	}
	w.copy(1)
	return true
}

// member is a key and where its value stands in out.
type member struct {
	key      string // as it is written, in quotes
	index    int64  // of a key that is a whole number, else -1
	from, to int
}

func (w *stringifier) object(depth int) bool {
	var members []member
	known := map[string]int{}
	plain := true // the order stays as it is
	start := len(w.out)
	w.copy(1)
	for w.next() != '}' {
		if w.in[w.at] == ',' {
			w.copy(1)
			w.next()
		}
		m := member{from: len(w.out)}
		w.text()
		m.key = string(w.out[m.from:])
		m.index = index(m.key[1 : len(m.key)-1])
		w.next()
		w.copy(1) // the colon
		m.from = len(w.out)
		if !w.value(depth + 1) {
			return false
		}
		m.to = len(w.out)
		// Of a key that comes twice the first place and the last value count.
		if i, again := known[m.key]; again {
			members[i].from, members[i].to, plain = m.from, m.to, false
			continue
		}
		plain = plain && m.index < 0
		known[m.key] = len(members)
		members = append(members, m)
	}
	w.copy(1)
	if !plain {
		w.arrange(start, members)
	}
	return true
}

// arrange writes the object that begins at start anew, with keys that are
// whole numbers first, by size: so JavaScript keeps them.
func (w *stringifier) arrange(start int, members []member) {
	slices.SortStableFunc(members, func(a, b member) int {
		switch {
		case a.index >= 0 && b.index >= 0:
			return cmp.Compare(a.index, b.index)
		case a.index >= 0:
			return -1
		case b.index >= 0:
			return 1
		}
		return 0
	})
	old := slices.Clone(w.out[start:])
	w.out = append(w.out[:start], '{')
	for i, m := range members {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.out = append(append(w.out, m.key...), ':')
		w.out = append(w.out, old[m.from-start:m.to-start]...)
	}
	w.out = append(w.out, '}')
}

// index is the number that a key is, or -1: 0 to 2^32-2, written plainly
// (ECMA-262, array index).
func index(key string) int64 {
	if key == "" || len(key) > 10 || key[0] == '0' && key != "0" {
		return -1
	}
	n, err := strconv.ParseUint(key, 10, 32)
	if err != nil || n == math.MaxUint32 {
		return -1
	}
	return int64(n)
}

// number prints as ECMA-262, Number::toString, does.
func (w *stringifier) number() {
	from := w.at
	whole := true
	for w.at < len(w.in) {
		c := w.in[w.at]
		if (c < '0' || c > '9') && c != '-' {
			if c != '+' && c != '.' && c != 'e' && c != 'E' {
				break
			}
			whole = false
		}
		w.at++
	}
	text := w.in[from:w.at]
	if whole && len(text) <= 15 && string(text) != "-0" {
		w.out = append(w.out, text...) // held exactly
		return
	}
	f, _ := strconv.ParseFloat(string(text), 64) // too large: infinite
	switch a := math.Abs(f); {
	case math.IsInf(f, 0):
		w.out = append(w.out, "null"...)
	case f == 0:
		w.out = append(w.out, '0')
	case a >= 1e-6 && a < 1e21:
		w.out = strconv.AppendFloat(w.out, f, 'f', -1, 64)
	default:
		w.out = strconv.AppendFloat(w.out, f, 'e', -1, 64)
		// e-07 is e-7 there.
		if n := len(w.out); w.out[n-2] == '0' && (w.out[n-3] == '-' || w.out[n-3] == '+') {
			w.out = append(w.out[:n-2], w.out[n-1])
		}
	}
}

const hexDigits = "0123456789abcdef"

// text writes a string; halves of surrogate pairs stay escaped (ECMA-262,
// QuoteJSONString).
func (w *stringifier) text() {
	w.copy(1)
	for {
		n := 0
		for w.in[w.at+n] != '"' && w.in[w.at+n] != '\\' {
			n++
		}
		if w.copy(n); w.in[w.at] == '"' {
			w.copy(1)
			return
		}
		switch w.in[w.at+1] {
		case 'u':
		case '/':
			w.at++
			w.copy(1)
			continue
		default:
			w.copy(2)
			continue
		}
		r := w.unit(w.at)
		w.at += 6
		if utf16.IsSurrogate(r) && w.in[w.at] == '\\' && w.in[w.at+1] == 'u' {
			if pair := utf16.DecodeRune(r, w.unit(w.at)); pair != utf8.RuneError {
				r = pair
				w.at += 6
			}
		}
		w.character(r)
	}
}

// unit reads the escape \uXXXX at that place.
func (w *stringifier) unit(at int) rune {
	n, _ := strconv.ParseUint(string(w.in[at+2:at+6]), 16, 32) // the JSON is valid
	return rune(n)
}

func (w *stringifier) character(r rune) {
	switch i := strings.IndexRune("\"\\\b\f\n\r\t", r); {
	case i >= 0:
		w.out = append(w.out, '\\', `"\bfnrt`[i])
	case r < ' ' || utf16.IsSurrogate(r):
		w.out = append(w.out, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
	default:
		w.out = utf8.AppendRune(w.out, r)
	}
}
