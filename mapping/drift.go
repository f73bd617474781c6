package mapping

import (
	"fmt"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// OnEdit says what a reconcile run does where a person changed in the CRM what
// a rule wrote; "" is as the settings say.
type OnEdit string

// The values of `on_edit:`.
const (
	EditKeep OnEdit = "keep" // the person's value stays, and is reported
	EditOurs OnEdit = "ours" // the rule's value is written again
)

// OnMissing says what a reconcile run does where the CRM has a record no more;
// "" is as the settings say.
type OnMissing string

// The values of `on_missing:`.
const (
	MissingReport   OnMissing = "report"
	MissingRecreate OnMissing = "recreate"
	MissingForget   OnMissing = "forget"
)

var (
	onEdits    = []string{string(EditKeep), string(EditOurs)}
	onMissings = []string{string(MissingReport), string(MissingRecreate), string(MissingForget)}
)

// drift reads what a rule says about reconcile.
func (r *reader) drift(u *rule, n *diag.Node) {
	u.onEdit = OnEdit(r.choice(n.Get("on_edit"), "on_edit", onEdits))
	u.onMissing = OnMissing(r.choice(n.Get("on_missing"), "on_missing", onMissings))
}

// choice is one of some words, or "".
func (r *reader) choice(n *diag.Node, key string, words []string) string {
	word := r.word(n, key)
	for _, w := range words {
		if w == word {
			return w
		}
	}
	if word != "" {
		r.bad(n, fmt.Sprintf("%s is %s, not %q", key, orList(words), word), diag.DidYouMean(word, words))
	}
	return ""
}

// orList is "a, b or c".
func orList(words []string) string {
	out := words[0]
	for i, w := range words[1:] {
		if i == len(words)-2 {
			out += " or " + w
			continue
		}
		out += ", " + w
	}
	return out
}
