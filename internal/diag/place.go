package diag

import (
	"strings"
	"unicode/utf8"
)

// ProblemAt returns a problem at a part of the node's value: width characters
// from the offset-th character on. Quotes, escapes, folded lines and the
// indentation of block text are accounted for.
func (n *Node) ProblemAt(offset, width int, message, hint string) Problem {
	at := n.At(offset)
	p := n.File.problem(at.Line, at.Column, message, hint)
	p.Width = max(1, width)
	return p
}

// At returns the place of the offset-th character of a scalar's value.
func (n *Node) At(offset int) Pos {
	w := walker{file: n.File, line: n.Line, col: n.column - 1}
	switch {
	case n.Block:
		w.enterBlock()
	case n.Quoted:
		w.enterQuotes()
	}
	for i, r := range []rune(n.Value) {
		w.settle(r)
		if i == offset {
			break
		}
		w.step(r)
	}
	return Pos{n.File.Name, w.line, n.File.written(w.line, w.col+1)}
}

// walker follows a scalar's value through the lines it was written in.
type walker struct {
	file   *File
	line   int // from 1
	col    int // from 0
	quote  rune
	block  bool
	indent int // of block text
	row    []rune
	rowOf  int
}

func (w *walker) runes() []rune {
	if w.rowOf != w.line {
		w.row, w.rowOf = []rune(w.file.parsed(w.line)), w.line
		if !w.block && w.quote == 0 {
			w.row = []rune(strings.TrimRight(string(w.row), " \t"))
		}
	}
	return w.row
}

func (w *walker) enterQuotes() {
	if row := w.runes(); w.col >= 0 && w.col < len(row) {
		w.quote = row[w.col]
		w.rowOf = 0
		w.col++
	}
}

// enterBlock goes to the first line of block text and finds its indentation:
// that of its first line with anything in it.
func (w *walker) enterBlock() {
	w.block = true
	w.line, w.col = w.line+1, 0
	for l := w.line; l <= len(w.file.lines); l++ {
		if s := w.file.parsed(l); strings.TrimSpace(s) != "" {
			w.indent = indent(s)
			break
		}
	}
	w.col = w.indent
}

// settle moves over what stands in the file but not in the value, up to where
// r is written.
func (w *walker) settle(r rune) {
	for w.line <= len(w.file.lines) {
		row := w.runes()
		switch {
		case w.quote == '"' && w.col == len(row)-1 && row[w.col] == '\\':
			w.nextLine()
		case w.col >= len(row) && r != ' ' && r != '\n' && w.line < len(w.file.lines):
			w.nextLine()
		default:
			return
		}
	}
}

// step moves over one character of the value.
func (w *walker) step(r rune) {
	row := w.runes()
	switch {
	case w.col >= len(row):
		w.nextLine()
	case w.quote == '\'' && row[w.col] == '\'':
		w.col += 2
	case w.quote == '"' && row[w.col] == '\\':
		w.col += escapeLen(row[w.col:])
	case r == '\n' && w.block:
		w.nextLine()
	case w.quote != 0 && (r == ' ' || r == '\n') && strings.TrimSpace(string(row[w.col:])) == "":
		w.nextLine() // trailing blanks before a fold
	default:
		w.col++
	}
}

func (w *walker) nextLine() {
	w.line++
	row := w.runes()
	if w.block {
		w.col = min(w.indent, len(row))
		return
	}
	w.col = 0
	for w.col < len(row) && (row[w.col] == ' ' || row[w.col] == '\t') {
		w.col++
	}
}

// escapeLen is the number of characters of an escape in double quotes.
func escapeLen(row []rune) int {
	n := 2
	if len(row) > 1 {
		switch row[1] {
		case 'x':
			n = 4
		case 'u':
			n = 6
		case 'U':
			n = 10
		}
	}
	return min(n, len(row))
}

// parsed returns the n-th line as it was parsed.
func (f *File) parsed(n int) string {
	if n < 1 || n > len(f.mended) {
		return f.Line(n)
	}
	return f.mended[n-1]
}

// written turns a column of the line as parsed into that of the line as
// written. Mending only inserts characters or changes the indentation.
func (f *File) written(line, column int) int {
	was, is := f.Line(line), f.parsed(line)
	if was == is {
		return column
	}
	if strings.TrimLeft(was, " \t") == strings.TrimLeft(is, " \t") {
		return max(1, column+utf8.RuneCountInString(was)-utf8.RuneCountInString(is))
	}
	from, to := []rune(is), []rune(was)
	j := 0
	for i := 0; i < column-1 && i < len(from); i++ {
		if j < len(to) && from[i] == to[j] {
			j++
		}
	}
	return j + 1
}

// indent is the number of blanks that a line begins with.
func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
