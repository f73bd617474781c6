package webhook

import (
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// examples are how a value of a kind may be written.
var examples = map[event.Kind]string{
	event.Number:   "write a whole number, such as 2",
	event.Time:     "write it like 2026-03-04T09:30:00Z, or a formula such as =raw.started_at",
	event.Duration: "write seconds, or text such as 1m30s",
}

// constant checks a value that is written out instead of a formula: where the
// field cannot hold it, it would stay empty in every event.
func (u *setup) constant(n *diag.Node, path string, kind event.Kind, f formula, holds func(any) bool) {
	if f == nil || strings.HasPrefix(strings.TrimSpace(n.Value), "=") || strings.Contains(n.Value, "{{") {
		return
	}
	if v, err := f(nil); err != nil || v == nil || holds(v) {
		return
	}
	hint := examples[kind]
	if hint == "" {
		hint = "a formula begins with =, as in =raw.value"
	}
	u.bad(n, path+" cannot hold this value", hint)
}

// reachable checks that the fields can tell what the events that settings name
// are about: events that nothing identifies would all go to quarantine.
func (u *setup) reachable(s *Source) {
	at := func(n *diag.Node, word string) {
		t, ok := s.events[word]
		if !ok && slices.Contains(event.Types, event.Type(word)) {
			t = event.Type(word)
		}
		if missing := s.lacks(t); missing != "" {
			u.bad(n, string(t)+" needs "+missing+", and fields does not fill it", "add a line to fields, such as "+missing+": =raw.id")
		}
	}
	if n := u.cfg.Events; n != nil && n.Shape == diag.Mapping {
		for _, p := range n.Pairs {
			at(p.Value, strings.ToLower(p.Key.Value))
		}
	}
	if n := u.cfg.Event; n.Shape == diag.Scalar && !strings.HasPrefix(strings.TrimSpace(n.Value), "=") && !strings.Contains(n.Value, "{{") {
		at(n, strings.ToLower(strings.TrimSpace(n.Value)))
	}
}

// lacks names a field without which an event of the type is refused by
// unidentified; "" if the settings fill what it needs.
func (s *Source) lacks(t event.Type) string {
	filled := func(paths ...string) bool {
		return slices.ContainsFunc(s.fields, func(f field) bool { return slices.Contains(paths, f.path) })
	}
	// The number of a call's external party is the contact's.
	person := filled("contact.id", "contact.external_id", "contact.phone", "contact.email", "call.from", "call.to")
	switch part, _, _ := strings.Cut(string(t), "."); {
	case part == "call" && !filled("call.id"):
		return "call.id"
	case part == "contact" && !person:
		return "contact.id"
	case t == event.ContactStatusChanged && !filled("contact.status"):
		return "contact.status"
	case part == "conversation" && !person && !filled("conversation.id"):
		return "conversation.id"
	case (part == "message" || part == "comment" && !person) && !filled("message.id"):
		return "message.id"
	}
	return ""
}

// SignsAddress implements sources.Located.
func (s *Source) SignsAddress() bool {
	return s.signs("url") || s.signs("url_encoded")
}

// signs reports whether a signature covers what a placeholder stands for.
func (s *Source) signs(name string) bool {
	return slices.ContainsFunc(s.proofs, func(p authenticator) bool {
		h, ok := p.(*hmacProof)
		return ok && h.signs.has(name)
	})
}
