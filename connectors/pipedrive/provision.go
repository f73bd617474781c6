package pipedrive

import (
	"context"
	"net/http"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const byHand = "make it in Pipedrive: Company settings → Data fields → Custom field"

// made are Pipedrive's types for what is to be made (OpenAPI, 2026-11). It has
// none for a time together with its day, for truths and for lengths of time.
var made = map[connectors.FieldType]string{
	connectors.Text: "varchar", connectors.LongText: "text", connectors.HTML: "text", connectors.Email: "varchar", connectors.Phone: "phone",
	connectors.URL: "varchar", connectors.Number: "double", connectors.Duration: "double", connectors.Boolean: "enum",
	connectors.Date: "date", connectors.DateTime: "date", connectors.Select: "enum", connectors.MultiSelect: "set",
}

// Propose implements connectors.Provisioner. Pipedrive keeps no field unique.
func (c *Connector) Propose(object string, f connectors.Field) (connectors.Field, string) {
	k := kindOf(object)
	native, ok := made[f.Type]
	switch {
	case k == nil || k.fields == "":
		return f, "Pipedrive has no custom fields for " + object + ": choose among those that it has"
	case k.name == "activities":
		return f, "Pipedrive's API makes no fields of activities, and shows none: choose among those that it has, such as public_description"
	case !ok:
		return f, "a field of this type is nothing that crmsyncd makes; " + byHand
	case hashed.MatchString(f.Name):
		return f, "this is the key of a field, and the company has none with it; write the field's name"
	}
	f.Native, f.Label, f.Unique = native, f.Name, false
	if f.Type == connectors.Boolean {
		f.Options = []connectors.Option{{Value: "true"}, {Value: "false"}}
	}
	for i := range f.Options {
		f.Options[i].Label = f.Options[i].Value // options are known by their labels only
	}
	return f, ""
}

// CreateField implements connectors.Provisioner. Only an administrator's token
// may.
func (c *Connector) CreateField(ctx context.Context, object string, f connectors.Field) error {
	s, err := c.shape(ctx, object)
	if err != nil {
		return err
	}
	if _, err := pick(s.object, f.Name); err == nil || err.Code != codeNoField {
		return &connectors.Error{Kind: connectors.Conflict, Field: f.Name, Message: s.kind.name + " have a field of this name already"}
	}
	body := wireNewField{Name: f.Name, Type: f.Native}
	for _, o := range f.Options {
		body.Options = append(body.Options, wireNewOption{o.Label})
	}
	err = c.call(ctx, httpx.Request{Method: http.MethodPost, Path: s.kind.fields, Body: body}, &struct{}{})
	c.schemas.Forget() // also after a lost answer
	if err != nil {
		own := *err
		own.Field = f.Name
		switch own.Kind {
		case connectors.Auth:
			own.Message = "Pipedrive lets only administrators make fields; " + byHand
		case connectors.Invalid:
			own.Message = "Pipedrive does not make this field; does the plan allow more? " + byHand
		case connectors.Transient, connectors.RateLimited, connectors.NotFound, connectors.Ambiguous, connectors.Conflict, connectors.Unknown:
		}
		return &own
	}
	return nil
}

type wireNewField struct {
	Name    string          `json:"field_name"`
	Type    string          `json:"field_type"`
	Options []wireNewOption `json:"options,omitempty"`
}

type wireNewOption struct {
	Label string `json:"label"`
}
