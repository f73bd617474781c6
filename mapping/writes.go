package mapping

import (
	"strings"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Write is one record that a rule writes, as far as the file tells it: what a
// CRM account must have for the rule to work.
type Write struct {
	Rule   string
	To     string // the connector
	Object string
	At     Place // of the object's name
	Create Create
	Match  [][]MatchField // alternatives; of each, all must match
	Fields []WrittenField // among them $id, which is never written
	Links  []WrittenLink
}

// MatchField is a field that a record is found by.
type MatchField struct {
	Name string
	At   Place
}

// WrittenField is a field with what the file tells of its values.
type WrittenField struct {
	Name  string
	At    Place  // of the field's name
	Value Place  // of its formula or text
	Kinds []Kind // that the value can have; none: it is always missing
	// Values are those that are known beforehand: constants, entries of tables,
	// the words of a path. Closed says that there are no others.
	Values []KnownValue
	Closed bool
	Path   string // of the model, where the formula is nothing but a path or its phone(…)
	Long   bool   // a text of several lines
}

// KnownValue is a value that a formula can give.
type KnownValue struct {
	Value connectors.Value
	At    Place
	Table string // whose entry it is
	Path  string // of the model, one of whose words it is: whether it ever comes depends on the sender
}

// WrittenLink is a link to another record of the rule.
type WrittenLink struct {
	Object string // of the other record
	Field  string
	Type   string
	At     Place
}

// Kind is a kind of values, in words.
type Kind string

// The kinds of values that a field can be given.
const (
	KindText     Kind = "text"
	KindNumber   Kind = "a number"
	KindBool     Kind = "true or false"
	KindTime     Kind = "a time"
	KindDuration Kind = "a duration"
	KindList     Kind = "a list"
	KindMap      Kind = "a set of named values"
)

// Place is a part of the file, for problems found later than by Read.
type Place struct {
	node   *diag.Node
	offset int // characters within the node's value; of a part of it only
	width  int // 0: the node as a whole
}

// Problem is a problem there.
func (p Place) Problem(message, hint string) diag.Problem {
	switch {
	case p.node == nil:
		return diag.Problem{Message: message, Hint: hint}
	case p.width > 0:
		return p.node.ProblemAt(p.offset, p.width, message, hint)
	}
	return p.node.Problem(message, hint)
}

// String gives file:line:column.
func (p Place) String() string {
	if p.node == nil {
		return ""
	}
	return p.Problem("", "").Pos.String()
}

// Writes tells what the rules write, in the order of the files. Rules that are
// switched off and records for webhooks are left out.
func (r *Rules) Writes() []Write {
	var out []Write
	for _, u := range r.rules {
		if u.off {
			continue
		}
		for _, rec := range u.records {
			if !rec.posted && rec.node != nil {
				out = append(out, r.write(u, rec))
			}
		}
	}
	return out
}

func (r *Rules) write(u *rule, rec *record) Write {
	w := Write{Rule: u.name, To: u.to, Object: rec.object, At: Place{node: rec.node}, Create: rec.create, Match: matchFields(rec.node.Get("match"))}
	if n := rec.node.Get("object"); n != nil {
		w.At.node = n
	}
	k := knower{tables: r.tables, on: u.on}
	written := rec.node.Get("fields")
	for _, f := range rec.fields {
		field := WrittenField{Name: f.name, Value: Place{node: f.value.node}}
		for _, p := range written.Pairs {
			if p.Key.Value == f.name {
				field.At = Place{node: p.Key}
			}
		}
		for _, n := range kindNames {
			if f.value.kinds&n.kind != 0 {
				field.Kinds = append(field.Kinds, Kind(n.name))
			}
		}
		k.know(&field, f.value)
		w.Fields = append(w.Fields, field)
	}
	for _, l := range rec.links {
		w.Links = append(w.Links, WrittenLink{Object: u.records[l.to].object, Field: l.field, Type: l.label, At: Place{node: l.node}})
	}
	return w
}

func matchFields(n *diag.Node) [][]MatchField {
	if n == nil {
		return nil
	}
	items := func(n *diag.Node) []*diag.Node {
		if n.Shape == diag.Sequence {
			return n.Items
		}
		return []*diag.Node{n}
	}
	var out [][]MatchField
	for _, alternative := range items(n) {
		var names []MatchField
		for _, word := range items(alternative) {
			names = append(names, MatchField{Name: word.Value, At: Place{node: word}})
		}
		out = append(out, names)
	}
	return out
}

func severalLines(n *diag.Node) bool {
	return n != nil && n.Block && strings.Contains(strings.TrimRight(n.Value, " \n"), "\n")
}
