package app

import (
	"encoding/json"
	"math"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
)

// wholeMinutes is the type of Pipedrive's lengths, which it keeps in minutes; those
// that were begun count.
const wholeMinutes = "hours"

// spellings are a value as the rules give it, and as it is read from a field of the
// known objects once it was written there.
func (s *Setup) spellings(known map[string]connectors.Schema) deliver.Spellings {
	return func(connector, object, field string, v connectors.Value) []connectors.Value {
		o := known[connector][object]
		made := s.fit(o, field, v)
		out := []connectors.Value{v, made}
		f, _ := o.Field(field)
		if n, ok := made.(json.Number); ok && f.Type == connectors.Duration {
			length, _ := n.Float64() // it is one, by Coerce
			if f.Native == wholeMinutes {
				length = math.Ceil(length/60) * 60
			}
			out = append(out, connectors.DurationIn(f.Unit, length))
		}
		for _, option := range f.Options {
			if option.Value == connectors.Canonical(made) {
				out = append(out, option.Label)
			}
		}
		return out
	}
}
