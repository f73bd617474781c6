package cases

import (
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// keys are the record's match alternatives that have values, told as the case
// tells them: with values where it gives some.
func (d *differ) keys(n *diag.Node, rec mapping.Record) []string {
	wanted := items(n)
	out := make([]string, len(rec.Keys))
	for i, key := range rec.Keys {
		withValues := i < len(wanted) && wanted[i].Shape == diag.Mapping
		out[i] = keyText(key, withValues, d.zone)
	}
	return out
}

func keyText(key connectors.Key, values bool, zone *time.Location) string {
	terms := make([]string, len(key))
	for i, t := range key {
		terms[i] = t.Field
		if values {
			terms[i] += " = " + strings.Trim(shown(t.Value, zone), `"`)
		}
	}
	return strings.Join(terms, " with ")
}

func expectedKeys(n *diag.Node) []string {
	var out []string
	for _, alternative := range items(n) {
		var terms []string
		for _, p := range alternative.Pairs {
			terms = append(terms, p.Key.Value+" = "+p.Value.Value)
		}
		if alternative.Shape != diag.Mapping {
			for _, name := range items(alternative) {
				terms = append(terms, name.Value)
			}
		}
		out = append(out, strings.Join(terms, " with "))
	}
	return out
}

// links names the records that a record is linked to. Links to records that
// are skipped are dropped.
func links(rec mapping.Record, all []mapping.Record) []string {
	var out []string
	for _, l := range rec.Links {
		if to := all[l.To]; to.Skip == "" {
			out = append(out, linkText(to.As, l.Field, l.Type))
		}
	}
	return out
}

func expectedLinks(n *diag.Node) []string {
	var out []string
	for _, item := range items(n) {
		if item.Shape != diag.Mapping {
			out = append(out, item.Value)
			continue
		}
		value := func(key string) string {
			if v := item.Get(key); v != nil {
				return v.Value
			}
			return ""
		}
		out = append(out, linkText(value("to"), value("field"), value("type")))
	}
	return out
}

func linkText(to, field, label string) string {
	if field != "" {
		to += " by " + field
	}
	if label != "" {
		to += " as " + label
	}
	return to
}
