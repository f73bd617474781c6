package sandbox

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// atMaxDepth bounds how deep a formula may be nested.
const atMaxDepth = 100

// atFormulaError is a refusal in Airtable's own words.
type atFormulaError string

func (e atFormulaError) Error() string { return string(e) }

// atExpr is one node of a parsed filterByFormula.
type atExpr interface{ eval(s *atScope) any }

type (
	atLiteral  struct{ value any }
	atFieldRef struct{ field *atField }
	atNegate   struct{ of atExpr }
	atBinary   struct {
		op          string
		left, right atExpr
	}
	atCallExpr struct {
		fn   atFunction
		args []atExpr
	}
)

// atParser reads a formula by recursive descent. From weakest to strongest:
// comparison, &, + and -, * and /, sign.
type atParser struct {
	text  string
	at    int
	depth int
	table *atTable
}

func parseFormula(text string, t *atTable) (atExpr, error) {
	p := &atParser{text: text, table: t}
	e, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(p.text) {
		return nil, fmt.Errorf("unexpected %q at position %d", p.text[p.at:], p.at)
	}
	return e, nil
}

var atLevels = [][]string{
	{"!=", "<=", ">=", "=", "<", ">"},
	{"&"},
	{"+", "-"},
	{"*", "/"},
}

func (p *atParser) space() {
	for p.at < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[p.at:])
		if !unicode.IsSpace(r) {
			return
		}
		p.at += n
	}
}

func (p *atParser) accept(token string) bool {
	p.space()
	if !strings.HasPrefix(p.text[p.at:], token) {
		return false
	}
	p.at += len(token)
	return true
}

func (p *atParser) binary(level int) (atExpr, error) {
	if level == len(atLevels) {
		return p.unary()
	}
	left, err := p.binary(level + 1)
	if err != nil {
		return nil, err
	}
	for {
		op := ""
		for _, token := range atLevels[level] {
			if p.accept(token) {
				op = token
				break
			}
		}
		if op == "" {
			return left, nil
		}
		right, err := p.binary(level + 1)
		if err != nil {
			return nil, err
		}
		left = atBinary{op: op, left: left, right: right}
	}
}

func (p *atParser) unary() (atExpr, error) {
	if p.depth++; p.depth > atMaxDepth {
		return nil, errors.New("it is nested too deep")
	}
	defer func() { p.depth-- }()
	if p.accept("-") {
		of, err := p.unary()
		return atNegate{of: of}, err
	}
	if p.accept("(") {
		e, err := p.binary(0)
		if err == nil && !p.accept(")") {
			err = errors.New("a closing bracket is missing")
		}
		return e, err
	}
	p.space()
	if p.at >= len(p.text) {
		return nil, errors.New("it ends too early")
	}
	switch c := p.text[p.at]; {
	case c == '{':
		return p.braces()
	case c == '"' || c == '\'':
		return p.quoted(c)
	case c >= '0' && c <= '9' || c == '.':
		return p.number()
	}
	return p.name()
}

func (p *atParser) fieldNamed(name string) (atExpr, error) {
	f := p.table.field(name)
	if f == nil {
		return nil, atFormulaError("Unknown field names: " + strings.ToLower(name))
	}
	return atFieldRef{field: f}, nil
}

func (p *atParser) braces() (atExpr, error) {
	var b strings.Builder
	for i := p.at + 1; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '\\' && i+1 < len(p.text):
			i++
			b.WriteByte(p.text[i])
		case c == '}':
			p.at = i + 1
			return p.fieldNamed(b.String())
		default:
			b.WriteByte(c)
		}
	}
	return nil, errors.New("a closing } is missing")
}

func (p *atParser) quoted(quote byte) (atExpr, error) {
	var b strings.Builder
	for i := p.at + 1; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '\\' && i+1 < len(p.text):
			i++
			switch p.text[i] {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			default:
				b.WriteByte(p.text[i])
			}
		case c == quote:
			p.at = i + 1
			return atLiteral{value: b.String()}, nil
		default:
			b.WriteByte(c)
		}
	}
	return nil, errors.New("a closing quote is missing")
}

func (p *atParser) number() (atExpr, error) {
	end := p.at
	for end < len(p.text) && (p.text[end] >= '0' && p.text[end] <= '9' || p.text[end] == '.') {
		end++
	}
	x, err := strconv.ParseFloat(p.text[p.at:end], 64)
	if err != nil {
		return nil, fmt.Errorf("%q is no number", p.text[p.at:end])
	}
	p.at = end
	return atLiteral{value: x}, nil
}

// name is a function with its arguments, or a field's name without braces.
func (p *atParser) name() (atExpr, error) {
	end := p.at
	for end < len(p.text) {
		r, n := utf8.DecodeRuneInString(p.text[end:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' {
			break
		}
		end += n
	}
	if end == p.at {
		return nil, fmt.Errorf("unexpected %q at position %d", p.text[p.at:], p.at)
	}
	name := p.text[p.at:end]
	p.at = end
	if !p.accept("(") {
		return p.fieldNamed(name)
	}
	fn, ok := atFunctions[strings.ToUpper(name)]
	if !ok {
		return nil, atFormulaError("Unknown function names: " + strings.ToUpper(name))
	}
	args, err := p.arguments()
	if err != nil {
		return nil, err
	}
	if len(args) < fn.min || fn.max >= 0 && len(args) > fn.max {
		return nil, fmt.Errorf("%s takes another number of arguments than %d", strings.ToUpper(name), len(args))
	}
	return atCallExpr{fn: fn, args: args}, nil
}

func (p *atParser) arguments() ([]atExpr, error) {
	var args []atExpr
	if p.accept(")") {
		return nil, nil
	}
	for {
		e, err := p.binary(0)
		if err != nil {
			return nil, err
		}
		args = append(args, e)
		switch {
		case p.accept(")"):
			return args, nil
		case !p.accept(","):
			return nil, errors.New("a comma or a closing bracket is missing")
		}
	}
}
