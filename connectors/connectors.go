// Package connectors is the contract between the deliverer and the CRMs: what
// can be asked of an account, how a change is put, and what kinds of errors
// come back. Every CRM has a folder below this one. Policy (when to retry,
// what is dead) is the deliverer's.
package connectors

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

// Connector writes to one CRM account. It is safe for concurrent use and keeps
// no state beyond tokens, limits and cached schemas.
type Connector interface {
	// Describe returns the named objects' fields. Objects that the account
	// does not have are absent from the answer. Answers are cached for minutes.
	Describe(ctx context.Context, objects []string) (Schema, error)

	// Find looks records up by key; one Found per Match, in order. Not found
	// and ambiguous are answers, not errors; the error is for the call as a
	// whole, Found.Err for one Match.
	Find(ctx context.Context, matches []Match) ([]Found, error)

	// Write applies changes; one Result per Change, in order. Partial failure
	// is normal. The changes of one call concern different records; those of
	// the same Lane are applied in their order: behind one that must be tried
	// again none is sent in a later request, but has CodeHeld. The error is for
	// the call as a whole: then no change's outcome is known to have been
	// applied unless its Result says so.
	Write(ctx context.Context, changes []Change) ([]Result, error)
}

// Options is what every connector is given beside its own settings.
type Options struct {
	Name      string         // in config.yaml
	Country   string         // for numbers without country code: ISO 3166 code, such as DE
	Zone      *time.Location // for dates without zone
	Log       *slog.Logger
	UserAgent string
	Vault     Vault // for tokens that change; nil where nothing is to be sent
	// Transport sends requests in place of the network, for tests; nil: the
	// network.
	Transport http.RoundTripper
}

// ID is the name of the field that stands for the CRM's own record id.
const ID = "$id"

// WholeEvent is the name of the field that, in a record for a webhook, stands
// for the whole event: a map that becomes the body.
const WholeEvent = "$event"

// Value is what a field is to hold: string, bool, int, float64, time.Time,
// event.Seconds, []any of those, or nil, which clears the field; in an Open
// object also map[string]any. Connectors make it right for the CRM's type of
// field, or answer Invalid.
type Value = any

// Term is one field that must have one value.
type Term struct {
	Field string
	Value Value
}

// Key is a set of fields that must all match; one Term mostly. The field ID
// stands for the record's id.
type Key []Term

// Match asks for the records of an object by one of several keys.
type Match struct {
	Object string
	Keys   []Key    // tried in this order; the first that finds a record wins
	Read   []string // fields whose current values are wanted
}

// Found is the answer to a Match.
type Found struct {
	Records []Record // none: not found; several: ambiguous
	Key     int      // index of the key that found them
	Err     *Error
}

// Record is a record as the CRM has it.
type Record struct {
	ID       string
	Modified time.Time        // zero if the CRM does not say
	Created  time.Time        // zero if the CRM does not say
	Fields   map[string]Value // those asked for; absent if empty in the CRM
}

// Change is one record to be written.
type Change struct {
	Object string
	ID     string // of a known record: update it
	// Key is used where ID is empty. Of a field with Upsert: update the record
	// that it finds, else create one. Of others, or empty: create.
	Key    Key
	Fields map[string]Value // includes the key's fields, never ID
	Links  []Link           // to be there afterwards; links that exist stay
	// New: the fields are right for a record that is made now. One that is there
	// already, though no key found it, is not updated but told of as a Conflict.
	New  bool
	Lane string // the contact concerned; "" has no order to keep
	// Attempted is when an earlier attempt at this very change began whose
	// outcome is not known; zero if there was none. Write then makes sure
	// that the record is not made twice: it looks before it creates.
	Attempted time.Time
	// Others, where set, tells of a record that another change has made: it is not
	// what the earlier attempt at this one made, however equal it is.
	Others func(id string) bool
	// Idempotency names this record of this event: the same over attempts,
	// restarts, replays and restored backups, different for any other; ASCII without dots. ""
	// where the change comes from no event.
	Idempotency string
	// Traces are those of the events that the change comes from. Carrying has
	// requests pass them on.
	Traces []event.Trace
	// Told, where set, may be given the Result of a change that was applied in
	// full as soon as that is known, before Write returns the same: what is told
	// can be kept while the rest is under way. It is called at most once, from
	// any goroutine, and does not block.
	Told func(Result)
}

// OfOther reports whether Others is set and knows the record.
func (c *Change) OfOther(id string) bool { return c.Others != nil && c.Others(id) }

// Tell gives a Result that is final to Told, where it is set and nothing went
// wrong.
func (c *Change) Tell(r *Result) {
	if c.Told != nil && r.Err == nil && r.ID != "" {
		c.Told(*r)
	}
}

// Link ties the changed record to another one.
type Link struct {
	Object string // of the other record
	ID     string // of the other record
	Field  string // where the CRM links through a field: its name; else ""
	Type   string // label of the association; "" is the CRM's default
}

// Result is the answer to a Change.
type Result struct {
	ID      string // of the record; also set beside Err if the record was written but, say, a link was not
	Created bool
	URL     string // for people, if the CRM has one
	// Fields holds the written fields' values as Find would return them now,
	// where the CRM answers them; else nil.
	Fields map[string]Value
	// Adjusted names fields whose value was shortened or otherwise made to
	// fit, each with what was done.
	Adjusted map[string]string
	// Skipped names fields that were not written, as their value is nothing that
	// the CRM's field holds: what is there stays.
	Skipped []string
	Err     *Error
}

// Adjust notes what was done to a field's value to make it fit; "" is nothing.
func (r *Result) Adjust(field, note string) {
	if note == "" {
		return
	}
	if r.Adjusted == nil {
		r.Adjusted = map[string]string{}
	}
	r.Adjusted[field] = note
}

// Schema holds objects by name.
type Schema map[string]Object

// Object is one kind of record.
type Object struct {
	Name   string // as rules and the API use it
	Label  string
	Fields map[string]Field // by the name that rules use
	Open   bool             // takes any field; Fields names none of them
}

// Field returns the field of a name, or of an ID where rules name fields so.
func (o Object) Field(name string) (Field, bool) {
	if f, ok := o.Fields[name]; ok {
		return f, true
	}
	for _, f := range o.Fields {
		if f.ID != "" && f.ID == name {
			return f, true
		}
	}
	return Field{}, false
}

// FieldType is what a CRM field holds, in words common to all CRMs.
type FieldType string

// The types of CRM fields.
const (
	Text        FieldType = "text"
	LongText    FieldType = "long text"
	HTML        FieldType = "html"
	Number      FieldType = "number"
	Boolean     FieldType = "true/false"
	Date        FieldType = "date"
	DateTime    FieldType = "date and time"
	Duration    FieldType = "duration"
	Select      FieldType = "one option"
	MultiSelect FieldType = "several options"
	Email       FieldType = "e-mail"
	Phone       FieldType = "phone"
	URL         FieldType = "link"
	Reference   FieldType = "linked records"
	Other       FieldType = "other"
)

// Field describes one CRM field.
type Field struct {
	Name      string // as rules use it
	ID        string // as the API uses it, if it differs
	Label     string
	Type      FieldType
	Native    string   // the vendor's word for the type
	Options   []Option // of selects
	MaxLength int      // characters; 0: not known
	ReadOnly  bool
	Unique    bool // the CRM itself refuses a second record with the same value
	// Upsert: a Change whose Key is this one field finds or makes the record
	// in one step. For other keys, Find must have said that there is none, or
	// Write makes a second record.
	Upsert bool
	Unit   string // of durations: "ms", "s"
	Target string // of references: the object linked to
}

// Option is one choice of a select.
type Option struct {
	Value string // as the API wants it
	Label string // as people see it
}
