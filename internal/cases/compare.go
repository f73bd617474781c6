package cases

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// Outcome is what came of a case.
type Outcome struct {
	Case        *Case
	Event       *event.Event // nil: the payload could not be read
	Problem     string       // why the case could not be tried; "" if it was
	Differences []Difference
	plans       map[string]mapping.Plan // by connector, only those with records
	explained   []mapping.Explanation
}

// Passed reports whether all came as expected.
func (o Outcome) Passed() bool { return o.Problem == "" && len(o.Differences) == 0 }

// Difference is one thing that is not as expected.
type Difference struct {
	Connector string `json:"connector"`
	Record    string `json:"record,omitempty"` // object, or name of the record
	Field     string `json:"field,omitempty"`  // "" concerns the record as a whole
	At        string `json:"at"`               // in the file of cases
	Rule      string `json:"rule,omitempty"`
	RuleAt    string `json:"rule_at,omitempty"` // of the field or record in the mapping
	Formula   string `json:"formula,omitempty"` // as written there
	Message   string `json:"message"`
	Want      string `json:"want,omitempty"`
	Got       string `json:"got,omitempty"`
}

// Run holds the rules to a case. ev is what its payload says; problem, if not
// "", is why it says nothing.
func Run(rules *mapping.Rules, c *Case, ev *event.Event, problem string) Outcome {
	o := Outcome{Case: c, Event: ev, Problem: problem, plans: map[string]mapping.Plan{}}
	if problem != "" {
		return o
	}
	o.explained = rules.Explain(ev)
	for _, name := range rules.Connectors(ev) {
		plan, err := rules.Plan(ev, name)
		if err != nil {
			o.Problem, o.plans = err.Error(), nil // what came before it is not all
			return o
		}
		if len(plan.Records) > 0 {
			o.plans[name] = plan
		}
	}
	if c.expect == nil {
		o.Problem = "the case expects nothing yet: crmsyncd test --update writes what comes out"
		return o
	}
	d := differ{c: c, o: &o, zone: c.file.opt.Zone, at: map[string]mapping.ExplainedRecord{}}
	for _, x := range o.explained {
		for _, rec := range x.Records {
			d.at[rec.Step] = rec
		}
	}
	d.compare()
	return o
}

type differ struct {
	c    *Case
	o    *Outcome
	zone *time.Location
	at   map[string]mapping.ExplainedRecord // by step
}

func (d *differ) add(x Difference) {
	x.Want, x.Got = apart(x.Want, x.Got)
	d.o.Differences = append(d.o.Differences, x)
}

func (d *differ) compare() {
	named := map[string]bool{}
	for _, want := range d.c.expect.connectors {
		named[want.name] = true
		d.plan(want.name, want.node, want.records, d.o.plans[want.name].Records)
	}
	for _, name := range slices.Sorted(maps.Keys(d.o.plans)) {
		if !named[name] {
			d.plan(name, d.c.expect.node, nil, d.o.plans[name].Records)
		}
	}
}

func (d *differ) plan(connector string, place *diag.Node, want []*expectedRecord, got []mapping.Record) {
	pairs := d.pair(want, got)
	seen := map[int]bool{}
	for i, x := range want {
		n, ok := pairs[i]
		if !ok {
			d.add(Difference{Connector: connector, Record: x.name(), At: x.node.Pos().String(), Message: "no such record comes out" + d.whyNot(connector)})
			continue
		}
		seen[n] = true
		d.record(connector, x, got[n], got)
	}
	for n, rec := range got {
		if seen[n] {
			continue
		}
		message := "a record comes out that is not expected"
		if rec.Skip != "" {
			message = "a record is skipped that is not expected: " + rec.Skip
		}
		d.add(Difference{Connector: connector, Record: rec.As, At: place.Pos().String(), Rule: rec.Rule, RuleAt: rec.Pos.String(), Message: message})
	}
}

func (x *expectedRecord) name() string {
	if x.as != "" {
		return x.as
	}
	return x.object
}

// whyNot says why the connector gets no record at all, if one rule alone could
// have made some.
func (d *differ) whyNot(connector string) string {
	why := ""
	for _, x := range d.o.explained {
		if x.Connector != connector {
			continue
		}
		if x.Matched {
			return ""
		}
		if !strings.HasPrefix(x.Why, "on: ") { // those of other events say nothing new
			why += fmt.Sprintf("; rule %q does not match, %s", x.Rule, x.Why)
		}
	}
	return why
}

// pair finds for each expected record the one that came out: of the same
// object, the most alike first.
func (d *differ) pair(want []*expectedRecord, got []mapping.Record) map[int]int {
	pairs, taken := map[int]int{}, map[int]bool{}
	for i, x := range want {
		best, most := -1, -1
		for n, rec := range got {
			if taken[n] || rec.Object != x.object || x.as != "" && x.as != rec.As {
				continue
			}
			if s := d.alike(x, rec); s > most {
				best, most = n, s
			}
		}
		if best >= 0 {
			pairs[i], taken[best] = best, true
		}
	}
	return pairs
}

func (d *differ) alike(x *expectedRecord, rec mapping.Record) int {
	n := 0
	if (x.skip != nil) == (rec.Skip != "") {
		n++
	}
	for _, f := range rec.Fields {
		if v := x.fields.Get(f.Name); v != nil && same(v, f.Value, d.zone) {
			n += 2
		} else if v != nil {
			n++
		}
	}
	return n
}

func (d *differ) record(connector string, x *expectedRecord, rec mapping.Record, all []mapping.Record) {
	base := Difference{Connector: connector, Record: rec.As, Rule: rec.Rule, RuleAt: rec.Pos.String(), At: x.node.Pos().String()}
	switch {
	case x.skip != nil && rec.Skip == "":
		base.At, base.Message = x.skip.Pos().String(), "the record is written, and should be skipped"
		d.add(base)
		return
	case x.skip == nil && rec.Skip != "":
		base.Message = "the record is skipped: " + rec.Skip
		d.add(base)
		return
	case rec.Skip != "":
		if s := x.skip.Value; s != "true" && !strings.Contains(rec.Skip, s) {
			base.At, base.Message, base.Want, base.Got = x.skip.Pos().String(), "the record is skipped for another reason", s, rec.Skip
			d.add(base)
		}
		return
	}
	d.fields(base, x, rec)
	if x.match != nil {
		d.texts(base, "match", x.match, expectedKeys(x.match), d.keys(x.match, rec))
	}
	d.texts(base, "link", x.links, expectedLinks(x.links), links(rec, all))
}

func (d *differ) fields(base Difference, x *expectedRecord, rec mapping.Record) {
	explained := map[string]mapping.ExplainedField{}
	for _, f := range d.at[rec.Step].Fields {
		explained[f.Name] = f
	}
	came := map[string]bool{}
	for _, f := range rec.Fields {
		came[f.Name] = true
		one := base
		one.Field, one.RuleAt, one.Formula, one.Got = f.Name, f.Pos.String(), explained[f.Name].Source, shown(f.Value, d.zone)
		want := x.fields.Get(f.Name)
		switch {
		case want == nil:
			if x.fields != nil {
				one.At = x.fields.Pos().String()
			}
			one.Message = "the field is written, and is not expected"
		case same(want, f.Value, d.zone):
			continue
		default:
			one.At, one.Want, one.Message = want.Pos().String(), written(want), "another value"
		}
		d.add(one)
	}
	if x.fields == nil {
		return
	}
	for _, p := range x.fields.Pairs {
		if came[p.Key.Value] {
			continue
		}
		one := base
		one.Field, one.At, one.Want, one.Message = p.Key.Value, p.Key.Pos().String(), written(p.Value), "the field is not written"
		if f, ok := explained[p.Key.Value]; ok {
			one.RuleAt, one.Formula, one.Got = f.Pos, f.Source, "missing"
		} else {
			names := slices.Sorted(maps.Keys(explained))
			if s := diag.Suggest(p.Key.Value, names); s != "" {
				one.Message += ": the rule has no such field; did you mean " + s + "?"
			} else {
				one.Message += ": the rule has no such field"
			}
		}
		d.add(one)
	}
}

func (d *differ) texts(base Difference, field string, n *diag.Node, want, got []string) {
	if slices.Equal(want, got) {
		return
	}
	base.Field, base.Want, base.Got, base.Message = field, listed(field, want), listed(field, got), "another value"
	if n != nil {
		base.At = n.Pos().String()
	}
	d.add(base)
}

func listed(field string, words []string) string {
	switch {
	case len(words) == 0:
		return nothing
	case field == "match":
		return strings.Join(words, ", else ")
	}
	return strings.Join(words, ", ")
}
