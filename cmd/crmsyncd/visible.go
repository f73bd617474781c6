package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

// visible is a text of a person or a vendor for a terminal: what would move the
// cursor, break the line or hide something is shown as an escape.
func visible(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, admin.Hidden) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if q := strconv.QuoteRuneToASCII(r); admin.Hidden(r) {
			b.WriteString(q[1 : len(q)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// escaped is JSON for a terminal: the same, with escapes for what its encoder
// leaves as it is and visible would not.
func escaped(text []byte) []byte {
	hidden := func(r rune) bool { return r > ' ' && admin.Hidden(r) }
	if !bytes.ContainsFunc(text, hidden) {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	for _, r := range string(text) {
		if hidden(r) {
			out = fmt.Appendf(out, `\u%04x`, r)
		} else {
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}

// checkReason refuses a reason that would not be kept.
func checkReason(reason, on string) error {
	if reason == "" {
		return usage("say why with --reason; it is kept with the %s and in the audit trail", on)
	}
	if err := admin.CheckReason(reason); err != nil {
		return coded{exitUsage, fmt.Errorf("--reason: %w", err)}
	}
	return nil
}
