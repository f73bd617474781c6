package mapping

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/parser"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// maxKnown bounds how many values of one formula are listed: a table of all
// postcodes need not be compared with options.
const maxKnown = 500

// knower finds the values that formulas can give, as far as the text tells.
type knower struct {
	tables map[string]*table
	on     []event.Type // of the rule

	value  *formula
	offset int // of the formula within the value
}

// know says of a field what its formula tells.
func (k knower) know(field *WrittenField, f *formula) {
	field.Long = severalLines(f.node)
	switch {
	case f.node == nil:
		return
	case isFormula(f.node):
		before, source, _ := strings.Cut(f.node.Value, "=")
		tree, err := parser.ParseWithConfig(source, parserConfig)
		if err != nil {
			return // told by Read
		}
		k.value, k.offset = f, utf8.RuneCountInString(before)+1
		field.Path = pathOf(tree.Node)
		field.Values, field.Closed = k.values(tree.Node)
	case strings.Contains(f.node.Value, "{{"):
		return
	default:
		v, _ := scalar(f.node)
		field.Values, field.Closed = []KnownValue{{Value: v, At: Place{node: f.node}}}, true
	}
	field.Values = slices.DeleteFunc(field.Values, func(v KnownValue) bool { return !present(v.Value) })
	if len(field.Values) > maxKnown {
		field.Values, field.Closed = field.Values[:maxKnown], false
	}
}

// pathOf is the path that a formula is, by itself or within phone(…); "" for
// any other formula.
func pathOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.ChainNode:
		return pathOf(n.Node)
	case *ast.IdentifierNode:
		return n.Value
	case *ast.MemberNode:
		base := pathOf(n.Node)
		name, ok := n.Property.(*ast.StringNode)
		if base == "" || !ok {
			return ""
		}
		return base + "." + name.Value
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok && id.Value == "phone" && len(n.Arguments) > 0 {
			return pathOf(n.Arguments[0])
		}
	}
	return ""
}

// values lists what a part of a formula can give; closed says that it gives
// nothing else, but for nothing at all.
func (k knower) values(n ast.Node) (list []KnownValue, closed bool) {
	switch n := n.(type) {
	case *ast.NilNode:
		return nil, true
	case *ast.StringNode:
		return k.literal(n, n.Value), true
	case *ast.IntegerNode:
		return k.literal(n, n.Value), true
	case *ast.FloatNode:
		return k.literal(n, n.Value), true
	case *ast.BoolNode:
		return k.literal(n, n.Value), true
	case *ast.ChainNode:
		return k.values(n.Node)
	case *ast.ConditionalNode:
		return k.any(n.Exp1, n.Exp2)
	case *ast.ArrayNode:
		return k.any(n.Nodes...)
	case *ast.BinaryNode:
		if n.Operator == "??" {
			return k.any(n.Left, n.Right)
		}
	case *ast.IdentifierNode, *ast.MemberNode:
		path := pathOf(n)
		for _, w := range modelWords(path, k.on) {
			list = append(list, KnownValue{Value: w, At: Place{node: k.value.node}, Path: path})
		}
		return list, list != nil
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok {
			return k.call(id.Value, n.Arguments)
		}
	}
	return nil, false
}

// any is what one of several parts can give.
func (k knower) any(nodes ...ast.Node) (list []KnownValue, closed bool) {
	closed = true
	for _, n := range nodes {
		more, all := k.values(n)
		list, closed = append(list, more...), closed && all
	}
	return list, closed
}

func (k knower) literal(n ast.Node, v any) []KnownValue {
	from, to := n.Location().From, n.Location().To
	return []KnownValue{{Value: v, At: Place{node: k.value.node, offset: k.offset + from, width: max(1, to-from)}}}
}

func (k knower) call(name string, args []ast.Node) ([]KnownValue, bool) {
	switch name {
	case "default", "list":
		return k.any(args...)
	case "pick":
		if len(args) < 2 {
			return nil, false
		}
		return k.any(args[1:]...)
	case "table":
		if len(args) < 2 {
			return nil, false
		}
		return k.table(args)
	case "upper", "lower", "title", "trim", "text":
		if len(args) != 1 {
			return nil, false
		}
		list, closed := k.values(args[0])
		f, ok := functionNamed(name)
		if !ok {
			return nil, false
		}
		for i, v := range list {
			list[i].Value = f.run(newEnv(nil, time.UTC, ""), 0, []any{v.Value})
		}
		return list, closed
	}
	return nil, false
}

// table lists a table's entries. Where the keys are known only theirs count.
func (k knower) table(args []ast.Node) (list []KnownValue, closed bool) {
	name, ok := args[0].(*ast.StringNode)
	if !ok {
		return nil, false
	}
	t := k.tables[name.Value]
	if t == nil || t.node == nil {
		return nil, false
	}
	keys, all := k.values(args[1])
	reached := func(key string) bool {
		return !all || slices.ContainsFunc(keys, func(v KnownValue) bool { return strings.EqualFold(toText(v.Value, time.UTC), key) })
	}
	seen := map[connectors.Value]bool{}
	for _, p := range t.node.Pairs {
		v, _ := scalar(p.Value)
		if !seen[v] && !p.Value.Null && (p.Key.Value == "*" || reached(p.Key.Value)) {
			seen[v] = true
			list = append(list, KnownValue{Value: v, At: Place{node: p.Value}, Table: t.name})
		}
	}
	if t.fallback != nil || len(args) < 3 {
		return list, true
	}
	more, closed := k.values(args[2])
	return append(list, more...), closed
}
