package mapping

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

const (
	maxFormula = 8 << 10 // bytes of a formula's source: it bounds the parser's recursion
	maxNodes   = 300     // parts of a formula
)

// FormulaError is a formula that could not be evaluated for one event: it
// grew over a limit. The mapping must be edited; trying again does not help.
type FormulaError struct {
	Rule    string
	Pos     diag.Pos
	Message string
}

// Error names the rule and the place, and nothing of the event.
func (e *FormulaError) Error() string {
	return fmt.Sprintf("%s: rule %q: %s", e.Pos, e.Rule, e.Message)
}

// code evaluates a part of a formula. Missing is nil. It never panics and
// never errs but for limits, which it leaves in env.fault.
type code func(e *env) any

// formula is a formula or a text with formulas in it, ready to run.
type formula struct {
	source   string // as written, with = or {{ }}
	run      code
	kinds    kinds
	constant bool
	truth    truthOf
	parts    condition // of a when:
	node     *diag.Node
}

// eval runs the formula.
func (f *formula) eval(e *env) (v any, err *fault) {
	e.work, e.fault = 0, nil
	defer func() {
		if p := caught.Of(recover()); p != nil {
			v, err = nil, &fault{message: "the formula cannot be evaluated; please report this as a bug: " + p.What + " at " + p.Place()}
		}
	}()
	v = f.run(e)
	if s, ok := v.(string); ok && len(s) > MaxText {
		e.fail(0, fmt.Sprintf("the text would be longer than %d KiB", MaxText>>10))
	}
	if e.fault != nil {
		return nil, e.fault
	}
	return v, nil
}

// err says where in the file the fault is.
func (f *formula) err(rule string, x *fault) *FormulaError {
	return &FormulaError{Rule: rule, Pos: f.node.At(x.at), Message: x.message}
}

// scope is what formulas may name beside the model.
type scope struct {
	tables  map[string]*table
	sources []string                    // nil: not known
	says    map[string]event.Vocabulary // by source
	country string
	zone    *time.Location
	zoned   bool // the settings say which zone
	rawOnly bool // the model is not known yet: formulas of sources

	// Of the rule being read; nil: all.
	types []event.Type
	only  []string // sources
}

// compiler turns one formula into code and collects what is wrong with it.
type compiler struct {
	*scope
	node     *diag.Node
	offset   int // of the formula within the node's value, in characters
	length   int // of the formula in characters
	problems diag.Problems
}

// problem reports what is wrong from character from up to, not including, to.
func (c *compiler) problem(from, to int, message, hint string) {
	c.add(diag.Error, from, to, message, hint)
}

func (c *compiler) add(s diag.Severity, from, to int, message, hint string) {
	p := c.node.ProblemAt(c.offset+from, to-from, message, hint)
	p.Severity = s
	c.problems = append(c.problems, p)
}

// at is a character of the formula, counted from the beginning of the node's
// value, as faults name it.
func (c *compiler) at(from int) int { return c.offset + from }

var parserConfig = newParserConfig()

// newParserConfig makes expr's parser treat every call but those with a
// condition in them (filter, map, …) as a call of a function of ours.
func newParserConfig() *conf.Config {
	c := conf.CreateNew()
	c.MaxNodes = maxNodes
	c.DisableIfOperator = true // so that if(…) is told to be an unknown function
	for name := range builtin.Index {
		c.Disabled[name] = true
	}
	for _, f := range functions() {
		c.Functions[f.Name] = &builtin.Function{Name: f.Name}
	}
	return c
}

// compile parses and checks a formula that stands in node's value from the
// offset-th character on.
func (s *scope) compile(node *diag.Node, offset int, source string) (operand, diag.Problems) {
	c := &compiler{scope: s, node: node, offset: offset, length: utf8.RuneCountInString(source)}
	blank := len(source) - len(strings.TrimLeft(source, " \t\n"))
	switch {
	case strings.TrimSpace(source) == "":
		c.problem(0, 1, "the formula is empty", "write a path such as contact.email")
		return nothing, c.problems
	case len(source) > maxFormula:
		c.problem(0, 1, fmt.Sprintf("the formula has %d bytes; at most %d are read", len(source), maxFormula), "divide it into several fields or tables")
		return nothing, c.problems
	case source[blank] == '=' && !strings.HasPrefix(source[blank:], "=="):
		c.problem(blank, blank+1, "a second = at the beginning of the formula", "leave it out")
		return nothing, c.problems
	}
	tree, err := parser.ParseWithConfig(source, parserConfig)
	if err != nil {
		c.syntax(err)
		return nothing, c.problems
	}
	return c.compile(tree.Node), c.problems
}

var (
	unexpected = regexp.MustCompile(`^unexpected token (\w+)(?:\("(.*)"\))?$`)
	mixed      = regexp.MustCompile(`^Operator \((.+)\) and coalesce`)
	badNumber  = regexp.MustCompile(`^bad number syntax: "(.+)"$`)
	// countedUnit is a length of time as seconds(…) reads it.
	countedUnit = regexp.MustCompile(`^[0-9]+[smhd]$`)
	badChar     = regexp.MustCompile(`^unrecognized character: (U\+\w+)(?: '(.*)')?`)
)

// syntax says in plain words what the parser stumbled over.
func (c *compiler) syntax(err error) {
	e, ok := err.(*file.Error)
	if !ok {
		c.problem(0, c.length, "the formula cannot be read", "")
		return
	}
	from := min(e.From, max(c.length-1, 0))
	to := max(from+1, min(e.To, c.length))
	m := e.Message
	switch {
	case strings.Contains(m, "literal not terminated"), strings.Contains(m, "unterminated"):
		hint := "add the closing quote"
		if c.commented() {
			hint = "a # after a blank begins a comment; put the whole value in quotes"
		}
		c.problem(from, from+1, "a quote is not closed within the formula", hint)
	case strings.Contains(m, "maximum allowed nodes"):
		c.problem(0, c.length, fmt.Sprintf("the formula has more than %d parts", maxNodes), "divide it into several fields, or use a table")
	case mixed.MatchString(m):
		op := mixed.FindStringSubmatch(m)[1]
		c.problem(from, to, "?? and "+op+" stand side by side", "put brackets around one of them: (a ?? b) "+op+" c")
	case badChar.MatchString(m):
		x := badChar.FindStringSubmatch(m)
		hint := ""
		switch {
		case x[2] == "": // it cannot be shown
			hint = "it is not seen, as web pages have them; type this part anew"
		case strings.Contains("“”„‟«»‘’‚", x[2]):
			hint = `use straight quotes: "text"`
		case strings.Contains("–—−", x[2]):
			hint = "use the minus of the keyboard: -"
		case x[2] == "×":
			hint = "multiply with *"
		case x[2] == "÷":
			hint = "divide with /"
		case x[2] == "≠":
			hint = "write !="
		case x[2] == "≤":
			hint = "write <="
		case x[2] == "≥":
			hint = "write >="
		}
		c.problem(from, from+1, "a character that formulas do not know: "+strings.TrimSpace(x[2]+" "+x[1]), hint)
	case unexpected.MatchString(m):
		x := unexpected.FindStringSubmatch(m)
		c.unexpectedToken(x[1], x[2], from, to)
	case strings.HasPrefix(m, "expected at least"):
		c.problem(from, to, "a function with a condition lacks something", "filter, map and the like are not supported")
	case badNumber.MatchString(m):
		x := badNumber.FindStringSubmatch(m)
		if strings.HasPrefix(x[1], ".") {
			c.problem(max(0, to-utf8.RuneCountInString(x[1])), to, "a number is no name", "items of a list are counted in brackets from 0 on: raw.items[0].sku")
			return
		}
		if unit := countedUnit.FindStringSubmatch(x[1]); unit != nil {
			c.problem(max(0, to-utf8.RuneCountInString(x[1])), to, x[1]+" is no number", fmt.Sprintf("write seconds(%q) for a length of time", x[1]))
			return
		}
		c.problem(max(0, to-utf8.RuneCountInString(x[1])), to, x[1]+" is no number", "write numbers alone, durations in seconds: 60, or seconds(\"1h30m\"); text in quotes")
	case strings.HasPrefix(m, "a map key must be"):
		hint := bracesHint
		if inner := bracesOfText.FindStringSubmatch(c.node.Value); inner != nil {
			hint = "after = a formula stands without braces: =" + strings.TrimSpace(inner[1])
		}
		c.problem(from, to, "braces are not known in formulas", hint)
	default:
		c.problem(from, to, "the formula cannot be read: "+m, "")
	}
}

func (c *compiler) unexpectedToken(kind, text string, from, to int) {
	number := countBefore.FindString(c.upTo(from))
	switch {
	case kind == "EOF":
		hint := "is a closing bracket missing?"
		source := strings.TrimSpace(c.source())
		if m := piped.FindStringSubmatch(source); m != nil {
			hint = "a function stands before its value: " + m[2] + "(" + m[1] + ")"
		} else if half := strings.ReplaceAll(source, "??", ""); strings.Contains(half, "?") && !strings.Contains(half, ":") {
			hint = "a condition has two values: condition ? value : other value; nil is nothing"
		} else if c.commented() {
			hint = "a # after a blank begins a comment; put the whole value in quotes"
		}
		c.problem(max(c.length-1, 0), c.length, "the formula ends too early", hint)
	case otherSigns[text] != "":
		c.problem(from, to, text+" is not known in formulas", "write "+otherSigns[text])
	case text == ">" && c.before(from) == "<":
		c.problem(from-1, to, "<> is not known in formulas", "write !=")
	case text == "=" && (c.before(from) == "<" || c.before(from) == ">"), text == "<" && c.before(from) == "=":
		c.problem(from-1, to, c.before(from)+text+" is not known in formulas", "write >= or <=")
	case text == "=" && c.before(to+1) == ">":
		c.problem(from, to+1, "=> is not known in formulas", "write >=")
	case text == "=" && (c.before(from) == "="):
		c.problem(from, to, "a third = in a comparison", "compare with ==")
	case text == "," && isDigit(c.before(from)) && isDigit(c.before(to+1)):
		c.problem(from, to, "a comma in a number", "write decimals with a point, such as 1.5")
	case text == "," && strings.Count(c.source(), ")") > strings.Count(c.source(), "("):
		c.problem(from, to, ", is not expected here", "a bracket closes before it that was not opened, or too early")
	case text == "," && !strings.Contains(c.upTo(from), "(") && !strings.Contains(c.upTo(from), "["):
		c.problem(from, to, ", is not expected here", "join conditions with && or ||, text with +; a list stands in [ ]")
	case text == "=":
		c.problem(from, to, "a single = within the formula", "compare with ==; formulas cannot assign")
	case strings.HasPrefix(c.node.Value, "={"):
		c.problem(from, to, "braces are not known in formulas", bracesHint)
	case text == "&" || text == "and":
		c.problem(from, to, text+" is not expected here", `join text with +, conditions with &&`)
	case unitOfTime[strings.ToLower(text)] != "" && number != "":
		c.problem(from-len(number)-1, to, number+" "+text+" is no length of time in formulas", fmt.Sprintf("write seconds(%q)", number+unitOfTime[strings.ToLower(text)]))
	case kind == "Operator" && text == "*" && c.before(from) == "[" && c.before(to+1) == "]", text == "]" && c.before(from) == "[":
		c.problem(from, to, "["+strings.Trim(text, "]")+"] is not known in formulas", "the path alone is the list of all: raw.items.sku; the first is raw.items[0].sku")
	case kind == "Identifier" && c.before(from) == " " && c.broken(text) != "":
		c.problem(from, to, text+" is not expected here", c.broken(text))
	case text == ")" || text == "]" || text == "}":
		c.problem(from, to, text+" closes a bracket that was not opened", "")
	case text == ";" && ifOfSheets.MatchString(c.node.Value):
		c.problem(from, to, "; is not expected here: if(…) of sheets is written otherwise", "write condition ? value : other value, the whole in quotes")
	case text == ";":
		c.problem(from, to, "; is not expected here", "a formula is one expression; separate arguments with commas")
	default:
		c.problem(from, to, text+" is not expected here", "is an operator, a comma or a quote missing before it?")
	}
}

var (
	// piped is how other programs have a function follow its value.
	piped = regexp.MustCompile(`^([^|]+?) *\| *([a-z]+)$`)
	// countBefore is a number before a word; pathBefore is a path there.
	countBefore = regexp.MustCompile(`[0-9]+$`)
	pathBefore  = regexp.MustCompile(`([a-z]+(?:\.[A-Za-z_]+)+)$`)
)

// unitOfTime are words for units, and how seconds(…) reads them.
var unitOfTime = map[string]string{
	"second": "s", "seconds": "s", "sec": "s", "sekunden": "s", "minute": "m", "minutes": "m", "min": "m", "minuten": "m",
	"hour": "h", "hours": "h", "stunde": "h", "stunden": "h", "day": "d", "days": "d", "tag": "d", "tage": "d", "tagen": "d",
}

// source is the formula as it is written.
func (c *compiler) source() string {
	runes := []rune(c.node.Value)
	return string(runes[min(c.offset, len(runes)):min(c.offset+c.length, len(runes))])
}

// upTo is what stands before a place of the formula, without blanks behind it.
func (c *compiler) upTo(from int) string {
	runes := []rune(c.source())
	return strings.TrimRight(string(runes[:max(0, min(from, len(runes)))]), " ")
}

// broken is the mend of a name that has a blank in it, the rest of which is a
// word.
func (c *compiler) broken(word string) string {
	from := strings.LastIndex(c.source(), " "+word)
	if from < 0 {
		return ""
	}
	path := pathBefore.FindString(strings.TrimRight(c.source()[:from], " "))
	if joined := strings.ToLower(path + "_" + word); path != "" && lookedUp(joined) {
		return "did you mean " + joined + "?"
	}
	for _, open := range []string{"raw.", "call.outcome.", "call.analysis.", "call.collected.", "call.answers.", "contact.details."} {
		if strings.HasPrefix(path, open) {
			dot := strings.LastIndex(path, ".")
			return fmt.Sprintf("a name with a blank in it stands in brackets and quotes: %s[%q]", path[:dot], path[dot+1:]+" "+word)
		}
	}
	return ""
}

// otherSigns are what other languages write, and what it is here.
var otherSigns = map[string]string{
	"AND": "and, or &&", "And": "and, or &&", "und": "and, or &&", "UND": "and, or &&",
	"OR": "or, or ||", "Or": "or, or ||", "oder": "or, or ||", "ODER": "or, or ||", "NOT": "not, or !", "nicht": "not, or !",
	"is": "==", "IN": "in", "CONTAINS": "contains", "equals": "==", "startswith": "startsWith", "endswith": "endsWith",
}

const bracesHint = "paths stand without braces, such as =contact.first_name; a list is written [a, b]"

// bracesOfText is a formula in the braces that it has within text.
var bracesOfText = regexp.MustCompile(`^=\s*\{\{([^{}]*)\}\}\s*$`)

var ifOfSheets = regexp.MustCompile(`(?i)\b(if|wenn)\s*\(`)

// before is the character before a place of the formula.
func (c *compiler) before(at int) string {
	runes := []rune(c.node.Value)
	if i := c.offset + at - 1; i >= 0 && i < len(runes) {
		return string(runes[i])
	}
	return ""
}

func isDigit(s string) bool { return len(s) == 1 && s[0] >= '0' && s[0] <= '9' }

// commented reports whether YAML took the rest of an unquoted formula for a comment.
func (c *compiler) commented() bool {
	if c.node.Quoted || c.node.File == nil {
		return false
	}
	_, rest, found := strings.Cut(c.node.File.Line(c.node.Line), c.node.Value)
	return found && strings.HasPrefix(strings.TrimLeft(rest, " "), "#")
}
