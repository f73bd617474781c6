package airtable

import (
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// FuzzQuote holds that a value, or a field's name, is read back as the very
// same: none ends early, and nothing of it becomes a part of the formula.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", `"`, `\`, `\"`, `"),1)`, `a\nb`, "a\nb\r\t", `}`, `{x}`, `\\`, `"&{Email}&"`, "ä\x00"} {
		f.Add(s)
	}
	read := func(t *testing.T, s string, end byte) string {
		var b strings.Builder
		s = s[1:]
		for i := 0; i < len(s); i++ {
			switch {
			case s[i] == end && i == len(s)-1:
				return b.String()
			case s[i] == end:
				t.Fatalf("%q goes on behind its end", s)
			case s[i] == '\\' && i+1 < len(s):
				i++
				switch s[i] {
				case 'n':
					b.WriteByte('\n')
				case 'r':
					b.WriteByte('\r')
				case 't':
					b.WriteByte('\t')
				default:
					b.WriteByte(s[i])
				}
			default:
				b.WriteByte(s[i])
			}
		}
		t.Fatalf("%q has no end", s)
		return ""
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := read(t, quote(s), '"'); got != s {
			t.Errorf("%q is read as %q", s, got)
		}
		if got := read(t, name(connectors.Field{Name: s}), '}'); got != s {
			t.Errorf("the name %q is read as %q", s, got)
		}
	})
}
