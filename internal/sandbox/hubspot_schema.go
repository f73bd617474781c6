package sandbox

import (
	"time"
)

// hsObject is one object type with its properties and records.
type hsObject struct {
	custom   *hsCustom // nil: one of HubSpot's own
	pairs    *[]hsPair // the account's association types
	name     string    // plural, as in paths
	singular string
	typeID   string
	defaults []string // properties of an answer that asked for none
	props    []*hsProperty
	groups   []hsGroup
	byName   map[string]*hsProperty
	records  []*hsRecord // archived ones are taken out
	byID     map[string]*hsRecord
	gone     map[string]*hsRecord // archived, by id
	unique   map[string]map[string]*hsRecord
}

// created and modified are the names of the bookkeeping properties, which differ
// between contacts and everything newer.
func (o *hsObject) created() string {
	if o.name == "contacts" || o.name == "companies" || o.name == "deals" {
		return "createdate"
	}
	return "hs_createdate"
}

func (o *hsObject) modified() string {
	if o.name == "contacts" {
		return "lastmodifieddate"
	}
	return "hs_lastmodifieddate"
}

// hsProperty is a property's definition, as the properties API shows it.
type hsProperty struct {
	Name        string     `json:"name"`
	Label       string     `json:"label"`
	Type        string     `json:"type"`
	FieldType   string     `json:"fieldType"`
	Description string     `json:"description"`
	GroupName   string     `json:"groupName"`
	Options     []hsOption `json:"options"`
	CreatedAt   string     `json:"createdAt"`
	UpdatedAt   string     `json:"updatedAt"`
	Order       int        `json:"displayOrder"`
	Calculated  bool       `json:"calculated"`
	External    bool       `json:"externalOptions"`
	Archived    bool       `json:"archived"`
	Unique      bool       `json:"hasUniqueValue"`
	Hidden      bool       `json:"hidden"`
	Defined     bool       `json:"hubspotDefined,omitempty"`
	FormField   bool       `json:"formField"`
	Sensitivity string     `json:"dataSensitivity"`
	Modify      hsModify   `json:"modificationMetadata"`
}

type hsOption struct {
	Label       string `json:"label"`
	Value       string `json:"value"`
	Description string `json:"description,omitempty"`
	Order       int    `json:"displayOrder"`
	Hidden      bool   `json:"hidden"`
}

type hsModify struct {
	Archivable         bool `json:"archivable"`
	ReadOnlyDefinition bool `json:"readOnlyDefinition"`
	ReadOnlyOptions    bool `json:"readOnlyOptions,omitempty"`
	ReadOnlyValue      bool `json:"readOnlyValue"`
}

type hsGroup struct {
	Name     string `json:"name"`
	Label    string `json:"label"`
	Order    int    `json:"displayOrder"`
	Archived bool   `json:"archived"`
}

func (p *hsProperty) hasOption(value string) bool {
	for _, o := range p.Options {
		if o.Value == value {
			return true
		}
	}
	return false
}

// hsRecord is one record. Values are text, as HubSpot returns them.
type hsRecord struct {
	id       string
	object   *hsObject
	props    map[string]string
	created  time.Time
	updated  time.Time
	archived bool
	links    []hsLink
	versions []hsSnapshot // what search may still show, oldest first
}

type hsLink struct {
	to       *hsRecord
	category string
	typeID   int
}

type hsSnapshot struct {
	from  time.Time
	props map[string]string
}

// public is the record as the introspection paths show it.
func (r *hsRecord) public() Record {
	out := Record{ID: r.id, Fields: map[string]any{}, Links: []Link{}}
	for k, v := range r.props {
		out.Fields[k] = v
	}
	for _, l := range r.links {
		out.Links = append(out.Links, Link{Object: l.to.object.name, ID: l.to.id, Type: itoa(l.typeID)})
	}
	return out
}

// wire is the record as the API shows it, with the properties that were asked for.
func (r *hsRecord) wire(wanted []string) map[string]any {
	props := map[string]any{}
	if len(wanted) == 0 {
		wanted = r.object.defaults
	}
	for _, name := range wanted {
		if r.object.byName[name] == nil {
			continue // unknown names are left out without an error
		}
		if v, ok := r.props[name]; ok {
			props[name] = v
		} else {
			props[name] = nil
		}
	}
	for _, name := range []string{"hs_object_id", r.object.created(), r.object.modified()} {
		props[name] = r.props[name]
	}
	return map[string]any{
		"id": r.id, "properties": props, "archived": r.archived,
		"createdAt": isoTime(r.created), "updatedAt": isoTime(r.updated),
	}
}

// full is the record with all its values, as a write answers it.
func (r *hsRecord) full() map[string]any {
	names := make([]string, 0, len(r.props))
	for name := range r.props {
		names = append(names, name)
	}
	return r.wire(names)
}
