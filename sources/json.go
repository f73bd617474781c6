package sources

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"math"
	"unicode"
	"unicode/utf8"
)

// Limits of a payload. The depth is well over what any vendor sends (telli: 6)
// and far under the point where readers further on suffer; the number of
// values bounds the memory of one payload to a few MiB beside its text.
const (
	maxDepth  = 64
	maxValues = 250_000
	fewKeys   = 32 // up to here duplicates are looked for one by one
)

// CheckJSON reports why body is not one unambiguous JSON document in UTF-8:
// broken syntax, two documents, a byte order mark, a key that occurs twice in
// an object (also in another case, as readers differ in which of the two they
// take), nesting over 64 levels or over 250,000 values. The error never quotes
// the body.
func CheckJSON(body []byte) error {
	_, err := ReadJSON(body)
	return err
}

// ReadJSON reads body into a tree after the checks of CheckJSON, in one pass.
// The tree refers to body, which must not be changed.
func ReadJSON(body []byte) (Value, error) {
	switch {
	case len(bytes.TrimLeft(body, blanks)) == 0:
		return Value{}, badJSON("the body is empty")
	case bytes.HasPrefix(body, []byte("\xef\xbb\xbf")):
		return Value{}, badJSON("the body begins with a byte order mark")
	case len(body) > math.MaxInt32:
		return Value{}, badJSON("the body is too large")
	case !utf8.Valid(body):
		return Value{}, badJSON("the body is not valid UTF-8")
	}
	d := &document{text: body, nodes: make([]node, 0, 8+len(body)/24)}
	r := reader{document: d}
	root, err := r.value(0)
	if err != nil {
		return Value{}, err
	}
	if r.blank(); r.at != len(body) {
		return Value{}, r.wrong("something follows the document")
	}
	return Value{d, root}, nil
}

type badJSON string

func (b badJSON) Error() string { return string(b) }

const blanks = " \t\r\n"

type kind uint8

const (
	nothing kind = iota
	null
	boolean
	number
	str
	object
	array
)

// node is a value in the tree. Offsets are into the text; those of strings and
// keys leave the quotes out.
type node struct {
	kind        kind
	escaped     bool // the string holds a backslash
	keyEscaped  bool
	start, end  int32
	key, keyEnd int32
	child, next int32 // index of the first child and next sibling; 0 for none
	hash        uint64
}

type document struct {
	text  []byte
	nodes []node
}

type reader struct {
	*document
	at   int
	fold []byte // scratch for the key last read, folded
}

func (r *reader) wrong(what string) error {
	return badJSON(fmt.Sprintf("not JSON: %s at byte %d", what, r.at))
}

func (r *reader) blank() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return
		}
	}
}

// value reads the value at r.at and returns its index.
func (r *reader) value(depth int) (int32, error) {
	r.blank()
	if r.at == len(r.text) {
		return 0, r.wrong("it ends early")
	}
	if len(r.nodes) == maxValues {
		return 0, badJSON(fmt.Sprintf("more than %d values", maxValues))
	}
	i := int32(len(r.nodes))
	r.nodes = append(r.nodes, node{start: int32(r.at)})
	var k kind
	var err error
	switch c := r.text[r.at]; {
	case c == '{' || c == '[':
		if depth == maxDepth {
			return 0, badJSON(fmt.Sprintf("nested deeper than %d levels", maxDepth))
		}
		r.at++
		if k = object; c == '[' {
			k = array
		}
		err = r.children(i, k, depth+1)
	case c == '"':
		var escaped bool
		r.nodes[i].start++
		escaped, err = r.quoted()
		n := &r.nodes[i]
		n.kind, n.escaped, n.end = str, escaped, int32(r.at-1)
		return i, err
	case c == 't':
		k, err = boolean, r.literal("true")
	case c == 'f':
		k, err = boolean, r.literal("false")
	case c == 'n':
		k, err = null, r.literal("null")
	default:
		k, err = number, r.number()
	}
	r.nodes[i].kind, r.nodes[i].end = k, int32(r.at)
	return i, err
}

func (r *reader) literal(word string) error {
	if !bytes.HasPrefix(r.text[r.at:], []byte(word)) {
		return r.wrong("an unknown word stands")
	}
	r.at += len(word)
	return nil
}

// children reads the members of the object or array whose bracket was read.
func (r *reader) children(parent int32, k kind, depth int) error {
	closing := byte('}')
	if k == array {
		closing = ']'
	}
	if r.blank(); r.at < len(r.text) && r.text[r.at] == closing {
		r.at++
		return nil
	}
	var last int32
	keys := seen{parent: parent}
	for {
		var key node
		var err error
		if k == object {
			if key, err = r.key(); err != nil {
				return err
			}
			if keys.has(r, key) {
				return badJSON(fmt.Sprintf("ambiguous: a key occurs twice in one object, at byte %d", key.key))
			}
		}
		i, err := r.value(depth)
		if err != nil {
			return err
		}
		n := &r.nodes[i]
		n.key, n.keyEnd, n.keyEscaped, n.hash = key.key, key.keyEnd, key.keyEscaped, key.hash
		if last == 0 {
			r.nodes[parent].child = i
		} else {
			r.nodes[last].next = i
		}
		last = i
		keys.add(key)
		r.blank()
		switch {
		case r.at == len(r.text):
			return r.wrong("it ends early")
		case r.text[r.at] == ',':
			r.at++
		case r.text[r.at] == closing:
			r.at++
			return nil
		default:
			return r.wrong("a comma or closing bracket is missing")
		}
	}
}

// key reads a key and its colon.
func (r *reader) key() (node, error) {
	r.blank()
	if r.at == len(r.text) || r.text[r.at] != '"' {
		return node{}, r.wrong("a key is missing")
	}
	n := node{key: int32(r.at + 1)}
	escaped, err := r.quoted()
	if err != nil {
		return node{}, err
	}
	n.keyEnd, n.keyEscaped = int32(r.at-1), escaped
	r.folded(n)
	n.hash = maphash.Bytes(seed, r.fold)
	if r.blank(); r.at == len(r.text) || r.text[r.at] != ':' {
		return node{}, r.wrong("a colon is missing")
	}
	r.at++
	return n, nil
}

// quoted reads a string from its opening quote on.
func (r *reader) quoted() (escaped bool, err error) {
	for r.at++; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return escaped, nil
		case c < ' ':
			return escaped, r.wrong("a control character stands in a string")
		case c == '\\':
			escaped = true
			r.at++
			if r.at == len(r.text) {
				return escaped, r.wrong("it ends early")
			}
			switch r.text[r.at] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				if _, ok := hex4(r.text[r.at+1:]); !ok {
					return escaped, r.wrong("an escape is broken")
				}
				r.at += 4
			default:
				return escaped, r.wrong("an escape is broken")
			}
		}
	}
	return escaped, r.wrong("it ends early")
}

func (r *reader) number() error {
	if r.peek() == '-' {
		r.at++
	}
	if r.peek() == '0' {
		r.at++
	} else if !r.digits() {
		return r.wrong("no value stands")
	}
	if r.peek() == '.' {
		if r.at++; !r.digits() {
			return r.wrong("a digit is missing")
		}
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		r.at++
		if c := r.peek(); c == '+' || c == '-' {
			r.at++
		}
		if !r.digits() {
			return r.wrong("a digit is missing")
		}
	}
	return nil
}

func (r *reader) peek() byte {
	if r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *reader) digits() bool {
	from := r.at
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		r.at++
	}
	return r.at > from
}

// The seed differs from run to run, so that nobody can make keys that collide.
var seed = maphash.MakeSeed()

// seen finds keys that an object has already.
type seen struct {
	parent int32
	count  int
	many   map[uint64]struct{}
}

// has reports whether the object has the key. Equal 64-bit hashes under a
// secret seed count as equal keys.
func (s *seen) has(r *reader, key node) bool {
	if s.count > fewKeys {
		if s.many == nil {
			s.many = make(map[uint64]struct{}, 4*fewKeys)
			for i := r.nodes[s.parent].child; i != 0; i = r.nodes[i].next {
				s.many[r.nodes[i].hash] = struct{}{}
			}
		}
		_, ok := s.many[key.hash]
		return ok
	}
	for i := r.nodes[s.parent].child; i != 0; i = r.nodes[i].next {
		if r.nodes[i].hash == key.hash {
			return true
		}
	}
	return false
}

func (s *seen) add(key node) {
	s.count++
	if s.many != nil {
		s.many[key.hash] = struct{}{}
	}
}

// folded puts the key into r.fold without regard to case, and without NUL, as it
// is read: two keys are alike if encoding/json would take both for the same field.
func (r *reader) folded(n node) {
	key := r.text[n.key:n.keyEnd]
	if n.keyEscaped {
		key = unescape(nil, key)
	}
	r.fold = r.fold[:0]
	for i := 0; i < len(key); {
		if c := key[i]; c < utf8.RuneSelf {
			if c >= 'A' && c <= 'Z' {
				c += 'a' - 'A'
			}
			if c != 0 {
				r.fold = append(r.fold, c)
			}
			i++
			continue
		}
		c, size := utf8.DecodeRune(key[i:])
		i += size
		least := c
		for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		if least >= 'A' && least <= 'Z' {
			least += 'a' - 'A'
		}
		r.fold = utf8.AppendRune(r.fold, least)
	}
}
