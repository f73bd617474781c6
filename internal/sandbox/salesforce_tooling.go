package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// sfMetaTypes are the types of fields that can be made, in the words of
// describe (metadata guide, CustomField, 2026-11).
var sfMetaTypes = map[string]string{
	"Text": "string", "LongTextArea": "textarea", "Html": "textarea", "TextArea": "textarea", "Email": "email", "Phone": "phone", "Url": "url", "Number": "double",
	"Checkbox": "boolean", "Date": "date", "DateTime": "datetime", "Picklist": "picklist", "MultiselectPicklist": "multipicklist",
}

var sfCustomName = regexp.MustCompile(`^([A-Za-z]+)\.([A-Za-z](?:_?[A-Za-z0-9]){0,39}__c)$`)

type sfMetadata struct {
	Label         string          `json:"label"`
	Type          string          `json:"type"`
	Length        int             `json:"length"`
	Precision     int             `json:"precision"`
	Scale         *int            `json:"scale"`
	VisibleLines  int             `json:"visibleLines"`
	DefaultValue  json.RawMessage `json:"defaultValue"`
	Unique        bool            `json:"unique"`
	ExternalID    bool            `json:"externalId"`
	CaseSensitive *bool           `json:"caseSensitive"`
	ValueSet      *struct {
		Restricted bool `json:"restricted"`
		Definition struct {
			Sorted bool `json:"sorted"`
			Value  []struct {
				FullName string `json:"fullName"`
				Label    string `json:"label"`
				Default  bool   `json:"default"`
			} `json:"value"`
		} `json:"valueSetDefinition"`
	} `json:"valueSet"`
}

// sfCustomFields is the one query of the Tooling API that is emulated.
var sfCustomFields = regexp.MustCompile(`^SELECT Id FROM CustomField WHERE (TableEnumOrId|EntityDefinition\.QualifiedApiName) = '([A-Za-z0-9_]+)' AND DeveloperName = '([A-Za-z0-9_]+)'$`)

// toolingQuery answers with a custom field also if nobody was given it: the
// setup shows them all.
func (s *salesforce) toolingQuery(c *call) answer {
	if c.method != http.MethodGet {
		return sfWrongMethod(c.method).answer()
	}
	m := sfCustomFields.FindStringSubmatch(c.query.Get("q"))
	if m == nil {
		return sfBad("MALFORMED_QUERY", "the sandbox knows no such query of the Tooling API").answer()
	}
	rows := []any{}
	for _, o := range s.owners(m[2]) {
		if m[1] == "TableEnumOrId" && strings.HasSuffix(m[2], "__c") {
			break // whose id it would be
		}
		if o.unseen(m[3]+"__c") != nil || o.field(m[3]+"__c") != nil {
			url := "/services/data/v68.0/tooling/sobjects/CustomField/00N000000000001AAA"
			rows = append(rows, map[string]any{"attributes": map[string]string{"type": "CustomField", "url": url}, "Id": "00N000000000001AAA"})
			break // tasks and events have it together
		}
	}
	return jsonAnswer(http.StatusOK, map[string]any{"size": len(rows), "totalSize": len(rows), "done": true, "queryLocator": nil, "entityTypeName": "CustomField", "records": rows})
}

// toolingPaths serves what of the Tooling API is emulated: new custom fields,
// and whether there is one.
func (s *salesforce) toolingPaths(c *call, rest []string) answer {
	if len(rest) == 1 && rest[0] == "query" {
		return s.toolingQuery(c)
	}
	if len(rest) != 2 || rest[0] != "sobjects" || rest[1] != "CustomField" {
		return sfNoResource().answer()
	}
	if c.method != http.MethodPost {
		return sfWrongMethod(c.method).answer()
	}
	var in struct {
		FullName string     `json:"FullName"`
		Metadata sfMetadata `json:"Metadata"`
	}
	if sfStrict(c.body, &in) != nil {
		return sfBad("JSON_PARSER_ERROR", "Unexpected token or unknown element in the request").answer()
	}
	m := sfCustomName.FindStringSubmatch(in.FullName)
	if m == nil {
		return sfBad("FIELD_INTEGRITY_EXCEPTION", "The API name must end in __c, and can only contain underscores and alphanumeric characters.", "FullName").answer()
	}
	objects := s.owners(m[1])
	if objects == nil {
		return sfBad("INVALID_CROSS_REFERENCE_KEY", "Entity Enumeration Or ID: bad value for restricted picklist field: "+m[1]).answer()
	}
	if slices.ContainsFunc(objects, func(o *sfObject) bool { return o.field(m[2]) != nil || o.unseen(m[2]) != nil }) {
		return sfBad("DUPLICATE_DEVELOPER_NAME", "There is already a field named "+m[2]+" on "+m[1]+".", "FullName").answer()
	}
	for _, o := range objects {
		f, e := sfMade(m[2], in.Metadata)
		if e != nil {
			return e.answer()
		}
		o.hidden = append(o.hidden, f)
	}
	return jsonAnswer(http.StatusCreated, map[string]any{"id": s.newID("00N"), "success": true, "errors": []any{}, "warnings": []any{}, "infos": []any{}})
}

// owners are the objects that a name stands for: tasks and events share the
// fields of Activity, and have none of their own.
func (s *salesforce) owners(name string) []*sfObject {
	switch name {
	case "Activity":
		return []*sfObject{s.object("Task"), s.object("Event")}
	case "Task", "Event", "User", "TaskRelation":
		return nil
	}
	if o := s.object(name); o != nil {
		return []*sfObject{o}
	}
	return nil
}

func (o *sfObject) unseen(name string) *sfField {
	for _, f := range o.hidden {
		if strings.EqualFold(f.name, name) {
			return f
		}
	}
	return nil
}

// sfMade is a field by its metadata.
func sfMade(name string, m sfMetadata) (*sfField, *sfError) {
	bad := func(message string) (*sfField, *sfError) {
		return nil, sfBad("FIELD_INTEGRITY_EXCEPTION", message, "Metadata")
	}
	typ, ok := sfMetaTypes[m.Type]
	switch {
	case m.Label == "":
		return bad("Required fields are missing: [label]")
	case !ok:
		return bad("bad value for restricted picklist field: " + m.Type)
	case m.Type == "Text" && (m.Length < 1 || m.Length > 255):
		return bad("Length must be between 1 and 255")
	case (m.Type == "LongTextArea" || m.Type == "Html") && (m.Length < 256 || m.Length > 131072 || m.VisibleLines < 2):
		return bad("Length must be between 256 and 131072, and visibleLines at least 2")
	case m.Type == "Number" && (m.Precision < 1 || m.Scale == nil || m.Precision > 18):
		return bad("Required fields are missing: [precision, scale]")
	case m.Type == "Checkbox" && len(m.DefaultValue) == 0:
		return bad("Required fields are missing: [defaultValue]")
	case strings.HasSuffix(m.Type, "icklist") && m.ValueSet == nil:
		return bad("Required fields are missing: [valueSet]")
	case m.Type == "MultiselectPicklist" && m.VisibleLines < 3:
		return bad("visibleLines must be between 3 and 10")
	case (m.Unique || m.ExternalID) && typ != "string" && typ != "double" && typ != "email":
		return bad("Can not specify 'unique' or 'externalId' for this type")
	}
	f := sfTyped(name, typ, m.Length)
	f.label, f.unique, f.externalID, f.idLookup = m.Label, m.Unique, m.ExternalID, m.ExternalID
	f.html, f.noFilter = m.Type == "Html", m.Type == "Html" || m.Type == "LongTextArea"
	switch typ {
	case "email":
		f.length = 80
	case "phone":
		f.length = 40
	case "url", "picklist":
		f.length = 255
	case "multipicklist":
		f.length = 4099
	case "boolean":
		f.defaultValue = false
	case "double":
		f.precision, f.scale = m.Precision, *m.Scale
	}
	if m.ValueSet != nil {
		f.restricted = m.ValueSet.Restricted
		for _, v := range m.ValueSet.Definition.Value {
			f.values = append(f.values, sfPick{v.FullName, v.Label})
		}
	}
	return f, nil
}

// grant gives everybody a field: nobody sees a new one by itself. A person does
// so in Setup, a program by a record of FieldPermissions.
func (s *salesforce) grant(c *call) answer {
	var in struct {
		Parent string `json:"ParentId"`
		Object string `json:"SobjectType"`
		Field  string `json:"Field"`
		Read   bool   `json:"PermissionsRead"`
		Edit   bool   `json:"PermissionsEdit"`
	}
	if sfStrict(c.body, &in) != nil {
		return sfBad("JSON_PARSER_ERROR", "Unexpected token or unknown element in the request").answer()
	}
	o := s.object(in.Object)
	name, ok := strings.CutPrefix(in.Field, in.Object+".")
	if o == nil || !ok || in.Parent == "" || !in.Read {
		return sfBad("REQUIRED_FIELD_MISSING", "Required fields are missing: [ParentId, SobjectType, Field, PermissionsRead]").answer()
	}
	f := o.unseen(name)
	if f == nil && o.field(name) == nil {
		return sfBad("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Field Name: bad value for restricted picklist field: "+in.Field).answer()
	}
	if f != nil {
		f.create, f.update = in.Edit, in.Edit
		o.hidden = slices.DeleteFunc(o.hidden, func(x *sfField) bool { return x == f })
		o.fields = append(o.fields, f)
		s.changed = c.now.UTC().Truncate(time.Second).Add(time.Second)
	}
	return jsonAnswer(http.StatusCreated, sfSaved(s.newID("01k"), nil))
}

// sfStrict reads JSON without unknown names.
func sfStrict(body []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}
