package mapping

import (
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/diag"
)

// Plan is what the rules want one connector to hold because of one event.
type Plan struct {
	Records []Record // in the order of rules and of records within each
}

// Record is one record that a rule wants to exist.
type Record struct {
	Rule   string   // name of the rule
	Pos    diag.Pos // of the record in the mapping
	Step   string   // stable name of the record within the plan: rule/record, for markers and progress
	Object string
	As     string // name for links; the object unless `as:` says otherwise

	// Keys are those match alternatives of which every field has a value, in
	// the rule's order. Fields named $id appear as connectors.ID.
	Keys []connectors.Key
	// Skip says why the record must not be written (every match field is
	// missing, say); "" if it is to be written.
	Skip string
	// Shadow says that nothing is to be written: it is only to be found out what
	// would be.
	Shadow bool
	Create Create
	OnMany OnMany
	// OnMissing says what a reconcile run does where the record is gone.
	OnMissing OnMissing
	Fields    []Field // without $id, in the rule's order; missing values left out
	Links     []Link
}

// Create says whether a record may be made.
type Create string

// The values of `create:`.
const (
	CreateMissing Create = "missing" // default: where no key finds one
	CreateNever   Create = "never"   // create: false
	CreateAlways  Create = "always"  // also where every match field is missing
)

// OnMany says what to do where a key finds several records.
type OnMany string

// The values of `on_many:`; the default is to stop and report both ids.
const (
	ManyStop   OnMany = ""
	ManyNewest OnMany = "newest" // the one modified last
	ManyOldest OnMany = "oldest" // the one created first
	ManyAll    OnMany = "all"    // write to each
)

// If says when a field is written.
type If string

// The values of `if:` on a field.
const (
	IfAlways  If = "always"
	IfEmpty   If = "empty"   // only where the CRM has nothing
	IfChanged If = "changed" // only where we wrote the value that stands there now
)

// Field is one field to be written.
type Field struct {
	Name  string
	Value connectors.Value // nil clears
	If    If
	Pos   diag.Pos
	// OnEdit says what a reconcile run does where a person changed it.
	OnEdit OnEdit
}

// Link ties the record to an earlier record of the same rule. That record may
// be skipped; then the deliverer drops the link and says so.
type Link struct {
	To    int    // index into Plan.Records
	Field string // of a connector that links through a field; "" otherwise
	Type  string // label of the association; "" is the default
}
