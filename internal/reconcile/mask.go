package reconcile

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// plainLength is how long a word may be that is shown as it is.
const plainLength = 24

// masked shows the two values of a field so that they tell what differs and
// nothing about a person: words such as a status, numbers and times as they are,
// of all else the first letter and the length.
func masked(ours, theirs connectors.Value, ev *event.Event) (string, string) {
	open := isPlain(ours, ev)
	return mask(ours, open), mask(theirs, open && isAlike(ours, theirs))
}

// isAlike tells whether what stands in the CRM may be another of the vendor's
// words, or another figure, by how it is written: people write names into any field.
func isAlike(ours, theirs connectors.Value) bool {
	word, isText := theirs.(string)
	if !isText {
		return true
	}
	if own, isText := ours.(string); isText {
		return shape(word) == shape(own)
	}
	return word == "true" || word == "false" || !strings.ContainsFunc(word, unicode.IsLetter)
}

// shape is how words are written: how many they are, and which begin with a capital
// letter. What joins the parts of a name in programs makes no difference, nor that
// all letters are capitals.
func shape(s string) string {
	var out []rune
	if s = strings.TrimSpace(s); s == strings.ToUpper(s) {
		s = strings.ToLower(s)
	}
	for _, r := range s {
		switch {
		case unicode.IsUpper(r):
			r = 'A'
		case unicode.IsLetter(r):
			r = 'a'
		case r == '_', r == '-', unicode.IsDigit(r):
			continue
		}
		if len(out) == 0 || out[len(out)-1] != r {
			out = append(out, r)
		}
	}
	return string(out)
}

// isPlain tells whether a field holds words of the vendor's own, or figures.
func isPlain(v connectors.Value, ev *event.Event) bool {
	switch v := v.(type) {
	case bool, time.Time, event.Seconds:
		return true
	case int:
		return v > -100_000 && v < 100_000
	case float64:
		return v > -100_000 && v < 100_000
	case string:
		if ev == nil {
			return false
		}
		words := []string{string(ev.Type)}
		if ev.Contact != nil {
			words = append(words, ev.Contact.Status, ev.Contact.Lifecycle)
		}
		if ev.Call != nil {
			words = append(words, ev.Call.Status, ev.Call.Direction)
		}
		for _, w := range words {
			if w != "" && strings.EqualFold(strings.TrimSpace(v), w) {
				return true
			}
		}
	}
	return false
}

func mask(v connectors.Value, open bool) string {
	text := connectors.Canonical(v)
	digits := 0
	for _, r := range text {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	n := utf8.RuneCountInString(text)
	_, isTime := v.(time.Time)
	switch {
	case text == "":
		return "(empty)"
	case isTime, open && n <= plainLength && digits < 6 && !strings.Contains(text, "@"):
		return strings.Map(func(r rune) rune {
			if unicode.IsPrint(r) {
				return r
			}
			return ' '
		}, text)
	}
	first, _ := utf8.DecodeRuneInString(text)
	if !unicode.IsLetter(first) {
		first = '·'
	}
	return fmt.Sprintf("%c… (%d characters)", first, n)
}
