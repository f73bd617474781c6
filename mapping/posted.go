package mapping

import (
	"maps"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// webhook is the type of the connectors that post to an address: every event
// is one post, and nothing is looked up.
const webhook = "webhook"

// posts reports whether a record goes to a webhook. Where the connectors are not
// known, $event says so.
func (r *reader) posts(u *rule, n *diag.Node) bool {
	return r.opt.Connectors[u.to] == webhook || r.opt.Connectors == nil && n.Get("fields").Get(connectors.WholeEvent) != nil
}

// posted reads a record for a webhook.
func (r *reader) posted(rec *record, n *diag.Node) {
	rec.posted = true
	r.create(rec, n.Get("create"))
	if rec.create == CreateNever {
		r.bad(n.Get("create"), "the record is never posted: a webhook cannot be asked what is there", "leave create: out")
	}
	rec.create = CreateAlways
	for _, key := range []string{"match", "on_many", "link"} {
		for _, p := range n.Pairs {
			if p.Key.Value == key {
				r.idle(p.Key, key)
			}
		}
	}
	r.fields(rec, n)
	for _, f := range rec.fields {
		if f.when != IfAlways {
			r.idle(f.node, "if")
			f.when = IfAlways
		}
		if f.name == connectors.ID {
			r.bad(f.node, "$id is the CRM's own id of a record, and a webhook has none", "take another name")
		}
	}
}

// idle warns of a key that asks for what a webhook does not have.
func (r *reader) idle(n *diag.Node, key string) {
	r.doubt(n, key+" has no effect for a webhook", "every event is posted, once; leave it out")
}

// wholeEvent compiles $event: true.
func (r *reader) wholeEvent(rec *record, key, n *diag.Node) *formula {
	if !rec.posted {
		r.bad(key, "$event is for connectors of type webhook", "name the CRM's fields one by one")
	}
	if v, k := scalar(n); n.Shape != diag.Scalar || k != kBool || v != true {
		r.bad(n, "$event is true or left out", "for a part of the event write a field such as call: =call")
	}
	return &formula{source: "true", kinds: kMap, node: n, run: func(e *env) any { return e.whole() }}
}

// whole is the event as crmsyncd events --json shows it: what every event has
// at the top, then its parts, and the payload as received.
func (e *env) whole() any {
	parts := e.ev.Values()
	top, _ := parts["event"].(map[string]any)
	delete(parts, "event")
	out := maps.Clone(top)
	maps.Copy(out, parts)
	if raw := e.rawValue(); raw != nil {
		out["raw"] = raw
	}
	return out
}

// value makes v fit to be put into the record.
func (rec *record) value(v any, zone *time.Location) any {
	if rec.posted {
		return bodyValue(v)
	}
	return fieldValue(v, zone)
}

// bodyValue makes v fit for JSON. What is empty is missing; within groups and
// lists everything stays as it is.
func bodyValue(v any) any {
	v = normal(v)
	switch x := v.(type) {
	case map[string]any:
		if len(x) == 0 {
			return nil
		}
		return v
	case []any:
		if len(x) == 0 {
			return nil
		}
		return v
	}
	return fieldValue(v, nil)
}
