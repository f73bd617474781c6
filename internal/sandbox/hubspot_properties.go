package sandbox

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// hsMaxUnique is how many properties of one object may be unique (reported, 2026-11).
const hsMaxUnique = 10

var hsPropertyName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,99}$`)

// hsFieldTypes says which fieldType fits which type (properties guide, 2026-11).
var hsFieldTypes = map[string][]string{
	"bool":        {"booleancheckbox", "calculation_equation"},
	"enumeration": {"booleancheckbox", "checkbox", "radio", "select", "calculation_equation"},
	"date":        {"date"},
	"datetime":    {"date"},
	"string":      {"file", "text", "textarea", "html", "phonenumber", "calculation_equation"},
	"number":      {"number", "calculation_equation"},
}

// hsPropertyInput is what may be sent to create or change a property.
type hsPropertyInput struct {
	Name        string      `json:"name"`
	Label       *string     `json:"label"`
	Type        string      `json:"type"`
	FieldType   string      `json:"fieldType"`
	GroupName   string      `json:"groupName"`
	Description *string     `json:"description"`
	Options     *[]hsOption `json:"options"`
	Order       *int        `json:"displayOrder"`
	Unique      bool        `json:"hasUniqueValue"`
	Hidden      *bool       `json:"hidden"`
	FormField   *bool       `json:"formField"`
	External    bool        `json:"externalOptions"`
	Sensitivity string      `json:"dataSensitivity"`
	Referenced  any         `json:"referencedObjectType"`
	Formula     any         `json:"calculationFormula"`
	NumberHint  any         `json:"numberDisplayHint"`
	TextHint    any         `json:"textDisplayHint"`
	Currency    any         `json:"showCurrencySymbol"`
	CurrencyOf  any         `json:"currencyPropertyName"`
}

// propertyPaths serves /crm/properties/2026-09/{object}… and its v3 twin.
func (h *hubspot) propertyPaths(c *call, rest []string) answer {
	o := h.object(rest[0])
	if o == nil {
		return hsNoObjectType(rest[0]).answer()
	}
	switch route := c.method + " " + strings.Join(rest[1:], "/"); {
	case route == "GET ":
		return jsonAnswer(http.StatusOK, map[string]any{"results": o.props})
	case route == "POST ":
		return h.createProperty(c, o)
	case route == "GET groups":
		return jsonAnswer(http.StatusOK, map[string]any{"results": o.groups})
	case route == "POST groups":
		return o.createGroup(c)
	case len(rest) == 3 && rest[1] == "groups" && c.method == http.MethodGet:
		for _, g := range o.groups {
			if g.Name == rest[2] {
				return jsonAnswer(http.StatusOK, g)
			}
		}
		return hsErr(http.StatusNotFound, "OBJECT_NOT_FOUND", "Property group %q does not exist", rest[2]).answer()
	case len(rest) != 2:
		return hsNotFoundPath().answer()
	}
	p := o.byName[rest[1]]
	if p == nil {
		return hsErr(http.StatusNotFound, "OBJECT_NOT_FOUND", "Property %q does not exist", rest[1]).answer()
	}
	switch c.method {
	case http.MethodGet:
		return jsonAnswer(http.StatusOK, p)
	case http.MethodPatch:
		return changeProperty(c, o, p)
	case http.MethodDelete:
		if !p.Modify.Archivable {
			return hsInvalid("Property %q is HubSpot's own and cannot be archived", p.Name).answer()
		}
		o.dropProperty(p)
		return answer{status: http.StatusNoContent}
	default:
		return hsWrongMethod().answer()
	}
}

func (h *hubspot) createProperty(c *call, o *hsObject) answer {
	var in hsPropertyInput
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	if e := o.checkNewProperty(in); e != nil {
		return e.answer()
	}
	at := isoTime(c.now)
	p := &hsProperty{
		Name: in.Name, Label: *in.Label, Type: in.Type, FieldType: in.FieldType, GroupName: in.GroupName,
		Options: []hsOption{}, CreatedAt: at, UpdatedAt: at, Order: -1, Unique: in.Unique,
		Sensitivity: "non_sensitive", Modify: hsModify{Archivable: true},
	}
	in.apply(p)
	o.addProperty(p)
	return jsonAnswer(http.StatusCreated, p)
}

func (o *hsObject) checkNewProperty(in hsPropertyInput) *hsError {
	if in.Name == "" || in.Label == nil || in.Type == "" || in.FieldType == "" || in.GroupName == "" {
		return hsInvalid("name, label, type, fieldType and groupName are required")
	}
	if !hsPropertyName.MatchString(in.Name) {
		return hsInvalid("Property name %q must be lower case letters, digits and underscores, and begin with a letter", in.Name)
	}
	if o.byName[in.Name] != nil {
		e := hsErr(http.StatusConflict, "OBJECT_ALREADY_EXISTS", "A property named '%s' already exists.", in.Name)
		e.sub = "Properties.PROPERTY_EXISTS"
		return e
	}
	if fields := hsFieldTypes[in.Type]; !slices.Contains(fields, in.FieldType) {
		return hsInvalid("type %q does not go with fieldType %q", in.Type, in.FieldType)
	}
	if !slices.ContainsFunc(o.groups, func(g hsGroup) bool { return g.Name == in.GroupName }) {
		return hsInvalid("Property group %q does not exist", in.GroupName)
	}
	if in.Unique {
		n := 0
		for _, p := range o.props {
			if p.Unique && !p.Defined {
				n++
			}
		}
		if n >= hsMaxUnique {
			return hsInvalid("%s already has %d properties with unique values, which is the most", o.name, hsMaxUnique)
		}
		if in.Type != "string" && in.Type != "number" {
			return hsInvalid("hasUniqueValue goes with text and numbers only")
		}
	}
	return checkOptions(in)
}

func checkOptions(in hsPropertyInput) *hsError {
	if in.Options == nil {
		return nil
	}
	seen := map[string]bool{}
	for _, option := range *in.Options {
		if option.Label == "" || seen[option.Value] {
			return hsInvalid("Every option needs a label and a value of its own")
		}
		seen[option.Value] = true
	}
	return nil
}

// apply sets what was sent of the things that may change later too.
func (in hsPropertyInput) apply(p *hsProperty) {
	if in.Label != nil {
		p.Label = *in.Label
	}
	if in.Description != nil {
		p.Description = *in.Description
	}
	if in.Options != nil {
		p.Options = *in.Options
	}
	if in.Order != nil {
		p.Order = *in.Order
	}
	if in.Hidden != nil {
		p.Hidden = *in.Hidden
	}
	if in.FormField != nil {
		p.FormField = *in.FormField
	}
}

func changeProperty(c *call, o *hsObject, p *hsProperty) answer {
	var in hsPropertyInput
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	if e := checkOptions(in); e != nil {
		return e.answer()
	}
	if in.Name != "" || in.Unique {
		return hsInvalid("name and hasUniqueValue cannot be changed").answer()
	}
	if in.Type != "" && in.Type != p.Type && len(o.records) > 0 {
		return hsInvalid("The type of %q cannot be changed any more", p.Name).answer()
	}
	p.Type, p.FieldType = orElse(in.Type, p.Type), orElse(in.FieldType, p.FieldType)
	p.GroupName = orElse(in.GroupName, p.GroupName)
	in.apply(p)
	p.UpdatedAt = isoTime(c.now)
	return jsonAnswer(http.StatusOK, p)
}

func (o *hsObject) dropProperty(p *hsProperty) {
	delete(o.byName, p.Name)
	delete(o.unique, p.Name)
	o.props = slices.DeleteFunc(o.props, func(other *hsProperty) bool { return other == p })
	for _, r := range o.records {
		delete(r.props, p.Name)
	}
}

func (o *hsObject) createGroup(c *call) answer {
	var in struct {
		Name  string `json:"name"`
		Label string `json:"label"`
		Order int    `json:"displayOrder"`
	}
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	if in.Name == "" || in.Label == "" {
		return hsInvalid("name and label are required").answer()
	}
	if slices.ContainsFunc(o.groups, func(g hsGroup) bool { return g.Name == in.Name }) {
		return hsErr(http.StatusConflict, "OBJECT_ALREADY_EXISTS", "A property group named '%s' already exists.", in.Name).answer()
	}
	g := hsGroup{Name: in.Name, Label: in.Label, Order: in.Order}
	o.groups = append(o.groups, g)
	return jsonAnswer(http.StatusCreated, g)
}
