package sources

import (
	"bytes"
	"cmp"
	"encoding/json"
	"mime"
	"net/url"
	"slices"
	"strings"
)

// Discreet is a Source that knows better than WithoutTranscript where its
// payloads hold what was said.
type Discreet interface {
	// WithoutTranscript returns the body of r without what was said, word by
	// word, and as well to be read as before; the body itself where there is
	// nothing of it, or where it cannot be read.
	WithoutTranscript(r *Request) []byte
}

// WithoutTranscript returns the body of r, JSON or a form, without what was said,
// word by word: texts, lists and objects whose name says that they are a
// transcript become null, fields of a form go; also in JSON that stands in a text
// or in a field. more names others: at any depth, or with dots at the end of a
// path. Summaries stay.
func WithoutTranscript(r *Request, more ...string) []byte {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	// Some sources read JSON under any type. As a form it would be one name
	// without end, and go whole.
	begin := bytes.TrimLeft(r.Body, " \t\r\n")
	if mediaType == FormType && !bytes.HasPrefix(begin, []byte("{")) && !bytes.HasPrefix(begin, []byte("[")) {
		return formWithout(r.Body, more)
	}
	return jsonWithout(r.Body, more, "", 0)
}

// innermost is how deep JSON within texts of JSON is looked into.
const innermost = 3

// jsonWithout is WithoutTranscript of JSON that stands at a path.
func jsonWithout(body []byte, more []string, path string, depth int) []byte {
	doc, err := ReadJSON(body)
	if err != nil {
		return body
	}
	c := cutter{document: doc.document, more: more, depth: depth}
	c.walk(doc.i, path)
	return c.cut()
}

// textWithout is jsonWithout of a text that may hold JSON, as vendors put it into
// fields of forms and into texts of JSON.
func textWithout(text string, more []string, path string, depth int) (without string, changed bool) {
	begin := strings.TrimLeft(text, blanks)
	if depth > innermost || !strings.HasPrefix(begin, "{") && !strings.HasPrefix(begin, "[") {
		return text, false
	}
	without = string(jsonWithout([]byte(text), more, path, depth))
	return without, without != text
}

// tells reports whether what stands at a path is a transcript by its name.
func tells(path string, more []string) bool {
	name := strings.ToLower(path[strings.LastIndexByte(path, '.')+1:])
	return strings.Contains(name, "transcri") && !strings.Contains(name, "summary") ||
		slices.ContainsFunc(more, func(m string) bool { return path == m || strings.HasSuffix(path, "."+m) })
}

// cutter finds the values that are to become null.
type cutter struct {
	*document
	more  []string
	depth int // of JSON within texts
	spans []hole
}

// hole is a part of the text, and what is to stand in its place.
type hole struct {
	from, to int32
	text     string
}

func (c *cutter) walk(i int32, path string) {
	n := &c.nodes[i]
	for at := n.child; at != 0; at = c.nodes[at].next {
		m, below := &c.nodes[at], path
		if n.kind == object {
			key := c.text[m.key:m.keyEnd]
			if m.keyEscaped {
				key = unescape(nil, key)
			}
			below = strings.TrimPrefix(path+"."+string(key), ".")
			if tells(below, c.more) && c.drop(m) {
				continue
			}
		}
		switch {
		case m.child != 0:
			c.walk(at, below)
		case m.kind == str:
			c.inner(m, below)
		}
	}
}

func (c *cutter) drop(m *node) bool {
	switch m.kind {
	case str:
		c.spans = append(c.spans, hole{m.start - 1, m.end + 1, "null"}) // with its quotes
	case object, array:
		c.spans = append(c.spans, hole{m.start, m.end, "null"})
	default:
		return false
	}
	return true
}

// inner looks into a text that may itself be JSON.
func (c *cutter) inner(m *node, path string) {
	text := c.text[m.start:m.end]
	if m.escaped {
		text = unescape(make([]byte, 0, len(text)), text)
	}
	without, changed := textWithout(string(text), c.more, path, c.depth+1)
	if !changed {
		return
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(without) // a string can always be written
	c.spans = append(c.spans, hole{m.start - 1, m.end + 1, strings.TrimSuffix(b.String(), "\n")})
}

func (c *cutter) cut() []byte {
	if len(c.spans) == 0 {
		return c.text
	}
	slices.SortFunc(c.spans, func(a, b hole) int { return cmp.Compare(a.from, b.from) })
	out, at := make([]byte, 0, len(c.text)), int32(0)
	for _, s := range c.spans {
		out = append(append(out, c.text[at:s.from]...), s.text...)
		at = s.to
	}
	return append(out, c.text[at:]...)
}

func formWithout(body []byte, more []string) []byte {
	var kept []string
	cut := false
	for part := range strings.SplitSeq(string(body), "&") {
		key, escaped, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(key)
		if err == nil && tells(name, more) {
			cut = true
			continue
		}
		if value, wrong := url.QueryUnescape(escaped); err == nil && wrong == nil {
			if without, changed := textWithout(value, more, name, 1); changed {
				part, cut = key+"="+url.QueryEscape(without), true
			}
		}
		kept = append(kept, part)
	}
	if !cut {
		return body
	}
	return []byte(strings.Join(kept, "&"))
}
