package airtable

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// tail is how many last digits of a number are searched by; the whole number
// is compared afterwards.
const tail = 7

// term is one field of a key with the value it must have.
type term struct {
	field connectors.Field
	id    bool // the record's own id
	cell  any  // the value as it would be written
	text  string
	phone *connectors.PhoneNumber // the text as a number; nil if it is none
}

// quote writes text as a literal. Formulas are built from literals and field
// names only, so that no value can become a part of one.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(s) + `"`
}

// name writes a field's name.
func name(f connectors.Field) string {
	return "{" + strings.NewReplacer(`\`, `\\`, `}`, `\}`).Replace(f.Name) + "}"
}

// among is true where an expression's text is one of the values. One search in
// a list costs the formula less than a comparison per value.
func among(expression string, values []string) string {
	slices.Sort(values)
	return `FIND("|"&` + expression + `&"|",` + quote("|"+strings.Join(slices.Compact(values), "|")+"|") + `)`
}

// formula asks for every row that one of the keys may mean. It may let in rows
// that none means, never leave one out.
func formula(keys [][]term) string {
	var clauses []string
	byField := map[string][]term{}
	var order []string
	for _, key := range keys {
		if len(key) > 1 {
			var all []string
			for _, t := range key {
				all = append(all, anyOf([]term{t}))
			}
			clauses = append(clauses, "AND("+strings.Join(all, ",")+")")
			continue
		}
		f := key[0].field.Name
		if byField[f] == nil {
			order = append(order, f)
		}
		byField[f] = append(byField[f], key[0])
	}
	for _, f := range order {
		clauses = append(clauses, anyOf(byField[f]))
	}
	if len(clauses) == 1 {
		return clauses[0]
	}
	return "OR(" + strings.Join(clauses, ",") + ")"
}

// anyOf is true where a field has one of the terms' values.
func anyOf(terms []term) string {
	f := terms[0].field
	var texts, lower, tails, digits, equal []string
	for _, t := range terms {
		n, phone := connectors.PhoneNumber{}, t.phone != nil
		if phone {
			n = *t.phone
		}
		switch {
		case t.id:
			texts = append(texts, t.text)
			continue
		case f.Type == connectors.Phone && !phone:
			texts = append(texts, t.text)
			continue
		case f.Type == connectors.Phone && len(n.National) >= tail, f.Type == connectors.Other && phone && len(n.National) >= tail:
			tails = append(tails, n.National[len(n.National)-tail:])
		case f.Type == connectors.Phone:
			digits = append(digits, n.Digits()...)
		}
		switch f.Type {
		case connectors.Phone:
		case connectors.Number, connectors.Duration:
			equal = append(equal, name(f)+"="+t.text)
		case connectors.Boolean:
			equal = append(equal, map[bool]string{true: name(f), false: "NOT(" + name(f) + ")"}[t.cell == true])
		case connectors.Date:
			equal = append(equal, "IS_SAME("+name(f)+","+quote(t.text)+`,"day")`)
		case connectors.DateTime:
			equal = append(equal, "IS_SAME("+name(f)+","+quote(t.text)+`,"second")`)
		case connectors.MultiSelect:
			equal = append(equal, "FIND("+quote(t.text)+","+name(f)+`&"")`)
		case connectors.Email:
			lower = append(lower, strings.ToLower(t.text))
		case connectors.Other:
			texts, lower = append(texts, t.text), append(lower, strings.ToLower(t.text))
		default:
			texts = append(texts, t.text)
		}
	}
	onlyDigits := "REGEX_REPLACE(" + name(f) + `&"","[^0-9]","")`
	if texts != nil && terms[0].id {
		equal = append(equal, among("RECORD_ID()", texts))
	} else if texts != nil {
		equal = append(equal, among(name(f), texts))
	}
	if lower != nil {
		equal = append(equal, among("LOWER(TRIM("+name(f)+`&""))`, lower))
	}
	if tails != nil {
		equal = append(equal, among("RIGHT("+onlyDigits+",7)", tails))
	}
	if digits != nil {
		equal = append(equal, among(onlyDigits, digits))
	}
	if len(equal) == 1 {
		return equal[0]
	}
	return "OR(" + strings.Join(equal, ",") + ")"
}

// holds compares a row's cell with a term.
func (c *Connector) holds(r wireRecord, t term) bool {
	if t.id {
		return r.ID == t.text
	}
	have := cellValue(t.field, r.Fields[t.field.Name])
	switch t.field.Type {
	case connectors.Boolean:
		on, _ := have.(bool) // an empty box is no cell
		return on == (t.cell == true)
	case connectors.Number, connectors.Duration:
		return have != nil && connectors.Canonical(have) == connectors.Canonical(connectors.Decode(t.field, t.text)) // 12.00 is 12
	case connectors.Date, connectors.DateTime:
		at, ok := have.(time.Time)
		want, _ := connectors.Decode(t.field, t.text).(time.Time)
		return ok && at.Truncate(time.Second).Equal(want.Truncate(time.Second))
	case connectors.MultiSelect:
		return slices.Contains(connectors.AsList(have), any(t.text))
	}
	text, ok := connectors.AsText(have, time.UTC)
	if !ok || text == "" {
		return false
	}
	switch t.field.Type {
	case connectors.Email:
		return strings.EqualFold(strings.TrimSpace(text), t.text)
	case connectors.Phone:
		return connectors.SamePhone(text, t.text, c.coercion.Country)
	case connectors.Other:
		return text == t.text || strings.Contains(t.text, "@") && strings.EqualFold(text, t.text) ||
			strings.HasPrefix(t.text, "+") && connectors.SamePhone(text, t.text, c.coercion.Country)
	}
	return text == t.text
}

// plain is a cell's value as text for formulas.
func plain(cell any) string {
	switch v := cell.(type) {
	case json.Number:
		return v.String()
	case []string:
		return strings.Join(v, ", ")
	}
	s, _ := connectors.AsText(cell, time.UTC) // cells that are no text are never matched on
	return s
}
