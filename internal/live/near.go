package live

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
)

const (
	most      = 3  // suggestions
	mostNamed = 12 // options named
)

// nearField hints at fields with a similar name or label.
func nearField(name string, o connectors.Object) string {
	labels := map[string]string{} // what people may have meant, to the field's name
	for key := range o.Fields {
		labels[key] = key
	}
	for key, f := range o.Fields {
		if _, taken := labels[f.Label]; !taken && f.Label != "" {
			labels[f.Label] = key
		}
	}
	words := make([]string, 0, len(labels))
	for w := range labels {
		words = append(words, w)
	}
	var meant []string
	for _, w := range nearest(name, words) {
		if shown := show(o.Fields[labels[w]], labels[w]); !slices.Contains(meant, shown) {
			meant = append(meant, shown)
		}
	}
	if meant == nil {
		return ""
	}
	return "did you mean " + strings.Join(meant, " or ") + "?"
}

func show(f connectors.Field, name string) string {
	if f.Label != "" && f.Label != name {
		return fmt.Sprintf("%s (%s)", name, f.Label)
	}
	return name
}

// nearest gives the words that differ least from a word, the nearest first.
func nearest(word string, words []string) []string {
	words = slices.Clone(words)
	slices.Sort(words)
	var out []string
	for len(out) < most {
		near := connectors.Nearest(word, words)
		if near == "" {
			break
		}
		out = append(out, near)
		words = slices.DeleteFunc(words, func(w string) bool { return w == near })
	}
	return out
}

// nearObject hints at objects with a similar name, else says what the connector
// says.
func (s *survey) nearObject(ctx context.Context, name string, err *connectors.Error) string {
	if l, ok := s.Connector.(connectors.Lister); ok {
		if names, err := l.Objects(ctx); err == nil {
			if near := nearest(name, names); near != nil {
				return "did you mean " + strings.Join(near, " or ") + "?"
			}
		}
	}
	return err.Message
}

// nearOption names the nearest options, or else those that there are.
func nearOption(word string, options []connectors.Option) string {
	means := map[string]string{} // values, by what people may have meant
	var words []string
	for _, o := range options {
		for _, w := range []string{o.Value, o.Label} {
			if _, taken := means[w]; !taken {
				means[w] = o.Value
				words = append(words, w)
			}
		}
	}
	var near []string
	for _, w := range nearest(word, words) {
		if v := fmt.Sprintf("%q", means[w]); !slices.Contains(near, v) {
			near = append(near, v)
		}
	}
	if near != nil {
		return "did you mean " + strings.Join(near, " or ") + "?"
	}
	return optionList(options)
}

func optionList(options []connectors.Option) string {
	if len(options) == 0 {
		return "it has no options"
	}
	var words []string
	for _, o := range options[:min(mostNamed, len(options))] {
		w := o.Value
		if o.Label != o.Value && o.Label != "" {
			w += " (" + o.Label + ")"
		}
		words = append(words, w)
	}
	list := "it has " + strings.Join(words, ", ")
	if n := len(options) - len(words); n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	return list
}
