package mapping

import "math"

// span is the numbers for which a condition can be true.
type span struct {
	low, high         float64
	aboveLow, tillEnd bool // low itself or high itself is not among them
}

var allNumbers = span{low: math.Inf(-1), high: math.Inf(1)}

// spanOf is that of a comparison with n: value op n.
func spanOf(op string, n float64) span {
	s := allNumbers
	switch op {
	case "==":
		s.low, s.high = n, n
	case "<":
		s.high, s.tillEnd = n, true
	case "<=":
		s.high = n
	case ">":
		s.low, s.aboveLow = n, true
	case ">=":
		s.low = n
	}
	return s
}

func (s span) empty() bool { return s.low > s.high || s.low == s.high && (s.aboveLow || s.tillEnd) }

// both is what lies in one span and in the other.
func (s span) both(o span) span {
	if o.low > s.low || o.low == s.low && o.aboveLow {
		s.low, s.aboveLow = o.low, o.aboveLow
	}
	if o.high < s.high || o.high == s.high && o.tillEnd {
		s.high, s.tillEnd = o.high, o.tillEnd
	}
	return s
}

// around is the least span that holds two.
func (s span) around(o span) span {
	if o.low < s.low || o.low == s.low && !o.aboveLow {
		s.low, s.aboveLow = o.low, o.aboveLow
	}
	if o.high > s.high || o.high == s.high && !o.tillEnd {
		s.high, s.tillEnd = o.high, o.tillEnd
	}
	return s
}

// mirrored is the comparison when its sides are changed over.
var mirrored = map[string]string{"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// spanned is what the comparison of a value with a number that stands in the
// formula tells: within which numbers the value must be, where it is one.
func (c *compiler) spanned(op string, a, b operand) map[string]span {
	if a.constant {
		op, a, b = mirrored[op], b, a
	}
	if a.constant || !b.constant || op == "" {
		return nil
	}
	e := newEnv(nil, c.zone, c.country)
	v := b.run(e)
	if _, isText := v.(string); isText {
		return nil // how a text compares depends on the other side
	}
	n, ok := e.number(v)
	if !ok {
		return nil
	}
	return map[string]span{c.named(a): spanOf(op, n)}
}
