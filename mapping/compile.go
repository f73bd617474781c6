package mapping

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// operand is a compiled part of a formula.
type operand struct {
	run      code
	kinds    kinds
	constant bool
	path     string   // of the model, where the part is a path
	literal  any      // of a literal text or number
	words    []string // that it can be, where that is known of a function's result
	truth    truthOf
	parts    []operand // that a condition is joined of by && or ||
	from, to int       // characters of the formula
}

var nothing = operand{run: func(*env) any { return nil }, kinds: kAny}

func value(v any, k kinds, from, to int) operand {
	return operand{run: func(*env) any { return v }, kinds: k, constant: true, literal: v, from: from, to: to}
}

// compile turns a node into code. After a problem it goes on with an operand
// of any kind, so that the rest of the formula is checked too.
func (c *compiler) compile(n ast.Node) operand {
	if n == nil {
		return nothing
	}
	from, to := n.Location().From, n.Location().To
	bad := func(message, hint string) operand {
		c.problem(from, max(to, from+1), message, hint)
		o := nothing
		o.from, o.to = from, to
		return o
	}
	switch n := n.(type) {
	case *ast.NilNode:
		return value(nil, 0, from, to)
	case *ast.IntegerNode:
		return value(n.Value, kNumber, from, from+max(1, to-from))
	case *ast.FloatNode:
		return value(n.Value, kNumber, from, to)
	case *ast.BoolNode:
		o := value(n.Value, kBool, from, to)
		o.truth.never = !n.Value
		return o
	case *ast.StringNode:
		return value(n.Value, kText, from, to)
	case *ast.IdentifierNode:
		return c.root(n)
	case *ast.ChainNode:
		return c.compile(n.Node)
	case *ast.MemberNode:
		return c.member(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		return c.conditional(n)
	case *ast.ArrayNode:
		return c.array(n)
	case *ast.CallNode:
		id, ok := n.Callee.(*ast.IdentifierNode)
		if !ok {
			return bad("a value has no functions of its own", "write function(value), such as upper(contact.last_name)")
		}
		return c.call(id.Value, n.Arguments, from)
	case *ast.BuiltinNode:
		hint := "use first, last, join, count, or the operators in and contains"
		if other := otherNames[strings.ToLower(n.Name)]; other != "" {
			hint = "use " + other
		}
		return bad(n.Name+" is not known here", hint)
	case *ast.SliceNode:
		return bad("slices [a:b] are not supported", "use first(…), last(…) or truncate(…)")
	case *ast.VariableDeclaratorNode:
		return bad("let is not supported", "a formula is one expression")
	case *ast.SequenceNode:
		return bad("; is not supported", "a formula is one expression")
	case *ast.MapNode:
		return bad("{ } within a formula is not supported", "use a table")
	case *ast.BytesNode:
		return bad(`b"…" is not supported`, `write "…"`)
	case *ast.PredicateNode, *ast.PointerNode:
		return bad("conditions within functions are not supported", "")
	}
	return bad("this is not supported", "")
}

func (c *compiler) conditional(n *ast.ConditionalNode) operand {
	cond, a, b := c.compile(n.Cond), c.compile(n.Exp1), c.compile(n.Exp2)
	c.wantCondition(cond, "the condition before ?")
	return operand{
		run: func(e *env) any {
			if truth(cond.run(e)) {
				return a.run(e)
			}
			return b.run(e)
		},
		kinds: a.kinds | b.kinds, constant: cond.constant && a.constant && b.constant, words: c.either(a, b),
		from: cond.from, to: b.to,
	}
}

// wantCondition demands true or false: a text as a condition is mostly a
// comparison that was forgotten.
func (c *compiler) wantCondition(o operand, what string) {
	if o.kinds.can(kBool) {
		return
	}
	hint := ""
	if _, isText := o.literal.(string); isText {
		hint = `compare each of several words, or all at once: call.status in ["busy", "voicemail"]`
	} else if o.path != "" {
		hint = "write " + o.path + " != nil to ask whether it is there"
	}
	c.problem(o.from, o.to, what+" must be true or false, not "+o.kinds.String(), hint)
}

func (c *compiler) array(n *ast.ArrayNode) operand {
	items := make([]operand, len(n.Nodes))
	constant := true
	for i, x := range n.Nodes {
		items[i] = c.compile(x)
		constant = constant && items[i].constant
		if !items[i].kinds.can(kAny) {
			c.notPlain(items[i])
		}
	}
	from := n.Location().From
	to, at := from+1, c.at(from)
	if len(items) > 0 {
		to = items[len(items)-1].to + 1
	}
	o := operand{kinds: kList, constant: constant, from: from, to: to, run: func(e *env) any {
		list := make([]any, 0, len(items))
		if !e.room(16*len(items), at) {
			return nil
		}
		for _, item := range items {
			if v := item.run(e); v != nil {
				list = append(list, v)
			}
		}
		return list
	}}
	if constant {
		o.literal = o.run(newEnv(nil, c.zone, c.country))
		if words, ok := o.literal.([]any); ok {
			o.run = func(*env) any { return words }
		}
	}
	return o
}

// notPlain reports a part of the model, or named values, where one value is wanted.
func (c *compiler) notPlain(o operand) {
	hint := "choose one of its values, or write json(…)"
	if o.path != "" {
		hint = "choose one of its values, such as " + example(o.path) + ", or write json(" + o.path + ")"
	}
	name := o.path
	if name == "" {
		name = "this"
	}
	c.problem(o.from, o.to, name+" is "+o.kinds.String()+", not one value", hint)
}

// field compiles the text of a field: a formula of one of the wanted kinds, a
// text with {{ }} or a plain scalar. The last keeps its type.
func (s *scope) field(node *diag.Node, want kinds) (*formula, diag.Problems) {
	if isFormula(node) {
		f, ps := s.formula(node, want)
		if len(ps) == 0 && s.alwaysMissing(f.run, f.kinds, f.constant) {
			ps = diag.Problems{warning(node.Problem("the value is always missing", "write =nil where that is meant"))}
		}
		return f, ps
	}
	cut := lostToComment(node)
	if strings.Contains(node.Value, "{{") {
		f, ps := s.text(node)
		return f, append(ps, cut...)
	}
	f := &formula{source: node.Value, node: node, constant: true}
	v, k := scalar(node)
	f.run, f.kinds = func(*env) any { return v }, k
	if cut != nil {
		return f, cut
	}
	if k == kText && !node.Quoted && meansFormula(node) {
		_, _ = s.compile(node, 0, node.Value) // for the tables that it means to use
		p := node.Problem("this is plain text, not the value of "+strings.TrimSpace(node.Value), "write ="+strings.TrimSpace(node.Value)+" for the value, or quotes for the text")
		p.Severity = diag.Warning
		return f, diag.Problems{p}
	}
	if m := otherBraces.FindStringSubmatch(node.Value); m != nil {
		if _, known := lookup(m[1]); known {
			p := node.Problem("this is plain text: "+m[0]+" is not filled in", "write {{ "+m[1]+" }}")
			p.Severity = diag.Warning
			return f, diag.Problems{p}
		}
	}
	return f, nil
}

// lostToComment warns of a text of which YAML takes the end for a comment, as in
// Order #{{ raw.id }} and Ticket #12: comments have a blank behind their #.
func lostToComment(node *diag.Node) diag.Problems {
	if node.Quoted || node.File == nil {
		return nil
	}
	line := node.File.Line(node.Line)
	rest, found := strings.CutPrefix(column(line, node.Column), node.Value)
	if !found || node.Value == "" || !meantAsText.MatchString(rest) {
		return nil
	}
	at := node.Column + utf8.RuneCountInString(node.Value) + strings.Index(rest, "#")
	return diag.Problems{{
		Pos: diag.Pos{File: node.File.Name, Line: node.Line, Column: at}, Width: utf8.RuneCountInString(strings.TrimSpace(rest)), Line: line, Severity: diag.Warning,
		Message: "a # after a blank begins a comment: the text ends before it", Hint: "put the whole value in quotes",
	}}
}

// meantAsText is what follows a value that somebody went on writing.
var meantAsText = regexp.MustCompile(`^ +#(?:\S.*\{\{|\{\{|[0-9])|^ +#.*\{\{.*\}\}`)

// otherBraces is how other programs write what is to be filled in.
var otherBraces = regexp.MustCompile(`[$#]?(?:\{|\[|<|%) *([a-z]+(?:\.[a-z_]+)+) *(?:\}|\]|>|%)`)

// formulaLike is a text that begins as a formula does: with a path and then
// nothing or an operator, or with a function.
var formulaLike = regexp.MustCompile(`^([a-z]+(?:\.[a-z_]+)+)(?:$| *(?:[-+*/%?<>=!&|\[]|\.[a-z]))|^([a-z]+)\(.*\)`)

// meansFormula reports whether an unquoted text looks like a formula without
// its =.
func meansFormula(node *diag.Node) bool {
	if node == nil || node.Quoted {
		return false
	}
	m := formulaLike.FindStringSubmatch(strings.TrimSpace(node.Value))
	if m == nil {
		return false
	}
	_, path := lookup(m[1])
	_, function := functionNamed(m[2])
	return path || function
}

func isFormula(node *diag.Node) bool {
	return strings.HasPrefix(strings.TrimLeftFunc(node.Value, unseen), "=")
}

// unseen are blanks of any kind, and characters that take no room: web pages and
// word processors put them in front of what is copied from them.
func unseen(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

// formula compiles a value that begins with = and must be one of the wanted kinds.
func (s *scope) formula(node *diag.Node, want kinds) (*formula, diag.Problems) {
	before, source, _ := strings.Cut(node.Value, "=")
	offset := utf8.RuneCountInString(before) + 1
	o, ps := s.compile(node, offset, source)
	if len(ps) == 0 && !o.kinds.can(want) {
		c := &compiler{scope: s, node: node, offset: offset}
		if want == kBool {
			c.wantCondition(o, "the formula")
		} else {
			c.notPlain(o)
		}
		ps = c.problems
	}
	f := &formula{source: strings.TrimFunc(node.Value, unseen), run: o.run, kinds: o.kinds, constant: o.constant, truth: o.truth, node: node}
	if want == kBool && len(ps) == 0 {
		f.parts = (&compiler{scope: s, node: node, offset: offset}).conditionOf(o)
	}
	return f, ps
}
