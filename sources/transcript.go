package sources

import (
	"bytes"
	"cmp"
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
// transcript become null, fields of a form go. more names others: at any depth,
// or with dots at the end of a path. Summaries stay.
func WithoutTranscript(r *Request, more ...string) []byte {
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	// Some sources read JSON under any type. As a form it would be one name
	// without end, and go whole.
	begin := bytes.TrimLeft(r.Body, " \t\r\n")
	if mediaType == FormType && !bytes.HasPrefix(begin, []byte("{")) && !bytes.HasPrefix(begin, []byte("[")) {
		return formWithout(r.Body, more)
	}
	doc, err := ReadJSON(r.Body)
	if err != nil {
		return r.Body
	}
	c := cutter{document: doc.document, more: more}
	c.walk(doc.i, "")
	return c.cut()
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
	spans [][2]int32
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
		if m.child != 0 {
			c.walk(at, below)
		}
	}
}

func (c *cutter) drop(m *node) bool {
	switch m.kind {
	case str:
		c.spans = append(c.spans, [2]int32{m.start - 1, m.end + 1}) // with its quotes
	case object, array:
		c.spans = append(c.spans, [2]int32{m.start, m.end})
	default:
		return false
	}
	return true
}

func (c *cutter) cut() []byte {
	if len(c.spans) == 0 {
		return c.text
	}
	slices.SortFunc(c.spans, func(a, b [2]int32) int { return cmp.Compare(a[0], b[0]) })
	out, at := make([]byte, 0, len(c.text)), int32(0)
	for _, s := range c.spans {
		out = append(append(out, c.text[at:s[0]]...), "null"...)
		at = s[1]
	}
	return append(out, c.text[at:]...)
}

func formWithout(body []byte, more []string) []byte {
	parts := strings.Split(string(body), "&")
	kept := slices.DeleteFunc(slices.Clone(parts), func(part string) bool {
		key, _, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(key)
		return err == nil && tells(name, more)
	})
	if len(kept) == len(parts) {
		return body
	}
	return []byte(strings.Join(kept, "&"))
}
