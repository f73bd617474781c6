// Package diag tells people what is wrong in a file of theirs: where, what,
// and how to mend it. It reads YAML strictly (yaml.go, decode.go) and shows
// problems with the line and a caret. It knows nothing of rules or settings.
package diag

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Severity tells a mistake from a doubt.
type Severity int

// An Error keeps a file from being used; a Warning does not.
const (
	Error Severity = iota
	Warning
)

// Pos is a place in a file. Line and Column count from 1; Column counts
// characters. A zero Line means the file as a whole.
type Pos struct {
	File   string
	Line   int
	Column int
}

// String gives file:line:column.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Column == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Problem is one thing wrong.
type Problem struct {
	Pos      Pos
	Width    int // characters to underline, at least 1 where Line is set
	Severity Severity
	Message  string // what is wrong, without place
	Hint     string // how to mend it; may be empty
	Line     string // the user's own line; empty where it must not be shown
}

// Error gives place, message and hint in one line.
func (p Problem) Error() string {
	s := p.Pos.String() + ": "
	if p.Severity == Warning {
		s += "warning: "
	}
	s += p.Message
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Problems is a list of problems; as an error it names all of them.
type Problems []Problem

// Error gives one line a problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns ps as an error if it holds an Error, else nil: warnings alone do
// not stop anything.
func (ps Problems) Err() error {
	if ps.Has(Error) {
		return ps
	}
	return nil
}

// Has reports whether a problem of that severity is among them.
func (ps Problems) Has(s Severity) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Severity == s })
}

// MaxProblems is how many problems of one file are told.
const MaxProblems = 100

// Told are the first of them; the last then says that there are more.
func (ps Problems) Told() Problems {
	if len(ps) <= MaxProblems {
		return ps
	}
	more := Problem{Pos: Pos{File: ps[MaxProblems].Pos.File}, Message: "there are more problems", Hint: "mend those shown first"}
	return append(ps[:MaxProblems:MaxProblems], more)
}

// Sort orders problems by file and place.
func (ps Problems) Sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.File, b.Pos.File), cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Column, b.Pos.Column))
	})
}

// Render writes each problem with the line and a caret:
//
//	mapping.yaml:14:12: unknown field contact.frist_name
//	   14 |       firstname: =contact.frist_name
//	      |                   ^^^^^^^^^^^^^^^^^^
//	      = did you mean contact.first_name?
func (ps Problems) Render(w io.Writer) {
	for i, p := range ps {
		if i > 0 {
			fmt.Fprintln(w)
		}
		kind := ""
		if p.Severity == Warning {
			kind = "warning: "
		}
		fmt.Fprintf(w, "%s: %s%s\n", p.Pos, kind, p.Message)
		if p.Line != "" && p.Pos.Line > 0 {
			line, caret := excerpt(p)
			fmt.Fprintf(w, "%5d | %s\n", p.Pos.Line, line)
			fmt.Fprintf(w, "      | %s\n", caret)
		}
		if p.Hint != "" {
			fmt.Fprintf(w, "      = %s\n", p.Hint)
		}
	}
}

const longestLine = 160 // characters of a user's line that Render shows

// excerpt cuts the line to a window around the column and underlines it. Tabs
// become one blank, so that the caret stands right.
func excerpt(p Problem) (line, caret string) {
	at := max(p.Pos.Column-1, 0)
	from := 0
	if at > longestLine-40 {
		from = at - longestLine/2
	}
	// A line may have a megabyte, and many problems.
	var window []rune
	n := 0
	for _, r := range p.Line {
		if n++; n > from+longestLine {
			break
		} else if n > from {
			window = append(window, printable(r))
		}
	}
	at = min(at, from+len(window))
	width := max(1, min(p.Width, from+len(window)-at))
	pre := ""
	if from > 0 {
		pre = "…"
	}
	return pre + string(window), strings.Repeat(" ", at-from+utf8.RuneCountInString(pre)) + strings.Repeat("^", width)
}

func printable(r rune) rune {
	if r == '\t' {
		return ' '
	}
	if r < ' ' || r == 0x7f {
		return '\uFFFD'
	}
	return r
}

// Suggest returns the known word nearest to word, or "" if none is near
// enough to be a likely misspelling. Case is ignored.
func Suggest(word string, known []string) string {
	best, bestDist := "", max(1, utf8.RuneCountInString(word)/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k), bestDist); d < bestDist {
			best, bestDist = k, d
		}
	}
	return best
}

// DidYouMean returns a hint such as "did you mean first_name?", or "" if no
// known word is near.
func DidYouMean(word string, known []string) string {
	if s := Suggest(word, known); s != "" {
		return "did you mean " + s + "?"
	}
	if near := sharing(word, known); len(near) > 0 && len(near) < 4 {
		return "did you mean " + strings.Join(near, " or ") + "?"
	}
	return ""
}

// sharing returns the known words that have all parts of the word among theirs,
// as max_attempts has those of attempt, or else only parts of it.
func sharing(word string, known []string) (more []string) {
	parts := func(s string) []string {
		all := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == '_' || r == '.' || r == '-' || r == ' ' })
		for i, p := range all {
			all[i] = strings.TrimSuffix(p, "s")
		}
		return all
	}
	within := func(some, all []string) bool {
		return len(some) > 0 && !slices.ContainsFunc(some, func(p string) bool { return len(p) < 2 || !slices.Contains(all, p) })
	}
	var less []string
	for _, k := range known {
		switch mine, other := parts(word), parts(k); {
		case within(mine, other):
			more = append(more, k)
		case within(other, mine):
			less = append(less, k)
		}
	}
	if more == nil {
		return less
	}
	return more
}

// distance is the number of single-character edits and swaps of neighbours
// that make a out of b, or limit if it is that or more.
func distance(a, b string, limit int) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 64 || len(y) > 64 || len(x)-len(y) >= limit || len(y)-len(x) >= limit {
		return limit
	}
	var older []int
	prev := make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row := make([]int, len(y)+1)
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
		older, prev = prev, row
	}
	return min(prev[len(y)], limit)
}
