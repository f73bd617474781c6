package mapping

import (
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// File is one text with rules.
type File struct {
	Name string
	Text []byte
}

// Options is what the settings say about names that rules use.
type Options struct {
	Sources    []string                    // names in config.yaml; nil: not checked
	Vendors    map[string]string           // types of sources by name, for hints
	Says       map[string]event.Vocabulary // by source; one that is not here may send anything
	Connectors map[string]string           // type by name; nil: not checked
	Country    string                      // of numbers without country code, such as DE; "": phone() wants +49…
	Zone       *time.Location              // of times without a zone, and of times written as text; nil: nobody has said it, and it is UTC
}

// Rules are the rules of one or several files. They are safe for concurrent use.
type Rules struct {
	rules   []*rule
	tables  map[string]*table
	byType  map[event.Type][]*rule
	zone    *time.Location
	country string
}

// The words of a rule's mode:.
const (
	modeLive   = "live"
	modeShadow = "shadow"
)

var modes = []string{modeLive, modeShadow}

type rule struct {
	name        string
	pos         diag.Pos
	description string
	off         bool // enabled: false
	on          []event.Type
	from        []string // none: any source
	when        *formula // nil: always
	to          string
	shadow      bool // mode: shadow
	onEdit      OnEdit
	onMissing   OnMissing
	records     []*record
}

type record struct {
	object  string
	as      string
	step    string
	pos     diag.Pos
	node    *diag.Node
	posted  bool       // to a webhook: nothing is looked up, and fields may be groups of values
	match   [][]string // alternatives; of each, all fields must match
	finders [][]int    // the same, as places among the fields
	create  Create
	onMany  OnMany
	fields  []*field
	links   []link
}

type field struct {
	name  string
	pos   diag.Pos
	value *formula
	when  If
	clear bool       // missing: clear
	node  *diag.Node // value and options as written
	edits OnEdit
}

type link struct {
	to    int // index of the record within the rule
	field string
	label string
	node  *diag.Node
}

// RuleInfo describes a rule for those who need its names but not its values:
// checking against a CRM, schemas, listings.
type RuleInfo struct {
	Name        string       `json:"name"`
	Description string       `json:"description,omitempty"`
	Pos         string       `json:"pos"`
	Enabled     bool         `json:"enabled"`
	On          []event.Type `json:"on"`
	From        []string     `json:"from,omitempty"` // none: any source
	When        string       `json:"when,omitempty"` // as written
	To          string       `json:"to"`
	Shadow      bool         `json:"shadow,omitempty"` // mode: shadow
	Objects     []ObjectInfo `json:"records"`
}

// ObjectInfo describes a record of a rule.
type ObjectInfo struct {
	Object string      `json:"object"`
	As     string      `json:"as"`
	Pos    diag.Pos    `json:"-"`
	Match  [][]string  `json:"match,omitempty"` // alternatives; of each, all must match
	Create Create      `json:"create"`
	Fields []FieldInfo `json:"fields"`
	Links  []LinkInfo  `json:"links,omitempty"`
}

// FieldInfo describes a field that a record writes or, for $id, is matched on.
type FieldInfo struct {
	Name   string   `json:"name"`
	Pos    diag.Pos `json:"-"`
	Source string   `json:"source"` // as written
	Kind   string   `json:"kind"`   // what kind of value it gives, in words
	If     If       `json:"if"`
}

// LinkInfo describes a link to an earlier record of the same rule.
type LinkInfo struct {
	Object string   `json:"object"` // of the other record
	As     string   `json:"as"`     // name of the other record
	Field  string   `json:"field,omitempty"`
	Type   string   `json:"type,omitempty"`
	Pos    diag.Pos `json:"-"`
}

// Rules describes every rule, in the order of the files.
func (r *Rules) Rules() []RuleInfo {
	infos := make([]RuleInfo, 0, len(r.rules))
	for _, u := range r.rules {
		info := RuleInfo{Name: u.name, Description: u.description, Pos: u.pos.String(), Enabled: !u.off, On: u.on, From: u.from, To: u.to, Shadow: u.shadow}
		if u.when != nil {
			info.When = u.when.source
		}
		for _, rec := range u.records {
			o := ObjectInfo{Object: rec.object, As: rec.as, Pos: rec.pos, Match: rec.match, Create: rec.create}
			for _, f := range rec.fields {
				o.Fields = append(o.Fields, FieldInfo{Name: f.name, Pos: f.pos, Source: f.value.source, Kind: f.value.kinds.String(), If: f.when})
			}
			for _, l := range rec.links {
				to := u.records[l.to]
				o.Links = append(o.Links, LinkInfo{Object: to.object, As: to.as, Field: l.field, Type: l.label, Pos: l.node.Pos()})
			}
			info.Objects = append(info.Objects, o)
		}
		infos = append(infos, info)
	}
	return infos
}
