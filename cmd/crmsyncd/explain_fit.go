package main

import (
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/live"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// fit fills in what values become in the CRM, as far as its fields are known
// from an earlier check --live.
func fit(setup *app.Setup, rules []mapping.Explanation) {
	known := live.Known(setup.Settings.DataDir)
	coercion := connectors.Coercion{Zone: setup.Settings.Defaults.Zone, Country: setup.Settings.Defaults.Country}
	for i := range rules {
		for _, rec := range rules[i].Records {
			object, ok := known[rules[i].Connector][rec.Object]
			if !ok || rec.Skip != "" {
				continue
			}
			for j := range rec.Fields {
				if f := &rec.Fields[j]; f.Written {
					f.CRM = inCRM(coercion, object, f)
				}
			}
		}
	}
}

func inCRM(c connectors.Coercion, object connectors.Object, f *mapping.ExplainedField) *mapping.InCRM {
	field, ok := object.Field(f.Name)
	if !ok {
		return &mapping.InCRM{Error: object.Name + " had no such field when check --live looked"}
	}
	out := &mapping.InCRM{Type: string(field.Type)}
	if field.ReadOnly {
		out.Error = "the CRM sets this field itself"
		return out
	}
	if app.LookedUp(field) {
		out.Note = "looked up in the CRM when it is written"
		return out
	}
	made, err := c.Coerce(field, f.Value)
	switch {
	case err != nil:
		out.Error = err.Message
	default:
		out.Value, out.Note = made.Value, made.Note
	}
	return out
}
