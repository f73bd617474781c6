package admin

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// nested bounds how often what is JSON may be within a text of JSON.
const nested = 3

// readings are a text as it is written, and as it is read: any character of a
// payload may be written as an escape of JSON or of a form. What is not well
// formed is read as far as it can be.
func readings(text []byte) [][]byte {
	out := [][]byte{text}
	if t := bytes.TrimLeft(text, " \t\r\n"); len(t) > 0 && t[0] != '{' && t[0] != '[' && bytes.ContainsAny(t, "%+") {
		text = readForm(t)
		out = append(out, text)
	}
	for range nested {
		if bytes.IndexByte(text, '\\') < 0 {
			break
		}
		text = readJSON(text)
		out = append(out, text)
	}
	return out
}

// readForm reads %40 and +.
func readForm(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		var b [1]byte
		switch c := text[i]; {
		case c == '+':
			out = append(out, ' ')
		case c == '%' && i+2 < len(text) && isHex(b[:], text[i+1:i+3]):
			out, i = append(out, b[0]), i+2
		default:
			out = append(out, c)
		}
	}
	return out
}

func isHex(to, text []byte) bool {
	_, err := hex.Decode(to, text)
	return err == nil
}

// readJSON reads \u0040 and \/.
func readJSON(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out = append(out, text[i])
			continue
		}
		i++
		switch c := text[i]; c {
		case 'n', 'r', 't', 'b', 'f':
			out = append(out, '\n') // none of them stands within a word or a number
		case 'u':
			r := unit(text[i+1:])
			if r < 0 {
				out = append(out, c)
				continue
			}
			i += 4
			if pair := text[i+1:]; utf16.IsSurrogate(r) && bytes.HasPrefix(pair, []byte(`\u`)) {
				if both := utf16.DecodeRune(r, unit(pair[2:])); both != utf8.RuneError {
					r, i = both, i+6
				}
			}
			out = utf8.AppendRune(out, r)
		default:
			out = append(out, c)
		}
	}
	return out
}

// unit is the number that four digits begin with; -1 if these are none.
func unit(text []byte) rune {
	if len(text) < 4 {
		return -1
	}
	n, err := strconv.ParseUint(string(text[:4]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// digitRuns leaves of a text its digits, without what people write between
// those of one number, and one blank between all others.
func digitRuns(text []byte) []byte {
	out := make([]byte, 0, len(text)/4)
	gap := 0 // characters since the last digit that may stand within a number
	for _, c := range string(text) {
		switch {
		case c >= '0' && c <= '9':
			if gap > 3 {
				out = append(out, ' ')
			}
			out, gap = append(out, byte(c)), 0
		case c == ' ' || c == '-' || c == '/' || c == '(' || c == ')' || c == '.', c >= utf8.RuneSelf && unicode.In(c, unicode.Zs, unicode.Pd):
			gap++
		default:
			gap = 4
		}
	}
	return out
}
