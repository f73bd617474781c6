package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// maxPairs bounds how many records are compared with one another.
const maxPairs = 100_000

// doubts warns of what only all rules together show: tables that nobody reads,
// and fields that two rules write.
func (r *reader) doubts() {
	if !r.problems.Has(diag.Error) { // else a formula that cannot be read may be what uses it
		for _, n := range r.tableNames {
			r.tables[n.Value].unused(r, n)
		}
	}
	// Only records of one object of one connector can be the same one.
	var keys []string
	groups := map[string][]placed{}
	for _, u := range r.out {
		if u.off {
			continue
		}
		for i, rec := range u.records {
			if key := rec.identity(); key != "" {
				key = u.to + "\x00" + key
				if groups[key] == nil {
					keys = append(keys, key)
				}
				groups[key] = append(groups[key], placed{u, rec, i})
			}
		}
	}
	pairs := 0
	for _, key := range keys {
		for i, later := range groups[key] {
			for _, earlier := range groups[key][:i] {
				if pairs++; pairs > maxPairs || r.full() {
					return
				}
				r.twice(earlier, later)
			}
		}
	}
}

// placed is a record with its rule.
type placed struct {
	rule   *rule
	record *record
	index  int
}

// identity is the same for records that are one and the same for an event: the
// object, and the formulas of what it is found by; "" where nothing is.
func (rec *record) identity() string {
	if rec.posted || len(rec.match) == 0 {
		return ""
	}
	parts := []string{rec.object}
	for _, alternative := range rec.match {
		for _, name := range alternative {
			f := rec.field(name)
			if f == nil {
				return ""
			}
			parts = append(parts, name, f.value.source)
		}
		parts = append(parts, "")
	}
	return strings.Join(parts, "\x00")
}

func (rec *record) field(name string) *field {
	for _, f := range rec.fields {
		if f.name == name {
			return f
		}
	}
	return nil
}

// twice warns where the later of two records gives its fields other values
// whenever the earlier does: those of the earlier never stay.
func (r *reader) twice(a, b placed) {
	if !covers(b.rule, a.rule) || b.rule.shadow && !a.rule.shadow {
		return
	}
	var over []*field // whose value is written over
	whole := true
	for _, f := range a.record.fields {
		g := b.record.field(f.name)
		switch {
		case g == nil || g.when != IfAlways:
			whole = false
		case g.value.source != f.value.source && f.when == IfAlways && f.name != connectors.ID:
			over = append(over, f)
		}
	}
	if whole && a.rule != b.rule && len(a.rule.records) == 1 && len(a.record.links) == 0 {
		r.doubt(a.record.node, fmt.Sprintf("this record has no effect: the rule %q (%s) writes the same fields of the same record for the same events, and what is written later stays", b.rule.name, b.record.pos), "take out one of the two rules, or narrow one down with when:")
		return
	}
	for _, f := range over {
		who := fmt.Sprintf("the rule %q", b.rule.name)
		if a.rule == b.rule {
			who = "a later record of the rule"
		}
		at := b.record.field(f.name).pos
		p := diag.Problem{Pos: f.pos, Width: len([]rune(f.name)), Line: a.record.node.File.Line(f.pos.Line), Severity: diag.Warning,
			Message: fmt.Sprintf("%s is written twice: %s (%s) writes it in the same record for the same events, and what is written later stays", f.name, who, at),
			Hint:    "keep one of the two, or write {value: …, if: empty} in the later"}
		r.add(p)
	}
}

// covers reports whether the later rule applies to every event that the
// earlier one applies to.
func covers(later, earlier *rule) bool {
	if later == earlier {
		return true
	}
	if later.when != nil && (earlier.when == nil || later.when.source != earlier.when.source) {
		return false
	}
	for _, t := range earlier.on {
		if !slices.Contains(later.on, t) {
			return false
		}
	}
	if later.from == nil {
		return true
	}
	return earlier.from != nil && !slices.ContainsFunc(earlier.from, func(s string) bool { return !slices.Contains(later.from, s) })
}

// idleKeys warns of what a record asks for and cannot have.
func (r *reader) idleKeys(rec *record, n *diag.Node) {
	if many := n.Get("on_many"); many != nil && len(rec.match) == 0 && n.Get("match") == nil {
		r.doubt(many, "on_many has no effect: nothing is looked up without match", "leave it out")
	}
	folded := map[string]*field{}
	constant, found := true, false // what it is found by
	for _, f := range rec.fields {
		at := f.node
		low := strings.ToLower(f.name)
		if first := folded[low]; first != nil {
			r.doubt(f.value.node, fmt.Sprintf("%s and %s (%s) differ in capital letters only", f.name, first.name, first.pos), "write the field once, spelt as in the CRM")
		}
		folded[low] = f
		if f.when != IfAlways && f.name == connectors.ID {
			r.doubt(at, "if has no effect on $id, which is never written", "leave it out")
		} else if f.when != IfAlways && len(rec.match) == 0 && n.Get("match") == nil {
			r.doubt(at, fmt.Sprintf("if: %s has no effect: without match the record is a new one at every event", f.when), "leave it out, or add match:")
		}
		if f.clear && f.value.constant && f.value.kinds != 0 {
			r.doubt(at, "missing: clear has no effect: the value is never missing", "leave it out")
		}
		if slices.ContainsFunc(rec.match, func(names []string) bool { return slices.Contains(names, f.name) }) {
			found, constant = true, constant && f.value.constant && !meansFormula(f.value.node)
		}
	}
	if m := n.Get("match"); found && constant {
		r.doubt(m, "every event finds the same record: nothing that it is found by is read from the event", "write a formula such as =contact.email in a match field")
	}
}

// sends reports whether one of the rule's senders has such events.
func (s *scope) sends(t event.Type) bool {
	names := s.senders()
	return len(names) == 0 || slices.ContainsFunc(names, func(name string) bool {
		types := s.says[name].Types
		return types == nil || slices.Contains(types, t)
	})
}
