package sandbox

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// atScope is the row that a formula is computed for.
type atScope struct {
	base   *atBase
	record *atRecord
	now    time.Time
}

// A value of a formula is nil (blank), text, float64, bool, time.Time or
// atFailed, which is what #ERROR! is in the grid: never true, equal to nothing.
type atFailed struct{}

func (l atLiteral) eval(*atScope) any { return l.value }

// eval gives a field's value as formulas see it: links are the names of the
// linked records, not their ids, and lists are text.
func (f atFieldRef) eval(s *atScope) any {
	v := f.field.value(s.record)
	switch {
	case v == nil:
		return nil
	case f.field.typ == "date":
		t, _ := time.Parse("2006-01-02", v.(string))
		return t
	case f.field.typ == "dateTime" || f.field.typ == "createdTime":
		t, _ := time.Parse(time.RFC3339Nano, v.(string))
		return t
	}
	list, ok := v.([]string)
	if !ok {
		return v
	}
	names := make([]string, 0, len(list))
	linked := s.base.table(fmt.Sprint(f.field.options["linkedTableId"]))
	for _, item := range list {
		if linked != nil && linked.byID[item] != nil {
			item = asString(linked.byID[item].cells[linked.fields[0].id])
		}
		names = append(names, item)
	}
	return strings.Join(names, ", ")
}

func (n atNegate) eval(s *atScope) any {
	x, ok := asNumber(n.of.eval(s))
	if !ok {
		return atFailed{}
	}
	return -x
}

func (b atBinary) eval(s *atScope) any {
	left, right := b.left.eval(s), b.right.eval(s)
	if failed(left) || failed(right) {
		return atFailed{}
	}
	switch b.op {
	case "=":
		return equal(left, right)
	case "!=":
		return !equal(left, right)
	case "&":
		return asString(left) + asString(right)
	case "<", "<=", ">", ">=":
		return ordered(b.op, left, right)
	}
	if _, text := left.(string); text && b.op == "+" {
		return asString(left) + asString(right)
	}
	x, ok := asNumber(left)
	y, ok2 := asNumber(right)
	if !ok || !ok2 || b.op == "/" && y == 0 {
		return atFailed{}
	}
	switch b.op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	default:
		return x / y
	}
}

func (c atCallExpr) eval(s *atScope) any { return c.fn.call(s, c.args) }

func failed(v any) bool {
	_, is := v.(atFailed)
	return is
}

func truth(v any) bool {
	switch v := v.(type) {
	case string:
		return v != ""
	case float64:
		return v != 0
	case bool:
		return v
	case time.Time:
		return true
	default:
		return false
	}
}

// equal holds for a blank and an empty text, zero or false; otherwise kinds must agree.
func equal(a, b any) bool {
	if a == nil || b == nil {
		return !truth(a) && !truth(b) && !failed(a) && !failed(b)
	}
	if x, ok := a.(time.Time); ok {
		y, ok := b.(time.Time)
		return ok && x.Equal(y)
	}
	if x, ok := a.(string); ok {
		y, ok := b.(string)
		return ok && x == y
	}
	if _, text := b.(string); text {
		return false
	}
	x, ok := asNumber(a)
	y, ok2 := asNumber(b)
	return ok && ok2 && x == y
}

func ordered(op string, a, b any) any {
	n := 0
	x, ok := asNumber(a)
	y, ok2 := asNumber(b)
	s, text := a.(string)
	t, text2 := b.(string)
	switch {
	case text && text2:
		n = cmp.Compare(s, t)
	case ok && ok2:
		n = cmp.Compare(x, y)
	default:
		return atFailed{}
	}
	switch op {
	case "<":
		return n < 0
	case "<=":
		return n <= 0
	case ">":
		return n > 0
	default:
		return n >= 0
	}
}

func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case nil:
		return 0, true
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case time.Time:
		return float64(v.UnixMilli()), true
	default:
		return 0, false
	}
}

func asString(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		if v {
			return "1"
		}
		return "0"
	case time.Time:
		return isoTime(v)
	default:
		return ""
	}
}
