package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Explanation says what one rule makes of an event, and why.
type Explanation struct {
	Rule      string            `json:"rule"`
	Pos       string            `json:"pos"` // file:line:column
	Connector string            `json:"connector"`
	Shadow    bool              `json:"shadow,omitempty"` // nothing is written of it
	Matched   bool              `json:"matched"`
	Why       string            `json:"why,omitempty"`   // why it did not match
	When      string            `json:"when,omitempty"`  // as written
	Reads     []Input           `json:"reads,omitempty"` // what when: read
	False     []FalsePart       `json:"false,omitempty"` // parts of when: that make it false, where it has several
	Error     string            `json:"error,omitempty"` // a formula that went over a limit
	Records   []ExplainedRecord `json:"records,omitempty"`
}

// FalsePart is a part of a when: with what it read.
type FalsePart struct {
	Part  string  `json:"part"`
	Reads []Input `json:"reads,omitempty"`
}

// Input is a value that a formula read; null is missing.
type Input struct {
	Path  string `json:"path"`
	Value any    `json:"value"`
	Hint  string `json:"hint,omitempty"` // where it is missing: what there is beside it
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

	keys  [][]string // fields of each Match
	terms [][]string // and each with its value
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
	// CRM is what the value becomes there, for a caller who knows the field's
	// type to fill in; nil: not known.
	CRM *InCRM `json:"crm,omitempty"`

	whole bool // it is the event as a whole
}

// InCRM is a value made right for a field of a CRM.
type InCRM struct {
	Type  string `json:"type"`            // of the field
	Value any    `json:"value"`           // as it is written
	Note  string `json:"note,omitempty"`  // how it was adjusted, or what happens later
	Error string `json:"error,omitempty"` // why the field does not take it
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
		x := Explanation{Rule: u.name, Pos: u.pos.String(), Connector: u.to, Shadow: u.shadow}
		e := newEnv(ev, r.zone, r.country)
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
	e.hints(x.Reads)
	switch {
	case fault != nil:
		x.Matched, x.Error = true, u.when.err(u.name, fault).Error()
	case !truth(v):
		x.Why = "when: " + u.when.source + " is false"
		if u.when.parts.parts == nil {
			return
		}
		for _, part := range u.when.parts.untrue(e, nil) {
			p := FalsePart{Part: part.text}
			e.reads = &p.Reads
			_, _ = (&formula{run: part.run}).eval(e)
			e.reads = nil
			e.hints(p.Reads)
			x.False = append(x.False, p)
		}
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
			terms, names := describeKey(key, e)
			out.Match = append(out.Match, strings.Join(terms, " and "))
			out.keys, out.terms = append(out.keys, names), append(out.terms, terms)
		}
		for _, f := range rec.fields {
			field := ExplainedField{whole: f.name == connectors.WholeEvent, Name: f.name, Source: f.value.source, If: f.when, Pos: f.pos.String()}
			e.reads = &field.Reads
			v, _ := f.value.eval(e)
			e.reads = nil
			e.hints(field.Reads)
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

// hints says of missing named values which names there are: they are spelt as
// the vendor's users configured them.
func (e *env) hints(reads []Input) {
	for i, in := range reads {
		for path, l := range leaves() {
			name, within := strings.CutPrefix(in.Path, path)
			values, isMap := e.leaf(l).(map[string]any)
			if in.Value != nil || !within || !isMap || name == "" {
				continue
			}
			names := slices.Sorted(maps.Keys(values))
			hint := diag.DidYouMean(strings.Trim(name, `.[]"`), names)
			if hint == "" && len(names) > 0 {
				hint = path + " has " + strings.Join(names[:min(8, len(names))], ", ")
			}
			reads[i].Hint = hint
		}
	}
}

// describeKey gives "field = value" for each field of a key, and the fields.
func describeKey(key connectors.Key, e *env) (terms, names []string) {
	for _, t := range key {
		terms, names = append(terms, t.Field+" = "+toText(t.Value, e.zone)), append(names, t.Field)
	}
	return terms, names
}
