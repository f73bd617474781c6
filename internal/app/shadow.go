package app

import (
	"slices"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// vendorMade are types of fields whose values only the connector makes right,
// with the account's help.
var vendorMade = []string{"user", "people", "org", "deal", "lead", "activity", "time", "monetary"}

// LookedUp tells fields whose values the connector looks up in the account when
// it writes them, such as an owner by e-mail address.
func LookedUp(f connectors.Field) bool {
	return slices.Contains(vendorMade, f.Native) || f.Type == connectors.Reference || f.Name == "hubspot_owner_id"
}

// fit gives a value as a field of a CRM takes it, as far as that can be told
// without writing it; else the value as it is.
func (s *Setup) fit(object connectors.Object, field string, v connectors.Value) connectors.Value {
	f, ok := object.Field(field)
	if !ok || LookedUp(f) {
		return v
	}
	made, err := connectors.Coercion{Zone: s.Settings.Defaults.Zone, Country: s.Settings.Defaults.Country, AnyOption: true}.Coerce(f, v)
	if err != nil {
		return v
	}
	if list, ok := made.Value.([]string); ok {
		return connectors.AsList(list)
	}
	return made.Value
}

// Shadowed says whether nothing is written to a connector, and else of which
// rules nothing is.
func (s *Setup) Shadowed(connector string) (all bool, rules []string) {
	if s.shadowed[connector] || s.Rules == nil {
		return s.shadowed[connector], nil
	}
	for _, r := range s.Rules.Rules() {
		if r.To == connector && r.Shadow && r.Enabled {
			rules = append(rules, r.Name)
		}
	}
	return false, rules
}
