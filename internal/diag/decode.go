package diag

import (
	"cmp"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Unmarshaler is a type that reads itself from a node, such as a secret or a
// formula that must know its place.
type Unmarshaler interface {
	UnmarshalNode(n *Node) Problems
}

// Pos returns where the node begins.
func (n *Node) Pos() Pos { return Pos{n.File.Name, n.Line, n.Column} }

// Problem returns a problem at the node.
func (n *Node) Problem(message, hint string) Problem {
	p := n.File.problem(n.Line, n.Column, message, hint)
	if n.Shape == Scalar && !n.Block {
		p.Width = utf8.RuneCountInString(cmp.Or(n.Written, n.Value))
		if n.Quoted {
			p.Width += 2
		}
	}
	return p
}

// Get returns the value of a key, or nil.
func (n *Node) Get(key string) *Node {
	if n == nil {
		return nil
	}
	for _, p := range n.Pairs {
		if p.Key.Value == key {
			return p.Value
		}
	}
	return nil
}

// Decode reads the node strictly into what into points to: structs by their
// `yaml:"name"` tags (`yaml:"name,required"` must be there, `yaml:"-"` is left
// out), maps with text keys, slices (a single value counts as a list of one),
// pointers, text, booleans, whole numbers, floats, time.Duration ("30s", "2h",
// "7d"), *Node and Unmarshalers. Every problem is reported, not only the first.
func (n *Node) Decode(into any) Problems {
	return decode(n, reflect.ValueOf(into).Elem())
}

func decode(n *Node, v reflect.Value) Problems {
	if v.CanAddr() {
		if u, ok := v.Addr().Interface().(Unmarshaler); ok {
			return u.UnmarshalNode(n)
		}
	}
	if v.Type() == reflect.TypeFor[*Node]() {
		v.Set(reflect.ValueOf(n))
		return nil
	}
	if n.Null && v.Kind() != reflect.Struct {
		return nil
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		return decodeDuration(n, v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return decode(n, v.Elem())
	case reflect.Struct:
		return decodeStruct(n, v)
	case reflect.Map:
		return decodeMap(n, v)
	case reflect.Slice:
		return decodeSlice(n, v)
	}
	if n.Shape != Scalar {
		return Problems{n.Problem("wants "+kindName(v)+", not "+n.Shape.String(), "")}
	}
	return decodeScalar(n, v)
}

func decodeScalar(n *Node, v reflect.Value) Problems {
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
		return nil
	case reflect.Bool:
		switch strings.ToLower(n.Value) {
		case "true", "yes", "on":
			v.SetBool(true)
			return nil
		case "false", "no", "off":
			v.SetBool(false)
			return nil
		}
		return Problems{n.Problem("wants true or false", "")}
	case reflect.Int, reflect.Int64:
		if i, err := strconv.ParseInt(n.Value, 10, 64); err == nil {
			v.SetInt(i)
			return nil
		}
		return Problems{n.Problem("wants a whole number", "")}
	case reflect.Float64:
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil {
			v.SetFloat(f)
			return nil
		}
		return Problems{n.Problem("wants a number", "")}
	}
	return Problems{n.Problem("cannot be read", "")}
}

func decodeDuration(n *Node, v reflect.Value) Problems {
	text := n.Value
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if f, err := strconv.ParseFloat(days, 64); err == nil {
			v.SetInt(int64(f * float64(24*time.Hour)))
			return nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || n.Shape != Scalar {
		return Problems{n.Problem("wants a length of time", "write it like 30s, 5m, 2h or 7d")}
	}
	v.SetInt(int64(d))
	return nil
}

func decodeStruct(n *Node, v reflect.Value) Problems {
	if n.Null || n.Shape != Mapping {
		if n.Null {
			n = &Node{Shape: Mapping, Line: n.Line, Column: n.Column, File: n.File}
		} else {
			return Problems{n.Problem("wants keys with values, not "+n.Shape.String(), "")}
		}
	}
	var ps Problems
	keys := structKeys(v.Type())
	for _, p := range n.Pairs {
		at := slices.IndexFunc(keys, func(k structKey) bool { return k.name == p.Key.Value })
		if at < 0 {
			names := make([]string, len(keys))
			for i, k := range keys {
				names[i] = k.name
			}
			ps = append(ps, UnknownKey(p.Key, names))
			continue
		}
		ps = append(ps, decode(p.Value, v.FieldByIndex(keys[at].field.Index))...)
	}
	for _, k := range keys {
		if x := n.Get(k.name); k.required && (x == nil && !n.misspells(k.name, keys) || x != nil && x.Null) {
			ps = append(ps, n.Problem(fmt.Sprintf("%q is missing", k.name), "add "+k.name+": …"))
		}
	}
	return ps
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
		return !slices.Contains(known, p.Key.Value) && Suggest(p.Key.Value, known) == key
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

func decodeMap(n *Node, v reflect.Value) Problems {
	if n.Shape != Mapping {
		return Problems{n.Problem("wants keys with values, not "+n.Shape.String(), "")}
	}
	var ps Problems
	v.Set(reflect.MakeMap(v.Type()))
	for _, p := range n.Pairs {
		x := reflect.New(v.Type().Elem()).Elem()
		ps = append(ps, decode(p.Value, x)...)
		v.SetMapIndex(reflect.ValueOf(p.Key.Value).Convert(v.Type().Key()), x)
	}
	return ps
}

func decodeSlice(n *Node, v reflect.Value) Problems {
	items := n.Items
	if n.Shape != Sequence {
		items = []*Node{n}
	}
	var ps Problems
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		ps = append(ps, decode(item, v.Index(i))...)
	}
	return ps
}

// String names the shape for people.
func (s Shape) String() string {
	switch s {
	case Mapping:
		return "keys with values"
	case Sequence:
		return "a list"
	}
	return "a single value"
}

func kindName(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "a number"
	}
	return "text"
}
