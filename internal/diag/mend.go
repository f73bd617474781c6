package diag

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

const (
	maxMends     = 20       // broken lines mended in one file
	maxMendBytes = 12 << 20 // bytes parsed while looking for them
)

// mender parses a file and, where the parser stumbles, mends the line in
// memory and goes on. The parser stops at its first error and often names
// another line, so the broken line is found by parsing beginnings of the file.
type mender struct {
	file   *File
	lines  []string
	budget int
	told   map[int]bool // lines with a problem of their own
}

func newMender(f *File) *mender {
	return &mender{file: f, lines: slices.Clone(f.lines), budget: maxMendBytes, told: map[int]bool{}}
}

// parse returns the document, or nil if the file could not be mended.
func (m *mender) parse() (*yaml.Node, Problems) {
	var ps Problems
	for range maxMends {
		doc, second, err := document(strings.Join(m.lines, "\n"))
		switch {
		case err == nil && second > 0:
			return doc, append(ps, m.file.problem(second, 1, "a second document begins here", "keep one document a file: take out the line ---"))
		case err == nil:
			return doc, ps
		}
		k := m.firstBad()
		if k < 0 {
			return nil, append(ps, m.file.syntax(err, 0))
		}
		p, ok := m.mend(k)
		if !ok {
			return nil, append(ps, m.file.syntax(err, k+1))
		}
		ps = append(ps, p)
	}
	return nil, append(ps, Problem{Pos: Pos{File: m.file.Name}, Message: fmt.Sprintf("more than %d lines are not valid YAML", maxMends), Hint: "mend those shown first"})
}

// parses reports whether the first n lines are a document.
func (m *mender) parses(n int) bool {
	text := strings.Join(m.lines[:n], "\n")
	m.budget -= len(text) + 64
	_, _, err := document(text)
	return err == nil
}

// firstBad returns the index of the line after the longest beginning that
// parses, or -1 if the budget is used up. A beginning may also end within a
// list or quote that goes on over several lines; hence the look ahead.
func (m *mender) firstBad() int {
	const ahead = 30
	good, bad := 0, len(m.lines)
	for m.budget > 0 {
		for bad-good > 1 && m.budget > 0 {
			mid := (good + bad) / 2
			if m.parses(mid) {
				good = mid
			} else {
				bad = mid
			}
		}
		further := false
		for n := good + 2; n <= min(good+ahead, len(m.lines)) && m.budget > 0; n++ {
			if m.parses(n) {
				good, bad, further = n, len(m.lines), true
				break
			}
		}
		if !further {
			if m.budget <= 0 {
				return -1
			}
			return good
		}
	}
	return -1
}

// change is one way to mend: another text for a line, and what to tell.
type change struct {
	line    int // index
	text    string
	column  int // from 1, in the line as written; 0: its first character
	message string
	hint    string
}

// mend tries every change that could help at line k and keeps the first after
// which the file parses up to there.
func (m *mender) mend(k int) (Problem, bool) {
	for _, c := range m.changes(k) {
		was := m.lines[c.line]
		if m.told[c.line] || was == c.text || m.budget <= 0 {
			continue
		}
		m.lines[c.line] = c.text
		if m.parses(k + 1) {
			m.told[c.line] = true
			return m.problem(c), true
		}
		m.lines[c.line] = was
	}
	return Problem{}, false
}

func (m *mender) problem(c change) Problem {
	line := m.file.lines[c.line]
	if c.column == 0 {
		c.column = 1 + indent(line)
	}
	return m.file.problem(c.line+1, c.column, c.message, c.hint)
}

// keyValue takes a line apart: what stands before the value, and the value.
var keyValue = regexp.MustCompile(`^(\s*(?:- +)*(?:"[^"]*"|'[^']*'|[^\s"'#\[{-][^:#]*?) *:\s+)(\S.*)$`)

// item takes a line of a list apart.
var item = regexp.MustCompile(`^(\s*(?:- +)+)(\S.*)$`)

// starKey is the key for all others of a table, without its quotes.
var starKey = regexp.MustCompile(`^(\s*)\*(\s*:(?:\s.*)?)$`)

// flowValue finds an unquoted formula within braces.
var flowValue = regexp.MustCompile(`^(.*\bvalue: *)(=.*?)((?:, *(?:if|missing) *:.*)?\}\s*)$`)

// flowCall finds an unquoted formula within braces that calls a function with
// more than one argument, or with text in quotes.
var flowCall = regexp.MustCompile(`[:,\[{] *(=[^'{},\[\]]*?\([^'{}\[\]()]*[,"][^'{}\[\]()]*\))\s*[,}\]]`)

// dashes are the changes to a line that has a dash which its neighbours have
// not: it, or the one before that made a list of the block.
func (m *mender) dashes(k int) (cs []change) {
	const message, hint = "a dash stands where its neighbours have none", "take the dash out"
	for j := k; j >= max(1, k-1); j-- {
		line, beside := m.lines[j], m.lines[k-1]
		if j < k {
			beside = m.lines[k]
		}
		rest, ok := strings.CutPrefix(strings.TrimLeft(line, " "), "- ")
		if ok && indent(line) == indent(beside) && keyValue.MatchString(rest) && keyValue.MatchString(beside) && !strings.HasPrefix(strings.TrimLeft(beside, " "), "-") {
			cs = append(cs, change{j, strings.Repeat(" ", indent(line)) + strings.TrimLeft(rest, " "), 0, message, hint})
		}
	}
	return cs
}

func (m *mender) changes(k int) []change {
	var cs []change
	line := m.lines[k]
	if lead := line[:len(line)-len(strings.TrimLeft(line, " \t"))]; strings.Contains(lead, "\t") {
		for _, n := range m.indents(k) {
			cs = append(cs, change{k, strings.Repeat(" ", n) + strings.TrimLeft(line, " \t"), 1 + utf8.RuneCountInString(lead[:strings.Index(lead, "\t")]), tabMessage, tabHint})
		}
		return append(cs, change{k, "", 1, tabMessage, tabHint})
	}
	for j := k; j >= max(0, k-2); j-- { // the line before may have swallowed it
		lead := m.lines[j][:len(m.lines[j])-len(strings.TrimLeftFunc(m.lines[j], unicode.IsSpace))]
		if i := strings.IndexFunc(lead, func(r rune) bool { return r > unicode.MaxASCII }); i >= 0 {
			text := strings.Repeat(" ", utf8.RuneCountInString(lead)) + m.lines[j][len(lead):]
			cs = append(cs, change{j, text, column(lead[:i]), "a blank of another kind at the beginning of the line, as web pages and word processors have them", "type the blanks anew"})
		}
	}
	if parts := starKey.FindStringSubmatch(line); parts != nil {
		return append(cs, change{k, parts[1] + `"*"` + parts[2], column(parts[1]), "* must be in quotes", `write "*":`})
	}
	cs = append(cs, m.dashes(k)...)
	if call := flowCall.FindStringSubmatchIndex(line[:min(len(line), longestLine*10)]); call != nil && strings.ContainsAny(line[:call[2]], "{[") {
		text := line[:call[2]] + quoted(line[call[2]:call[3]]) + line[call[3]:]
		cs = append(cs, change{k, text, column(line[:call[2]]), "within { } this formula must be in quotes", "write " + quoted(line[call[2]:call[3]])})
	}
	if i := strings.Index(line, ",,"); i > 0 {
		cs = append(cs, change{k, line[:i] + line[i+1:], column(line[:i+1]), "two commas side by side", "take one out, or write what is missing between them"})
	}
	if parts := flowValue.FindStringSubmatch(line); parts != nil {
		cs = append(cs, change{k, parts[1] + quoted(parts[2]) + parts[3], column(parts[1]), "within { } this formula must be in quotes", "write {value: '=…', …}"})
	}
	parts := keyValue.FindStringSubmatch(line)
	if parts == nil {
		parts = item.FindStringSubmatch(line)
	}
	if parts != nil {
		cs = append(cs, valueChanges(k, parts[1], parts[2])...)
	}
	if k > 0 {
		cs = append(cs, keyChanges(k-1, m.lines[k-1])...)
	}
	cs = append(cs, keyChanges(k, line)...)
	for _, n := range m.indents(k) {
		cs = append(cs, change{k, strings.Repeat(" ", n) + strings.TrimLeft(line, " "), 0, "the line is not indented like its neighbours", fmt.Sprintf("indent all keys of a block alike; here by %d blanks", n)})
	}
	return cs
}

// valueChanges are the changes to a value that follows a key or a dash.
func valueChanges(k int, before, value string) []change {
	var cs []change
	if q := value[:1]; q == `"` || q == "'" {
		open := "a quote is not closed"
		cs = append(cs, change{k, before + strings.TrimRight(value, " ") + q, column(before), open, "add the closing " + q})
		if i := strings.LastIndex(value, "}"); i > 0 {
			cs = append(cs, change{k, before + value[:i] + q + value[i:], column(before), open, "add the closing " + q})
		}
		if inner, ok := strings.CutSuffix(strings.TrimRight(value[1:], " "), q); ok && strings.Contains(inner, q) {
			hint := `put the whole value in the other quotes: '…', with "…" within`
			if q == "'" {
				hint = "double each quote within: ''"
			}
			at := column(before + value[:1] + inner[:strings.Index(inner, q)])
			cs = append(cs, change{k, before + quoted(inner), at, "this quote ends the value, and more follows", hint})
		}
		if i := strings.LastIndex(value[1:], q); i >= 0 && strings.TrimSpace(value[i+2:]) != "" {
			cs = append(cs, change{k, before + quoted(value), column(before + value[:i+2]), "text follows the closing quote", "put the whole value in quotes of the other kind"})
		}
		return cs
	}
	bare, _, _ := strings.Cut(value, " #")
	c := change{k, before + quoted(strings.TrimRight(bare, " ")), column(before), "the value begins with a character that YAML keeps for itself", "put the value in quotes"}
	i := strings.Index(bare, ": ")
	switch {
	case besideValue.MatchString(bare):
		m := besideValue.FindStringSubmatch(bare)
		c.text = before + "{value: " + quoted(m[1]) + m[2] + "}"
		c.message, c.hint, c.column = "options stand beside a value only within { }", "write {value: "+m[1]+m[2]+"}", column(before)
	case value[0] == '{' || value[0] == '[':
		c.message = "a list or braces that YAML cannot read"
		if strings.HasPrefix(value, "{{") {
			c.message, c.hint = "a text that begins with {{ must be in quotes", "put the whole value in quotes"
		} else if end, ok := map[byte]string{'[': "]", '{': "}"}[value[0]]; ok && !strings.Contains(value, end) {
			open := "a list is not closed"
			if end == "}" {
				open = "braces are not closed"
			}
			cs = append(cs, change{k, before + strings.TrimRight(bare, " ") + end, column(before), open, "add the closing " + end})
		} else if q, ok := openQuote(bare); ok {
			end := strings.LastIndexAny(bare, "}]")
			if end < 0 {
				end = len(bare)
			}
			cs = append(cs, change{k, before + bare[:end] + bare[q:q+1] + bare[end:], column(before + bare[:q]), "a quote is not closed", "add the closing " + bare[q:q+1]})
		}
	case i >= 0:
		c.message, c.hint, c.column = "a colon and a blank (: ) stand inside an unquoted value", "put the whole value in quotes", column(before+bare[:i])
	case strings.HasSuffix(strings.TrimSpace(bare), ":") && len(bare) > 1:
		c.message, c.hint = "an unquoted value ends with a colon", "put the whole value in quotes"
	case value[0] == '*':
		c.message, c.hint = "aliases (*) are not supported", "put a text that begins with * in quotes"
	}
	return append(cs, c)
}

// besideValue finds options that follow a value without braces.
var besideValue = regexp.MustCompile(`^(=[^,]*)((?:, *(?:if|missing|on_edit): *[a-z]+)+)$`)

// openQuote finds a quote within a list or braces that is not closed.
func openQuote(s string) (int, bool) {
	at := -1
	for i, r := range s {
		switch {
		case at < 0 && (r == '"' || r == '\''):
			at = i
		case at >= 0 && byte(r) == s[at]:
			at = -1
		}
	}
	return at, at >= 0
}

var (
	noBlank = regexp.MustCompile(`^(\s*(?:- +)*[A-Za-z_$][\w.$]*:)(\S.*)$`)
	noColon = regexp.MustCompile(`^(\s*(?:- +)*)([A-Za-z_$][\w.$]*|"[^"]*"|'[^']*')( +[^:]*)?$`)
)

// keyChanges are the changes to a line that lacks its colon or the blank
// behind it.
func keyChanges(k int, line string) []change {
	if parts := noBlank.FindStringSubmatch(line); parts != nil {
		return []change{{k, parts[1] + " " + parts[2], column(parts[1]) - 1, "a blank is missing after the colon", "write key: value"}}
	}
	if parts := noColon.FindStringSubmatch(line); parts != nil {
		value := strings.TrimPrefix(parts[3], " = ") // as in other programs
		return []change{{k, parts[1] + parts[2] + ": " + strings.TrimLeft(value, " "), column(parts[1]), "the key has no colon", "write key: value"}}
	}
	return nil
}

// indents returns the indentations that line k could be meant to have, the
// likeliest first: like the line before or below it, then those in use further up.
func (m *mender) indents(k int) []int {
	var ns []int
	add := func(n int) {
		if n >= 0 && !slices.Contains(ns, n) {
			ns = append(ns, n)
		}
	}
	next := -1
	for j := k + 1; j < len(m.lines) && next < 0; j++ {
		if l := m.lines[j]; strings.TrimSpace(l) != "" && !strings.HasPrefix(strings.TrimLeft(l, " "), "\t") {
			next = indent(l)
		}
	}
	first := true
	for j := k - 1; j >= max(0, k-60); j-- {
		l := m.lines[j]
		if strings.TrimSpace(l) == "" || strings.HasPrefix(strings.TrimSpace(l), "#") {
			continue
		}
		n := indent(l)
		if first {
			opens := strings.HasSuffix(strings.TrimRight(l, " "), ":")
			dash := len(strings.TrimLeft(l, " ")) > 2 && strings.HasPrefix(strings.TrimLeft(l, " "), "- ")
			if opens && next > n {
				add(next)
			}
			if opens {
				add(n + 2)
			}
			if dash {
				add(n + 2)
			}
			first = false
		}
		add(n)
	}
	add(next)
	return ns
}

const (
	tabMessage = "a tab at the beginning of the line"
	tabHint    = "indent with blanks; YAML does not allow tabs"
)

// tabs finds lines that begin with a tab and that the parser put up with,
// within block text or a text over several lines.
func (m *mender) tabs() Problems {
	var ps Problems
	for i, l := range m.file.lines {
		if strings.HasPrefix(l, "\t") && strings.TrimSpace(l) != "" && !m.told[i] {
			ps = append(ps, m.file.problem(i+1, 1, tabMessage, tabHint))
			if len(ps) == maxMends {
				break
			}
		}
	}
	return ps
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// column is that of the first character after before.
func column(before string) int { return utf8.RuneCountInString(before) + 1 }
