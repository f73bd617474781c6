package hubspot

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
)

// group is the property group of what CreateField makes. Every property needs
// one, and HubSpot's own are named differently for each object.
const group = "crmsyncd"

// internalName is what HubSpot takes as the internal name of a property, which
// can never be changed (properties guide, 2026-11).
var internalName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)

const byHand = "make it in HubSpot: Settings → Properties → choose the object → Create property"

// made are HubSpot's types for what is to be made (properties guide, 2026-11).
var made = map[connectors.FieldType]string{
	connectors.Text: "string/text", connectors.LongText: "string/textarea", connectors.HTML: "string/html", connectors.Email: "string/text",
	connectors.Phone: "string/phonenumber", connectors.URL: "string/text", connectors.Number: "number/number", connectors.Duration: "number/number",
	connectors.Boolean: "bool/booleancheckbox", connectors.Date: "date/date", connectors.DateTime: "datetime/date",
	connectors.Select: "enumeration/select", connectors.MultiSelect: "enumeration/checkbox",
}

// Propose implements connectors.Provisioner.
func (c *Connector) Propose(_ string, f connectors.Field) (connectors.Field, string) {
	native, ok := made[f.Type]
	switch {
	case !ok:
		return f, "a property of this type is nothing that crmsyncd makes; " + byHand
	case strings.HasPrefix(f.Name, "hs_"), strings.HasPrefix(f.Name, "hubspot_"):
		return f, "names that begin so are HubSpot's own: correct the name, or see whether your plan has the property"
	case !internalName.MatchString(f.Name):
		return f, "HubSpot's internal names are of small letters, digits and _: write the property's internal name, not its label"
	}
	f.Native = native
	if f.Type == connectors.Boolean {
		f.Options = []connectors.Option{{Value: "true", Label: "Yes"}, {Value: "false", Label: "No"}}
	}
	return f, ""
}

// CreateField implements connectors.Provisioner. The token needs the scope
// crm.schemas.contacts.write, or that of the other object.
func (c *Connector) CreateField(ctx context.Context, object string, f connectors.Field) error {
	if err := c.reachable(ctx, object); err != nil {
		return err
	}
	path := "/crm/properties/" + Version + "/" + url.PathEscape(c.path(object))
	err := c.create(ctx, path+"/groups", wireNewGroup{Name: group, Label: group})
	if err != nil && err.Kind != connectors.Conflict {
		return notMade(f, err)
	}
	kind, shown, _ := strings.Cut(f.Native, "/")
	body := wireNewProperty{Name: f.Name, Label: f.Label, Type: kind, FieldType: shown, Group: group, Unique: f.Unique, Description: "Written by crmsyncd."}
	for i, o := range f.Options {
		body.Options = append(body.Options, wireNewOption{Label: o.Label, Value: o.Value, Order: i})
	}
	err = c.create(ctx, path, body)
	c.schemas.Forget() // also after a lost answer
	if err != nil {
		return notMade(f, err)
	}
	return nil
}

// create sends what is to be made. A lost answer may be asked again: what is
// there already is a conflict.
func (c *Connector) create(ctx context.Context, path string, body any) *connectors.Error {
	return c.call(ctx, httpx.Request{Method: http.MethodPost, Path: path, Body: body}, &struct{}{})
}

// notMade says what a person does instead.
func notMade(f connectors.Field, err *connectors.Error) error {
	own := *err
	own.Field = f.Name
	switch {
	case own.Kind == connectors.Auth:
		own.Message += ": give it crm.schemas.contacts.write (crm.schemas.… of the object), or " + byHand
	case own.Kind == connectors.Conflict:
		own.Message = "HubSpot has a property of this name already, perhaps an archived one"
	case own.Kind == connectors.Invalid && f.Unique:
		own.Message = "HubSpot does not make this property with unique values; it has ten at most for an object. " + byHand + ", without unique values"
	case own.Kind == connectors.Invalid:
		own.Message = "HubSpot does not make this property; " + byHand
	}
	return &own
}

type wireNewGroup struct {
	Name  string `json:"name"`
	Label string `json:"label"`
}

type wireNewProperty struct {
	Name        string          `json:"name"`
	Label       string          `json:"label"`
	Type        string          `json:"type"`
	FieldType   string          `json:"fieldType"`
	Group       string          `json:"groupName"`
	Description string          `json:"description"`
	Unique      bool            `json:"hasUniqueValue,omitempty"`
	Options     []wireNewOption `json:"options,omitempty"`
}

type wireNewOption struct {
	Label string `json:"label"`
	Value string `json:"value"`
	Order int    `json:"displayOrder"`
}
