package mapping

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// piece is a part of a text: plain, or a formula between {{ and }}.
type piece struct {
	text string
	run  code
	at   int
}

const (
	maxTextSource  = 64 << 10 // bytes of a text with formulas, as written
	maxTextPieces  = 200      // formulas in one text
	maxTextMistake = 20       // of them shown
)

// text compiles a text with formulas in {{ }}. A missing value gives nothing.
// The text as a whole is missing if every formula in it is and nothing else
// but blanks stands there. A line keeps its own words where its formula is
// missing. Blank lines at the end of block text are left out.
func (s *scope) text(node *diag.Node) (*formula, diag.Problems) {
	f := &formula{source: strings.TrimRight(node.Value, " \n"), kinds: kText, node: node, constant: true}
	var ps diag.Problems
	var pieces []piece
	rest, offset := node.Value, 0 // offset counts characters
	if node.Block {
		rest = f.source
	}
	add := func(t string) {
		if t != "" {
			pieces = append(pieces, piece{text: t, at: offset})
			offset += utf8.RuneCountInString(t)
		}
	}
	if len(rest) > maxTextSource {
		f.run = func(*env) any { return nil }
		return f, diag.Problems{node.Problem(fmt.Sprintf("the text has %d bytes; with formulas in it at most %d are read", len(rest), maxTextSource), "divide it into several fields")}
	}
	for len(ps) < maxTextMistake {
		i := strings.Index(rest, "{{")
		if i < 0 {
			add(rest)
			break
		}
		add(rest[:i])
		if rest = rest[i+2:]; len(pieces) > 2*maxTextPieces {
			ps = append(ps, node.ProblemAt(offset, 2, fmt.Sprintf("the text has more than %d formulas", maxTextPieces), "divide it into several fields"))
			break
		}
		end := closing(rest)
		if end < 0 {
			ps = append(ps, node.ProblemAt(offset, 2, "{{ is not closed", "add }} behind the formula"))
			break
		}
		o, problems := s.compile(node, offset+2, rest[:end])
		if len(problems) == 0 && !o.kinds.can(kField) {
			c := &compiler{scope: s, node: node, offset: offset + 2}
			c.notPlain(o)
			problems = c.problems
		}
		if len(problems) == 0 && s.alwaysMissing(o.run, o.kinds, o.constant) {
			problems = diag.Problems{warning(node.ProblemAt(offset, 4+utf8.RuneCountInString(rest[:end]), "the value is always missing", "leave it out"))}
		}
		ps = append(ps, problems...)
		pieces = append(pieces, piece{run: o.run, at: offset})
		f.constant = f.constant && o.constant
		offset += 4 + utf8.RuneCountInString(rest[:end])
		rest = rest[end+2:]
	}
	f.run = func(e *env) any { return e.fill(pieces) }
	return f, ps
}

// closing finds the }} that ends a formula, past those in quotes; -1 if there is none.
func closing(s string) int {
	var quote byte
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case quote != 0 && b == '\\' && quote != '`':
			i++
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '"' || b == '\'' || b == '`':
			quote = b
		case b == '}' && strings.HasPrefix(s[i:], "}}"):
			return i
		}
	}
	// A quote that is not closed is the formula's problem, not that of {{.
	if quote != 0 {
		return strings.Index(s, "}}")
	}
	return -1
}

func (e *env) fill(pieces []piece) any {
	var b strings.Builder
	found := false
	for _, p := range pieces {
		s := p.text
		if p.run != nil {
			s = e.text(p.run(e), p.at)
			found = found || s != ""
		}
		if b.Len()+len(s) > MaxText {
			e.fail(p.at, fmt.Sprintf("the text would be longer than %d KiB", MaxText>>10))
		}
		if e.fault != nil {
			return nil
		}
		b.WriteString(s)
	}
	if !found && strings.TrimSpace(b.String()) == "" {
		return nil
	}
	return b.String()
}

// text is toText with its length bounded before it is built.
func (e *env) text(v any, at int) string {
	switch v := v.(type) {
	case string:
		return v
	case []any, map[string]any:
		if !e.room(size(v), at) {
			return ""
		}
	}
	return toText(v, e.zone)
}

// size estimates the bytes of v as text; it stops counting above MaxText.
func size(v any) int {
	n := 0
	switch v := v.(type) {
	case string:
		return len(v) + 3
	case []any:
		for _, x := range v {
			if n += size(normal(x)) + 2; n > MaxText {
				break
			}
		}
	case map[string]any:
		for k, x := range v {
			if n += len(k) + size(normal(x)) + 4; n > MaxText {
				break
			}
		}
	default:
		return 24
	}
	return n
}
