package salesforce

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	byHand  = "make it in Setup → Object Manager → the object → Fields & Relationships → New"
	byRight = "Setup → Permission Sets → the one of crmsyncd's user → Object Settings → the object → Edit: Read and Edit of the field"
	// longText is the length of a long text area by default (metadata guide, 2026-11).
	longText = 32768
	// longestLabel is of a field, in characters (metadata guide, 2026-11).
	longestLabel = 40
)

// customName is what Salesforce takes as the API name of an org's own field.
var customName = regexp.MustCompile(`^[A-Za-z](_?[A-Za-z0-9])*__c$`)

// made are Salesforce's types for what is to be made (metadata guide, 2026-11).
var made = map[connectors.FieldType]string{
	connectors.Text: "Text", connectors.LongText: "LongTextArea", connectors.HTML: "Html", connectors.Email: "Email", connectors.Phone: "Phone",
	connectors.URL: "Url", connectors.Number: "Number", connectors.Duration: "Number", connectors.Boolean: "Checkbox", connectors.Date: "Date",
	connectors.DateTime: "DateTime", connectors.Select: "Picklist", connectors.MultiSelect: "MultiselectPicklist",
}

// Propose implements connectors.Provisioner.
func (c *Connector) Propose(_ string, f connectors.Field) (connectors.Field, string) {
	native, ok := made[f.Type]
	switch {
	case !strings.HasSuffix(f.Name, "__c"):
		return f, "Salesforce's own fields cannot be made, and yours end in __c: correct the name, or let crmsyncd's user see the field"
	case !customName.MatchString(f.Name) || len(f.Name) > 43:
		return f, "Salesforce does not take this as the name of a field: at most 40 letters, digits and single _ before __c"
	case !ok:
		return f, "a field of this type is nothing that crmsyncd makes; " + byHand
	}
	f.Native = native
	if label := []rune(f.Label); len(label) > longestLabel {
		f.Label = string(label[:longestLabel])
	}
	return f, ""
}

// CreateField implements connectors.Provisioner. It takes the permission
// Customize Application. Salesforce shows a new field to nobody by itself: where
// crmsyncd's user does not see it the error is of kind Auth, and the field is there.
func (c *Connector) CreateField(ctx context.Context, object string, f connectors.Field) error {
	owner := ownerOf(object)
	if owner != object { // the field may have been made for the other one
		c.forget(object)
		if _, _, err := c.field(ctx, object, f.Name); err == nil {
			return nil
		}
	}
	body := wireNewField{FullName: owner + "." + f.Name, Metadata: metadata(f)}
	q := httpx.Request{Method: http.MethodPost, Path: c.path("/tooling/sobjects/CustomField"), Body: body}
	err := c.call(ctx, q, nil)
	c.forget(object) // also after a lost answer
	if err != nil {
		return notMade(f, err)
	}
	if _, _, err := c.field(ctx, object, f.Name); err != nil {
		if err.Code == codeNoField {
			return &connectors.Error{Kind: connectors.Auth, Field: f.Name, Code: connectors.CodeHidden, Message: "the field was made, but crmsyncd's user may not see it yet: " + byRight}
		}
		return err
	}
	return nil
}

// ownerOf is the object whose setup holds the custom fields: tasks and events
// share those of Activity.
func ownerOf(object string) string {
	if strings.EqualFold(object, "Task") || strings.EqualFold(object, "Event") {
		return "Activity"
	}
	return object
}

// forget drops what is known of an object's fields.
func (c *Connector) forget(object string) {
	c.known.put(object, described{})
	c.schemas.Forget()
}

// notMade says what a person does instead.
func notMade(f connectors.Field, err *connectors.Error) error {
	own := *err
	own.Field = f.Name
	switch {
	case own.Code == "DUPLICATE_DEVELOPER_NAME":
		own.Kind, own.Message = connectors.Conflict, "the object has this field already, but crmsyncd's user may not see it: "+byRight
	case own.Kind == connectors.Auth:
		own.Message = "crmsyncd's user may not make fields, which takes Customize Application; " + byHand
	case own.Kind == connectors.Invalid:
		own.Message = "Salesforce does not make this field; " + byHand
	}
	return &own
}

// metadata describes the field as Salesforce's metadata does.
func metadata(f connectors.Field) wireMetadata {
	m := wireMetadata{Label: f.Label, Type: f.Native}
	switch f.Native {
	case "Text":
		m.Length = 255
		if f.Unique {
			no := false
			m.Unique, m.ExternalID, m.CaseSensitive = true, true, &no
		}
	case "LongTextArea", "Html":
		m.Length, m.Lines = longText, 5
	case "Number":
		scale := 2
		m.Precision, m.Scale = 18, &scale
	case "Checkbox":
		m.Default = "false"
	case "Picklist", "MultiselectPicklist":
		if f.Native == "MultiselectPicklist" {
			m.Lines = 4
		}
		m.Values = &wireValueSet{}
		for _, o := range f.Options {
			m.Values.Definition.Values = append(m.Values.Definition.Values, wireNewValue{FullName: o.Value, Label: o.Label})
		}
	}
	return m
}

type wireNewField struct {
	FullName string       `json:"FullName"`
	Metadata wireMetadata `json:"Metadata"`
}

type wireMetadata struct {
	Label         string        `json:"label"`
	Type          string        `json:"type"`
	Length        int           `json:"length,omitempty"`
	Precision     int           `json:"precision,omitempty"`
	Scale         *int          `json:"scale,omitempty"`
	Lines         int           `json:"visibleLines,omitempty"`
	Default       string        `json:"defaultValue,omitempty"`
	Unique        bool          `json:"unique,omitempty"`
	ExternalID    bool          `json:"externalId,omitempty"`
	CaseSensitive *bool         `json:"caseSensitive,omitempty"`
	Values        *wireValueSet `json:"valueSet,omitempty"`
}

// wireValueSet is not restricted: a sender's new word is kept, not refused.
type wireValueSet struct {
	Restricted bool `json:"restricted"`
	Definition struct {
		Sorted bool           `json:"sorted"`
		Values []wireNewValue `json:"value"`
	} `json:"valueSetDefinition"`
}

type wireNewValue struct {
	FullName string `json:"fullName"`
	Label    string `json:"label"`
	Default  bool   `json:"default"`
}
