package store

import (
	"fmt"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

// State is where a delivery stands.
type State string

// The states of a delivery.
const (
	Waiting   State = "waiting"
	Done      State = "done"
	Dead      State = "dead"
	Discarded State = "discarded" // of an event too: a person set it aside
)

// The further states of an event. An event with deliveries is waiting if one
// of them is, else dead if one is, else done (discarded ones do not count).
const (
	Unmatched   State = "unmatched"   // no rule wanted it
	Quarantined State = "quarantined" // authentic, but not understood
)

// LongestWait is the longest wait that a delivery may have. One whose Due is
// further from now was settled while the clock was wrong, and is due.
const LongestWait = 24 * time.Hour

// DeliveryID names a delivery: one event on its way to one connector.
type DeliveryID struct {
	Seq       uint64
	Connector string
}

// String gives the id as people see it, such as evt_17.hubspot.
func (id DeliveryID) String() string { return EventID(id.Seq) + "." + id.Connector }

// ParseDeliveryID reads what String gives.
func ParseDeliveryID(s string) (DeliveryID, error) {
	ev, connector, ok := strings.Cut(s, ".")
	if !ok || connector == "" {
		return DeliveryID{}, fmt.Errorf("%q is no delivery id (they look like evt_17.hubspot)", s)
	}
	seq, err := ParseEventID(ev)
	return DeliveryID{seq, connector}, err
}

// Delivery is one event on its way to one connector.
type Delivery struct {
	ID         DeliveryID
	State      State
	Source     string
	Type       event.Type
	Lane       string
	OccurredAt time.Time
	Rank       uint8
	Attempts   int       // that counted against it
	Due        time.Time // of a waiting one: not before
	Kind       string    // kind of the last error, or ""
	Reason     string    // for people: why it waits, is dead or was discarded
	Records    []Record  // by step: what became of each record so far
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Record is what became of one record of a delivery.
type Record struct {
	Rule   string `json:"rule"`
	Object string `json:"object"`
	ID     string `json:"id,omitempty"`
	URL    string `json:"url,omitempty"`
	// Action is created, updated, unchanged or skipped; "" while it is not done.
	// In shadow mode it is one of the Would… instead, and ID, URL and Attempted are
	// those of an earlier, real delivery.
	Action string `json:"action,omitempty"`
	Note   string `json:"note,omitempty"` // for people: why it was skipped, what was shortened
	// Attempted is when an attempt to create it began whose outcome is not
	// known; zero otherwise.
	Attempted time.Time `json:"attempted,omitzero"`
	// Changes are, in shadow mode, the fields that would be written. They hold
	// values; Expire lets go of them with the payload.
	Changes []Change `json:"changes,omitempty"`
	// Call is the id of the event's call when ID and Attempted came to be: by
	// what came later, the event may belong to another one.
	Call string `json:"-"`
}

// What a delivery in shadow mode would have done to a record.
const (
	WouldCreate = "would create"
	WouldUpdate = "would update"
	WouldKeep   = "would leave as it is"
	WouldFail   = "would fail" // the Note says why
)

// Shadow is true for a record that was not written because its rule or its
// connector is in shadow mode.
func (r Record) Shadow() bool { return strings.HasPrefix(r.Action, "would ") }

// Change is one field that would be written, with values as people read them,
// shortened where they are long.
type Change struct {
	Field  string `json:"field"`
	Before string `json:"before,omitempty"` // "": nothing is there, or nothing is known of it
	After  string `json:"after,omitempty"`  // "": it would be emptied
}

// Work is a delivery with its event.
type Work struct {
	Delivery Delivery
	Event    Event
	// Queued is since when the delivery waits: when it was planned, or replayed
	// or retried last.
	Queued time.Time
}
