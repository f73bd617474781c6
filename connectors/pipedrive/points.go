package pipedrive

import (
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// pointsOf reads a person's e-mail addresses or phone numbers.
func pointsOf(v any) []point {
	list, _ := v.([]any)
	var out []point
	for _, x := range list {
		m, _ := x.(map[string]any)
		value, _ := m["value"].(string)
		label, _ := m["label"].(string)
		if strings.TrimSpace(value) != "" {
			out = append(out, point{Value: value, Primary: m["primary"] == true, Label: label})
		}
	}
	return out
}

// primary is the value that people see first; nil if there is none.
func primary(list []point) any {
	for _, p := range list {
		if p.Primary {
			return p.Value
		}
	}
	if len(list) > 0 {
		return list[0].Value
	}
	return nil
}

// merge writes a value into the primary entry and keeps all others. A value
// that another entry has already makes that one the primary. One that is there
// keeps its notation. "" takes the primary entry away.
func merge(list []point, value string, same func(a, b string) bool) (out []point, changed bool) {
	at, was := -1, -1
	for i, p := range list {
		if value != "" && at < 0 && same(p.Value, value) {
			at = i
		}
		if p.Primary && was < 0 {
			was = i
		}
	}
	if was < 0 && len(list) > 0 {
		was = 0
	}
	out = make([]point, 0, len(list)+1)
	for i, p := range list {
		if value == "" && i == was {
			changed = true
			continue
		}
		if at < 0 && i == was {
			p.Value, changed, at = value, true, i
		}
		first := i == at
		changed = changed || value != "" && p.Primary != first
		p.Primary = first
		out = append(out, p)
	}
	if value != "" && at < 0 {
		out, changed = append(out, point{Value: value, Primary: true, Label: "work"}), true
	}
	return out, changed
}

func sameEmail(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

func (c *Connector) samePhone(a, b string) bool {
	return connectors.SamePhone(a, b, c.coercion.Country)
}
