package cases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// nothing is the word for no record at all.
const nothing = "nothing"

// expected is what shall come of a payload. Connectors that are not named
// shall get nothing.
type expected struct {
	node       *diag.Node
	connectors []expectedPlan
}

type expectedPlan struct {
	name    string
	node    *diag.Node
	records []*expectedRecord // none: nothing
}

type expectedRecord struct {
	node   *diag.Node
	object string
	as     string     // "": any
	match  *diag.Node // nil: not compared
	skip   *diag.Node // nil: it is written
	fields *diag.Node // nil: none
	links  *diag.Node // nil: none
}

func isNothing(n *diag.Node) bool {
	return n.Shape == diag.Scalar && strings.EqualFold(n.Value, nothing) || n.Shape == diag.Sequence && len(n.Items) == 0
}

func (r *reader) expected(n *diag.Node) *expected {
	x := &expected{node: n}
	if isNothing(n) {
		return x
	}
	if n.Shape != diag.Mapping {
		r.bad(n, "expect wants the records of each connector, not "+n.Shape.String(), "write the connector's name and below it its records, or expect: nothing")
		return x
	}
	for _, p := range n.Pairs {
		plan := expectedPlan{name: p.Key.Value, node: p.Key}
		if !slices.Contains(r.opt.Connectors, plan.name) {
			r.bad(p.Key, fmt.Sprintf("there is no connector %q in the settings", plan.name), hintAmong(plan.name, r.opt.Connectors))
		}
		switch {
		case isNothing(p.Value):
		case p.Value.Shape != diag.Sequence:
			r.bad(p.Value, "a connector wants a list of records, or nothing", "begin each record with a hyphen: - object: …")
		default:
			for _, item := range p.Value.Items {
				if rec := r.record(item); rec != nil {
					plan.records = append(plan.records, rec)
				}
			}
		}
		x.connectors = append(x.connectors, plan)
	}
	return x
}

func (r *reader) record(n *diag.Node) *expectedRecord {
	if !r.known(n, recordKeys, "a record") {
		return nil
	}
	rec := &expectedRecord{node: n, object: r.word(n.Get("object"), "object"), as: r.word(n.Get("as"), "as")}
	if rec.object == "" {
		r.bad(n, "the record does not say of which object it is", "add object: as in mapping.yaml")
	}
	if s := n.Get("skip"); s != nil && !s.Null && s.Value != "false" {
		rec.skip = s
		if s.Shape != diag.Scalar {
			r.bad(s, "skip wants true, or why the record is skipped", "")
		}
	}
	if f := n.Get("fields"); f != nil && !f.Null {
		rec.fields = f
		if f.Shape != diag.Mapping {
			r.bad(f, "fields wants names with values, not "+f.Shape.String(), "")
			rec.fields = nil
		} else if rec.skip != nil {
			r.bad(f, "a record that is skipped has no fields", "leave out skip: or fields:")
		}
	}
	if m := n.Get("match"); m != nil && !m.Null {
		rec.match = m
	}
	if l := n.Get("link"); l != nil && !l.Null {
		rec.links = l
		for _, item := range items(l) {
			if item.Shape == diag.Mapping {
				r.known(item, linkKeys, "a link")
			}
		}
	}
	return rec
}

// items are those of a list; a single value counts as a list of one.
func items(n *diag.Node) []*diag.Node {
	if n == nil {
		return nil
	}
	if n.Shape != diag.Sequence {
		return []*diag.Node{n}
	}
	return n.Items
}
