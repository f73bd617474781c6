package deliver

import (
	"context"
	"slices"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// Effect is what writing a field would do, by what was last written there.
type Effect string

// The effects. What people wrote in the CRM meanwhile is not looked at.
const (
	EffectNew     Effect = "new"     // nothing of ours is known to be there
	EffectChanges Effect = "changes" // another value was written last
	EffectSame    Effect = "same"    // this very value was written last
	EffectOlder   Effect = "older"   // a newer event wrote it: it stays
)

// Preview is what one record would be given.
type Preview struct {
	Connector, Rule, Object string
	ID                      string // "" where none is known: looked up by its keys, or made
	Skip                    string // why it is not written
	Shadow                  bool   // nothing would be written, as its rule or connector is in shadow mode
	Fields                  []PreviewField
}

// PreviewField is a field of a Preview.
type PreviewField struct {
	Name   string
	Value  connectors.Value // nil clears
	If     mapping.If
	Effect Effect
}

// Spellings gives the values that a CRM may say are in a field to which a value was
// written, as far as that is known without asking it.
type Spellings func(connector, object, field string, v connectors.Value) []connectors.Value

// PreviewOf says what delivering an event would write by the rules, beside what
// was written last. It asks no CRM and keeps nothing.
func PreviewOf(ctx context.Context, ledger store.Ledger, rules Planner, as Spellings, ev *event.Event, v store.View) ([]Preview, error) {
	var out []Preview
	for _, connector := range rules.Connectors(ev) {
		plan, err := rules.Plan(ev, connector)
		if err != nil {
			return nil, err
		}
		kept := deliveryTo(v, connector)
		for i, rec := range plan.Records {
			p := Preview{Connector: connector, Rule: rec.Rule, Object: rec.Object, Skip: rec.Skip, Shadow: rec.Shadow}
			if i < len(kept.Records) {
				p.ID = kept.Records[i].ID
			}
			if p.ID == "" {
				if p.ID, err = knownID(ctx, ledger, connector, rec); err != nil {
					return nil, err
				}
			}
			var head store.Head
			if p.ID != "" {
				heads, err := store.Undamaged(ctx, []store.RecordKey{{Connector: connector, Object: rec.Object, ID: p.ID}}, ledger.Heads)
				if err != nil {
					return nil, err
				}
				head = heads[0]
			}
			now := store.FieldHead{At: v.Event.OccurredAt, Rank: v.Event.Rank, Seq: v.Event.Seq}
			for _, f := range rec.Fields {
				p.Fields = append(p.Fields, PreviewField{f.Name, f.Value, f.If, effect(f.Name, now, head, as(connector, rec.Object, f.Name, f.Value))})
			}
			out = append(out, p)
		}
	}
	return out, nil
}

// effect compares what would be written, by any of its spellings, with what was.
func effect(field string, now store.FieldHead, head store.Head, values []connectors.Value) Effect {
	last, written := head[field]
	switch {
	case !written:
		return EffectNew
	case older(now, last):
		return EffectOlder
	case slices.ContainsFunc(values, func(v connectors.Value) bool { return last.Hash == hash(v) }):
		return EffectSame
	}
	return EffectChanges
}

func deliveryTo(v store.View, connector string) store.Delivery {
	i := slices.IndexFunc(v.Deliveries, func(d store.Delivery) bool { return d.ID.Connector == connector })
	if i < 0 {
		return store.Delivery{}
	}
	return v.Deliveries[i]
}

// knownID is the record that the ledger knows under the first of the keys under
// which it knows one.
func knownID(ctx context.Context, ledger store.Ledger, connector string, rec mapping.Record) (string, error) {
	var keys []store.LinkKey
	for _, k := range rec.Keys {
		keys = append(keys, linkKey(connector, rec.Object, k))
	}
	ids, err := store.Undamaged(ctx, keys, ledger.Links)
	if err != nil {
		return "", err
	}
	for _, id := range ids {
		if id != "" {
			return id, nil
		}
	}
	return "", nil
}

// TracesOf names what the ledger knows of the records of an event beside its
// deliveries, as far as today's rules still name it: the keys under which it
// finds them, and what was last written to them.
func TracesOf(rules Planner, ev *event.Event, v store.View) (links []store.LinkKey, heads []store.RecordKey) {
	names := rules.Connectors(ev)
	for _, d := range v.Deliveries {
		if !slices.Contains(names, d.ID.Connector) {
			names = append(names, d.ID.Connector)
		}
		for _, r := range d.Records {
			if r.ID != "" {
				heads = append(heads, store.RecordKey{Connector: d.ID.Connector, Object: r.Object, ID: r.ID})
			}
		}
	}
	for _, connector := range names {
		plan, err := rules.Plan(ev, connector)
		if err != nil {
			continue // a formula that fails names no key
		}
		for _, rec := range plan.Records {
			for _, k := range rec.Keys {
				key := linkKey(connector, rec.Object, k)
				links = append(links, key, attemptKey(key))
			}
		}
	}
	return links, heads
}
