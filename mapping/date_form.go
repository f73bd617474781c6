package mapping

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// otherDateParts are the letters that sheets and other programs use in the form
// of a date, and what is meant here. As they are no parts here, they would be
// written as they stand.
var otherDateParts = map[string]string{
	"d": "D", "dd": "DD", "y": "YYYY", "yy": "YY", "yyyy": "YYYY", "Y": "YYYY", "h": "HH", "H": "HH", "m": "mm", "s": "ss",
	"SS": "ss", "tt": "A", "a": "A", "TT": "DD", "JJ": "YY", "JJJJ": "YYYY",
}

// checkForm warns of a date's form that is read otherwise than people mean it.
func (c *compiler) checkForm(form string, at operand) {
	meant, wrong := meantForm(form)
	switch {
	case wrong != "":
		c.add(diag.Warning, at.from, at.to, fmt.Sprintf("%s stands for nothing in the form of a date: it is written as it is", wrong), fmt.Sprintf("did you mean %q?", meant))
	case meant != form:
		c.add(diag.Warning, at.from, at.to, "MM is the month and mm the minutes: here they are mixed up", fmt.Sprintf("did you mean %q?", meant))
	case brokenWord(form) != "":
		c.add(diag.Warning, at.from, at.to, fmt.Sprintf("letters of the word %s stand for parts of the time: it is not written as it is", brokenWord(form)), "put words beside the date: Call on {{ date(…) }}")
	case strings.Contains(form, "hh") && !strings.Contains(form, "A"):
		c.add(diag.Warning, at.from, at.to, "hh counts the hours to 12: 14:30 is written as 02:30", fmt.Sprintf("did you mean %q?", strings.ReplaceAll(form, "hh", "HH")))
	}
}

// brokenWord returns a word of the form that holds a letter which alone is a part
// of a date, such as the A of Appointment; "" if there is none.
func brokenWord(form string) string {
	for _, w := range dateWords(form) {
		alone, others := false, 0
		for rest := w; rest != ""; {
			part := partAt(rest)
			alone = alone || len(part) == 1
			if part == "" {
				_, n := utf8.DecodeRuneInString(rest)
				part = rest[:n]
				others++
			}
			rest = rest[len(part):]
		}
		if r, _ := utf8.DecodeRuneInString(w); unicode.IsLetter(r) && alone && others > 1 {
			return w
		}
	}
	return ""
}

// partAt is the part of a date that a form begins with; "" if it is none.
func partAt(form string) string {
	for _, p := range dateParts {
		if strings.HasPrefix(form, p.part) {
			return p.part
		}
	}
	return ""
}

// meantForm returns the form that is likely meant, and the first word of the
// given one that shows nothing of the time.
func meantForm(form string) (meant, wrong string) {
	words := dateWords(form)
	hours := false
	for i, w := range words {
		if part, ok := otherDateParts[w]; ok && !(w == "h" && hours) { // as in 14:30 h
			words[i] = part
			if wrong == "" {
				wrong = w
			}
		}
		switch words[i] {
		case "HH", "hh":
			hours = true
		case "mm":
			if !hours && beside(words, i, "D", "DD", "YY", "YYYY") {
				words[i] = "MM"
			}
		case "MM":
			if i > 1 && strings.HasPrefix(words[i-1], ":") {
				words[i] = "mm"
			}
		}
	}
	return strings.Join(words, ""), wrong
}

// beside reports whether one of the parts is the next word before or behind.
func beside(words []string, i int, parts ...string) bool {
	for _, p := range parts {
		if i > 1 && words[i-2] == p || i+2 < len(words) && (words[i+2] == p || otherDateParts[words[i+2]] == p) {
			return true
		}
	}
	return false
}

// dateWords cuts a form into words of letters and what stands between them.
func dateWords(form string) []string {
	var words []string
	letters := false
	for i, r := range form {
		if is := unicode.IsLetter(r); i == 0 || is != letters {
			letters = is
			words = append(words, "")
		}
		words[len(words)-1] += string(r)
	}
	return words
}
