package sandbox

import (
	"net/http"
	"strings"
	"time"
)

// head is an object as the list of all objects shows it.
func (o *sfObject) head() map[string]any {
	urls := map[string]string{"sobject": "/services/data/v68.0/sobjects/" + o.name, "describe": "/services/data/v68.0/sobjects/" + o.name + "/describe",
		"rowTemplate": "/services/data/v68.0/sobjects/" + o.name + "/{ID}"}
	written := o.name != "User"
	return map[string]any{
		"name": o.name, "label": o.label, "labelPlural": o.label + "s", "keyPrefix": o.prefix, "custom": strings.HasSuffix(o.name, "__c"),
		"createable": written, "updateable": written && o.name != "TaskRelation", "deletable": written, "queryable": true, "retrieveable": true,
		"searchable": true, "triggerable": true, "undeletable": written, "mergeable": o.name == "Contact" || o.name == "Lead" || o.name == "Account",
		"feedEnabled": false, "layoutable": true, "replicateable": true, "activateable": false, "customSetting": false, "deprecatedAndHidden": false, "urls": urls,
	}
}

// describe answers 304 to who knows the fields already.
func (s *salesforce) describe(c *call, o *sfObject) answer {
	header := http.Header{"Last-Modified": {s.changed.Format(http.TimeFormat)}}
	if since, err := time.Parse(http.TimeFormat, c.header.Get("If-Modified-Since")); err == nil && !s.changed.After(since) {
		return answer{status: http.StatusNotModified, header: header}
	}
	out := o.head()
	var fields []any
	for _, f := range o.fields {
		fields = append(fields, f.describe())
	}
	out["fields"], out["childRelationships"], out["recordTypeInfos"], out["supportedScopes"] = fields, []any{}, []any{}, []any{}
	a := jsonAnswer(http.StatusOK, out)
	a.header = header
	return a
}

// sfSoap are the types of the SOAP API, which describe names as well.
var sfSoap = map[string]string{"boolean": "xsd:boolean", "int": "xsd:int", "double": "xsd:double", "currency": "xsd:double", "date": "xsd:date", "datetime": "xsd:dateTime",
	"time": "xsd:time", "id": "tns:ID", "reference": "tns:ID"}

func (f *sfField) describe() map[string]any {
	soap := sfSoap[f.typ]
	if soap == "" {
		soap = "xsd:string"
	}
	var extra, defaultValue, relationship any
	if f.typ == "textarea" {
		extra = "plaintextarea"
		if f.html {
			extra = "richtextarea"
		}
	}
	if f.typ == "boolean" {
		defaultValue = f.defaultValue == true
	}
	if f.relationship != "" {
		relationship = f.relationship
	}
	values := []any{}
	for _, v := range f.values {
		values = append(values, map[string]any{"active": true, "defaultValue": v.value == f.defaultValue, "label": v.label, "validFor": nil, "value": v.value})
	}
	refs := f.refs
	if refs == nil {
		refs = []string{}
	}
	nillable := !f.required && f.typ != "boolean" && f.typ != "id" && f.name != "OwnerId" && f.name != "CreatedDate" && f.name != "LastModifiedDate" && f.name != "SystemModstamp"
	return map[string]any{
		"name": f.name, "label": f.label, "type": f.typ, "soapType": soap, "length": f.length, "byteLength": 3 * f.length, "digits": f.digits, "precision": f.precision, "scale": f.scale,
		"createable": f.create, "updateable": f.update, "nillable": nillable, "defaultedOnCreate": f.defaultValue != nil || f.name == "OwnerId" || f.typ == "boolean",
		"custom": strings.HasSuffix(f.name, "__c"), "externalId": f.externalID, "unique": f.unique, "idLookup": f.idLookup, "caseSensitive": f.caseSensitive,
		"filterable": !f.noFilter, "sortable": !f.noFilter, "groupable": !f.noFilter && f.typ != "double", "restrictedPicklist": f.restricted, "picklistValues": values,
		"htmlFormatted": f.html, "extraTypeInfo": extra, "referenceTo": refs, "relationshipName": relationship, "polymorphicForeignKey": len(f.refs) > 1,
		"calculated": false, "autoNumber": false, "encrypted": false, "nameField": f.name == "Name" || f.name == "Subject", "namePointing": false,
		"defaultValue": defaultValue, "deprecatedAndHidden": false, "dependentPicklist": false, "permissionable": f.create, "aggregatable": true,
	}
}
