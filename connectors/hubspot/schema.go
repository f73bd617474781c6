package hubspot

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

const (
	ownerField = "hubspot_owner_id"
	// maxText is the most characters of a text property (2026-11: documented
	// for notes' bodies, reported for the others).
	maxText = 65536
	// staleAfter is how old a schema must be for it to be read again because
	// of an unknown field or option: somebody may have just added it.
	staleAfter = 30 * time.Second
)

// read is an object as it was read at a time.
type read struct {
	object connectors.Object
	at     time.Time
}

// field finds a field, in a fresh schema if the one at hand is not.
func (c *Connector) field(ctx context.Context, object, name string) (connectors.Field, *connectors.Error) {
	r, err := c.readObject(ctx, object)
	if err != nil {
		return connectors.Field{}, err
	}
	if f, ok := r.object.Fields[name]; ok {
		return f, nil
	}
	if c.renew(ctx, object) {
		return c.field(ctx, object, name)
	}
	return connectors.Field{}, connectors.NoField(r.object, name, codeNoProperty)
}

// renew has schemas read anew, unless the object's was read just now.
func (c *Connector) renew(ctx context.Context, object string) bool {
	r, err := c.readObject(ctx, object)
	if err != nil || time.Since(r.at) <= staleAfter {
		return false
	}
	c.schemas.Forget()
	return true
}

func fieldOf(p wireProperty) connectors.Field {
	f := connectors.Field{
		Name: p.Name, Label: p.Label, Native: p.Type + "/" + p.FieldType,
		ReadOnly: p.Calculated || p.Modification.ReadOnlyValue,
		Unique:   p.HasUniqueValue,
		Type:     connectors.Other,
	}
	for _, o := range p.Options {
		f.Options = append(f.Options, connectors.Option{Value: o.Value, Label: o.Label})
	}
	switch p.Type {
	case "string", "phone_number":
		f.Type, f.MaxLength = textType(p), maxText
	case "number":
		f.Type = connectors.Number
	case "bool":
		f.Type = connectors.Boolean
	case "date":
		f.Type = connectors.Date
	case "datetime":
		f.Type = connectors.DateTime
	case "enumeration":
		f.Type = connectors.Select
		if p.FieldType == "checkbox" {
			f.Type = connectors.MultiSelect
		}
		if p.ExternalOptions {
			f.Options = nil // they are elsewhere; any word passes
		} else if f.Options == nil {
			f.Options = []connectors.Option{}
		}
	}
	switch p.Name {
	case ownerField:
		f.Type, f.Target = connectors.Reference, "owners"
	case "hs_call_duration":
		f.Type, f.Unit = connectors.Duration, "ms"
	case "hs_object_id":
		f.Unique = true
	}
	f.Upsert = f.Unique && !f.ReadOnly && f.Name != "hs_object_id"
	return f
}

// textType tells the kinds of text apart; the bodies of engagements are HTML
// whatever their fieldType says.
func textType(p wireProperty) connectors.FieldType {
	switch {
	case p.Name == "hs_call_body", p.Name == "hs_note_body", p.FieldType == "html":
		return connectors.HTML
	case p.Name == "email", p.Name == "work_email":
		return connectors.Email
	case p.Type == "phone_number", p.FieldType == "phonenumber", p.Name == "phone", p.Name == "mobilephone":
		return connectors.Phone
	case p.Name == "hs_call_recording_url":
		return connectors.URL
	case p.FieldType == "textarea":
		return connectors.LongText
	}
	return connectors.Text
}

const primary = "Primary" // HubSpot's own label

// linkType finds the association type of a label, or of a type id given as
// text. Without a label it is the primary type, else the one that has none.
func (c *Connector) linkType(ctx context.Context, from, to, label string) (wireType, *connectors.Error) {
	labels, err := c.labels.Get(ctx, from+"/"+to, func(ctx context.Context) ([]wireLabel, error) {
		var answer struct {
			Results []wireLabel `json:"results"`
		}
		q := httpx.Request{Method: http.MethodGet, Path: c.linkPath(from, to, "/labels"), Repeatable: true}
		if err := c.call(ctx, q, &answer); err != nil {
			return nil, err
		}
		return answer.Results, nil
	})
	if err != nil {
		return wireType{}, connectors.AsError(err)
	}
	if label == "" {
		for _, want := range []string{primary, ""} {
			for _, l := range labels {
				if l.Label == want {
					return wireType{Category: l.Category, ID: l.TypeID}, nil
				}
			}
		}
	}
	var names []string
	for _, l := range labels {
		if strings.EqualFold(l.Label, label) && l.Label != "" || strconv.Itoa(l.TypeID) == label {
			return wireType{Category: l.Category, ID: l.TypeID}, nil
		}
		names = append(names, l.Label)
	}
	message := "no association between " + from + " and " + to + " has this label"
	if near := connectors.Nearest(label, names); near != "" {
		message += " (did you mean " + strconv.Quote(near) + "?)"
	}
	return wireType{}, &connectors.Error{Kind: connectors.Invalid, Code: "NO_SUCH_LABEL", Message: message}
}
