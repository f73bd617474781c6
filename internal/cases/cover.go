package cases

import (
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// Coverage says what of the rules the cases touch.
type Coverage struct {
	Rules   int         `json:"rules"`
	Touched int         `json:"rules_touched"`
	Fields  int         `json:"fields"`
	Given   int         `json:"fields_touched"`
	Missed  []Untouched `json:"missed"`
}

// Untouched is a rule that matched in no case, or a field that no case gave a
// value.
type Untouched struct {
	At     string `json:"at"`
	Rule   string `json:"rule"`
	Object string `json:"object,omitempty"`
	Field  string `json:"field,omitempty"` // "": the rule as a whole
}

// Cover says what the cases touch of the rules. Rules that are switched off do
// not count; of a rule that no case touches its fields are not listed.
func Cover(rules *mapping.Rules, outcomes []Outcome) Coverage {
	touched, given := map[string]bool{}, map[string]bool{}
	for _, o := range outcomes {
		for _, x := range o.explained {
			if !x.Matched {
				continue
			}
			touched[x.Pos] = true
			for _, rec := range x.Records {
				for _, f := range rec.Fields {
					if f.Written || f.Name == connectors.ID && f.Value != nil {
						given[f.Pos] = true
					}
				}
			}
		}
	}
	cov := Coverage{Missed: []Untouched{}}
	for _, rule := range rules.Rules() {
		if !rule.Enabled {
			continue
		}
		cov.Rules++
		if touched[rule.Pos] {
			cov.Touched++
		} else {
			cov.Missed = append(cov.Missed, Untouched{At: rule.Pos, Rule: rule.Name})
		}
		for _, object := range rule.Objects {
			for _, f := range object.Fields {
				cov.Fields++
				if given[f.Pos.String()] {
					cov.Given++
				} else if touched[rule.Pos] {
					cov.Missed = append(cov.Missed, Untouched{At: f.Pos.String(), Rule: rule.Name, Object: object.As, Field: f.Name})
				}
			}
		}
	}
	return cov
}
