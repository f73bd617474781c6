package cases

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// writer makes the YAML of what came out. Of what stands there already it
// keeps what is still true, with its order, comments and notation.
type writer struct {
	zone *time.Location
}

func scalar(tag, value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: value}
}

func word(s string) *yaml.Node {
	n := scalar("!!str", s)
	switch {
	case strings.ContainsAny(s, "\r\u0085\u2028\u2029"), // line breaks to YAML
		strings.HasPrefix(s, "\n"): // the parser loses it in a block
		n.Style = yaml.DoubleQuotedStyle
	case strings.Contains(s, "\n"):
		n.Style = yaml.LiteralStyle
	}
	return n
}

// value writes a value so that same finds it the same.
func (w writer) value(v connectors.Value) *yaml.Node {
	switch v := v.(type) {
	case nil:
		return scalar("!!null", "null")
	case string:
		return word(v)
	case bool:
		return scalar("!!bool", strconv.FormatBool(v))
	case time.Time:
		return scalar("!!timestamp", v.In(w.zone).Format(time.RFC3339Nano))
	case event.Seconds:
		return w.value(float64(v))
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, item := range v {
			n.Content = append(n.Content, w.value(item))
			if _, deep := item.(map[string]any); deep {
				n.Style = 0
			}
		}
		return n
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			n.Content = append(n.Content, word(k), w.value(v[k]))
		}
		return n
	}
	number, ok := connectors.AsNumber(v)
	if !ok {
		return word(shown(v, w.zone))
	}
	if strings.Contains(number.String(), ".") {
		return scalar("!!float", number.String())
	}
	return scalar("!!int", number.String())
}

// node turns the parser's node into ours, so that both are compared alike.
func node(y *yaml.Node) *diag.Node {
	n := &diag.Node{Value: y.Value}
	switch y.Kind {
	case yaml.ScalarNode:
		n.Quoted = y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
		n.Block = y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
		n.Null = !n.Quoted && y.Tag == "!!null"
	case yaml.MappingNode:
		n.Shape = diag.Mapping
		for i := 0; i+1 < len(y.Content); i += 2 {
			n.Pairs = append(n.Pairs, diag.Pair{Key: node(y.Content[i]), Value: node(y.Content[i+1])})
		}
	case yaml.SequenceNode:
		n.Shape = diag.Sequence
		for _, item := range y.Content {
			n.Items = append(n.Items, node(item))
		}
	}
	return n
}

func get(m *yaml.Node, key string) *yaml.Node {
	if m == nil || m.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}

// set puts a value under a key, or takes the key away if it is nil.
func set(m *yaml.Node, key string, v *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value != key {
			continue
		}
		if v == nil {
			m.Content = slices.Delete(m.Content, i, i+2)
		} else if old := m.Content[i+1]; old != v {
			v.HeadComment, v.LineComment, v.FootComment = old.HeadComment, old.LineComment, old.FootComment
			m.Content[i+1] = v
		}
		return
	}
	if v != nil {
		m.Content = append(m.Content, word(key), v)
	}
}

// expect is what came out as it stands below expect:.
func (w writer) expect(old *yaml.Node, plans map[string]mapping.Plan) *yaml.Node {
	if len(plans) == 0 {
		if old != nil && isNothing(node(old)) {
			return old
		}
		return word(nothing)
	}
	m := &yaml.Node{Kind: yaml.MappingNode}
	if old != nil && old.Kind == yaml.MappingNode {
		m = old
	}
	for _, name := range slices.Collect(keys(m)) {
		if _, ok := plans[name]; !ok && !isNothing(node(get(m, name))) {
			set(m, name, nil)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(plans)) {
		set(m, name, w.records(get(m, name), plans[name].Records))
	}
	return m
}

func keys(m *yaml.Node) func(func(string) bool) {
	return func(yield func(string) bool) {
		for i := 0; i+1 < len(m.Content); i += 2 {
			if !yield(m.Content[i].Value) {
				return
			}
		}
	}
}

func (w writer) records(old *yaml.Node, got []mapping.Record) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	var before []*yaml.Node
	if old != nil && old.Kind == yaml.SequenceNode {
		before, list.HeadComment, list.FootComment = old.Content, old.HeadComment, old.FootComment
	}
	r := reader{} // of what was read without problems before
	var want []*expectedRecord
	for _, y := range before {
		want = append(want, r.record(node(y)))
	}
	d := differ{zone: w.zone}
	kept := map[int]*yaml.Node{}
	for i, n := range d.pair(want, got) {
		kept[n] = before[i]
	}
	for n, rec := range got {
		list.Content = append(list.Content, w.record(kept[n], rec, got))
	}
	return list
}

func (w writer) record(old *yaml.Node, rec mapping.Record, all []mapping.Record) *yaml.Node {
	m, fresh := old, old == nil
	if fresh {
		m = &yaml.Node{Kind: yaml.MappingNode}
		set(m, "object", word(rec.Object))
		if rec.As != rec.Object {
			set(m, "as", word(rec.As))
		}
	}
	if rec.Skip != "" {
		if s := get(m, "skip"); s == nil || s.Value != "true" && !strings.Contains(rec.Skip, s.Value) {
			set(m, "skip", scalar("!!bool", "true"))
		}
		for _, key := range []string{"match", "fields", "link"} {
			set(m, key, nil)
		}
		return m
	}
	set(m, "skip", nil)
	d := differ{zone: w.zone}
	if match := get(m, "match"); fresh && len(rec.Keys) > 0 || match != nil && !slices.Equal(expectedKeys(node(match)), d.keys(node(match), rec)) {
		set(m, "match", w.match(rec))
	}
	set(m, "fields", w.fields(get(m, "fields"), rec))
	var before []string
	if l := get(m, "link"); l != nil {
		before = expectedLinks(node(l))
	}
	if now := links(rec, all); !slices.Equal(before, now) {
		set(m, "link", w.links(rec, all))
	}
	return m
}

func (w writer) match(rec mapping.Record) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, key := range rec.Keys {
		names := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		values := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		hidden := false // a value that does not stand among the fields
		for _, t := range key {
			names.Content = append(names.Content, word(t.Field))
			values.Content = append(values.Content, word(t.Field), w.value(t.Value))
			hidden = hidden || t.Field == connectors.ID
		}
		switch {
		case hidden:
			list.Content = append(list.Content, values)
		case len(key) == 1:
			list.Content = append(list.Content, names.Content[0])
		default:
			list.Content = append(list.Content, names)
		}
	}
	return list
}

func (w writer) fields(old *yaml.Node, rec mapping.Record) *yaml.Node {
	if len(rec.Fields) == 0 {
		return nil
	}
	m := &yaml.Node{Kind: yaml.MappingNode}
	if old != nil && old.Kind == yaml.MappingNode {
		m = old
	}
	came := map[string]bool{}
	for _, f := range rec.Fields {
		came[f.Name] = true
		if v := get(m, f.Name); v == nil || !same(node(v), f.Value, w.zone) {
			set(m, f.Name, w.value(f.Value))
		}
	}
	for _, name := range slices.Collect(keys(m)) {
		if !came[name] {
			set(m, name, nil)
		}
	}
	return m
}

func (w writer) links(rec mapping.Record, all []mapping.Record) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, l := range rec.Links {
		to := all[l.To]
		switch {
		case to.Skip != "":
		case l.Field == "" && l.Type == "":
			list.Content = append(list.Content, word(to.As))
		default:
			m := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
			set(m, "to", word(to.As))
			if l.Field != "" {
				set(m, "field", word(l.Field))
			}
			if l.Type != "" {
				set(m, "type", word(l.Type))
			}
			list.Content = append(list.Content, m)
		}
	}
	if len(list.Content) == 0 {
		return nil
	}
	return list
}
