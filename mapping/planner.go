package mapping

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// Connectors returns the names of the connectors that the event goes to:
// those of the rules that match, each once, in order. A rule whose when: goes
// over a limit counts as a match, so that Plan says so.
func (r *Rules) Connectors(ev *event.Event) []string {
	var names []string
	var e *env
	for _, u := range r.byType[ev.Type] {
		if !u.wants(ev) || slices.Contains(names, u.to) {
			continue
		}
		if u.when != nil {
			if e == nil {
				e = newEnv(ev, r.zone, r.country)
			}
			if v, fault := u.when.eval(e); fault == nil && !truth(v) {
				continue
			}
		}
		names = append(names, u.to)
	}
	slices.Sort(names)
	return names
}

// Candidates is Connectors as far as type and source of an event tell. It is
// certain unless a rule that they match has a when: as well.
func (r *Rules) Candidates(t event.Type, source string) (connectors []string, certain bool) {
	for _, u := range r.byType[t] {
		if u.off || len(u.from) > 0 && !slices.Contains(u.from, source) {
			continue
		}
		if u.when != nil {
			return nil, false
		}
		if !slices.Contains(connectors, u.to) {
			connectors = append(connectors, u.to)
		}
	}
	slices.Sort(connectors)
	return connectors, true
}

// Named reports whether a rule has that name, also where it is switched off.
func (r *Rules) Named(name string) bool {
	return slices.ContainsFunc(r.rules, func(u *rule) bool { return u.name == name })
}

// wants is all of a rule's conditions but the event's type and when:.
func (u *rule) wants(ev *event.Event) bool {
	return !u.off && (len(u.from) == 0 || slices.Contains(u.from, ev.Source))
}

// Plan returns the records that the rules want the connector to hold because
// of the event. The error is a *FormulaError.
func (r *Rules) Plan(ev *event.Event, connector string) (Plan, error) {
	var p Plan
	e := newEnv(ev, r.zone, r.country)
	for _, u := range r.byType[ev.Type] {
		if u.to != connector || !u.wants(ev) {
			continue
		}
		if u.when != nil {
			v, fault := u.when.eval(e)
			if fault != nil {
				return Plan{}, u.when.err(u.name, fault)
			}
			if !truth(v) {
				continue
			}
		}
		records, err := u.plan(e, len(p.Records))
		if err != nil {
			return Plan{}, err
		}
		p.Records = append(p.Records, records...)
	}
	return p, nil
}

// plan makes the rule's records. base is the index in the plan of the first.
func (u *rule) plan(e *env, base int) ([]Record, error) {
	records := make([]Record, 0, len(u.records))
	for _, rec := range u.records {
		out := Record{Rule: u.name, Pos: rec.pos, Step: rec.step, Object: rec.object, As: rec.as, Shadow: u.shadow, Create: rec.create, OnMany: rec.onMany, OnMissing: u.onMissing}
		e.values = slices.Grow(e.values[:0], len(rec.fields))
		out.Fields = make([]Field, 0, len(rec.fields))
		for _, f := range rec.fields {
			v, fault := f.value.eval(e)
			if fault != nil {
				return nil, f.value.err(u.name, fault)
			}
			v = rec.value(v, e.zone)
			e.values = append(e.values, v)
			if f.name == connectors.ID || v == nil && !f.clear {
				continue
			}
			out.Fields = append(out.Fields, Field{Name: f.name, Value: v, If: f.when, Pos: f.pos, OnEdit: cmp.Or(f.edits, u.onEdit)})
		}
		out.Keys = rec.keys(e.values, e.zone)
		if len(out.Keys) == 0 && rec.create != CreateAlways {
			out.Skip = "nothing to find it by: " + missing(rec.match)
		}
		out.Links = slices.Grow(out.Links, len(rec.links))
		for _, l := range rec.links {
			out.Links = append(out.Links, Link{To: base + l.to, Field: l.field, Type: l.label})
		}
		records = append(records, out)
	}
	return records, nil
}

// keys are the match alternatives of which every field has a value; values are
// those of the record's fields.
func (rec *record) keys(values []any, zone *time.Location) []connectors.Key {
	if len(rec.finders) == 0 {
		return nil
	}
	n := 0
	for _, alternative := range rec.finders {
		n += len(alternative)
	}
	keys, terms := make([]connectors.Key, 0, len(rec.finders)), make([]connectors.Term, 0, n)
next:
	for _, alternative := range rec.finders {
		from := len(terms)
		for _, at := range alternative {
			v := values[at]
			if _, list := v.([]any); v == nil || list {
				terms = terms[:from]
				continue next
			}
			name := rec.fields[at].name
			if name == connectors.ID {
				v = toText(v, zone)
			}
			terms = append(terms, connectors.Term{Field: name, Value: v})
		}
		keys = append(keys, terms[from:len(terms):len(terms)])
	}
	if len(keys) == 0 {
		return nil
	}
	return keys
}

// findBy notes which fields the alternatives of match: are.
func (rec *record) findBy() {
	for _, names := range rec.match {
		var alternative []int
		for _, name := range names {
			if at := slices.IndexFunc(rec.fields, func(f *field) bool { return f.name == name }); at >= 0 {
				alternative = append(alternative, at)
			}
		}
		rec.finders = append(rec.finders, alternative)
	}
}

// missing says which match fields have no value, for people.
func missing(match [][]string) string {
	var names []string
	for _, alternative := range match {
		names = append(names, strings.Join(alternative, " with "))
	}
	if len(names) == 1 {
		return fmt.Sprintf("the match field %s has no value", names[0])
	}
	return fmt.Sprintf("the match fields %s have no value", strings.Join(names, ", "))
}
