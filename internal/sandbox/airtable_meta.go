package sandbox

import (
	"fmt"
	"net/http"
	"slices"
)

// atFieldTypes are the types that can be created, with the options that each needs
// (Airtable field model, 2026-11).
var atFieldTypes = map[string][]string{
	"singleLineText": nil, "multilineText": nil, "richText": nil, "email": nil, "url": nil, "phoneNumber": nil,
	"number": {"precision"}, "percent": {"precision"}, "currency": {"precision", "symbol"}, "duration": {"durationFormat"},
	"rating": {"icon", "color", "max"}, "checkbox": {"icon", "color"}, "date": {"dateFormat"},
	"dateTime": {"dateFormat", "timeFormat", "timeZone"}, "singleSelect": {"choices"}, "multipleSelects": {"choices"},
	"multipleRecordLinks": {"linkedTableId"},
}

type atFieldInput struct {
	Name        string         `json:"name"`
	Type        string         `json:"type"`
	Description string         `json:"description"`
	Options     map[string]any `json:"options"`
}

// meta serves /v0/meta/….
func (a *airtable) meta(c *call, s []string) answer {
	switch {
	case len(s) == 1 && s[0] == "whoami" && c.method == http.MethodGet:
		return jsonAnswer(http.StatusOK, map[string]any{"id": "usrSandbox0000000", "scopes": []string{"data.records:read", "data.records:write", "schema.bases:read", "schema.bases:write"}})
	case len(s) == 1 && s[0] == "bases" && c.method == http.MethodGet:
		bases := []map[string]string{}
		for _, b := range a.bases {
			bases = append(bases, map[string]string{"id": b.id, "name": "Sandbox " + b.id, "permissionLevel": "create"})
		}
		return jsonAnswer(http.StatusOK, map[string]any{"bases": bases})
	case len(s) < 3 || s[0] != "bases" || s[2] != "tables":
		return atNotFound().answer()
	}
	b := a.base(s[1])
	if b == nil {
		return atNoModel().answer()
	}
	b.asked = true
	if !a.opts.Unlimited && b.blocked(c.now) {
		return atRateLimited("").answer()
	}
	switch {
	case len(s) == 3 && c.method == http.MethodGet:
		tables := make([]map[string]any, 0, len(b.tables))
		for _, t := range b.tables {
			tables = append(tables, t.meta())
		}
		return jsonAnswer(http.StatusOK, map[string]any{"tables": tables})
	case len(s) == 3 && c.method == http.MethodPost:
		return b.createTable(c)
	case len(s) < 5 || s[4] != "fields":
		return atNotFound().answer()
	}
	t := b.table(s[3])
	if t == nil {
		return atNoModel().answer()
	}
	switch {
	case len(s) == 5 && c.method == http.MethodPost:
		return b.createField(c, t)
	case len(s) == 6 && c.method == http.MethodPatch:
		return t.changeField(c, s[5])
	default:
		return atNotFound().answer()
	}
}

func (b *atBase) createTable(c *call) answer {
	var in struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Fields      []atFieldInput `json:"fields"`
	}
	if e := atDecode(c, &in); e != nil {
		return e.answer()
	}
	if in.Name == "" || len(in.Fields) == 0 {
		return atInvalid("INVALID_REQUEST_UNKNOWN", "A table needs a name and at least one field").answer()
	}
	if b.table(in.Name) != nil {
		return atInvalid("DUPLICATE_TABLE_NAME", "Cannot create more than one table with the same name").answer()
	}
	t := &atTable{id: atNewID("tbl"), name: in.Name, description: in.Description, byID: map[string]*atRecord{}}
	var links []*atField
	for _, field := range in.Fields {
		f, e := b.newField(t, field)
		if e != nil {
			return e.answer()
		}
		t.fields = append(t.fields, f)
		if f.typ == "multipleRecordLinks" {
			links = append(links, f)
		}
	}
	b.tables = append(b.tables, t)
	for _, f := range links {
		b.addInverse(t, f)
	}
	return jsonAnswer(http.StatusOK, t.meta())
}

func (b *atBase) createField(c *call, t *atTable) answer {
	var in atFieldInput
	if e := atDecode(c, &in); e != nil {
		return e.answer()
	}
	f, e := b.newField(t, in)
	if e != nil {
		return e.answer()
	}
	t.fields = append(t.fields, f)
	if f.typ == "multipleRecordLinks" {
		b.addInverse(t, f)
	}
	return jsonAnswer(http.StatusOK, f.meta())
}

func (b *atBase) newField(t *atTable, in atFieldInput) (*atField, *atError) {
	if in.Name == "" || t.field(in.Name) != nil {
		return nil, atInvalid("DUPLICATE_OR_EMPTY_FIELD_NAME", "The name %q is empty or already in use", in.Name)
	}
	needed, ok := atFieldTypes[in.Type]
	if !ok {
		return nil, atInvalid("UNSUPPORTED_FIELD_TYPE_FOR_CREATE", "Creating %s fields is not supported at this time", in.Type)
	}
	for _, option := range needed {
		if in.Options[option] == nil {
			return nil, atInvalid("INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE", "Invalid options for %s field %q: %s is missing", in.Type, in.Name, option)
		}
	}
	f := &atField{id: atNewID("fld"), name: in.Name, typ: in.Type, description: in.Description, options: map[string]any{}}
	for k, v := range in.Options {
		if k != "choices" {
			f.options[k] = v
		}
	}
	if f.isSelect() {
		list, _ := in.Options["choices"].([]any)
		for _, item := range list {
			choice, _ := item.(map[string]any)
			name, _ := choice["name"].(string)
			if name == "" || f.hasChoice(name) {
				return nil, atInvalid("INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE", "Invalid options for %s field %q: every choice needs a name of its own", in.Type, in.Name)
			}
			f.addChoice(name)
		}
	}
	if f.typ == "multipleRecordLinks" && b.table(fmt.Sprint(in.Options["linkedTableId"])) == nil {
		return nil, atInvalid("INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE", "Invalid options for field %q: the linked table does not exist", in.Name)
	}
	return f, nil
}

// addInverse gives the linked table its side of a link.
func (b *atBase) addInverse(t *atTable, f *atField) {
	linked := b.table(fmt.Sprint(f.options["linkedTableId"]))
	name := t.name
	for n := 2; linked.field(name) != nil; n++ {
		name = fmt.Sprintf("%s %d", t.name, n)
	}
	inverse := &atField{id: atNewID("fld"), name: name, typ: "multipleRecordLinks", options: atSeedOptions("multipleRecordLinks")}
	inverse.options["linkedTableId"], inverse.options["inverseLinkFieldId"] = t.id, f.id
	f.options["inverseLinkFieldId"], f.options["isReversed"], f.options["prefersSingleRecordLink"] = inverse.id, false, false
	linked.fields = append(linked.fields, inverse)
	f.linkTo(b.tables)
	inverse.linkTo(b.tables)
}

func (t *atTable) changeField(c *call, id string) answer {
	var in struct {
		Name        *string `json:"name"`
		Description *string `json:"description"`
	}
	if e := atDecode(c, &in); e != nil {
		return e.answer()
	}
	i := slices.IndexFunc(t.fields, func(f *atField) bool { return f.id == id })
	if i < 0 {
		return atNoModel().answer()
	}
	f := t.fields[i]
	if in.Name != nil {
		if other := t.field(*in.Name); *in.Name == "" || other != nil && other != f {
			return atInvalid("DUPLICATE_OR_EMPTY_FIELD_NAME", "The name %q is empty or already in use", *in.Name).answer()
		}
		f.name = *in.Name
	}
	if in.Description != nil {
		f.description = *in.Description
	}
	return jsonAnswer(http.StatusOK, f.meta())
}
