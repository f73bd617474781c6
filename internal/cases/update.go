package cases

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Update returns the file's text with what came out in the place of what was
// expected, for those outcomes that did not pass. All else stays as it is,
// byte for byte; within a case's expect: what is still true keeps its order,
// its comments and its notation. How many cases were written is the second
// result.
func (f *File) Update(outcomes []Outcome) ([]byte, int, error) {
	text := string(f.text)
	open := !strings.HasSuffix(text, "\n") // the last line has no end
	if open {
		text += ending(text[:strings.LastIndexByte(text, '\n')+1]) // as the line before it
	}
	lines := strings.Split(text, "\n") // some of which may end in \r
	var changed []Outcome
	for _, o := range outcomes {
		if o.Case.file == f && o.Event != nil && o.plans != nil && (len(o.Differences) > 0 || o.Case.expect == nil) {
			changed = append(changed, o)
		}
	}
	if len(changed) == 0 {
		return f.text, 0, nil
	}
	if err := f.otherBreaks(); err != nil {
		return nil, 0, err
	}
	slices.SortFunc(changed, func(a, b Outcome) int { return b.Case.Pos.Line - a.Case.Pos.Line }) // so that places before stay right
	for _, o := range changed {
		var err error
		if lines, err = f.rewrite(lines, o); err != nil {
			return nil, 0, fmt.Errorf("%s: %w", o.Case.Pos, err)
		}
	}
	text = strings.Join(lines, "\n")
	if open {
		text = strings.TrimSuffix(text, ending(text))
	}
	if _, problems := Read(f.Name, []byte(text), f.opt); problems.Err() != nil {
		return nil, 0, fmt.Errorf("what came out cannot be written into the file so that it can be read again: %w", problems.Err())
	}
	return []byte(text), len(changed), nil
}

// otherBreaks refuses a file with line breaks that only YAML counts as such:
// what it says to stand in a line stands in another.
func (f *File) otherBreaks() error {
	text := strings.ReplaceAll(string(f.text), "\r\n", "\n")
	at := strings.IndexAny(text, "\r\u0085\u2028\u2029")
	if at < 0 {
		return nil
	}
	r, _ := utf8.DecodeRuneInString(text[at:])
	return fmt.Errorf("%s:%d: the line holds %U, at which lines end to YAML and to no editor, so the file cannot be rewritten; take it out, or write it as %s in double quotes", f.Name, 1+strings.Count(text[:at], "\n"), r, strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
}

// ending is how the last line of a text ends; a text without lines says \n.
func ending(text string) string {
	if strings.HasSuffix(text, "\r\n") {
		return "\r\n"
	}
	return "\n"
}

var errOneLine = errors.New("the case stands in one line, which cannot be rewritten; write each of its keys on a line of its own")

// rewrite replaces or adds the expect: of one case.
func (f *File) rewrite(lines []string, o Outcome) ([]string, error) {
	w := writer{zone: f.opt.Zone}
	first := o.Case.node.Pairs[0].Key
	indent := first.Column - 1
	from, to := 0, 0 // lines to be replaced, from 0
	prefix := strings.Repeat(" ", indent)
	var old *yaml.Node
	for _, p := range o.Case.node.Pairs {
		if p.Key.Value != "expect" {
			continue
		}
		from = p.Key.Line - 1
		to = blockEnd(lines, from+1, indent)
		if prefix = lines[from][:min(indent, len(lines[from]))]; strings.Trim(prefix, " -") != "" || p.Key.Column-1 != indent {
			return nil, errOneLine
		}
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(dedent(lines[from:to], indent)), &doc); err != nil || len(doc.Content) != 1 {
			return nil, errOneLine
		}
		old = get(doc.Content[0], "expect")
	}
	if from == 0 && to == 0 {
		if first.File.Line(first.Line) == "" || strings.Trim(lines[first.Line-1][:indent], " -") != "" || strings.HasPrefix(strings.TrimLeft(lines[first.Line-1], " -"), "{") {
			return nil, errOneLine
		}
		from = blockEnd(lines, first.Line, indent-1)
		to = from
	}
	if old != nil && old.Kind == yaml.ScalarNode && old.Tag == "!!null" {
		old = nil
	}
	text, err := encode(&yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{word("expect"), w.expect(old, o.plans)}})
	if err != nil {
		return nil, err
	}
	end := "" // that of the line in whose place, or behind which, it stands
	if strings.HasSuffix(lines[min(from, to-1)], "\r") {
		end = "\r"
	}
	out := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range out {
		switch {
		case i == 0:
			out[i] = prefix + line
		case line != "":
			out[i] = strings.Repeat(" ", indent) + line
		}
		out[i] += end
	}
	return slices.Concat(lines[:from], out, lines[to:]), nil
}

// blockEnd is the line behind a block that goes on at from: the next with no
// more than that indentation, blank lines and comments before it left out.
func blockEnd(lines []string, from, indent int) int {
	end := from
	for n := from; n < len(lines); n++ {
		text := strings.TrimLeft(lines[n], " ")
		deep := len(lines[n]) - len(text)
		text = strings.TrimSpace(text)
		switch {
		case text == "":
		case deep <= indent && !strings.HasPrefix(text, "#"):
			return end
		case deep > indent:
			end = n + 1
		}
	}
	return end
}

func dedent(lines []string, indent int) string {
	out := make([]string, len(lines))
	for i, line := range lines {
		out[i] = strings.TrimSuffix(line[min(indent, len(line)):], "\r")
	}
	return strings.Join(out, "\n") + "\n"
}

func encode(n *yaml.Node) (string, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(n); err != nil {
		return "", err
	}
	return b.String(), enc.Close()
}
