package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
)

// pdFieldTypes are Pipedrive's words for the sandbox's own types.
var pdFieldTypes = map[string]string{
	"points": "phone", "ref": "int", "word": "enum", "type": "enum", "flag": "boolean", "stamp": "date", "datetime": "date", "clock": "time",
	"seconds": "varchar", "note": "text", "participants": "people", "uuids": "set", "amount": "monetary", "list": "json", "lost": "people",
}

// shown is a field as v2 describes it. The person's address and number go by
// the names that they had before there could be several.
func (f *pdField) shown() map[string]any {
	typ := orElse(pdFieldTypes[f.typ], f.typ)
	code := f.code
	switch code {
	case "emails", "phones":
		code = strings.TrimSuffix(code, "s")
	}
	if code == "email" {
		typ = "varchar"
	}
	out := map[string]any{"field_name": f.name, "field_code": code, "field_type": typ, "options": nil, "subfields": nil,
		"is_custom_field": f.custom, "is_optional_response_field": false}
	if f.options != nil {
		out["options"] = f.options
	}
	return out
}

// fieldPaths serves the fields of an object.
func (p *pipedrive) fieldPaths(c *call, version, area string, rest []string) answer {
	if version == "v1" {
		return p.oldFields(c, area, rest)
	}
	var o *pdObject
	for _, one := range p.objects {
		if one.list == area {
			o = one
		}
	}
	if o == nil {
		return pdUnknownPath().answer()
	}
	switch {
	case len(rest) == 0 && c.method == http.MethodGet:
		var all []any
		for _, f := range o.fields {
			all = append(all, f.shown())
		}
		return pdData(http.StatusOK, all, map[string]any{"next_cursor": nil})
	case len(rest) == 0 && c.method == http.MethodPost && o.name != "activities":
		return p.addField(c, o)
	case len(rest) == 1 && c.method == http.MethodGet:
		for _, f := range o.fields {
			if f.shown()["field_code"] == rest[0] {
				return pdData(http.StatusOK, f.shown(), nil)
			}
		}
		return pdError(http.StatusNotFound, "Field not found").answer()
	case len(rest) == 2 && rest[1] == "options" && c.method == http.MethodPost:
		return p.addOptions(c, o, rest[0])
	case len(rest) == 0 || len(rest) == 1:
		return pdWrongMethod().answer()
	}
	return pdUnknownPath().answer()
}

// addField makes a custom field, with options for selects.
func (p *pipedrive) addField(c *call, o *pdObject) answer {
	body, e := pdDecode(c)
	if e != nil {
		return e.answer()
	}
	name, typ := pdText(body["field_name"]), pdText(body["field_type"])
	if name == "" || typ == "" {
		return pdInvalid("Validation failed: field_name and field_type are required").answer()
	}
	f := &pdField{code: pdHash(p.field), name: name, typ: typ, custom: true}
	p.field++
	for i, x := range pdList(body["options"]) {
		one, _ := x.(map[string]any)
		f.options = append(f.options, pdOption{p.field*100 + i, pdText(one["label"])})
	}
	if (typ == "enum" || typ == "set") && f.options == nil {
		return pdInvalid("Validation failed: options are required").answer()
	}
	o.add(f)
	if o.name == "deals" {
		p.object("leads").add(f)
	}
	return pdData(http.StatusOK, f.shown(), nil)
}

// addOptions adds choices to a select, all or none, and answers the new ones.
func (p *pipedrive) addOptions(c *call, o *pdObject, code string) answer {
	f := o.byCode[code]
	if f == nil || !f.custom {
		return pdError(http.StatusNotFound, "Field not found").answer()
	}
	var in []struct {
		Label string `json:"label"`
	}
	if err := json.Unmarshal(c.body, &in); err != nil || len(in) == 0 || f.typ != "enum" && f.typ != "set" {
		return pdInvalid("Validation failed: a list of options with labels is wanted").answer()
	}
	added := []pdOption{}
	for _, x := range in {
		if x.Label == "" {
			return pdInvalid("Validation failed: label is required").answer()
		}
		p.field++
		added = append(added, pdOption{p.field * 100, x.Label})
	}
	f.options = append(f.options, added...)
	return pdData(http.StatusOK, added, nil)
}

// oldFields serves v1's lists, which only leads and notes still need.
func (p *pipedrive) oldFields(c *call, area string, rest []string) answer {
	o := p.object(map[string]string{"leadFields": "leads", "noteFields": "notes"}[area])
	if o == nil || len(rest) > 0 {
		return pdUnknownPath().answer()
	}
	if c.method != http.MethodGet {
		return pdWrongMethod().answer()
	}
	var all []any
	for i, f := range o.fields {
		one := map[string]any{"id": i + 1, "key": f.code, "name": f.name, "field_type": orElse(pdFieldTypes[f.typ], f.typ), "active_flag": true,
			"edit_flag": f.custom, "bulk_edit_allowed": true, "mandatory_flag": f.code == "title"}
		if f.options != nil && f.typ != "word" {
			one["options"] = f.options
		}
		all = append(all, one)
	}
	return pdData(http.StatusOK, all, map[string]any{"start": 0, "limit": 100, "more_items_in_collection": false})
}

// userPaths serves the company's users.
func (p *pipedrive) userPaths(c *call, rest []string) answer {
	switch {
	case c.method != http.MethodGet:
		return pdWrongMethod().answer()
	case len(rest) == 0:
		return pdData(http.StatusOK, p.users, nil)
	case len(rest) > 1:
		return pdUnknownPath().answer()
	case rest[0] == "me":
		return pdData(http.StatusOK, struct {
			pdUser
			Company string `json:"company_name"`
			Domain  string `json:"company_domain"`
		}{p.users[0], "Sandbox Ltd", "sandbox"}, nil)
	case rest[0] == "find":
		return p.findUsers(c)
	}
	if u := p.user(rest[0]); u != nil {
		return pdData(http.StatusOK, u, nil)
	}
	return pdError(http.StatusNotFound, "User not found").answer()
}

func (p *pipedrive) findUsers(c *call) answer {
	term := strings.ToLower(c.query.Get("term"))
	if term == "" {
		return pdInvalid("%q is required.", "term").answer()
	}
	found := []pdUser{}
	for _, u := range p.users {
		in := u.Name
		if c.query.Get("search_by_email") == "1" {
			in = u.Email
		}
		if strings.Contains(strings.ToLower(in), term) {
			found = append(found, u)
		}
	}
	return pdData(http.StatusOK, found, nil)
}
