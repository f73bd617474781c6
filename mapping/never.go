package mapping

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// written is the number that a part of a formula is, whatever the event.
func (c *compiler) written(o operand) (float64, bool) {
	if !o.constant || !o.kinds.can(kNumber) {
		return 0, false
	}
	e := newEnv(nil, c.zone, c.country)
	return e.number(o.run(e))
}

// maxLength is no bound: any length of a text may be asked for.
const maxLength = math.MaxFloat64

// bindCount warns of a second argument with which a function always gives a
// missing value: a number that is written out and not from least to most.
func bindCount(run runner, k kinds, least, most float64, hint string) func(*compiler, []operand, operand) (runner, kinds) {
	return func(c *compiler, args []operand, _ operand) (runner, kinds) {
		if len(args) > 1 {
			if f, known := c.written(args[1]); known && (f < least || f > most) {
				c.add(diag.Warning, args[1].from, args[1].to, fmt.Sprintf("with %s here the value is always missing", formatNumber(f)), hint)
			}
		}
		return run, k
	}
}

// alwaysMissing reports whether a formula reads nothing of the event and gives
// nothing, unless that is what it says: =nil.
func (s *scope) alwaysMissing(run code, k kinds, constant bool) bool {
	return constant && k != 0 && run(newEnv(nil, s.zone, s.country)) == nil
}

func warning(p diag.Problem) diag.Problem {
	p.Severity = diag.Warning
	return p
}

// neverTrue warns of a comparison of a value of which all words are known with
// one that is written out, where it is true of none of them: that of a word with
// a number, above all. Texts that are compared for being equal are checkWords'.
func (c *compiler) neverTrue(op string, a, b operand, holds func(e *env, x, y any) bool) bool {
	word, other := a, b
	if a.constant {
		word, other = b, a
	}
	words := c.wordsOf(word)
	if word.constant || !other.constant || other.kinds == 0 || len(words) == 0 || len(c.problems) > 0 {
		return false
	}
	if _, texts := literals(other); texts && !strings.ContainsAny(op, "<>") {
		return false
	}
	e := newEnv(nil, c.zone, c.country)
	v := other.run(e)
	if slices.ContainsFunc(words, func(w string) bool {
		if a.constant {
			return holds(e, v, w)
		}
		return holds(e, w, v)
	}) {
		return false
	}
	c.add(diag.Warning, a.from, b.to, "this is never true", fmt.Sprintf("%s is one of %s", c.named(word), strings.Join(words, ", ")))
	return true
}
