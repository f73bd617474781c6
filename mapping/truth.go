package mapping

import (
	"maps"
	"slices"
)

// truthOf is what the text of a condition tells of when it can be true.
type truthOf struct {
	never bool
	// only holds, by path, the words of which a path must be one for the
	// condition to be true.
	only map[string][]string
	// spans are, by what is compared, the numbers among which it must be.
	spans map[string]span
}

// onlyTrue is that of path == "word" and of path in ["word", …]: can are the
// words that the path can be.
func onlyTrue(a, b operand, can []string, known bool) truthOf {
	path := a.path
	if path == "" {
		path = b.path
	}
	switch {
	case !known:
		return truthOf{}
	case len(can) == 0:
		return truthOf{never: true}
	case path == "":
		return truthOf{}
	}
	return truthOf{only: map[string][]string{path: can}}
}

// and is that of two conditions which must both be true.
func (t truthOf) and(u truthOf) truthOf {
	if t.never || u.never || t.excludes(u) {
		return truthOf{never: true}
	}
	only, spans := maps.Clone(t.only), maps.Clone(t.spans)
	if only == nil {
		only = u.only
	} else {
		for path, words := range u.only {
			if mine, both := only[path]; both {
				words = common(mine, words)
			}
			only[path] = words
		}
	}
	if spans == nil {
		spans = u.spans
	} else {
		for what, s := range u.spans {
			if mine, both := spans[what]; both {
				s = s.both(mine)
			}
			spans[what] = s
		}
	}
	return truthOf{only: only, spans: spans}
}

// or is that of two conditions of which one must be true.
func (t truthOf) or(u truthOf) truthOf {
	switch {
	case t.never:
		return u
	case u.never:
		return t
	}
	only := map[string][]string{}
	for path, words := range t.only {
		if more, both := u.only[path]; both {
			only[path] = append(slices.Clone(words), more...)
		}
	}
	spans := map[string]span{}
	for what, s := range t.spans {
		if other, both := u.spans[what]; both {
			spans[what] = s.around(other)
		}
	}
	return truthOf{only: only, spans: spans}
}

// excludes reports whether the two are never true of the same event.
func (t truthOf) excludes(u truthOf) bool {
	for path, words := range t.only {
		if others, both := u.only[path]; both && len(common(words, others)) == 0 {
			return true
		}
	}
	for what, s := range t.spans {
		if other, both := u.spans[what]; both && s.both(other).empty() {
			return true
		}
	}
	return false
}

func common(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(w string) bool { return !slices.Contains(b, w) })
}

// condition is one of the parts that a when: is joined of by && or ||.
type condition struct {
	text  string // as written
	run   code
	parts []condition // none: it is not joined of any
}

// conditionOf takes a condition apart.
func (c *compiler) conditionOf(o operand) condition {
	x := condition{text: c.named(operand{from: o.from, to: c.closed(o.from, o.to)}), run: o.run}
	for _, part := range o.parts {
		x.parts = append(x.parts, c.conditionOf(part))
	}
	return x
}

// closed is where a part of the formula ends with the brackets that it opens: the
// place of an operand leaves out those that close behind it, as in !(a || b).
func (c *compiler) closed(from, to int) int {
	runes := []rune(c.node.Value)
	begin, end, open := c.offset+from, c.offset+to, 0
	if begin < 0 || begin > end || end > len(runes) {
		return to
	}
	var quote rune
	for i, r := range runes[begin:] {
		if i >= end-begin && (open <= 0 || r != ')' && r != ' ') {
			return max(to, from+i)
		}
		switch {
		case quote != 0:
			if r == quote && runes[begin+i-1] != '\\' {
				quote = 0
			}
		case r == '"', r == '\'', r == '`':
			quote = r
		case r == '(':
			open++
		case r == ')':
			open--
		}
	}
	if open != 0 {
		return to
	}
	return len(runes) - c.offset
}

// untrue are the parts that make a condition untrue: of those joined by && the
// ones that are, of those joined by || all.
func (x condition) untrue(e *env, out []condition) []condition {
	for _, part := range x.parts {
		if v, _ := (&formula{run: part.run}).eval(e); !truth(v) {
			out = part.untrue(e, out)
		}
	}
	if x.parts == nil {
		out = append(out, x)
	}
	return out
}
