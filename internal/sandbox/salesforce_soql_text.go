package sandbox

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// soqlToken is a word, a literal or a sign of a query.
type soqlToken struct {
	text   string
	quoted bool
	at     int
}

var soqlWord = regexp.MustCompile(`^(?:[A-Za-z_][A-Za-z0-9_.:]*|[0-9+-][0-9A-Za-z:.+-]*)`)

func soqlBad(format string, args ...any) *sfError {
	return sfBad("MALFORMED_QUERY", fmt.Sprintf(format, args...))
}

// soqlTokens cuts a query into words, literals and signs.
func soqlTokens(q string) ([]soqlToken, *sfError) {
	var out []soqlToken
	for i := 0; i < len(q); {
		switch c := q[i]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
		case c == '\'':
			text, n, e := soqlText(q[i+1:])
			if e != nil {
				return nil, e
			}
			out = append(out, soqlToken{text, true, i})
			i += n + 1
		case strings.ContainsRune("(),", rune(c)):
			out = append(out, soqlToken{string(c), false, i})
			i++
		case strings.ContainsRune("=!<>", rune(c)):
			n := 1
			if i+1 < len(q) && (q[i+1] == '=' || c == '<' && q[i+1] == '>') {
				n = 2
			}
			out = append(out, soqlToken{q[i : i+n], false, i})
			i += n
		default:
			word := soqlWord.FindString(q[i:])
			if word == "" {
				return nil, soqlBad("line 1:%d no viable alternative at character '%c'", i, c)
			}
			out = append(out, soqlToken{word, false, i})
			i += len(word)
		}
	}
	return out, nil
}

var soqlEscapes = map[byte]string{'n': "\n", 'N': "\n", 'r': "\r", 'R': "\r", 't': "\t", 'T': "\t", 'b': "\b", 'B': "\b", 'f': "\f", 'F': "\f",
	'"': `"`, '\'': "'", '\\': `\`, '_': `\_`, '%': `\%`}

// soqlText reads quoted text and tells how long it was, with its closing quote.
// \_ and \% stay as they are: LIKE wants to see them.
func soqlText(q string) (string, int, *sfError) {
	var b strings.Builder
	for i := 0; i < len(q); i++ {
		switch c := q[i]; c {
		case '\'':
			return b.String(), i + 1, nil
		case '\n', '\r':
			return "", 0, soqlBad("line breaks not allowed in string literals")
		case '\\':
			i++
			if i >= len(q) {
				return "", 0, soqlBad("unterminated string literal")
			}
			if q[i] == 'u' && i+4 < len(q) {
				n, err := strconv.ParseUint(q[i+1:i+5], 16, 16)
				if err != nil {
					return "", 0, soqlBad("Invalid string literal")
				}
				b.WriteRune(rune(n))
				i += 4
				continue
			}
			text, ok := soqlEscapes[q[i]]
			if !ok {
				return "", 0, soqlBad("Invalid string literal. Illegal character sequence '\\%c' in string literal", q[i])
			}
			b.WriteString(text)
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, soqlBad("unterminated string literal")
}
