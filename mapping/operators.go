package mapping

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

func (c *compiler) unary(n *ast.UnaryNode) operand {
	x := c.compile(n.Node)
	from := n.Location().From
	o := operand{constant: x.constant, from: from, to: x.to}
	switch n.Operator {
	case "!", "not":
		c.wantCondition(x, "the value after "+n.Operator)
		o.kinds = kBool
		o.run = func(e *env) any { return !truth(x.run(e)) }
	case "-", "+":
		if !x.kinds.can(kNumber | kDuration) {
			c.problem(x.from, x.to, n.Operator+" wants a number, not "+x.kinds.String(), "")
		}
		sign := 1.0
		if n.Operator == "-" {
			sign = -1
		}
		o.kinds = kNumber
		if x.kinds == kDuration {
			o.kinds = kDuration
		}
		o.run = func(e *env) any {
			v := x.run(e)
			f, ok := e.number(v)
			if !ok {
				return nil
			}
			if _, isDuration := v.(event.Seconds); isDuration {
				return event.Seconds(sign * f)
			}
			return num(sign * f)
		}
	default:
		c.problem(from, from+1, n.Operator+" is not supported", "")
		return nothing
	}
	return o
}

func (c *compiler) binary(n *ast.BinaryNode) operand {
	a, b := c.compile(n.Left), c.compile(n.Right)
	from, to := n.Location().From, n.Location().To
	o := operand{constant: a.constant && b.constant, from: a.from, to: b.to}
	op, at := n.Operator, c.at(from)
	for _, x := range []operand{a, b} {
		if x.kinds == kObject && op != "??" && op != "==" && op != "!=" {
			c.notPlain(x)
			return nothing
		}
	}
	switch op {
	case "??":
		o.kinds, o.words = a.kinds|b.kinds, c.either(a, b)
		o.run = func(e *env) any {
			if v := a.run(e); present(v) {
				return v
			}
			return b.run(e)
		}
	case "&&", "and":
		c.wantCondition(a, "the condition before "+op)
		c.wantCondition(b, "the condition after "+op)
		o.kinds, o.run = kBool, func(e *env) any { return truth(a.run(e)) && truth(b.run(e)) }
		o.truth, o.parts = a.truth.and(b.truth), []operand{a, b}
	case "||", "or":
		c.wantCondition(a, "the condition before "+op)
		c.wantCondition(b, "the condition after "+op)
		o.kinds, o.run = kBool, func(e *env) any { return truth(a.run(e)) || truth(b.run(e)) }
		o.truth, o.parts = a.truth.or(b.truth), []operand{a, b}
	case "==", "!=":
		c.checkEqual(op, a, b)
		same := op == "=="
		if can, known := c.checkWords(a, b); same {
			o.truth = onlyTrue(a, b, can, known)
			o.truth.never = o.truth.never || c.neverTrue(op, a, b, (*env).equal)
			o.truth.spans = c.spanned(op, a, b)
		}
		o.kinds, o.run = kBool, func(e *env) any { return e.equal(a.run(e), b.run(e)) == same }
	case "<", "<=", ">", ">=":
		c.checkOrder(op, a, b)
		compares := func(e *env, x, y any) bool {
			order, ok := e.compare(x, y)
			return ok && holds(op, order)
		}
		o.truth = truthOf{never: c.neverTrue(op, a, b, compares), spans: c.spanned(op, a, b)}
		o.kinds, o.run = kBool, func(e *env) any { return compares(e, a.run(e), b.run(e)) }
	case "in":
		c.checkIn(a, b)
		if text, ok := b.literal.(string); ok {
			o.truth = c.inText(a, b, text)
		} else {
			can, known := c.checkWords(a, b)
			o.truth = onlyTrue(a, operand{}, can, known)
			o.truth.never = o.truth.never || c.neverTrue(op, a, b, (*env).within)
		}
		o.kinds, o.run = kBool, func(e *env) any { return e.within(a.run(e), b.run(e)) }
	case "contains":
		c.checkContains(a, b)
		o.kinds, o.run = kBool, func(e *env) any { return e.within(b.run(e), a.run(e)) }
	case "startsWith", "endsWith":
		c.wantText(op, a)
		c.wantText(op, b)
		test := strings.HasPrefix
		if op == "endsWith" {
			test = strings.HasSuffix
		}
		o.kinds, o.run = kBool, func(e *env) any {
			x, y := toScalarText(a.run(e), e.zone), toScalarText(b.run(e), e.zone)
			return x != "" && y != "" && test(x, y)
		}
	case "+", "-", "*", "/", "%":
		o.kinds = c.arithmeticKinds(op, a, b)
		if op == "+" && (a.kinds == kText || b.kinds == kText) {
			o.run = func(e *env) any { return e.join(a.run(e), b.run(e), at) }
			break
		}
		if f, known := c.written(b); known && !a.constant && f == 0 && (op == "/" || op == "%") {
			c.add(diag.Warning, b.from, b.to, "a division by 0 is always missing", "")
		}
		o.run = func(e *env) any { return e.arithmetic(op, a.run(e), b.run(e), at) }
	default:
		hint := ""
		switch op {
		case "matches":
			hint = "use contains, startsWith or endsWith"
		case "**", "^":
			hint = "multiply instead"
		}
		c.problem(from, to, op+" is not supported", hint)
		return nothing
	}
	return o
}

func holds(op string, order int) bool {
	switch op {
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// within reports whether x is in a list, a name among named values, or a part
// of a text.
func (e *env) within(x, whole any) bool {
	if !present(x) {
		return false
	}
	switch w := whole.(type) {
	case []any:
		return slices.ContainsFunc(w, func(y any) bool { return e.equal(x, normal(y)) })
	case map[string]any:
		_, ok := w[toScalarText(x, e.zone)]
		return ok
	case string:
		s := toScalarText(x, e.zone)
		return s != "" && strings.Contains(w, s)
	}
	return false
}

// toScalarText is toText, but nothing for lists and maps, which could be long.
func toScalarText(v any, zone *time.Location) string {
	switch v.(type) {
	case []any, map[string]any:
		return ""
	}
	return toText(v, zone)
}

// join is + with text: missing is nothing, and nothing at all is missing.
func (e *env) join(a, b any, at int) any {
	x, y := e.text(a, at), e.text(b, at)
	if !present(a) && !present(b) || !e.room(len(x)+len(y), at) {
		return nil
	}
	return x + y
}

// arithmetic evaluates + - * / %. With a missing operand the result is
// missing; but + with text joins, and there missing is nothing. Products and
// quotients of durations are plain numbers: call.duration / 60 is minutes.
func (e *env) arithmetic(op string, a, b any, at int) any {
	if op == "+" {
		_, aText := a.(string)
		_, bText := b.(string)
		if aText || bText {
			return e.join(a, b, at)
		}
	}
	if t, ok := a.(time.Time); ok {
		return e.timeArithmetic(op, t, b)
	}
	if t, ok := b.(time.Time); ok {
		if op != "+" {
			return nil
		}
		return e.timeArithmetic(op, t, a)
	}
	x, ok1 := e.number(a)
	y, ok2 := e.number(b)
	if !ok1 || !ok2 {
		return nil
	}
	f := calculate(op, x, y)
	_, aDuration := a.(event.Seconds)
	_, bDuration := b.(event.Seconds)
	if (aDuration || bDuration) && (op == "+" || op == "-") && finite(f) {
		return event.Seconds(f)
	}
	return num(f)
}

func calculate(op string, x, y float64) float64 {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		return x / y
	}
	return math.Mod(x, y)
}

const maxShift = 1e10 // seconds that a time may be shifted by: 300 years

func (e *env) timeArithmetic(op string, t time.Time, b any) any {
	if u, ok := b.(time.Time); ok {
		if op != "-" {
			return nil
		}
		return event.Seconds(t.Sub(u).Seconds())
	}
	f, ok := e.number(b)
	if !ok || math.Abs(f) > maxShift/2 || op != "+" && op != "-" {
		return nil
	}
	if op == "-" {
		f = -f
	}
	return t.Add(time.Duration(f * float64(time.Second)))
}
