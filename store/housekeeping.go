package store

import (
	"context"
	"io"
	"sync/atomic"
	"time"
)

// Housekeeping is what a ledger needs and lets people do beside carrying
// events: letting go of what is old, forgetting a person, and an account of
// who did what.
type Housekeeping interface {
	// Expire deletes what r lets go of by now, at most limit events at a time,
	// and of the rest the payloads that r lets go of. What waits stays. Of a
	// deleted event its content key stays known for r.Identity by its
	// OccurredAt; without an OccurredAt of the vendor's it may go with the
	// event. Links and heads stay. Expired.Over says that a round is over: the next
	// call begins anew.
	Expire(ctx context.Context, now time.Time, r Retention, limit int) (Expired, error)
	// Erase deletes events with their deliveries, whatever their state,
	// forgets links and heads, and takes the reasons out of entries of the
	// audit trail, of deliveries and of events that were set aside. The ids of the events stay known as hashes, so that a
	// vendor's retry does not bring them back. Unknown ones are passed over.
	Erase(ctx context.Context, e Erasure) (Erased, error)
	// DiscardEvents sets aside events that are in quarantine or that no rule
	// wanted, with a reason; a replay brings them back. Others are left as they
	// are; changed is how many were not. Unknown ones are ErrNotFound, and nothing
	// of the call is kept.
	DiscardEvents(ctx context.Context, seqs []uint64, reason string) (changed int, err error)

	// KeepAudit adds an entry to the audit trail; ID is given by the ledger and
	// counts up from 1. See also WithAudit.
	KeepAudit(ctx context.Context, a Audit) error
	// Audits returns entries of the audit trail, newest first.
	Audits(ctx context.Context, f AuditFilter) ([]Audit, error)
}

// File is what a ledger that is one file can do beside.
type File interface {
	// Snapshot writes a consistent copy of the file to w while the ledger is
	// used, and returns its length in bytes. size, which may be nil, is told
	// the length before the first byte.
	Snapshot(ctx context.Context, w io.Writer, size func(int64)) (int64, error)
	// Compact writes what is live into a new file and puts that in the place
	// of the old one while the ledger is used. With overwrite the old file is
	// overwritten with zeros before it is let go. Records are encrypted with the
	// first key that the ledger was opened with, or not at all without one.
	// progress may be nil.
	Compact(ctx context.Context, overwrite bool, progress func(done, total int)) (Compacted, error)
}

// Compacted is what Compact did.
type Compacted struct {
	Before int64         `json:"before"` // length of the file, in bytes
	After  int64         `json:"after"`
	Pause  time.Duration `json:"pause"` // for which writes waited
	// Encrypted says that what is known of people is encrypted in the new file,
	// all of it with the first of the keys.
	Encrypted bool `json:"encrypted"`
	// Damaged is how many records could not be read; they were copied as they are.
	Damaged int `json:"damaged"`
}

// Retention says how long events are kept after they came in and the last of
// their deliveries changed; 0 is for ever.
type Retention struct {
	Done        time.Duration // all their deliveries are done
	Unmatched   time.Duration // no rule wanted them
	Discarded   time.Duration // a person set them aside, or all their deliveries
	Dead        time.Duration // a delivery is dead
	Quarantined time.Duration
	// Payloads is how long the payload of an event that is done stays.
	Payloads time.Duration
	// Identity is how long a content key is known, counted from the day on
	// which the event occurred.
	Identity time.Duration
}

// Of says how long an event is kept, and from when on. 0 is for ever.
func (r Retention) Of(v View) (keep time.Duration, since time.Time) {
	since = v.Event.ReceivedAt
	discarded := len(v.Deliveries) > 0
	for _, d := range v.Deliveries {
		if d.UpdatedAt.After(since) {
			since = d.UpdatedAt
		}
		discarded = discarded && d.State == Discarded
	}
	switch v.State {
	case Done:
		if discarded {
			return r.Discarded, since
		}
		return r.Done, since
	case Dead:
		return r.Dead, since
	case Discarded:
		return r.Discarded, since
	case Unmatched:
		return r.Unmatched, since
	case Quarantined:
		return r.Quarantined, since
	case Waiting:
	}
	return 0, since
}

// Expired is what a call of Expire did.
type Expired struct {
	Events   int // deleted
	Payloads int // deleted, the event stays
	IDs      int // hashes of ids that are not known any more
	Over     bool
}

// Erasure names what Erase takes out of the ledger.
type Erasure struct {
	Events []uint64
	Links  []LinkKey
	Heads  []RecordKey
	Audits []uint64 // whose reason goes

	// Deliveries and Discards, events that were set aside, stay but for their
	// reason.
	Deliveries []DeliveryID
	Discards   []uint64
}

// Erased counts what Erase took out.
type Erased struct {
	Events     int `json:"events"`
	Deliveries int `json:"deliveries"`
	Links      int `json:"links"`
	Heads      int `json:"heads"`
	Audits     int `json:"audits"`
	Reasons    int `json:"reasons"` // of deliveries and events that stay
}

// Audit is one entry of the audit trail: what a person did.
type Audit struct {
	ID     uint64    `json:"id"`
	At     time.Time `json:"at"`
	Who    string    `json:"who"`              // such as the name of a user of the machine
	What   string    `json:"what"`             // such as "events replay"
	On     []string  `json:"on,omitempty"`     // ids of events or deliveries
	Reason string    `json:"reason,omitempty"` // as the person gave it
	Note   string    `json:"note,omitempty"`   // what came of it
}

// AuditFilter chooses entries of the audit trail; zero fields choose all.
type AuditFilter struct {
	Since  time.Time // at or after
	Before uint64    // ID below this, for paging
	Limit  int       // 0: 100
}

type auditKey struct{}

// WithAudit has the next change that is made with the returned context kept
// together with an entry of the audit trail: both or none of them.
func WithAudit(ctx context.Context, a Audit) context.Context {
	return context.WithValue(ctx, auditKey{}, &auditing{entry: a})
}

// auditing is an entry on its way.
type auditing struct {
	entry Audit
	left  atomic.Bool
}

// AuditOf returns the entry that WithAudit put into ctx.
func AuditOf(ctx context.Context) (Audit, bool) {
	if a, ok := ctx.Value(auditKey{}).(*auditing); ok {
		return a.entry, true
	}
	return Audit{}, false
}

// LeaveAudit is for ledgers: it notes whether the change that was made with ctx
// changed nothing, so that the entry was left out.
func LeaveAudit(ctx context.Context, left bool) {
	if a, ok := ctx.Value(auditKey{}).(*auditing); ok {
		a.left.Store(left)
	}
}

// AuditKept reports whether the last change made with ctx kept its entry, if
// there was no error.
func AuditKept(ctx context.Context) bool {
	a, ok := ctx.Value(auditKey{}).(*auditing)
	return ok && !a.left.Load()
}
