package diag

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// File is one text that a person wrote.
type File struct {
	Name   string
	lines  []string // as written
	mended []string // as parsed: some lines differ where the YAML was broken
}

// Line returns the n-th line, counted from 1, or "".
func (f *File) Line(n int) string {
	if f == nil || n < 1 || n > len(f.lines) {
		return ""
	}
	return f.lines[n-1]
}

// Shape is what a Node holds.
type Shape int

// The shapes of YAML nodes.
const (
	Scalar Shape = iota
	Mapping
	Sequence
)

// Node is a value in a YAML file together with its place. Its strings are
// exactly what the file says: 0123 stays "0123".
type Node struct {
	Shape  Shape
	Value  string // of a scalar, quotes and block style resolved
	Quoted bool   // written with quotes or as a block: always text
	Block  bool   // written as a block (| or >)
	Null   bool   // empty, ~ or null, unquoted
	Pairs  []Pair // of a mapping, in file order
	Items  []*Node
	Line   int
	Column int
	File   *File
	// Written is what the file says where Value was replaced since, by a
	// secret from elsewhere, say; "" where Value is what was written.
	Written string

	column int // within the mended line
}

// Pair is one key of a mapping with its value.
type Pair struct {
	Key   *Node
	Value *Node
}

const (
	maxYAML  = 1 << 20 // bytes of one file: reading the worst takes less than a second
	maxDepth = 64      // levels of nesting
)

// ReadFile reads a file for ReadYAML: no more of it than shows that it is too
// large.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxYAML+1))
}

// ReadYAML reads one document. Refused are: more than one document, aliases,
// anchors, merge keys, duplicate keys, keys that are not text, tabs for
// indentation, invalid UTF-8, nesting over 64 levels and files over 1 MiB. An
// empty file is an empty mapping.
//
// On problems the node holds what could be read, and may be nil. A line with
// broken YAML is mended in memory where that can be done, so that whatever
// else is wrong is shown in the same run.
func ReadYAML(name string, text []byte) (*Node, Problems) {
	f := &File{Name: name}
	if len(text) > maxYAML {
		return nil, Problems{{Pos: Pos{File: name}, Message: fmt.Sprintf("the file is larger than %d KiB, which is the most that is read", maxYAML>>10), Hint: "is it the right file? rules can be split into several, in a folder"}}
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	f.lines = strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	if !utf8.Valid(text) {
		return nil, Problems{f.invalidUTF8()}
	}
	m := newMender(f)
	doc, ps := m.parse()
	f.mended = m.lines
	ps = append(ps, m.tabs()...)
	if doc == nil {
		return nil, ps
	}
	if len(doc.Content) == 0 {
		return &Node{Shape: Mapping, Line: 1, Column: 1, File: f, column: 1}, ps
	}
	r := reader{file: f}
	n := r.node(doc.Content[0], 0)
	ps = append(ps, r.problems...)
	ps.Sort()
	return n, ps
}

// document parses text. The second result is the line of a second document, or 0.
func document(text string) (*yaml.Node, int, error) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return &doc, 0, nil
		}
		return nil, 0, err
	}
	if err := dec.Decode(&second); err == nil {
		return &doc, max(second.Line, 1), nil
	} else if !errors.Is(err, io.EOF) {
		return nil, 0, err
	}
	return &doc, 0, nil
}

type reader struct {
	file     *File
	problems Problems
}

func (r *reader) add(y *yaml.Node, message, hint string) {
	r.problems = append(r.problems, r.file.problem(y.Line, r.file.written(y.Line, y.Column), message, hint))
}

func (r *reader) node(y *yaml.Node, depth int) *Node {
	n := &Node{Line: y.Line, Column: r.file.written(y.Line, y.Column), File: r.file, Value: y.Value, column: y.Column}
	if depth > maxDepth {
		r.add(y, fmt.Sprintf("nested deeper than %d levels", maxDepth), "")
		return n
	}
	if y.Anchor != "" {
		r.add(y, "anchors (&"+y.Anchor+") are not supported", "write the value out, or put it into a table")
	}
	switch y.Kind {
	case yaml.ScalarNode:
		n.Quoted = y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
		n.Block = y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
		n.Null = !n.Quoted && y.Tag == "!!null"
	case yaml.MappingNode:
		n.Shape = Mapping
		r.pairs(n, y, depth)
	case yaml.SequenceNode:
		n.Shape = Sequence
		for _, item := range y.Content {
			n.Items = append(n.Items, r.node(item, depth+1))
		}
	case yaml.AliasNode:
		r.add(y, "aliases (*"+y.Value+") are not supported", "write the value out, or put it into a table")
	}
	return n
}

func (r *reader) pairs(n *Node, y *yaml.Node, depth int) {
	seen := map[string]int{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, v := y.Content[i], y.Content[i+1]
		switch {
		case k.Kind != yaml.ScalarNode:
			r.add(k, "a key must be plain text", keyHint(k))
			continue
		case k.Tag == "!!merge":
			r.add(k, "merge keys (<<) are not supported", "write the keys out")
			continue
		}
		if first, twice := seen[k.Value]; twice {
			p := r.file.problem(k.Line, r.file.written(k.Line, k.Column), fmt.Sprintf("the key %q stands here a second time; the first is in line %d", k.Value, first), "keep one of the two")
			p.Width = utf8.RuneCountInString(k.Value)
			r.problems = append(r.problems, p)
			continue
		}
		seen[k.Value] = k.Line
		n.Pairs = append(n.Pairs, Pair{Key: r.node(k, depth+1), Value: r.node(v, depth+1)})
	}
}

func (f *File) problem(line, column int, message, hint string) Problem {
	return Problem{Pos: Pos{f.Name, line, column}, Width: 1, Message: message, Hint: hint, Line: f.Line(line)}
}

func (f *File) invalidUTF8() Problem {
	for i, l := range f.lines {
		if !utf8.ValidString(l) {
			return f.problem(i+1, 1, "the line is not valid UTF-8", "save the file as UTF-8")
		}
	}
	return Problem{Pos: Pos{File: f.Name}, Message: "the file is not valid UTF-8", Hint: "save the file as UTF-8"}
}

// keyHint says how to mend a key that is a list or a mapping: mostly it is a
// text that begins with {{.
func keyHint(k *yaml.Node) string {
	if k.Kind == yaml.MappingNode {
		return "a text that begins with {{ must be in quotes"
	}
	return "quote text that begins with { or ["
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntax turns the parser's message into a Problem, for what could not be
// mended. The parser's line is sometimes that of the block's beginning.
func (f *File) syntax(err error, line int) Problem {
	message := yamlLine.ReplaceAllString(err.Error(), "")
	hint := ""
	switch {
	case strings.Contains(message, "mapping values are not allowed"):
		message, hint = "a colon stands where none may be", "put a value with a colon and a blank in quotes, and indent all keys of a block alike"
	case strings.Contains(message, "could not find expected ':'"):
		message, hint = "a key without a colon, or lines indented differently", "write key: value, and indent all keys of a block alike"
	case strings.Contains(message, "found unexpected end of stream"):
		message, hint = "a quote is not closed", "add the closing quote"
	case strings.Contains(message, "did not find expected node content"), strings.Contains(message, "did not find expected ',' or"):
		message, hint = "a list or braces that YAML cannot read", "close each [ with ], each { with }, and put text that begins with them in quotes"
	case strings.Contains(message, "did not find expected key"), strings.Contains(message, "did not find expected '-' indicator"):
		message, hint = "the indentation is wrong near this line, or a quote is missing", "indent all keys of a block alike"
	case strings.Contains(message, "cannot start any token"):
		message, hint = "a value begins with a character that YAML keeps for itself", "put the value in quotes"
	case strings.Contains(message, "exceeded max depth"):
		message = fmt.Sprintf("nested deeper than %d levels", maxDepth)
	case strings.Contains(message, "unknown anchor"):
		message, hint = "aliases (*) are not supported", "put a text that begins with * in quotes"
	}
	if m := yamlLine.FindStringSubmatch(err.Error()); line == 0 && m != nil {
		line, _ = strconv.Atoi(m[1])
	}
	line = min(max(line, 1), len(f.lines))
	return f.problem(line, 1+indent(f.Line(line)), message, hint)
}

// TopProblem returns a problem of the file as a whole, shown at its first line.
func (f *File) TopProblem(message, hint string) Problem {
	return f.problem(1, 1, message, hint)
}
