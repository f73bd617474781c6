package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// table is a list of values by key, such as owners or picklist entries.
type table struct {
	name     string
	pos      diag.Pos
	node     *diag.Node
	values   map[string]any
	folded   map[string]any // by key in lower case, for keys that differ in nothing else
	fallback any            // of the key "*"
	kinds    kinds
	used     bool
	open     bool     // looked up by keys that are not known beforehand
	keys     []string // by which it is looked up else
	path     string   // of the model that the keys are of, if it is one
}

// lookedUp notes by which keys a formula reads the table.
func (t *table) lookedUp(c *compiler, key operand) {
	words := c.wordsOf(key)
	if key.path != "" {
		t.path = key.path
		if all := modelWords(key.path, c.types); all != nil {
			words = all // a table may well hold more than one vendor's words
		}
	}
	t.used, t.open, t.keys = true, t.open || words == nil, append(t.keys, words...)
}

// unused warns of a table that no formula reads, and of entries whose keys it
// is never asked for.
func (t *table) unused(r *reader, name *diag.Node) {
	if !t.used {
		r.doubt(name, fmt.Sprintf("the table %q is never used", t.name), fmt.Sprintf("write =table(%q, …) in a field, or take it out", t.name))
		return
	}
	if t.open || t.node.Shape != diag.Mapping {
		return
	}
	for _, p := range t.node.Pairs {
		key := p.Key.Value
		if key == "*" || t.fallback == nil && isElse(key) || slices.ContainsFunc(t.keys, func(k string) bool { return strings.EqualFold(k, key) }) {
			continue
		}
		hint := diag.DidYouMean(key, t.keys)
		if hint == "" {
			hint = "it is looked up by " + strings.Join(slices.Compact(slices.Sorted(slices.Values(t.keys))), ", ")
		}
		what := "no rule looks it up"
		if t.path != "" {
			what = t.path + " is never that where the table is used"
		}
		r.doubt(p.Key, fmt.Sprintf("the entry %q is never used: %s", key, what), hint)
	}
}

// find looks a key up: as written, then without regard to case, then "*".
func (t *table) find(key string) any {
	if v, ok := t.values[key]; ok {
		return v
	}
	if v, ok := t.folded[strings.ToLower(key)]; ok {
		return v
	}
	return t.fallback
}

// isElse reports whether a key is what people call all others.
func isElse(key string) bool {
	return slices.Contains([]string{"default", "else", "otherwise", "sonst"}, strings.ToLower(key))
}

func readTable(name *diag.Node, n *diag.Node) (*table, diag.Problems) {
	t := &table{name: name.Value, pos: name.Pos(), node: n, values: map[string]any{}, folded: map[string]any{}}
	if n.Shape != diag.Mapping {
		return t, diag.Problems{n.Problem(fmt.Sprintf("the table %q wants keys with values, not %s", name.Value, n.Shape), "write one line key: value for each entry")}
	}
	var ps diag.Problems
	for _, p := range n.Pairs {
		switch {
		case p.Value.Shape != diag.Scalar:
			ps = append(ps, p.Value.Problem("a table holds single values, not "+p.Value.Shape.String(), "write a table for each of the values, with the same keys"))
			continue
		case p.Value.Null:
			ps = append(ps, p.Key.Problem(fmt.Sprintf("the key %q has no value", p.Key.Value), "leave the line out: what is not in the table is missing"))
			continue
		case isFormula(p.Value), strings.Contains(p.Value.Value, "{{"):
			ps = append(ps, p.Value.Problem("a table holds plain values, no formulas", "put the formula into the rule's field"))
			continue
		}
		v, k := scalar(p.Value)
		t.kinds |= k
		if p.Key.Value == "*" {
			t.fallback = v
			continue
		}
		t.values[p.Key.Value] = v
		if low := strings.ToLower(p.Key.Value); t.folded[low] == nil {
			t.folded[low] = v
		}
	}
	for _, p := range n.Pairs {
		if t.fallback == nil && isElse(p.Key.Value) {
			doubt := p.Key.Problem(fmt.Sprintf("%q is a key like any other, not that of all others", p.Key.Value), `write "*": for all others`)
			doubt.Severity = diag.Warning
			ps = append(ps, doubt)
		}
	}
	return t, ps
}

// plainNumber is what counts as a number: no leading zero or plus, which are
// signs of telephone numbers, ids and codes.
var plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,17})?$`)

// scalar reads a plain value. Unquoted numbers, true and false keep their
// type; all else is text.
func scalar(n *diag.Node) (any, kinds) {
	if n.Quoted {
		if n.Block {
			return strings.TrimRight(n.Value, " \n"), kText
		}
		return n.Value, kText
	}
	switch n.Value {
	case "true", "True", "TRUE":
		return true, kBool
	case "false", "False", "FALSE":
		return false, kBool
	}
	if plainNumber.MatchString(n.Value) {
		if i, err := strconv.Atoi(n.Value); err == nil {
			return i, kNumber
		}
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return f, kNumber
		}
	}
	return n.Value, kText
}
