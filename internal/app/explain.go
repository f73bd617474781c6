package app

import (
	"slices"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// Connects names the connectors that an event goes to: by the rules, and of an
// event that mends the one that it mends in.
func (s *Setup) Connects(ev *event.Event) []string { return s.planner().Connectors(ev) }

// Explain says for every rule what it makes of an event; of one that mends only
// what it writes.
func (s *Setup) Explain(ev *event.Event) []mapping.Explanation {
	rules := s.Rules.Explain(ev)
	if ev.Only == nil {
		return rules
	}
	plan, err := s.planner().Plan(ev, ev.Only.Connector)
	if err != nil {
		return rules // a rule says so
	}
	for i := range rules {
		if r := &rules[i]; r.Matched {
			leave(r, plan, ev.Only.Connector)
		}
	}
	return rules
}

// leave takes out of what a rule makes of an event what is not in the plan.
func leave(r *mapping.Explanation, plan mapping.Plan, connector string) {
	some := false
	for i := range r.Records {
		rec := &r.Records[i]
		at := slices.IndexFunc(plan.Records, func(p mapping.Record) bool { return r.Connector == connector && p.Step == rec.Step })
		if at < 0 {
			rec.Skip, rec.Links = "it is not mended", nil
		} else {
			rec.Create, rec.Links, some = plan.Records[at].Create, nil, true
		}
		for j := range rec.Fields {
			f := &rec.Fields[j]
			f.Written = f.Written && at >= 0 && slices.ContainsFunc(plan.Records[at].Fields, func(p mapping.Field) bool { return p.Name == f.Name })
		}
	}
	if !some {
		r.Matched, r.Why, r.Records = false, "the event mends what another rule writes", nil
	}
}
