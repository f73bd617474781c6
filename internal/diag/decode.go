package diag

import (
	"cmp"
	"fmt"
	"math"
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
	_, value := n.pair(key)
	return value
}

// pair returns a key and its value, or nil.
func (n *Node) pair(key string) (k, value *Node) {
	for _, p := range n.Pairs {
		if p.Key.Value == key {
			return p.Key, p.Value
		}
	}
	return nil, nil
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
		if f, err := strconv.ParseFloat(n.Value, 64); err == nil && !math.IsNaN(f) && !math.IsInf(f, 0) {
			v.SetFloat(f)
			return nil
		}
		return Problems{n.Problem("wants a number", "")}
	}
	return Problems{n.Problem("cannot be read", "")}
}

// mostDays is the longest length of time, 270 years.
const mostDays = 100_000

func decodeDuration(n *Node, v reflect.Value) Problems {
	text := n.Value
	if days, ok := strings.CutSuffix(text, "d"); ok {
		// More would not fit; NaN is not below it either.
		if f, err := strconv.ParseFloat(days, 64); err == nil && math.Abs(f) <= mostDays {
			v.SetInt(int64(f * float64(24*time.Hour)))
			return nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || n.Shape != Scalar {
		if text, ok := strings.CutSuffix(text, "d"); ok && isDigits(text) {
			return Problems{n.Problem("is too long a time", fmt.Sprintf("the longest is %dd", mostDays))}
		}
		return Problems{n.Problem("wants a length of time", "write it like 30s, 5m, 2h or 7d")}
	}
	v.SetInt(int64(d))
	return nil
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func decodeStruct(n *Node, v reflect.Value) Problems {
	if n.Null || n.Shape != Mapping {
		if n.Null {
			n = &Node{Shape: Mapping, Line: n.Line, Column: n.Column, File: n.File}
		} else {
			return Problems{n.Problem("wants keys with values, not "+n.Shape.String(), wordHint(n, structKeys(v.Type())))}
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
		into := v.FieldByIndex(keys[at].field.Index)
		ps = append(ps, decode(p.Value, into)...)
		if p.Value.Null && p.Value.Value == "" && !keys[at].required && !holdsKeys(into.Type()) {
			bare := p.Key.Problem(fmt.Sprintf("%s has no value: it is as if it did not stand here", p.Key.Value), "write a value behind "+p.Key.Value+":, or take it out")
			bare.Severity = Warning
			ps = append(ps, bare)
		}
	}
	for _, k := range keys {
		switch key, x := n.pair(k.name); {
		case !k.required || x != nil && !x.Null:
		case x != nil:
			ps = append(ps, key.Problem(fmt.Sprintf("%q has no value", k.name), "write it behind "+k.name+":"))
		case !n.misspells(k.name, keys):
			ps = append(ps, n.Problem(fmt.Sprintf("%q is missing", k.name), "add "+k.name+": …"))
		}
	}
	return ps
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
