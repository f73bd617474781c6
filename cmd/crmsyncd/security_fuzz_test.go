package main

import (
	"strings"
	"testing"
)

// FuzzCellText holds that no text from outside becomes a formula in a table for
// spreadsheets, or a second cell.
func FuzzCellText(f *testing.F) {
	for _, s := range []string{"=1", " =1", "\t=1", "+49 30 1", "＝1", "\u00a0@x", "\ufeff=1", "\u200b=1", "\u2003=1", "a=1", "", "'=1", "\x00=1", "\u2066=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := cellText(s)
		if strings.ContainsAny(got, "\n\r\t\x00") {
			t.Errorf("%q becomes %q", s, got)
		}
		if begin := strings.TrimLeft(got, " \u00a0\u2003\u200b\ufeff"); begin != "" && strings.ContainsAny(begin[:1], "=+-@") {
			t.Errorf("%q becomes the formula %q", s, got)
		}
	})
}
