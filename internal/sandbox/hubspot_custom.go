package sandbox

import (
	"net/http"
	"time"
)

// hsCustom is what an account's own object has beside HubSpot's: it is named by
// its type id or its full name in paths, never by its short name or label.
type hsCustom struct {
	short            string
	singular, plural string // labels
}

const hsRoofProperties = `
roof_name string
roof_id string unique custom
area_sqm number custom
hubspot_owner_id enumeration/select external
hs_createdate datetime ro
hs_lastmodifieddate datetime calc
hs_object_id number ro unique
`

// hsRoofs is the account's custom object.
func hsRoofs(now time.Time) *hsObject {
	o := hsNewObject(now, "p4711_roofs", "p4711_roofs", "2-4711001", "roofs_information", hsRoofProperties, "roof_name")
	o.custom = &hsCustom{short: "roofs", singular: "Roof", plural: "Roofs"}
	return o
}

// hsCustomPairs are the associations of the custom object: also those without
// a label are the account's own.
var hsCustomPairs = []hsPair{
	{from: "p4711_roofs", to: "contacts", id: 31, reverse: 32, user: true},
	{from: "calls", to: "p4711_roofs", id: 33, reverse: 34, user: true},
}

// hsSchemaPath tells the paths of the schemas API, whose area has two names.
func hsSchemaPath(s []string) (rest []string, ok bool) {
	switch {
	case len(s) >= 3 && s[0] == "crm-object-schemas" && (s[1] == hsVersion || s[1] == "v3") && s[2] == "schemas":
		return s[3:], true
	case len(s) >= 3 && s[0] == "crm" && s[1] == "v3" && s[2] == "schemas":
		return s[3:], true
	}
	return nil, false
}

// schemaPaths lists the account's own objects, or shows one.
func (h *hubspot) schemaPaths(c *call, rest []string) answer {
	if c.method != http.MethodGet {
		return hsWrongMethod().answer()
	}
	switch len(rest) {
	case 0:
		results := []any{}
		for _, o := range h.objects {
			if o.custom != nil {
				results = append(results, o.schema())
			}
		}
		return jsonAnswer(http.StatusOK, map[string]any{"results": results})
	case 1:
		o := h.object(rest[0])
		if o == nil || o.custom == nil {
			return hsNoObjectType(rest[0]).answer()
		}
		return jsonAnswer(http.StatusOK, o.schema())
	}
	return hsNotFoundPath().answer()
}

func (o *hsObject) schema() map[string]any {
	return map[string]any{
		"id": o.typeID[2:], "objectTypeId": o.typeID, "fullyQualifiedName": o.name, "name": o.custom.short,
		"labels":                 map[string]string{"singular": o.custom.singular, "plural": o.custom.plural},
		"primaryDisplayProperty": o.props[0].Name, "requiredProperties": []string{}, "searchableProperties": []string{},
		"properties": o.props, "associations": []any{}, "archived": false,
	}
}

// createLabel adds an association type of the account's own.
func (h *hubspot) createLabel(c *call, from, to *hsObject) answer {
	var in struct {
		Label   string `json:"label"`
		Name    string `json:"name"`
		Inverse string `json:"inverseLabel"`
	}
	if e := hsDecode(c, &in); e != nil {
		return e.answer()
	}
	if in.Label == "" || in.Name == "" {
		return hsInvalid("label and name are required").answer()
	}
	id := 100 + 2*len(h.pairs)
	p := hsPair{from: from.name, to: to.name, id: id, reverse: id + 1, user: true, label: in.Label, back: in.Inverse}
	if in.Inverse == "" { // the same label in both directions
		p.back = in.Label
	}
	h.pairs = append(h.pairs, p)
	back := hsPair{id: p.reverse, user: true, label: p.back}
	return jsonAnswer(http.StatusOK, map[string]any{"results": []any{p.shown(), back.shown()}})
}
