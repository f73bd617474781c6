// Package contrast puts two mappings side by side: it maps the same events by
// both and counts what would be written otherwise, by rule, object and field.
//
// It is pure: events come in as arguments, and what stands in a CRM or a ledger
// is not its business.
package contrast

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// What differs.
const (
	Matches   = "matches"   // a rule that did not
	NoMatch   = "no match"  // of a rule that matched
	Value     = "value"     // of a field
	Written   = "written"   // a field that was not, or a record
	Unwritten = "unwritten" // a field that was, or a record
	Condition = "if"        // of a field
	FoundBy   = "match"     // of a record: what it is found by, and with which values
	Links     = "link"      // of a record
	Making    = "create"    // of a record, or on_many
	Mode      = "mode"      // of a rule: live or shadow
	Error     = "error"     // a formula goes over a limit, or does no more
)

// Group is one difference with all events that show it.
type Group struct {
	Connector string `json:"connector"`
	Rule      string `json:"rule"`
	Was       string `json:"was,omitempty"` // the rule's name in the old mapping, where it is another
	Object    string `json:"object,omitempty"`
	Field     string `json:"field,omitempty"`
	What      string `json:"what"`
	Events    int    `json:"events"`
	// Event is the first that shows it, with what comes of it by both mappings;
	// null is missing.
	Event  string `json:"event"`
	Before any    `json:"before"`
	After  any    `json:"after"`
}

// Report is what came of all events.
type Report struct {
	Events int `json:"events"` // that were compared
	Differ int `json:"differ"`
	// Lost go nowhere by the new mapping, Gained went nowhere by the old.
	Lost   int     `json:"lost"`
	Gained int     `json:"gained"`
	Groups []Group `json:"groups"`
}

// Contrast compares events one by one. Use New.
type Contrast struct {
	old, new *mapping.Rules
	values   bool
	order    []string          // names of rules, for the report
	renamed  map[string]string // old names of rules by new ones
	events   Report
	groups   map[place]*Group
}

// place is where a difference is.
type place struct{ connector, rule, object, field, what string }

// New compares two mappings; without values, those that may be personal are
// masked in the report.
func New(before, after *mapping.Rules, values bool) *Contrast {
	c := &Contrast{old: before, new: after, values: values, renamed: map[string]string{}, groups: map[place]*Group{}}
	was, is := before.Rules(), after.Rules()
	named := func(list []mapping.RuleInfo, name string) bool {
		return slices.ContainsFunc(list, func(r mapping.RuleInfo) bool { return r.Name == name })
	}
	for _, r := range is {
		c.order = append(c.order, r.Name)
		if named(was, r.Name) {
			continue
		}
		for _, o := range was {
			if !named(is, o.Name) && alike(o, r) && c.was(o.Name) == o.Name {
				c.renamed[r.Name] = o.Name
				break
			}
		}
	}
	for _, o := range was {
		if !slices.Contains(c.order, c.was(o.Name)) {
			c.order = append(c.order, o.Name)
		}
	}
	return c
}

// alike tells that two rules are one under two names: they take the same
// events to the same objects.
func alike(a, b mapping.RuleInfo) bool {
	return a.To == b.To && slices.Equal(a.On, b.On) && slices.Equal(a.From, b.From) &&
		slices.EqualFunc(a.Objects, b.Objects, func(x, y mapping.ObjectInfo) bool { return x.Object == y.Object && x.As == y.As })
}

// was gives the name that a rule of the old mapping has in the new one.
func (c *Contrast) was(name string) string {
	for now, old := range c.renamed {
		if old == name {
			return now
		}
	}
	return name
}

// Add compares what comes of an event.
func (c *Contrast) Add(ev *event.Event) {
	e := &pair{c: c, event: ev, before: c.old.Explain(ev), after: c.new.Explain(ev)}
	e.shown = [2][]mapping.Explanation{e.before, e.after}
	if !c.values {
		e.shown = [2][]mapping.Explanation{c.old.Explain(ev), c.new.Explain(ev)}
		for _, side := range e.shown {
			for i := range side {
				side[i].Mask()
			}
		}
	}
	for i := range e.after {
		now := &e.after[i]
		name := now.Rule
		if old := c.renamed[name]; old != "" {
			name = old
		}
		e.rule(slices.IndexFunc(e.before, func(x mapping.Explanation) bool { return x.Rule == name && x.Connector == now.Connector }), i)
	}
	for i, was := range e.before {
		name := c.was(was.Rule)
		if !slices.ContainsFunc(e.after, func(x mapping.Explanation) bool { return x.Rule == name && x.Connector == was.Connector }) {
			e.rule(i, -1)
		}
	}
	matched := func(list []mapping.Explanation) bool {
		return slices.ContainsFunc(list, func(x mapping.Explanation) bool { return x.Matched })
	}
	c.events.Events++
	if e.differs {
		c.events.Differ++
	}
	switch before, after := matched(e.before), matched(e.after); {
	case before && !after:
		c.events.Lost++
	case after && !before:
		c.events.Gained++
	}
}

// Report gives what came of the events so far, in the order of the rules, what
// shows most often first within each.
func (c *Contrast) Report() Report {
	out := c.events
	out.Groups = []Group{}
	for _, g := range c.groups {
		out.Groups = append(out.Groups, *g)
	}
	slices.SortFunc(out.Groups, func(a, b Group) int {
		return cmp.Or(
			cmp.Compare(slices.Index(c.order, a.Rule), slices.Index(c.order, b.Rule)),
			strings.Compare(a.Connector, b.Connector), strings.Compare(a.Object, b.Object), cmp.Compare(b.Events, a.Events),
			strings.Compare(a.Field, b.Field), strings.Compare(a.What, b.What))
	})
	return out
}

// text is a value in one spelling; "" is missing.
func text(v any) string {
	if m, ok := v.(map[string]any); ok { // in the body of a webhook
		if s, err := json.Marshal(m); err == nil {
			return string(s)
		}
	}
	return connectors.Canonical(v)
}
