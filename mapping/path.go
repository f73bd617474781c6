package mapping

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/expr-lang/expr/ast"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// pathIndex is the model by path, and the paths in its order, objects included.
type pathIndex struct {
	byPath map[string]event.Field
	order  []string
}

var model = sync.OnceValue(func() pathIndex {
	m := pathIndex{byPath: map[string]event.Field{}}
	var walk func([]event.Field)
	walk = func(fields []event.Field) {
		for _, f := range fields {
			m.byPath[f.Path] = f
			m.order = append(m.order, f.Path)
			walk(f.Fields)
		}
	}
	walk(event.Model())
	return m
})

func lookup(path string) (event.Field, bool) {
	f, ok := model().byPath[path]
	return f, ok
}

// example is a value within an object or a map.
func example(path string) string {
	f, _ := lookup(path)
	for _, sub := range f.Fields {
		if sub.Kind != event.Object && sub.Kind != event.Map {
			return sub.Path
		}
	}
	return path + ".name"
}

// meant guesses which path a misspelt one stands for: a neighbour that is
// spelt alike, else one that ends in the same word, else any spelt alike.
func meant(path string) string {
	paths := model().order
	dot := strings.LastIndex(path, ".")
	last := path[dot+1:]
	if dot > 0 {
		var names []string
		parent, _ := lookup(path[:dot])
		for _, f := range parent.Fields {
			names = append(names, f.Name)
		}
		if s := diag.Suggest(last, names); s != "" {
			return parent.Path + "." + s
		}
		// contact.contact_id, call.phone_number: what vendors add.
		for _, f := range parent.Fields {
			if last == parent.Name+"_"+f.Name || strings.HasPrefix(last, f.Name+"_") {
				return f.Path
			}
		}
		// contact.name: one that ends so is likelier than another object's.
		for _, name := range []string{"full_" + last, last} {
			for _, f := range parent.Fields {
				if f.Name == name || strings.HasSuffix(f.Name, "_"+name) {
					return f.Path
				}
			}
		}
	}
	prefer := []string{"contact.", "call.", "event.", ""}
	for _, object := range prefer {
		for _, p := range paths {
			if strings.HasPrefix(p, object) && strings.HasSuffix(p, "."+last) {
				return p
			}
		}
	}
	if dot < 0 {
		return diag.Suggest(path, paths)
	}
	if _, known := lookup(path[:dot]); !known {
		return diag.Suggest(path, paths)
	}
	return ""
}

// root compiles the first word of a path.
func (c *compiler) root(n *ast.IdentifierNode) operand {
	from, to := n.Location().From, n.Location().To
	if c.rawOnly && n.Value != "raw" {
		hint := "nothing but raw is known before the payload is read; text stands in quotes: \"" + n.Value + `"`
		if _, isFunction := functionNamed(n.Value); isFunction {
			hint = n.Value + " is a function: write " + n.Value + "(…)"
		} else if s := diag.DidYouMean(n.Value, []string{"raw"}); s != "" {
			hint = s
		}
		c.problem(from, to, "unknown name "+n.Value, hint)
		o := nothing
		o.from, o.to = from, to
		return o
	}
	f, ok := lookup(n.Value)
	if !ok {
		hint, whole := "", c.pathAt(from)
		if s, other := otherWords[strings.ToLower(n.Value)]; other {
			hint = "write " + s
		} else if lookedUp(strings.ToLower(whole)) {
			hint, to = "write it in small letters: "+strings.ToLower(whole), from+len([]rune(whole))
		} else if c.tables[n.Value] != nil {
			hint = fmt.Sprintf("write table(%q, …)", n.Value)
		} else if name, ok := strings.CutPrefix(whole, "tables."); ok {
			hint = fmt.Sprintf("write table(%q, …)", name)
		} else if slices.Contains(payloadWords, strings.ToLower(n.Value)) {
			hint = "the payload as it was received is raw: write raw" + strings.TrimPrefix(whole, n.Value)
		} else if c.afterMinus(from) {
			hint = fmt.Sprintf("a name with a minus in it stands in brackets and quotes, such as raw[%q]", "order-id")
		} else if s := meant(n.Value); s != "" {
			hint = "did you mean " + s + "?"
		} else if _, isFunction := functionNamed(n.Value); isFunction {
			hint = n.Value + " is a function: write " + n.Value + "(…)"
		} else {
			hint = `paths begin with event, call, contact, conversation, message or raw; text stands in quotes: "` + n.Value + `"`
		}
		c.problem(from, to, "unknown name "+n.Value, hint)
		o := nothing
		o.from, o.to = from, to
		return o
	}
	return c.field(f, from, to)
}

// payloadWords are what other programs call the payload.
var payloadWords = []string{"payload", "body", "data", "json", "$", "$json", "item", "webhook", "request"}

// afterMinus reports whether a minus joins what stands there to a name before it.
func (c *compiler) afterMinus(from int) bool {
	return c.before(from) == "-" && len(c.before(from-1)) == 1 && strings.ContainsAny(c.before(from-1), "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")
}

// otherWords are what other languages call nothing, true and false.
var otherWords = map[string]string{
	"null": "nil", "none": "nil", "undefined": "nil", "empty": "nil", "missing": "nil", "blank": "nil", "nil": "nil",
	"true": "true", "yes": "true", "ja": "true", "wahr": "true", "false": "false", "no": "false", "nein": "false", "falsch": "false",
}

func lookedUp(path string) bool { _, ok := lookup(path); return ok }

// pathAt is the whole path that is written at a place of the formula.
func (c *compiler) pathAt(from int) string {
	runes := []rune(c.node.Value)
	i := min(c.offset+from, len(runes))
	j := i
	for j < len(runes) && (runes[j] == '.' || runes[j] == '_' || unicode.IsLetter(runes[j]) || unicode.IsDigit(runes[j])) {
		j++
	}
	return strings.TrimRight(string(runes[i:j]), ".")
}

// field compiles a path of the model.
func (c *compiler) field(f event.Field, from, to int) operand {
	o := operand{kinds: kindOf(f.Kind), path: f.Path, from: from, to: to}
	path := f.Path
	switch l, isLeaf := leaves()[path]; {
	case isLeaf:
		o.run = func(e *env) any {
			v := e.leaf(l)
			e.note(path, v)
			return v
		}
	case path == "raw":
		o.run = func(e *env) any { return e.noteWhole(path, e.rawValue()) }
	default:
		o.run = func(e *env) any { return e.noteWhole(path, e.object(path)) }
	}
	return o
}

// member compiles .name, ["name"] and [0]. Within the model's objects the name
// must be known; within maps and the raw payload any will do.
func (c *compiler) member(n *ast.MemberNode) operand {
	base := c.compile(n.Node)
	at, end := n.Location().From, n.Property.Location().To
	name, isName := n.Property.(*ast.StringNode)
	if base.kinds == kObject && base.path != "" {
		if !isName {
			c.problem(at, max(end, at+1), base.path+" is a group of values", "choose one, such as "+example(base.path))
			return nothing
		}
		return c.part(base, name.Value, n.Property.Location().To)
	}
	key := c.compile(n.Property)
	if isName && base.path != "" && !base.kinds.can(kMap) {
		c.problem(base.from, end, fmt.Sprintf("%s is %s and has no part %q", base.path, base.kinds, name.Value), "write "+base.path)
		return nothing
	}
	if !base.kinds.can(kMap | kList) {
		c.problem(base.from, max(end, base.to), "only lists and named values have parts, not "+base.kinds.String(), "")
		return nothing
	}
	if !isName && base.kinds == kList && !key.kinds.can(kNumber) {
		c.problem(key.from, key.to, "a place in a list is a number, from 0 on", "")
	}
	if !key.kinds.can(kText | kNumber) {
		c.problem(key.from, key.to, "a name or a number must stand between [ ], not "+key.kinds.String(), "")
	}
	o := operand{kinds: kAny, constant: base.constant && key.constant, from: base.from, to: max(end, base.to)}
	if base.kinds == kList && base.path != "" {
		o.kinds = kText // the model's lists hold text
	}
	if key.constant && key.literal == nil { // such as -1
		key.literal = key.run(newEnv(nil, c.zone, c.country))
	}
	if base.path != "" && key.literal != nil {
		o.path = memberPath(base.path, key.literal)
		c.checkFlat(o, base.path)
	}
	path := o.path
	if path == "" { // what the base is made of is all that is known of where it comes from
		o.run = func(e *env) any { return part(base.run(e), key.run(e)) }
		return o
	}
	// The base's own value is not noted for Explain; the part's is.
	o.run = func(e *env) any {
		reads := e.reads
		e.reads = nil
		b := base.run(e)
		e.reads = reads
		v := part(b, key.run(e))
		e.note(path, v)
		return v
	}
	return o
}

// flatMaps hold plain values by name, whatever the vendor has around them.
var flatMaps = []string{"call.outcome.", "call.analysis.", "call.collected.", "call.answers."}

// checkFlat warns of a path that goes on as the payload does where the model has
// the value itself. What a generic source puts there is the user's affair.
func (c *compiler) checkFlat(o operand, base string) {
	word := strings.TrimPrefix(o.path, base+".")
	flat := slices.ContainsFunc(flatMaps, func(m string) bool { return strings.HasPrefix(base, m) })
	known := len(c.senders()) > 0 && !slices.ContainsFunc(c.senders(), func(s string) bool { return c.says[s].Types == nil })
	if flat && known && slices.Contains([]string{"value", "details", "text", "answer"}, word) {
		c.add(diag.Warning, o.from, o.to, base+" is the value itself: it has no part "+word, "write "+base)
	}
}

// part compiles a path one name further into the model.
func (c *compiler) part(base operand, name string, to int) operand {
	path := base.path + "." + name
	if f, ok := lookup(path); ok {
		return c.field(f, base.from, to)
	}
	hint := ""
	if s := meant(path); s != "" {
		hint = "did you mean " + s + "?"
	} else if f, ok := lookup(base.path); ok {
		var names []string
		for _, sub := range f.Fields {
			names = append(names, sub.Name)
		}
		hint = base.path + " has " + strings.Join(names, ", ")
	}
	c.problem(base.from, to, "unknown path "+path, hint)
	o := nothing
	o.from, o.to = base.from, to
	return o
}

func memberPath(base string, key any) string {
	if s, ok := key.(string); ok {
		if strings.ContainsAny(s, " .?\"'") {
			return fmt.Sprintf("%s[%q]", base, s)
		}
		return base + "." + s
	}
	return fmt.Sprintf("%s[%v]", base, key)
}

// partOfEach is the list of what the items of a list have by that name: of
// raw.items all that raw.items.sku is.
func partOfEach(items []any, name string) any {
	var out []any
	for _, item := range items {
		v := normal(item)
		if _, nested := v.([]any); nested {
			continue
		}
		if v = part(v, name); present(v) && len(out) < maxItems {
			out = append(out, v)
		}
	}
	if out == nil {
		return nil
	}
	return out
}

// part reads one part of a list or map; whatever is not there is missing.
func part(base, key any) any {
	switch b := normal(base).(type) {
	case map[string]any:
		switch k := key.(type) {
		case string:
			return normal(b[k])
		case int:
			return normal(b[fmt.Sprint(k)])
		}
	case []any:
		if name, isName := key.(string); isName {
			return partOfEach(b, name)
		}
		f, ok := (&env{}).number(key)
		if !ok || f != float64(int(f)) {
			return nil
		}
		i := int(f)
		if i < 0 {
			i += len(b)
		}
		if i >= 0 && i < len(b) {
			return normal(b[i])
		}
	}
	return nil
}
