package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// pdRecord is one record with its values as they are stored: custom fields by
// their keys beside the others. What is empty is absent.
type pdRecord struct {
	id       string
	object   *pdObject
	values   map[string]any
	created  time.Time
	updated  time.Time
	deleted  bool
	recorded bool // call logs
	audio    []byte
	versions []pdVersion
}

// pdVersion is what search sees from a time on.
type pdVersion struct {
	from   time.Time
	values map[string]any
}

// seen are the values that search knows, nil where it knows none yet.
func (r *pdRecord) seen(now time.Time, delay time.Duration) map[string]any {
	if delay <= 0 {
		return r.values
	}
	var out map[string]any
	for _, v := range r.versions {
		if now.Sub(v.from) >= delay {
			out = v.values
		}
	}
	return out
}

// check reads a body into values to store; nil clears.
func (p *pipedrive) check(o *pdObject, body map[string]any) (map[string]any, *pdErr) {
	flat := map[string]any{}
	for _, code := range slices.Sorted(maps.Keys(body)) {
		f := o.byCode[code]
		customs, isGroup := body[code].(map[string]any)
		switch {
		case code == "custom_fields" && o.version == "v2" && o.name != "activities" && isGroup:
			for _, key := range slices.Sorted(maps.Keys(customs)) {
				if g := o.byCode[key]; g == nil || !g.custom {
					return nil, pdInvalid("Validation failed: custom field '%s' does not exist", key)
				}
				flat[key] = customs[key]
			}
		case f == nil || f.fixed || f.custom && o.version == "v2":
			return nil, pdInvalid("Validation failed: '%s' is not allowed", code)
		case f.typ == "lost":
			// The document shows it as writable, and it is dropped without a word.
		default:
			flat[code] = body[code]
		}
	}
	out := map[string]any{}
	for _, code := range slices.Sorted(maps.Keys(flat)) {
		v, e := p.take(o.byCode[code], flat[code])
		if e != nil {
			return nil, e
		}
		out[code] = v
	}
	return out, nil
}

// insert makes a record of a body, or says what is wrong with it.
func (p *pipedrive) insert(o *pdObject, body map[string]any, now time.Time) (*pdRecord, *pdErr) {
	values, e := p.check(o, body)
	if e != nil {
		return nil, e
	}
	for _, name := range o.needs {
		if s, text := values[name].(string); values[name] == nil || text && strings.TrimSpace(s) == "" {
			return nil, pdInvalid("%q is required.", name)
		}
	}
	some := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return values[n] != nil })
	}
	switch {
	case o.name == "notes" && !some("person_id", "org_id", "deal_id", "lead_id", "project_id", "task_id"):
		return nil, pdInvalid("One of the following fields is required: deal_id, person_id, org_id, lead_id, project_id, task_id")
	case o.name == "leads" && !some("person_id", "organization_id"):
		return nil, pdInvalid("A lead must be linked to a person or an organization.")
	case o.name == "callLogs" && some("deal_id") && some("lead_id"):
		return nil, pdInvalid("A call log can be associated with either a deal or a lead, but not both")
	}
	r := &pdRecord{id: strconv.Itoa(p.nextID), object: o, values: map[string]any{}, created: now}
	if o.name == "leads" || o.name == "callLogs" {
		r.id = newUUID()
	}
	p.nextID++
	o.records = append(o.records, r)
	o.byID[r.id] = r
	p.defaults(r)
	p.store(r, values, now)
	return r, nil
}

// defaults fills what Pipedrive fills.
func (p *pipedrive) defaults(r *pdRecord) {
	me := json.Number(strconv.Itoa(p.users[0].ID))
	switch r.object.name {
	case "persons", "organizations", "deals":
		r.values["owner_id"], r.values["visible_to"] = me, json.Number("3")
	case "activities":
		r.values["owner_id"], r.values["type"], r.values["subject"] = me, "call", "Call"
		r.values["done"], r.values["busy"] = false, false
	case "leads":
		r.values["owner_id"], r.values["visible_to"], r.values["was_seen"], r.values["is_archived"] = me, "3", false, false
	case "notes", "callLogs":
		r.values["user_id"] = me
	}
	if r.object.name == "deals" {
		r.values["status"], r.values["stage_id"], r.values["pipeline_id"] = "open", json.Number("1"), json.Number("1")
		r.values["currency"], r.values["value"] = "EUR", json.Number("0")
	}
}

func (p *pipedrive) change(r *pdRecord, body map[string]any, now time.Time) *pdErr {
	values, e := p.check(r.object, body)
	if e != nil {
		return e
	}
	for _, name := range r.object.needs {
		if v, sent := values[name]; sent && (v == nil || v == "") {
			return pdInvalid("%q is required.", name)
		}
	}
	p.store(r, values, now)
	return nil
}

// store carries a checked write out. It cannot fail.
func (p *pipedrive) store(r *pdRecord, values map[string]any, now time.Time) {
	for code, v := range values {
		if list, ok := v.([]any); v == nil || ok && len(list) == 0 {
			delete(r.values, code)
			continue
		}
		r.values[code] = v
	}
	if name, ok := r.values["name"].(string); ok && r.object.name == "persons" {
		first, last, _ := strings.Cut(name, " ")
		r.values["first_name"], r.values["last_name"] = first, last
	}
	if list, _ := r.values["participants"].([]any); r.object.name == "activities" {
		delete(r.values, "person_id")
		for _, x := range list {
			one := x.(map[string]any)
			if one["primary"] == nil {
				one["primary"] = false
			}
			if one["primary"] == true || r.values["person_id"] == nil {
				r.values["person_id"] = one["person_id"]
			}
		}
	}
	r.updated = now
	if p.opts.SearchDelay > 0 {
		r.versions = append(r.versions, pdVersion{now, maps.Clone(r.values)})
	}
}

// typed makes a body of what a person types: names of custom fields, labels of
// options, one address and one number.
func (o *pdObject) typed(r *pdRecord, fields map[string]any) map[string]any {
	body, customs := map[string]any{}, map[string]any{}
	for name, v := range fields {
		f := o.byCode[name]
		for _, g := range o.fields {
			if f == nil && g.custom && strings.EqualFold(g.name, name) {
				f = g
			}
		}
		switch {
		case o.name == "persons" && (name == "email" || name == "phone"):
			text, _ := v.(string)
			var others []any
			if r != nil {
				for _, x := range pdList(r.values[name+"s"]) {
					if one := x.(map[string]any); one["primary"] != true {
						others = append(others, one)
					}
				}
			}
			body[name+"s"] = others
			if text != "" {
				body[name+"s"] = append([]any{map[string]any{"value": text, "primary": true}}, others...)
			}
			if body[name+"s"] == nil || others == nil && text == "" {
				body[name+"s"] = []any{}
			}
			continue
		case f != nil && (f.typ == "enum" || f.typ == "set"):
			v = f.picked(v)
		}
		switch {
		case f != nil && f.custom && o.version == "v2":
			customs[f.code] = v
		case f != nil:
			body[f.code] = v
		default:
			body[name] = v
		}
	}
	if len(customs) > 0 {
		body["custom_fields"] = customs
	}
	return body
}

func pdList(v any) []any {
	list, _ := v.([]any)
	return list
}

// picked gives options by their labels.
func (f *pdField) picked(v any) any {
	if list, ok := v.([]any); ok {
		out := make([]any, len(list))
		for i, x := range list {
			out[i] = f.picked(x)
		}
		return out
	}
	for _, o := range f.options {
		if s, ok := v.(string); ok && strings.EqualFold(o.Label, s) {
			return json.Number(pdText(o.ID))
		}
	}
	return v
}

// pdDecode reads the body of a write.
func pdDecode(c *call) (map[string]any, *pdErr) {
	if !c.sendsJSON() {
		return nil, pdError(http.StatusUnsupportedMediaType, "Unsupported Media Type")
	}
	body, err := decodeFields(c.body)
	if err != nil {
		return nil, pdInvalid("Invalid JSON in the request body")
	}
	return body, nil
}
