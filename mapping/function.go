package mapping

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"

	"github.com/expr-lang/expr/ast"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Function describes a function of formulas. Every function gives a missing
// value where its first argument is missing, unless its line says otherwise.
type Function struct {
	Name      string `json:"name"`
	Signature string `json:"signature"` // arguments in [ ] may be left out
	Doc       string `json:"doc"`       // one line
	Example   string `json:"example"`   // a formula without =
	Result    string `json:"result"`    // what the example gives, as text
}

// Functions returns every function in the order in which people read them:
// choosing, text, times and numbers, lists.
func Functions() []Function {
	all := functions()
	out := make([]Function, len(all))
	for i, f := range all {
		out[i] = f.Function
	}
	return out
}

type function struct {
	Function
	params   []kinds // of the arguments
	required int     // the others may be left out
	variadic bool    // the last kind stands for any number of arguments
	result   kinds
	whole    bool // is called with a missing first argument too
	// bind replaces run where the arguments decide at load.
	bind func(c *compiler, args []operand, at operand) (runner, kinds)
	run  runner
}

// runner evaluates a function. at is its place, for faults.
type runner func(e *env, at int, args []any) any

var functions = sync.OnceValue(func() []function {
	return append(append(append(choosing(), textFunctions()...), timeFunctions()...), listFunctions()...)
})

func functionNamed(name string) (function, bool) {
	for _, f := range functions() {
		if f.Name == name {
			return f, true
		}
	}
	return function{}, false
}

// words that people know from other tools, and what they are called here.
var otherNames = map[string]string{
	"if": "the operator condition ? a : b", "ifs": "the operator condition ? a : b", "coalesce": "default or the operator ??", "concat": "the operator +",
	"len": "count", "length": "count", "size": "count", "substring": "left", "mid": "left", "slice": "left", "now": "event.received_at", "today": "event.received_at",
	"string": "text", "str": "text", "int": "number", "float": "number", "lookup": "table", "vlookup": "table", "capitalize": "title", "proper": "title",
	"tolower": "lower", "toupper": "upper", "strip": "trim", "format": "date", "contains": "the operator contains", "starts_with": "the operator startsWith",
	"ends_with": "the operator endsWith", "isempty": "== nil", "isblank": "== nil", "concatenate": "the operator +", "textjoin": "join", "iferror": "default", "ifna": "default", "xlookup": "table",
	"random": "pick", "roundrobin": "pick", "round_robin": "pick", "choose": "pick", "map": "the path alone: raw.items.sku is the list of all", "filter": "the operators in and contains",
	"isnull": "== nil", "exists": "!= nil", "sum": "the operator +",
}

func (c *compiler) call(name string, nodes []ast.Node, from int) operand {
	args := make([]operand, len(nodes))
	end := from + len([]rune(name))
	self := operand{from: from, to: end}
	constant := true
	for i, n := range nodes {
		args[i] = c.compile(n)
		constant = constant && args[i].constant
		end = max(end, args[i].to)
	}
	f, ok := functionNamed(name)
	if !ok {
		c.unknownFunction(name, self)
		return nothing
	}
	out := operand{run: nothing.run, kinds: f.result, constant: constant, from: from, to: end + 1}
	if !c.checkArguments(f, args, self) {
		return out
	}
	run := f.run
	if f.bind != nil {
		if run, out.kinds = f.bind(c, args, self); run == nil {
			return out
		}
	}
	out.words = c.resultWords(f, args)
	at, whole := c.at(from), f.whole
	out.run = func(e *env) any {
		from := len(e.args)
		defer func() { e.args = e.args[:from] }()
		for i, a := range args {
			v := a.run(e) // which may call functions itself
			if i == 0 && !whole && !present(v) {
				return nil
			}
			e.args = append(e.args, v)
		}
		if e.fault != nil {
			return nil
		}
		return run(e, at, e.args[from:len(e.args):len(e.args)])
	}
	return out
}

func (c *compiler) unknownFunction(name string, self operand) {
	var names []string
	for _, f := range functions() {
		names = append(names, f.Name)
	}
	hint := diag.DidYouMean(name, names)
	if other, ok := otherNames[strings.ToLower(name)]; ok {
		hint = "use " + other
	} else if f, ok := functionNamed(strings.ToLower(name)); ok {
		hint = "did you mean " + f.Name + "?"
	}
	if hint == "" {
		hint = "known here: " + strings.Join(names, ", ")
	}
	c.problem(self.from, self.to, "unknown function "+name, hint)
}

func (c *compiler) checkArguments(f function, args []operand, self operand) bool {
	most := len(f.params)
	if len(args) < f.required || len(args) > most && !f.variadic {
		c.problem(self.from, self.to, fmt.Sprintf("%s has %s, not %d", f.Name, argumentCount(f), len(args)), "write "+f.Signature)
		return false
	}
	ok := true
	for i, a := range args {
		want := f.params[min(i, most-1)]
		if a.kinds.can(want) {
			continue
		}
		ok = false
		if a.kinds&(kObject|kMap) != 0 {
			c.notPlain(a)
			continue
		}
		hint := "write " + f.Signature
		switch {
		case i > 0 && strings.Contains(f.Signature, "["):
		case want&kDuration != 0 && a.kinds == kTime:
			hint = "a length of time is the difference of two times, such as call.ended_at - call.started_at"
		case want&kText != 0 && a.kinds == kList:
			hint = "write join(…) around it"
		case want&kText != 0:
			hint = "write text(…) around it"
		}
		c.problem(a.from, a.to, fmt.Sprintf("%s wants %s here, not %s", f.Name, want, a.kinds), hint)
	}
	return ok
}

func argumentCount(f function) string {
	plural := func(n int) string {
		if n == 1 {
			return "1 argument"
		}
		return fmt.Sprintf("%d arguments", n)
	}
	switch {
	case f.variadic:
		return "at least " + plural(f.required)
	case f.required == len(f.params):
		return plural(f.required)
	}
	return fmt.Sprintf("%d to %s", f.required, plural(len(f.params)))
}

// argument returns the i-th argument, or missing.
func argument(args []any, i int) any {
	if i < len(args) {
		return args[i]
	}
	return nil
}

func choosing() []function {
	return []function{
		{
			Function: Function{"default", "default(value, other, …)", "the first of its arguments that is not missing; also written value ?? other", `default(contact.company, "private")`, "private"},
			params:   []kinds{kAny, kAny}, required: 2, variadic: true, whole: true,
			bind: func(c *compiler, args []operand, _ operand) (runner, kinds) {
				var k kinds
				for _, a := range args {
					k |= a.kinds
				}
				return firstPresent, k
			},
		},
		{
			Function: Function{"table", "table(\"name\", key[, other])", "looks the key up in a table of this mapping; the table's \"*\", then other, where it is not there", `table("disposition", call.status)`, "f240bbac"},
			params:   []kinds{kText, kScalar, kScalar}, required: 2, bind: bindTable,
		},
		{
			Function: Function{"pick", "pick(key, one, other, …)", "one of the others, always the same for the same key: shares contacts out evenly among people", `pick(contact.id, "anna@example.com", "ben@example.com")`, "anna@example.com"},
			params:   []kinds{kScalar, kAny, kAny}, required: 2, variadic: true,
			bind: func(c *compiler, args []operand, _ operand) (runner, kinds) {
				var k kinds
				for _, a := range args[1:] {
					k |= a.kinds
				}
				return pick, k
			},
		},
		{
			Function: Function{"phone", "phone(number[, \"DE\"])", "the telephone number as +49…; missing if it is none. The country is that of numbers without +", `phone("030 23125017", "DE")`, "+493023125017"},
			params:   []kinds{kText | kNumber, kText}, required: 1, result: kText, bind: bindPhone,
		},
	}
}

// pick goes by a hash of the key, as nothing is counted from one event to the
// next: a replay picks the same, and so do several daemons.
func pick(e *env, _ int, args []any) any {
	var all []any
	for _, a := range args[1:] {
		all = append(all, asList(a)...)
	}
	if len(all) == 0 {
		return nil
	}
	sum := sha256.Sum256([]byte(toScalarText(args[0], e.zone)))
	return normal(all[binary.BigEndian.Uint64(sum[:8])%uint64(len(all))])
}

func firstPresent(_ *env, _ int, args []any) any {
	for _, a := range args {
		if present(a) {
			return a
		}
	}
	return nil
}

func bindTable(c *compiler, args []operand, self operand) (runner, kinds) {
	name, ok := args[0].literal.(string)
	if !ok {
		if len(c.problems) == 0 {
			c.problem(args[0].from, args[0].to, "the table's name must be written out", `write table("name", …)`)
		}
		return nil, kAny
	}
	t, ok := c.tables[name]
	if !ok {
		var names []string
		for n := range c.tables {
			names = append(names, n)
		}
		hint := diag.DidYouMean(name, names)
		if hint == "" {
			hint = "add it under tables:"
		}
		c.problem(args[0].from, args[0].to, fmt.Sprintf("unknown table %q", name), hint)
		return nil, kAny
	}
	if !c.rawOnly { // formulas of sources may be read side by side
		t.lookedUp(c, args[1])
	}
	k := t.kinds
	if len(args) > 2 {
		k |= args[2].kinds
	}
	return func(e *env, _ int, args []any) any {
		if key := args[1]; present(key) {
			if v := t.find(toScalarText(key, e.zone)); v != nil {
				return v
			}
		} else if t.fallback != nil {
			return t.fallback
		}
		return argument(args, 2)
	}, k
}
