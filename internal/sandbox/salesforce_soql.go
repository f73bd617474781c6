package sandbox

import (
	"regexp"
	"strconv"
	"strings"
)

// soqlQuery is a query taken apart.
type soqlQuery struct {
	fields []string
	count  bool // SELECT COUNT()
	from   string
	where  soqlNode // nil: all
	order  []soqlOrder
	limit  int // -1: none
	offset int
}

type soqlOrder struct {
	field           string
	desc, nullsLast bool
}

// soqlNode is a condition.
type soqlNode interface{ soql() }

type (
	soqlAnd []soqlNode
	soqlOr  []soqlNode
	soqlNot struct{ of soqlNode }
	// soqlIs compares a field; in and its like have several values.
	soqlIs struct {
		field, op string
		values    []soqlValue
		read      *soqlRead
	}
)

// soqlRead is a condition's values as they were read for the field, at the
// first record.
type soqlRead struct {
	values []any
	texts  map[string]bool // of IN with text only, in lower case
}

func (soqlAnd) soql() {}
func (soqlOr) soql()  {}
func (soqlNot) soql() {}
func (soqlIs) soql()  {}

// soqlValue is a literal: quoted text, or a bare word such as 12, TRUE, NULL,
// a date or a time.
type soqlValue struct {
	text   string
	quoted bool
}

// soqlParser reads tokens; the first error sticks.
type soqlParser struct {
	tokens []soqlToken
	err    *sfError
}

func (p *soqlParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = soqlBad(format, args...)
	}
	p.tokens = nil
}

func (p *soqlParser) peek() string {
	if len(p.tokens) == 0 || p.tokens[0].quoted {
		return ""
	}
	return strings.ToUpper(p.tokens[0].text)
}

func (p *soqlParser) next() soqlToken {
	if len(p.tokens) == 0 {
		p.fail("unexpected end of query")
		return soqlToken{}
	}
	t := p.tokens[0]
	p.tokens = p.tokens[1:]
	return t
}

// take eats the words if they come next.
func (p *soqlParser) take(words ...string) bool {
	for i, w := range words {
		if i >= len(p.tokens) || p.tokens[i].quoted || !strings.EqualFold(p.tokens[i].text, w) {
			return false
		}
	}
	p.tokens = p.tokens[len(words):]
	return true
}

func (p *soqlParser) want(word string) {
	if !p.take(word) {
		p.fail("unexpected token: '%s', expecting '%s'", p.peek(), word)
	}
}

var soqlName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`)

func (p *soqlParser) name() string {
	t := p.next()
	if p.err == nil && (t.quoted || !soqlName.MatchString(t.text)) {
		p.fail("unexpected token: '%s'", t.text)
	}
	return t.text
}

func (p *soqlParser) number() int {
	n, err := strconv.Atoi(p.next().text)
	if err != nil || n < 0 {
		p.fail("expecting a number")
	}
	return n
}

// parseSOQL takes a query apart.
func parseSOQL(text string) (*soqlQuery, *sfError) {
	if len(text) > 100_000 {
		return nil, soqlBad("SOQL statements cannot be longer than 100000 characters.")
	}
	tokens, e := soqlTokens(text)
	if e != nil {
		return nil, e
	}
	p := &soqlParser{tokens: tokens}
	q := &soqlQuery{limit: -1}
	p.want("SELECT")
	if p.take("COUNT", "(", ")") {
		q.count = true
	} else {
		for q.fields = append(q.fields, p.name()); p.take(","); {
			q.fields = append(q.fields, p.name())
		}
	}
	p.want("FROM")
	q.from = p.name()
	if p.take("WHERE") {
		q.where = p.condition()
	}
	if p.take("ORDER", "BY") {
		for more := true; more; more = p.take(",") {
			o := soqlOrder{field: p.name()}
			o.desc = p.take("DESC")
			if !o.desc {
				p.take("ASC")
			}
			if o.nullsLast = p.take("NULLS", "LAST"); !o.nullsLast {
				p.take("NULLS", "FIRST")
			}
			q.order = append(q.order, o)
		}
	}
	if p.take("LIMIT") {
		q.limit = p.number()
	}
	if p.take("OFFSET") {
		q.offset = p.number()
	}
	if p.err == nil && len(p.tokens) > 0 {
		p.fail("unexpected token: '%s'", p.tokens[0].text)
	}
	return q, p.err
}

// condition reads terms joined by AND or by OR; both together want brackets.
func (p *soqlParser) condition() soqlNode {
	terms := []soqlNode{p.term()}
	join := ""
	for p.err == nil && (p.peek() == "AND" || p.peek() == "OR") {
		word := p.peek()
		if join != "" && word != join {
			p.fail("unexpected token: '%s'", word)
			return nil
		}
		join = word
		p.next()
		terms = append(terms, p.term())
	}
	switch {
	case len(terms) == 1:
		return terms[0]
	case join == "AND":
		return soqlAnd(terms)
	}
	return soqlOr(terms)
}

func (p *soqlParser) term() soqlNode {
	if p.take("NOT") {
		return soqlNot{p.term()}
	}
	if p.take("(") {
		c := p.condition()
		p.want(")")
		return c
	}
	is := soqlIs{field: p.name(), read: &soqlRead{}}
	switch op := strings.ToUpper(p.next().text); op {
	case "=", "!=", "<>", "<", "<=", ">", ">=", "LIKE":
		is.op = strings.Replace(op, "<>", "!=", 1)
		is.values = []soqlValue{p.value()}
	case "NOT":
		p.want("IN")
		is.op, is.values = "NOT IN", p.values()
	case "IN", "INCLUDES", "EXCLUDES":
		is.op, is.values = op, p.values()
	default:
		p.fail("unexpected token: '%s'", op)
	}
	return is
}

func (p *soqlParser) values() []soqlValue {
	p.want("(")
	out := []soqlValue{p.value()}
	for p.take(",") {
		out = append(out, p.value())
	}
	p.want(")")
	return out
}

func (p *soqlParser) value() soqlValue {
	t := p.next()
	if !t.quoted && p.err == nil && strings.ContainsAny(t.text, "(),=!<>") {
		p.fail("unexpected token: '%s'", t.text)
	}
	return soqlValue{t.text, t.quoted}
}
