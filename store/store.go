// Package store is the contract of the ledger: what is on disk of events,
// deliveries, links to CRM records and what was last written there. bolt is
// the implementation for one daemon. The suite in storetest holds every
// implementation to the promises written here.
//
// The ledger knows nothing of rules, vendors or CRMs.
package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

// Errors that callers tell apart with errors.Is.
var (
	ErrNotFound = errors.New("not in the ledger")
	ErrClosed   = errors.New("the ledger is closed")
	// ErrFull: the disk is full; nothing of the commit was kept. It goes away
	// by itself when space returns.
	ErrFull = errors.New("no space left for the ledger")
	// ErrBroken: a commit failed in a way that makes the file doubtful. The
	// ledger takes nothing more until it is opened anew.
	ErrBroken = errors.New("the ledger had an input/output error and must be opened anew")
	// ErrLocked: another process has the ledger open.
	ErrLocked = errors.New("another process has the ledger open")
	// ErrCorrupt: a record or the file is damaged.
	ErrCorrupt = errors.New("the ledger is damaged")
	// ErrSchema: the layout of the ledger is not the one that this crmsyncd reads.
	ErrSchema = errors.New("the ledger was written by another version of crmsyncd")
	// ErrKey: the ledger is encrypted, and the key is not given.
	ErrKey = errors.New("the ledger is encrypted, and its key is not given")
)

// Ledger keeps everything. It is safe for concurrent use. Methods that write
// return only after the change is on disk; many callers share one sync. When
// ctx ends first, its error is returned and the change may still be kept.
type Ledger interface {
	// Append keeps an event, unless it is there already under the same
	// delivery id or content key (both per source; the content key also
	// across sources of one vendor). Event.Seq is given by the ledger and counts
	// up from 1. A delivery id is known for at least three days after it was
	// received; a content key until Expire lets go of it, on days next to its
	// OccurredAt or without one.
	Append(ctx context.Context, e Event) (Receipt, error)

	// Unplanned returns events for which Plan was not called yet, in order
	// of Seq, quarantined ones left out. At most limit events and, but for the
	// first, maxBytes of bodies.
	Unplanned(ctx context.Context, limit, maxBytes int) ([]Event, error)
	// Story returns the events of a source that were appended as parts of any
	// of the calls, each once, in order of Seq; of more than limit the newest.
	Story(ctx context.Context, source string, calls []string, limit int) ([]Event, error)
	// Running returns at most limit calls that have not ended, the last of
	// whose events came in before until, those that wait longest first.
	Running(ctx context.Context, source string, until time.Time, limit int) ([]Running, error)
	// StopRunning takes a call out of those running; another event of it that
	// is appended puts it back.
	StopRunning(ctx context.Context, source, call string) error

	// Plan says to which connectors events go; none: no rule wanted it. A
	// delivery that exists already is left as it is, unless the event is being
	// replayed: then it waits again.
	Plan(ctx context.Context, plans []Plan) error

	// Due returns waiting deliveries of a connector that may be tried now,
	// grouped by lane and in order within each: a lane is there only if its
	// first delivery is due, and then with those behind it, as far as limit
	// (deliveries) and maxBytes (of bodies, but for the first delivery)
	// allow. Lanes for which busy returns true are left out. next is when the
	// first of the lanes not returned becomes due; zero if none waits, and
	// not after now if limits cut the answer short. What is due more than
	// LongestWait after now counts as due. Busy lanes do not count for
	// next, and a lane returned ends before its first delivery that is not due.
	// busy is called within a transaction and must not call the ledger.
	Due(ctx context.Context, connector string, now time.Time, busy func(lane string) bool, limit, maxBytes int) (work []Work, next time.Time, err error)
	// Settle keeps the news of deliveries, links and heads of several
	// deliveries in one commit. What a delivery has from its event (Source,
	// Type, Lane, OccurredAt, Rank) and CreatedAt stay as kept. One that was
	// discarded meanwhile stays so unless the news is that it is done. One that
	// was planned again meanwhile, or is to be tried again, goes on waiting,
	// as the news is of how its event read before: Update.Read tells. An
	// unknown delivery is ErrNotFound, and nothing of the call is kept.
	Settle(ctx context.Context, updates []Update) error

	// Links returns the ids of the records known under the keys, "" where
	// none is; one per key, in order.
	Links(ctx context.Context, keys []LinkKey) ([]string, error)
	// Heads returns what was last written to the records; nil where nothing
	// was; one per key, in order.
	Heads(ctx context.Context, keys []RecordKey) ([]Head, error)

	// Event returns one event with its deliveries, or ErrNotFound.
	Event(ctx context.Context, seq uint64) (View, error)
	// Events returns events that pass the filter, newest first.
	Events(ctx context.Context, f EventFilter) ([]View, error)
	// Deliveries returns deliveries that pass the filter, newest event first.
	// Those of one event stay together: an answer may be shorter than Limit
	// though there are more, and longer only if one event alone has more.
	Deliveries(ctx context.Context, f DeliveryFilter) ([]Delivery, error)
	// Replay has events planned again, as if they had just come: all their
	// deliveries wait again. Quarantined events lose their Problem once
	// Requeue says how they parse now. Unknown seqs: ErrNotFound. Deliveries
	// change when Plan names them; of their Records then stay ids and
	// Attempted, so that nothing is made twice, while Action and Note go.
	Replay(ctx context.Context, events []Requeue) error
	// Retry makes dead or waiting deliveries due at once, their attempts
	// counted anew; others are left as they are. changed is how many they were.
	Retry(ctx context.Context, ids []DeliveryID) (changed int, err error)
	// Discard ends deliveries that are not done, with a reason; changed is how
	// many they were.
	Discard(ctx context.Context, ids []DeliveryID, reason string) (changed int, err error)
	// Stats counts; it takes no time that grows with the ledger.
	Stats(ctx context.Context) (Stats, error)
	// Verify reads every record and returns what is damaged; progress may be nil.
	Verify(ctx context.Context, progress func(done, total int)) ([]Damage, error)

	// Secret returns what was kept under a name, or nil if nothing was.
	Secret(ctx context.Context, name string) ([]byte, error)
	// PutSecret keeps a small value, such as a token, under a name in place of
	// the one before; an empty value forgets it. The ledger does not encrypt:
	// the caller seals what nobody who has the file may read.
	PutSecret(ctx context.Context, name string, value []byte) error

	// Mark returns what was kept under a name, or nil if nothing was.
	Mark(ctx context.Context, name string) ([]byte, error)
	// PutMark keeps how far long work has come under a name, in place of what
	// was there; an empty value forgets it. Nothing secret belongs there.
	PutMark(ctx context.Context, name string, value []byte) error
	// Known says of events whether Append would find them duplicates now; it
	// keeps nothing. One answer per event, in order.
	Known(ctx context.Context, events []Event) ([]bool, error)

	Housekeeping
	Runs

	// Close waits for commits under way and marks the file as closed cleanly.
	Close() error
}

// Event is an event as kept: the payload, and what orders and identifies it.
// The common model is parsed from Body again when it is needed.
type Event struct {
	Seq         uint64
	Source      string
	Vendor      string
	Type        event.Type
	Origin      event.Origin
	OccurredAt  time.Time // vendor's clock; ReceivedAt where the vendor gives none
	ReceivedAt  time.Time
	Rank        uint8
	Lane        string // never empty
	DeliveryID  string // the vendor's id of the message, or ""
	ContentKey  string // identity of the occurrence, or ""
	Problem     string // why it is in quarantine, or ""
	ContentType string
	Body        []byte
	// Sense is what Body says where its spelling does not count: two bodies of
	// the same Sense are the same. nil is Body; for Append, as Calls.
	Sense []byte
	// Calls are the ids of the calls that the event is a part of, its own
	// first, and further words by which Story is to find it. Append takes them, and no method gives them back.
	Calls []string
	// Ended says that the first of Calls is over; for Append, as Calls.
	Ended bool
	// Discarded is why a person set the event aside, or "". Append does not
	// take it.
	Discarded string
	// Stripped says that Expire let go of the Body, which is empty now.
	Stripped bool
	// Trace is what the webhook brought of a trace; nil: nothing. See InTrace.
	Trace *event.Trace
}

// ID is the event's id as people see it: evt_ and Seq.
func (e Event) ID() string { return EventID(e.Seq) }

// EventID gives the id of an event by its Seq.
func EventID(seq uint64) string { return "evt_" + strconv.FormatUint(seq, 10) }

// ParseEventID gives the Seq of an id; with or without evt_.
func ParseEventID(id string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(id, "evt_"), 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no event id (they look like evt_17)", id)
	}
	return n, nil
}

// Running is a call that has not ended, as far as the ledger was told.
type Running struct {
	Call string
	Last time.Time // when its last event came in
}

// Receipt is the answer to Append.
type Receipt struct {
	Seq       uint64 // of the event kept, or of the first one if Duplicate
	Duplicate bool   // nothing was kept: the ledger has it already
	// Conflict: the delivery id is known with another body. The event was
	// kept in quarantine.
	Conflict bool
}

// Plan is the connectors that an event goes to.
type Plan struct {
	Seq        uint64
	Connectors []string
}

// LinkKey is a key under which a record of a CRM is known.
type LinkKey struct {
	Connector string
	Object    string
	Field     string // fields of a composed key are joined with +
	Value     string
}

// NewLinkKey is the key of fields that must all have these values.
func NewLinkKey(connector, object string, fields, values []string) LinkKey {
	return LinkKey{Connector: connector, Object: object, Field: strings.Join(fields, "+"), Value: strings.Join(values, "\x1f")}
}

// RecordKey names a record of a CRM.
type RecordKey struct {
	Connector string
	Object    string
	ID        string
}

// Head is what was last written to a record, by field.
type Head map[string]FieldHead

// FieldHead is the version and the value last written to a field.
type FieldHead struct {
	At   time.Time `json:"at"` // OccurredAt of the event
	Rank uint8     `json:"rank,omitempty"`
	Seq  uint64    `json:"seq"`
	Hash uint64    `json:"hash"` // of the value; see the deliverer
}

// Older reports whether version h comes before version o: the vendor's time,
// then rank of state, then the order of arrival.
func (h FieldHead) Older(o FieldHead) bool {
	return cmp.Or(h.At.Compare(o.At), cmp.Compare(h.Rank, o.Rank), cmp.Compare(h.Seq, o.Seq)) < 0
}

// Update is the news of one delivery.
type Update struct {
	Delivery Delivery           // replaces the one kept
	Read     time.Time          // UpdatedAt of the delivery that the news is of; zero: not told
	Links    map[LinkKey]string // ids by key; "" forgets the key
	Heads    map[RecordKey]Head // fields are added to those kept; nil forgets the record
}

// Requeue is an event to be planned again, with what its payload says by
// today's parser.
type Requeue struct {
	Seq        uint64
	Type       event.Type
	OccurredAt time.Time
	Rank       uint8
	Lane       string
	Problem    string // still not understood: it stays in quarantine
}

// View is an event with its state and deliveries.
type View struct {
	Event      Event
	State      State
	Deliveries []Delivery
}

// EventFilter chooses events; zero fields choose all.
type EventFilter struct {
	State  State
	Source string
	Type   event.Type
	Origin event.Origin
	Since  time.Time // received at or after
	Until  time.Time // received before
	Before uint64    // Seq below this, for paging
	Limit  int       // 0: 100
}

// DeliveryFilter chooses deliveries; zero fields choose all.
type DeliveryFilter struct {
	State     State
	Connector string
	Before    uint64 // event's Seq below this, for paging
	Limit     int    // 0: 100
}

// Stats counts what is in the ledger.
type Stats struct {
	Events      uint64
	Quarantined uint64
	Unplanned   uint64
	Connectors  map[string]ConnectorStats
	Bytes       int64 // of the file
}

// ConnectorStats counts the deliveries of one connector.
type ConnectorStats struct {
	Waiting uint64
	Done    uint64
	Dead    uint64
	// OldestWaiting is since when the delivery waits that waits longest: its
	// event's receipt, or when it was replayed or retried last, if later. It is
	// looked for among the first thousand by Seq; zero if none waits.
	OldestWaiting time.Time
}

// Damage is one damaged record.
type Damage struct {
	Bucket string
	Key    string // printable
	What   string
}
