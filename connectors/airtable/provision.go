package airtable

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// made are Airtable's cell types for what is to be made (field model, 2026-11).
var made = map[connectors.FieldType]string{
	connectors.Text: "singleLineText", connectors.LongText: "multilineText", connectors.HTML: "multilineText", connectors.Email: "email",
	connectors.Phone: "phoneNumber", connectors.URL: "url", connectors.Number: "number", connectors.Duration: "duration", connectors.Boolean: "checkbox",
	connectors.Date: "date", connectors.DateTime: "dateTime", connectors.Select: "singleSelect", connectors.MultiSelect: "multipleSelects",
	connectors.Reference: "multipleRecordLinks",
}

// Propose implements connectors.Provisioner. Airtable keeps no field unique.
func (c *Connector) Propose(_ string, f connectors.Field) (connectors.Field, string) {
	native, ok := made[f.Type]
	switch {
	case !ok:
		return f, "a field of this type is nothing that crmsyncd makes; add it in Airtable with the + at the right of the table"
	case fieldID.MatchString(f.Name):
		return f, "this is the id of a field, and the table has none with it; write the field's name"
	}
	f.Native, f.Label, f.Unique = native, f.Name, false
	for i := range f.Options {
		f.Options[i].Label = f.Options[i].Value // a choice has one name
	}
	return f, ""
}

// CreateField implements connectors.Provisioner. The token needs the scope
// schema.bases:write, and its user the role of a creator.
func (c *Connector) CreateField(ctx context.Context, object string, f connectors.Field) error {
	t, err := c.table(ctx, object)
	if err != nil {
		return err
	}
	options, err := c.cellOptions(ctx, f)
	if err != nil {
		return err
	}
	body := wireNewField{Name: f.Name, Type: f.Native, Description: "Written by crmsyncd.", Options: options}
	q := httpx.Request{Method: http.MethodPost, Path: "/v0/meta/bases/" + url.PathEscape(c.base) + "/tables/" + url.PathEscape(t.id) + "/fields", Body: body}
	err = c.call(ctx, q, &struct{}{})
	c.schemas.Forget() // also after a lost answer
	if err != nil {
		own := *err
		own.Field = f.Name
		switch {
		case own.Code == "DUPLICATE_OR_EMPTY_FIELD_NAME":
			own.Kind, own.Message = connectors.Conflict, "the table has a field of this name already"
		case own.Kind == connectors.Auth:
			own.Message = "the access token may not make fields: give it the scope schema.bases:write and its user the role of a creator, or add the field with the + at the right of the table"
		case own.Kind == connectors.Invalid:
			own.Message = "Airtable does not make this field; add it with the + at the right of the table"
		}
		return &own
	}
	return nil
}

// cellOptions are what Airtable wants to know of a field beside its type.
func (c *Connector) cellOptions(ctx context.Context, f connectors.Field) (map[string]any, *connectors.Error) {
	day := map[string]string{"name": "iso"}
	switch f.Native {
	case "number":
		return map[string]any{"precision": 2}, nil // any less would cut decimals
	case "duration":
		return map[string]any{"durationFormat": "h:mm:ss"}, nil
	case "checkbox":
		return map[string]any{"icon": "check", "color": "greenBright"}, nil
	case "date":
		return map[string]any{"dateFormat": day}, nil
	case "dateTime":
		zone := "utc"
		if z := c.coercion.Zone; z != nil && z != time.UTC && z != time.Local {
			zone = z.String()
		}
		return map[string]any{"dateFormat": day, "timeFormat": map[string]string{"name": "24hour"}, "timeZone": zone}, nil
	case "singleSelect", "multipleSelects":
		choices := []map[string]string{}
		for _, o := range f.Options {
			choices = append(choices, map[string]string{"name": o.Value})
		}
		return map[string]any{"choices": choices}, nil
	case "multipleRecordLinks":
		other, err := c.table(ctx, f.Target)
		if err != nil {
			return nil, err
		}
		return map[string]any{"linkedTableId": other.id}, nil
	}
	return nil, nil
}

type wireNewField struct {
	Name        string         `json:"name"`
	Type        string         `json:"type"`
	Description string         `json:"description"`
	Options     map[string]any `json:"options,omitempty"`
}
