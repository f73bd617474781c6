package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

// Explanation says what one rule makes of an event, and why.
type Explanation struct {
	Rule      string            `json:"rule"`
	Pos       string            `json:"pos"` // file:line:column
	Connector string            `json:"connector"`
	Matched   bool              `json:"matched"`
	Why       string            `json:"why,omitempty"`   // why it did not match
	When      string            `json:"when,omitempty"`  // as written
	Reads     []Input           `json:"reads,omitempty"` // what when: read
	Error     string            `json:"error,omitempty"` // a formula that went over a limit
	Records   []ExplainedRecord `json:"records,omitempty"`
}

// Input is a value that a formula read; null is missing.
type Input struct {
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// ExplainedRecord is a record of a plan with the origin of each value.
type ExplainedRecord struct {
	Object string           `json:"object"`
	As     string           `json:"as"`
	Step   string           `json:"step"`
	Pos    string           `json:"pos"`
	Skip   string           `json:"skip,omitempty"` // why it is not written
	Create Create           `json:"create"`
	OnMany OnMany           `json:"on_many,omitempty"`
	Match  []string         `json:"match"` // "field = value", in the order in which they are tried
	Fields []ExplainedField `json:"fields"`
	Links  []ExplainedLink  `json:"links,omitempty"`
}

// ExplainedField is a field with its value and where that came from.
type ExplainedField struct {
	Name    string  `json:"name"`
	Source  string  `json:"source"` // formula or text as written
	Value   any     `json:"value"`  // null: missing
	Written bool    `json:"written"`
	If      If      `json:"if"`
	Pos     string  `json:"pos"`
	Reads   []Input `json:"reads,omitempty"`
}

// ExplainedLink is a link to an earlier record of the rule.
type ExplainedLink struct {
	To      string `json:"to"` // the other record's name
	Field   string `json:"field,omitempty"`
	Type    string `json:"type,omitempty"`
	Dropped bool   `json:"dropped,omitempty"` // the other record is skipped
}

// Explain says for every rule what it makes of the event. It shows values of
// the event: it is for the people who may see them, not for logs.
func (r *Rules) Explain(ev *event.Event) []Explanation {
	out := make([]Explanation, 0, len(r.rules))
	for _, u := range r.rules {
		x := Explanation{Rule: u.name, Pos: u.pos.String(), Connector: u.to}
		e := newEnv(ev, r.zone)
		if x.Why = u.against(ev); x.Why == "" {
			u.explainWhen(e, &x)
		}
		if x.Why == "" && x.Error == "" {
			x.Matched = true
			u.explainRecords(e, &x)
		}
		out = append(out, x)
	}
	return out
}

// against says which of a rule's fixed conditions the event fails.
func (u *rule) against(ev *event.Event) string {
	switch {
	case u.off:
		return "enabled: the rule is switched off"
	case !slices.Contains(u.on, ev.Type):
		return fmt.Sprintf("on: the event is %s", ev.Type)
	case len(u.from) > 0 && !slices.Contains(u.from, ev.Source):
		return fmt.Sprintf("from: the event is from %s", ev.Source)
	}
	return ""
}

func (u *rule) explainWhen(e *env, x *Explanation) {
	if u.when == nil {
		return
	}
	x.When = u.when.source
	e.reads = &x.Reads
	v, fault := u.when.eval(e)
	e.reads = nil
	switch {
	case fault != nil:
		x.Matched, x.Error = true, u.when.err(u.name, fault).Error()
	case !truth(v):
		x.Why = "when: " + u.when.source + " is false"
	}
}

func (u *rule) explainRecords(e *env, x *Explanation) {
	records, err := u.plan(e, 0)
	if err != nil {
		var formula *FormulaError
		if errors.As(err, &formula) {
			x.Error = formula.Error()
		}
		return
	}
	for i, rec := range u.records {
		planned := records[i]
		out := ExplainedRecord{Object: rec.object, As: rec.as, Step: rec.step, Pos: rec.pos.String(), Skip: planned.Skip, Create: rec.create, OnMany: rec.onMany, Match: []string{}, Fields: []ExplainedField{}}
		for _, key := range planned.Keys {
			out.Match = append(out.Match, describeKey(key, e))
		}
		for _, f := range rec.fields {
			field := ExplainedField{Name: f.name, Source: f.value.source, If: f.when, Pos: f.pos.String()}
			e.reads = &field.Reads
			v, _ := f.value.eval(e)
			e.reads = nil
			field.Value = rec.value(v, e.zone)
			field.Written = f.name != connectors.ID && planned.Skip == "" && (field.Value != nil || f.clear)
			out.Fields = append(out.Fields, field)
		}
		for _, l := range rec.links {
			out.Links = append(out.Links, ExplainedLink{To: u.records[l.to].as, Field: l.field, Type: l.label, Dropped: records[l.to].Skip != ""})
		}
		x.Records = append(x.Records, out)
	}
}

func describeKey(key connectors.Key, e *env) string {
	terms := make([]string, len(key))
	for i, t := range key {
		terms[i] = t.Field + " = " + toText(t.Value, e.zone)
	}
	return strings.Join(terms, " and ")
}
