package diag

import (
	"cmp"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
)

// wordHint says how a word that stands in place of keys becomes one of them.
func wordHint(n *Node, keys []structKey) string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	switch {
	case n.Shape != Scalar:
		return ""
	case slices.Contains(names, n.Value):
		return "write " + n.Value + ": and a value behind it"
	}
	return cmp.Or(DidYouMean(n.Value, names), "known here: "+strings.Join(slices.Sorted(slices.Values(names)), ", "))
}

// holdsKeys reports whether a value has keys of its own, below which everything
// may be commented out.
func holdsKeys(t reflect.Type) bool {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.Kind() == reflect.Struct || t.Kind() == reflect.Map
}

// misspells reports whether a key of the node is likely to be meant as this
// one, which is told then.
func (n *Node) misspells(name string, keys []structKey) bool {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return n.Misspells(name, names)
}

// Misspells reports whether the node has, in place of a key, one that is not
// known and is likely to be meant as it: UnknownKey says so, and that the key is
// missing need not be said as well.
func (n *Node) Misspells(key string, known []string) bool {
	return slices.ContainsFunc(n.Pairs, func(p Pair) bool {
		word := p.Key.Value
		return !slices.Contains(known, word) && (Suggest(word, known) == key || Suggest(word, known) == "" && slices.Equal(sharing(word, known), []string{key}))
	})
}

type structKey struct {
	name     string
	required bool
	field    reflect.StructField
}

// structKeys are the keys that a struct takes, those of its fields with
// `yaml:",inline"` among them.
func structKeys(t reflect.Type) (keys []structKey) {
	for f := range Keys(t) {
		name, opt, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		keys = append(keys, structKey{name, opt == "required", f})
	}
	return keys
}

// Keys yields the fields of a struct that have a key in YAML, in their order;
// for a field with `yaml:",inline"` those of its struct. Their Index is that
// within t.
func Keys(t reflect.Type) iter.Seq[reflect.StructField] {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			f := t.Field(i)
			name, opt, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			switch {
			case name == "" && opt == "inline":
				for inner := range Keys(f.Type) {
					inner.Index = append([]int{i}, inner.Index...)
					if !yield(inner) {
						return
					}
				}
			case name != "" && name != "-":
				if !yield(f) {
					return
				}
			}
		}
	}
}

// UnknownKey is the problem of a key that is not among those known here.
func UnknownKey(key *Node, known []string) Problem {
	hint := DidYouMean(key.Value, known)
	if hint == "" {
		known = slices.Sorted(slices.Values(known))
		hint = "known here: " + strings.Join(known, ", ")
	}
	return key.Problem(fmt.Sprintf("unknown key %q", key.Value), hint)
}
