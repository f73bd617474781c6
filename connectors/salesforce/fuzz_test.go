package salesforce

import (
	"strings"
	"testing"
)

// FuzzQuote holds that a value never ends before its text does.
func FuzzQuote(f *testing.F) {
	for _, s := range []string{"", `'`, `\`, `\'`, `' OR Name LIKE '%`, "a\nb", "\x00'", "’", `\u0027`, "\xff'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q := quote(s)
		in, ok := strings.CutSuffix(strings.TrimPrefix(q, "'"), "'")
		if !ok || len(q) < 2 {
			t.Fatalf("%q is no literal", q)
		}
		for i := 0; i < len(in); i++ {
			switch {
			case in[i] == '\'':
				t.Fatalf("%q ends at %d", q, i)
			case in[i] == '\\' && i+1 == len(in):
				t.Fatalf("%q does not end", q)
			case in[i] == '\\':
				i++
			}
		}
	})
}
