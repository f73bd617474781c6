package cases

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Options is what the settings say about names that cases use.
type Options struct {
	Sources    []string
	Connectors []string
	Zone       *time.Location // of times in the file without a zone, and of those that are written; nil: UTC
}

// File is one file of cases.
type File struct {
	Name  string
	Cases []*Case
	text  []byte
	opt   Options
}

// Case is one payload with what is expected of it.
type Case struct {
	Name        string
	Source      string
	Payload     Payload
	Earlier     []Payload // what came of the same call before, oldest first
	ContentType string    // "": by the look of the payload
	At          time.Time // when the payload came; zero: when it happened
	Pos         diag.Pos

	expect *expected // nil: nothing is said
	node   *diag.Node
	file   *File
}

// Payload is a body, or where to take it from: exactly one of the three is set.
type Payload struct {
	Body   []byte
	File   string // relative to the folder of the cases' file
	Sample string // made up by the source
	node   *diag.Node
}

// Problem is a problem with the payload, at its place.
func (p Payload) Problem(message, hint string) diag.Problem {
	problem := p.node.Problem(message, hint)
	if p.node.Shape != diag.Scalar || p.node.Block {
		problem.Width = 1
	}
	return problem
}

// The keys of mapping_test.yaml. JSONSchema has the same.
var (
	fileKeys   = []string{"version", "cases"}
	caseKeys   = []string{"name", "source", "payload", "sample", "earlier", "content_type", "at", "expect"}
	recordKeys = []string{"object", "as", "match", "skip", "fields", "link"}
	linkKeys   = []string{"to", "field", "type"}
)

type reader struct {
	file     *File
	opt      Options
	problems diag.Problems
	names    map[string]diag.Pos
}

// Read reads and checks cases. Every problem is returned at once; the file may
// be used only if problems.Err() is nil.
func Read(name string, text []byte, opt Options) (*File, diag.Problems) {
	if opt.Zone == nil {
		opt.Zone = time.UTC
	}
	r := &reader{file: &File{Name: name, text: text, opt: opt}, opt: opt, names: map[string]diag.Pos{}}
	root, ps := diag.ReadYAML(name, text)
	r.problems = ps
	if root == nil {
		return r.file, r.problems
	}
	r.known(root, fileKeys, "the file")
	if v := root.Get("version"); v != nil && v.Value != "1" {
		r.bad(v, "this version of the file's form is not known", "write version: 1")
	}
	list := root.Get("cases")
	switch {
	case list == nil || list.Null:
		r.problems = append(r.problems, root.File.TopProblem("there are no cases", "write cases: and below it a list, each with name:, payload: and expect:"))
	case list.Shape != diag.Sequence:
		r.bad(list, "cases wants a list, not "+list.Shape.String(), "begin each case with a hyphen")
	default:
		for _, n := range list.Items {
			r.oneCase(n)
		}
	}
	r.problems.Sort()
	return r.file, r.problems
}

func (r *reader) bad(n *diag.Node, message, hint string) {
	r.problems = append(r.problems, n.Problem(message, hint))
}

// known reports whether n is keys with values, and which keys are unknown.
func (r *reader) known(n *diag.Node, keys []string, what string) bool {
	if n.Shape != diag.Mapping {
		r.bad(n, what+" wants keys with values, not "+n.Shape.String(), "the keys are "+strings.Join(keys, ", "))
		return false
	}
	for _, p := range n.Pairs {
		if !slices.Contains(keys, p.Key.Value) {
			r.problems = append(r.problems, diag.UnknownKey(p.Key, keys))
		}
	}
	return true
}

// word reads one text; "" if it is not there.
func (r *reader) word(n *diag.Node, what string) string {
	switch {
	case n == nil || n.Null:
		return ""
	case n.Shape != diag.Scalar:
		r.bad(n, what+" wants one text, not "+n.Shape.String(), "")
		return ""
	}
	return n.Value
}

func (r *reader) oneCase(n *diag.Node) {
	if !r.known(n, caseKeys, "a case") {
		return
	}
	c := &Case{node: n, file: r.file, Pos: n.Pos()}
	r.file.Cases = append(r.file.Cases, c)
	c.Name = r.word(n.Get("name"), "name")
	if c.Name == "" {
		r.bad(n, "the case has no name", "add name: and say what is tried, such as A missed call makes a task")
	} else if first, twice := r.names[c.Name]; twice {
		r.bad(n.Get("name"), fmt.Sprintf("the name stands here a second time; the first is in line %d", first.Line), "give each case a name of its own")
	}
	r.names[c.Name] = c.Pos
	r.source(c, n)
	c.ContentType = r.word(n.Get("content_type"), "content_type")
	if at := n.Get("at"); at != nil && !at.Null {
		var ok bool
		if c.At, ok = parseTime(at.Value, r.opt.Zone); !ok || at.Shape != diag.Scalar {
			r.bad(at, "at wants a time", "write it like 2026-11-20T09:30:00Z")
		}
	}
	r.payloads(c, n)
	if x := n.Get("expect"); x != nil && !x.Null {
		c.expect = r.expected(x)
	}
}

func (r *reader) source(c *Case, n *diag.Node) {
	c.Source = r.word(n.Get("source"), "source")
	switch {
	case c.Source == "" && len(r.opt.Sources) == 1:
		c.Source = r.opt.Sources[0]
	case c.Source == "":
		r.bad(n, "the case does not say which source sent the payload", "add source: with one of "+strings.Join(r.opt.Sources, ", "))
	case !slices.Contains(r.opt.Sources, c.Source):
		r.bad(n.Get("source"), fmt.Sprintf("there is no source %q in the settings", c.Source), hintAmong(c.Source, r.opt.Sources))
	}
}

func hintAmong(word string, known []string) string {
	return cmp.Or(diag.DidYouMean(word, known), "there are: "+strings.Join(known, ", "))
}

func (r *reader) payloads(c *Case, n *diag.Node) {
	body, sample := n.Get("payload"), n.Get("sample")
	switch {
	case body == nil && sample == nil:
		r.bad(n, "the case has no payload", "add payload: with what the vendor sends or the name of a file, or sample: with one that crmsyncd send --list names")
	case body != nil && sample != nil:
		r.bad(sample, "the case has a payload and a sample", "keep one of the two")
	case sample != nil:
		c.Payload = Payload{Sample: r.word(sample, "sample"), node: sample}
	default:
		c.Payload = r.payload(body)
	}
	earlier := n.Get("earlier")
	if earlier == nil || earlier.Null {
		return
	}
	items := earlier.Items
	if earlier.Shape != diag.Sequence {
		items = []*diag.Node{earlier}
	}
	for _, item := range items {
		if s := item.Get("sample"); s != nil && len(item.Pairs) == 1 {
			c.Earlier = append(c.Earlier, Payload{Sample: r.word(s, "sample"), node: s})
			continue
		}
		c.Earlier = append(c.Earlier, r.payload(item))
	}
}

// payload reads a body written out, or the name of a file. A body of keys and
// values becomes JSON; text that is JSON or a form is taken as it is.
func (r *reader) payload(n *diag.Node) Payload {
	p := Payload{node: n}
	text := strings.TrimSpace(n.Value)
	switch {
	case n.Shape != diag.Scalar:
		p.Body = appendJSON(nil, n)
	case n.Null || text == "":
		r.bad(n, "the payload is empty", "write what the vendor sends, or the name of a file")
	case n.Block || strings.ContainsAny(text, "={["):
		p.Body = []byte(strings.TrimRight(n.Value, "\n"))
	default:
		p.File = text
	}
	return p
}

// appendJSON writes a node as JSON, in the file's order. What is not quoted
// and reads as JSON's null, true, false or a number is that, all else is text.
func appendJSON(b []byte, n *diag.Node) []byte {
	switch n.Shape {
	case diag.Mapping:
		b = append(b, '{')
		for i, p := range n.Pairs {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, p.Key.Value), ':')
			b = appendJSON(b, p.Value)
		}
		return append(b, '}')
	case diag.Sequence:
		b = append(b, '[')
		for i, item := range n.Items {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, item)
		}
		return append(b, ']')
	case diag.Scalar:
		switch {
		case n.Quoted:
		case n.Null:
			return append(b, "null"...)
		case n.Value == "true" || n.Value == "false" || isNumber(n.Value):
			return append(b, n.Value...)
		}
	}
	return appendText(b, n.Value)
}

func appendText(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		return strconv.AppendQuote(b, s)
	}
	return append(b, text...)
}

// isNumber reports whether s is a number as JSON writes it.
func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || s[0] >= '0' && s[0] <= '9') && json.Valid([]byte(s))
}
