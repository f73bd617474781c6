package connectors

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// PickOption finds the option that a word means: by its value, then by its
// label, exactly, then without regard to case. A word that fits several in the
// same way means none.
func PickOption(options []Option, word string) (Option, bool) {
	word = strings.TrimSpace(word)
	for _, fits := range []func(Option) bool{
		func(o Option) bool { return o.Value == word },
		func(o Option) bool { return o.Label == word },
		func(o Option) bool { return strings.EqualFold(o.Value, word) },
		func(o Option) bool { return strings.EqualFold(strings.TrimSpace(o.Label), word) },
	} {
		i := slices.IndexFunc(options, fits)
		if i < 0 {
			continue
		}
		if slices.ContainsFunc(options[i+1:], func(o Option) bool { return fits(o) && o.Value != options[i].Value }) {
			return Option{}, false
		}
		return options[i], true
	}
	return Option{}, false
}

func (c Coercion) option(f Field, v Value) (Coerced, *Error) {
	if list := AsList(v); len(list) == 1 {
		v = list[0]
	}
	switch v.(type) {
	case []any, []string:
		return Coerced{}, Wrong(f, v, "one option")
	}
	s, err := c.text(f, v)
	if err != nil {
		return Coerced{}, err
	}
	word, err := c.pick(f, s)
	if err != nil {
		return Coerced{}, err
	}
	return Coerced{Value: word}, nil
}

func (c Coercion) options(f Field, v Value) (Coerced, *Error) {
	items := AsList(v)
	if s, ok := v.(string); ok && strings.Contains(s, ";") {
		if _, whole := PickOption(f.Options, s); !whole {
			items = AsList(strings.Split(s, ";"))
		}
	}
	chosen := []string{}
	for _, item := range items {
		s, err := c.text(f, item)
		if err != nil {
			return Coerced{}, err
		}
		if strings.TrimSpace(s) == "" {
			continue
		}
		word, err := c.pick(f, s)
		if err != nil {
			return Coerced{}, err
		}
		if !slices.Contains(chosen, word) {
			chosen = append(chosen, word)
		}
	}
	return Coerced{Value: chosen}, nil
}

func (c Coercion) pick(f Field, word string) (string, *Error) {
	if o, ok := PickOption(f.Options, word); ok {
		return o.Value, nil
	}
	if c.AnyOption || f.Options == nil {
		return strings.TrimSpace(word), nil
	}
	return "", NoOption(f, word)
}

// CodeOption is the code of errors about a word that is no option of a field.
const CodeOption = "INVALID_OPTION"

// NoOption is the error about a word that is no option of a field. It shows
// the options, never the word.
func NoOption(f Field, word string) *Error {
	var names []string
	for _, o := range f.Options {
		if _, err := strconv.Atoi(o.Value); err != nil {
			names = append(names, o.Value) // a number is near to any other
		}
		names = append(names, shown(o))
	}
	message := "the value is none of the field's options"
	if near := Nearest(word, names); near != "" {
		message += fmt.Sprintf(" (did you mean %q?)", near)
	} else if len(f.Options) > 0 {
		all := make([]string, 0, 8)
		for _, o := range f.Options[:min(8, len(f.Options))] {
			all = append(all, shown(o))
		}
		message += ": " + strings.Join(all, ", ")
		if more := len(f.Options) - len(all); more > 0 {
			message += fmt.Sprintf(" and %d more", more)
		}
	} else {
		message += ": it has none"
	}
	return &Error{Kind: Invalid, Field: f.Name, Code: CodeOption, Message: message}
}

// shown is what people call an option; the value may be an id that they never
// see.
func shown(o Option) string {
	if o.Label == "" {
		return o.Value
	}
	return o.Label
}

// NoField is the error about a field that the object does not have.
func NoField(o Object, name, code string) *Error {
	names := make([]string, 0, len(o.Fields))
	for n := range o.Fields {
		names = append(names, n)
	}
	slices.Sort(names)
	message := fmt.Sprintf("%s has no such field", o.Name)
	if near := Nearest(name, names); near != "" {
		message += fmt.Sprintf(" (did you mean %q?)", near)
	}
	return &Error{Kind: Invalid, Field: name, Code: code, Message: message}
}

// Nearest returns the name that differs least from the word, or "" if all
// differ by more than a third of it.
func Nearest(word string, names []string) string {
	word = strings.ToLower(strings.TrimSpace(word))
	best, least := "", len([]rune(word))/3+1
	for _, name := range names {
		if d := distance(word, strings.ToLower(name), least); d < least {
			best, least = name, d
		}
	}
	return best
}

// distance counts the characters to change, add, drop or swap; it gives up at
// limit.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x)-len(y) >= limit || len(y)-len(x) >= limit {
		return limit
	}
	before, row, next := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		next[0] = i + 1
		for j := range y {
			cost := 1
			if x[i] == y[j] {
				cost = 0
			}
			next[j+1] = min(row[j+1]+1, next[j]+1, row[j]+cost)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row, next = row, next, before
	}
	return row[len(y)]
}
