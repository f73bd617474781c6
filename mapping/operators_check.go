package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// arithmeticKinds says what an operation on two kinds gives, and reports
// those that have no meaning.
func (c *compiler) arithmeticKinds(op string, a, b operand) kinds {
	numeric := kNumber | kDuration
	c.checkJoin(op, a, b)
	if op == "+" && a.kinds == kList && b.kinds == kList {
		c.problem(a.from, b.to, "+ does not put lists together", "write list("+c.named(a)+", "+c.named(b)+")")
		return kList
	}
	if op == "+" && (a.kinds == kText || b.kinds == kText) {
		return kText // whatever the other is
	}
	var k kinds
	join := a.kinds|b.kinds == a.kinds|b.kinds|kText
	if op == "+" && join {
		k |= kText
	}
	if a.kinds.can(numeric|kText) && b.kinds.can(numeric|kText) && (op != "+" || a.kinds.can(numeric) && b.kinds.can(numeric)) {
		if !a.kinds.can(numeric) || !b.kinds.can(numeric) {
			x := a
			if a.kinds.can(numeric) {
				x = b
			}
			c.problem(x.from, x.to, fmt.Sprintf("%s wants numbers, not text", op), "write number(…) around it")
			return kNumber
		}
		k |= kNumber
		if (op == "+" || op == "-") && (a.kinds|b.kinds)&kDuration != 0 {
			k |= kDuration
			if a.kinds == kDuration || b.kinds == kDuration {
				k &^= kNumber
			}
		}
	}
	if (op == "+" || op == "-") && a.kinds&kTime != 0 && b.kinds.can(numeric) || op == "+" && b.kinds&kTime != 0 && a.kinds.can(numeric) {
		k |= kTime
	}
	if op == "-" && a.kinds&kTime != 0 && b.kinds&kTime != 0 {
		k |= kDuration
	}
	if k == 0 && a.kinds != 0 && b.kinds != 0 {
		hint := ""
		if op == "+" {
			hint = "write text(…) around one of them to join text"
		}
		c.problem(a.from, b.to, fmt.Sprintf("%s between %s and %s has no meaning", op, a.kinds, b.kinds), hint)
		return kAny
	}
	return k
}

// checkJoin warns of what + joins as text though something else is meant: a
// length of time behind a time, and a word behind a list.
func (c *compiler) checkJoin(op string, a, b operand) {
	text, ok := b.literal.(string)
	if op != "+" && op != "-" || !ok || text == "" {
		return
	}
	first, _ := utf8.DecodeRuneInString(text)
	_, isLength := newEnv(nil, c.zone, c.country).durationOf(text)
	switch {
	case (a.kinds == kTime || a.kinds == kDuration) && isLength && op == "+":
		c.problem(b.from, b.to, fmt.Sprintf("%q is joined to it as text", text), fmt.Sprintf("for a length of time write seconds(%q)", text))
	case a.kinds == kList && op == "+" && unicode.IsLetter(first):
		c.add(diag.Warning, b.from, b.to, "the list becomes text, and this is joined to its last item", "for one more item write list("+c.named(a)+", "+c.named(b)+")")
	}
}

func (c *compiler) wantText(op string, o operand) {
	if !o.kinds.can(kText | kNumber) {
		c.problem(o.from, o.to, op+" wants text, not "+o.kinds.String(), "")
	}
}

// comparableKinds reports whether values of these kinds can ever be equal.
func comparableKinds(a, b kinds) bool {
	groups := []kinds{kNumber | kDuration | kText, kTime | kText, kBool | kText, kList, kMap}
	return a == 0 || b == 0 || slices.ContainsFunc(groups, func(g kinds) bool { return a&g != 0 && b&g != 0 })
}

// checkLiteral refuses a text beside a number, a time or a length of time that
// cannot be read as one: the comparison could never be true.
func (c *compiler) checkLiteral(a, b operand) bool {
	for _, pair := range [][2]operand{{a, b}, {b, a}} {
		o, text := pair[0], pair[1]
		word, ok := text.literal.(string)
		if ok && o.kinds == kTime && word != "" {
			if _, isTime := parseTime(word, c.zone); !isTime {
				c.problem(text.from, text.to, fmt.Sprintf("%q is compared with a time, which it can never be", word), `write a time like "2026-12-31 14:30"`)
				return false
			}
			if !hasZone(word) {
				c.unzoned(text, "a time without a zone of its own is read")
			}
			continue
		}
		if !ok || o.kinds == 0 || o.kinds&^(kNumber|kDuration) != 0 {
			continue
		}
		if _, err := strconv.ParseFloat(strings.TrimSpace(word), 64); err == nil {
			continue
		}
		if _, isLength := connectors.AsLength(word); isLength && o.kinds == kDuration {
			continue
		}
		hint := "compare it with a number, such as 3"
		if o.kinds == kDuration {
			hint = "compare it with a number of seconds, such as 60"
		}
		c.problem(text.from, text.to, fmt.Sprintf("%q is compared with %s, which it can never be", word, o.kinds), hint)
		return false
	}
	return true
}

func (c *compiler) checkEqual(op string, a, b operand) {
	if !c.checkLiteral(a, b) {
		return
	}
	if a.kinds == kObject || b.kinds == kObject {
		if a.kinds != 0 && b.kinds != 0 {
			x := a
			if b.kinds == kObject {
				x = b
			}
			c.notPlain(x)
		}
		return
	}
	if comparableKinds(a.kinds, b.kinds) {
		return
	}
	hint := ""
	if a.kinds == kList && a.path != "" {
		hint = "write " + a.path + " contains …"
	}
	c.problem(a.from, b.to, fmt.Sprintf("%s is never equal to %s", a.kinds, b.kinds), hint)
}

func (c *compiler) checkOrder(op string, a, b operand) {
	if !c.checkLiteral(a, b) {
		return
	}
	ordered := kScalar &^ kBool
	if a.kinds.can(ordered) && b.kinds.can(ordered) && comparableKinds(a.kinds, b.kinds) {
		return
	}
	c.problem(a.from, b.to, fmt.Sprintf("%s cannot be compared with %s by %s", a.kinds, b.kinds, op), "compare values of one kind")
}

func (c *compiler) checkIn(a, b operand) {
	if !b.kinds.can(kList | kMap | kText) {
		c.problem(b.from, b.to, "in wants a list on its right, not "+b.kinds.String(), `write call.status in ["completed", "voicemail"]`)
	}
	if !a.kinds.can(kScalar) {
		c.problem(a.from, a.to, "in wants a single value on its left, not "+a.kinds.String(), "")
	}
}

func (c *compiler) checkContains(a, b operand) {
	if !a.kinds.can(kText | kList | kMap) {
		c.problem(a.from, a.to, "contains wants text or a list on its left, not "+a.kinds.String(), "")
	}
	if !b.kinds.can(kScalar) {
		c.problem(b.from, b.to, "contains wants a single value on its right, not "+b.kinds.String(), "")
	}
}

// checkLower warns of a word in capitals beside a path that is always in small
// letters, as vendors write their words in either.
func (c *compiler) checkLower(o operand) {
	words, _ := o.literal.([]any)
	if words == nil {
		words = []any{o.literal}
	}
	for _, w := range words {
		if s, ok := w.(string); ok && s != strings.ToLower(s) {
			c.add(diag.Warning, o.from, o.to, fmt.Sprintf("contact.status is never %q", s), fmt.Sprintf("it is in small letters: %q", strings.ToLower(s)))
		}
	}
}
