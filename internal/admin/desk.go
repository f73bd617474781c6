// Package admin is what people see and do: events, deliveries, status. Desk
// does it on a ledger, Handler serves a Desk over HTTP on the admin address,
// and Client is the same Desk seen from another process. Who may ask, and signing
// in with a browser, is decided here; the pages that it is shown are
// internal/web's. Settings are not changed here.
package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// Operations is what people can do, whether the daemon runs (Client) or not
// (Desk on the opened ledger).
type Operations interface {
	Status(ctx context.Context) (Status, error)
	Events(ctx context.Context, f store.EventFilter) ([]Event, error)
	Event(ctx context.Context, seq uint64) (Event, error)
	Deliveries(ctx context.Context, f store.DeliveryFilter) ([]Delivery, error)
	// Replay has events go their way again; what is in a CRM already is not
	// made twice. Like all orders, it says how many it changed; what is named
	// twice is one.
	Replay(ctx context.Context, seqs []uint64) (changed int, err error)
	// Retry has dead or waiting deliveries tried at once; others stay as they are.
	Retry(ctx context.Context, ids []store.DeliveryID) (changed int, err error)
	// Discard ends deliveries that are not done, for a reason; others stay as
	// they are.
	Discard(ctx context.Context, ids []store.DeliveryID, reason string) (changed int, err error)
}

// Event is an event with what became of it. Its JSON has the keys of the
// common model and state, problem, delivery_id, trace_id, mends and deliveries.
type Event struct {
	event.Event
	State      store.State `json:"state"`
	Problem    string      `json:"problem,omitempty"`
	Discarded  string      `json:"discarded,omitempty"` // why a person set it aside
	DeliveryID string      `json:"delivery_id,omitempty"`
	TraceID    string      `json:"trace_id"` // of its webhook, else of its own
	Mends      *Mends      `json:"mends,omitempty"`
	Deliveries []Delivery  `json:"deliveries"`
}

// Delivery is one event on its way to one connector.
type Delivery struct {
	ID         string         `json:"id"`
	Event      string         `json:"event"`
	Type       event.Type     `json:"type"`
	Source     string         `json:"source"`
	Connector  string         `json:"connector"`
	State      store.State    `json:"state"`
	Attempts   int            `json:"attempts"` // failures of its own after which it was to be tried again; see Tries
	Due        time.Time      `json:"due,omitzero"`
	Kind       string         `json:"kind,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	Records    []store.Record `json:"records"`
	OccurredAt time.Time      `json:"occurred_at,omitzero"`
	CreatedAt  time.Time      `json:"created_at,omitzero"`
	UpdatedAt  time.Time      `json:"updated_at,omitzero"`
}

// Tries is how often it was tried, but for tries that an outage of the CRM or its
// limits ended: Attempts, and the one that made it done or dead.
func (d Delivery) Tries() int {
	switch {
	case d.State == store.Done && len(d.Records) > 0,
		d.State == store.Dead && !strings.HasPrefix(d.Reason, fmt.Sprintf("given up after %d attempts: ", d.Attempts)):
		return d.Attempts + 1
	}
	return d.Attempts
}

// Status is how the daemon fares.
type Status struct {
	Version    string    `json:"version"`
	Running    bool      `json:"running"`
	Ready      bool      `json:"ready"`
	NotReady   string    `json:"not_ready,omitempty"` // why
	StartedAt  time.Time `json:"started_at,omitzero"`
	Listen     string    `json:"listen,omitempty"` // where webhooks are taken
	Settings   Settings  `json:"settings"`
	Events     uint64    `json:"events"`
	Quarantine uint64    `json:"quarantined"`
	Unplanned  uint64    `json:"unplanned"`
	Bytes      int64     `json:"ledger_bytes"`
	Free       int64     `json:"disk_free_bytes,omitempty"` // where the ledger is
	// LastBackup is when a copy of the ledger was asked for last; zero: not
	// lately, as far as the audit trail tells.
	LastBackup time.Time `json:"last_backup,omitzero"`
	// LedgerID is the same for a ledger and its copies. LedgerForeign says that it
	// was last used on another machine, or in another folder.
	LedgerID      string `json:"ledger_id,omitempty"`
	LedgerForeign bool   `json:"ledger_foreign,omitempty"`
	// ClockAhead is by how many seconds this machine's clock is ahead of those
	// of all CRMs that answered lately, negative where it is behind; 0 within
	// half a minute.
	ClockAhead float64     `json:"clock_ahead_seconds,omitempty"`
	OpenFiles  int         `json:"open_files,omitempty"` // of the daemon's process
	MostFiles  int         `json:"most_files,omitempty"` // that it may have open
	Sources    []Source    `json:"sources"`
	Connectors []Connector `json:"connectors"`

	Secure       bool          `json:"secure,omitempty"` // webhooks are taken over TLS
	Certificates []Certificate `json:"certificates,omitempty"`
}

// CountedSince is the daemon's start where that is less than an hour ago: what a
// LastHour holds is since then. Zero: it holds a whole hour.
func (s Status) CountedSince(now time.Time) time.Time {
	if !s.Running || now.Sub(s.StartedAt) >= time.Hour {
		return time.Time{}
	}
	return s.StartedAt
}

// Certificate is that of a port.
type Certificate struct {
	Port      string    `json:"port"` // listen or admin
	Names     []string  `json:"names"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // zero: there is none yet
	Problem   string    `json:"problem,omitempty"`   // why there is no newer one
	Warning   string    `json:"warning,omitempty"`   // of its end
}

// Settings tells which settings are in force.
type Settings struct {
	LoadedAt time.Time `json:"loaded_at,omitzero"`
	FailedAt time.Time `json:"failed_at,omitzero"` // of a reload that changed nothing
	Failure  string    `json:"failure,omitempty"`
}

// Source is one configured source.
type Source struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// LastWebhook is when an authentic one was kept last; zero: not in the last
	// week, as far as this daemon has looked.
	LastWebhook   time.Time      `json:"last_webhook,omitzero"`
	LastHour      *LastHour      `json:"last_hour,omitempty"` // nil: not known
	LastReconcile *LastReconcile `json:"last_reconcile,omitempty"`
}

// LastHour counts webhooks of the last hour, or since the daemon's start.
type LastHour struct {
	Received int `json:"received"` // kept, or known already
	Refused  int `json:"refused"`
}

// LastReconcile is the newest run of a source or connector.
type LastReconcile struct {
	At    time.Time      `json:"at"` // its end, or its beginning while it runs
	State store.RunState `json:"state"`
}

// Connector is one configured connector with its queue.
type Connector struct {
	Name          string    `json:"name"`
	Type          string    `json:"type"`
	State         string    `json:"state"`
	Kind          string    `json:"kind,omitempty"` // of the error, where paused or parked
	Reason        string    `json:"reason,omitempty"`
	Until         time.Time `json:"until,omitzero"`
	Waiting       uint64    `json:"waiting"`
	Done          uint64    `json:"done"`
	Dead          uint64    `json:"dead"`
	OldestWaiting time.Time `json:"oldest_waiting,omitzero"`

	// Shadow says that nothing is written to it; ShadowRules names rules of which
	// nothing is.
	Shadow      bool     `json:"shadow,omitempty"`
	ShadowRules []string `json:"shadow_rules,omitempty"`

	Limits        []connectors.Limit `json:"limits,omitempty"`
	LastReconcile *LastReconcile     `json:"last_reconcile,omitempty"`
}

// Desk does Operations on a ledger.
type Desk struct {
	Ledger store.Ledger
	Parse  func(store.Event) (*event.Event, error)
	// Reparse says what today's parser makes of a stored payload.
	Reparse func(store.Event) store.Requeue
	// Fill completes a Status with what only the running daemon knows.
	Fill func(*Status)
	// Wake is called after something may have become due.
	Wake func()
	// Consents gives the way to grant a connector access; its error says why
	// there is none.
	Consents func(connector string) (connectors.Consent, error)
	// Accounts opens a connector's account anew, with nothing remembered; its
	// error says why it cannot. nil: accounts cannot be asked here.
	Accounts func(connector string) (connectors.Connector, error)
	// Backfills brings in what a source's vendor knows; nil: it cannot.
	Backfills func(ctx context.Context, source string, o BackfillOrder, tell func(BackfillProgress)) (BackfillProgress, error)
	// Reconciles compares what an order names; nil: it cannot.
	Reconciles func(ctx context.Context, o ReconcileOrder, tell func(ReconcileStep)) ([]store.Run, error)

	// Place tells this machine and folder from others; "" where nothing does.
	Place string
	// Settle notes what became of the ledger's file, and gives where it belongs;
	// nil where it is no file.
	Settle func(ctx context.Context) store.Home
	// File is the ledger, where that is a file; nil where it is not.
	File store.File
	// Plan says what delivering an event would write.
	Plan func(context.Context, *event.Event, store.View) ([]PreviewRecord, error)
	// Traces names what the ledger knows of the records of an event beside its
	// deliveries. May be nil.
	Traces func(store.View) ([]store.LinkKey, []store.RecordKey)
	// Phone gives a number in E.164, or "" if it is none.
	Phone func(string) string
	// Copies names files beside the ledger that hold what it held. May be nil.
	Copies func() []string

	mu       sync.Mutex
	attempts []attempt       // at consents, oldest first
	filling  map[string]bool // sources of which a backfill runs
	seen     seen            // accounts that are asked about
	backups  backups
}

var _ Operations = (*Desk)(nil)

// Status implements Operations.
func (d *Desk) Status(ctx context.Context) (Status, error) {
	st, err := d.Ledger.Stats(ctx)
	if err != nil {
		return Status{}, err
	}
	s := Status{Events: st.Events, Quarantine: st.Quarantined, Unplanned: st.Unplanned, Bytes: st.Bytes, LastBackup: d.lastBackup(ctx)}
	if home, err := store.HomeOf(ctx, d.Ledger); err == nil {
		s.LedgerID, s.LedgerForeign = home.ID, home.Foreign(d.Place)
	}
	for name, c := range st.Connectors {
		s.Connectors = append(s.Connectors, Connector{Name: name, State: "unknown", Waiting: c.Waiting, Done: c.Done, Dead: c.Dead, OldestWaiting: c.OldestWaiting})
	}
	if d.Fill != nil {
		d.Fill(&s)
	}
	slices.SortFunc(s.Connectors, func(a, b Connector) int { return cmp.Compare(a.Name, b.Name) })
	return s, nil
}

// serves reports whether the daemon has a source or connector of that name, so
// that an order for one that is misspelt leaves no entry in the audit trail.
// Where no daemon runs it is not known, and true.
func (d *Desk) serves(source, connector string) bool {
	var s Status
	if d.Fill != nil {
		d.Fill(&s)
	}
	return !s.Running ||
		(source == "" || slices.ContainsFunc(s.Sources, func(x Source) bool { return x.Name == source })) &&
			(connector == "" || slices.ContainsFunc(s.Connectors, func(x Connector) bool { return x.Name == connector }))
}

// Events implements Operations; the raw payloads are left out.
func (d *Desk) Events(ctx context.Context, f store.EventFilter) ([]Event, error) {
	views, err := d.Ledger.Events(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make([]Event, len(views))
	for i, v := range views {
		out[i] = d.view(v)
		out[i].Raw = nil
	}
	return out, nil
}

// Event implements Operations.
func (d *Desk) Event(ctx context.Context, seq uint64) (Event, error) {
	v, err := d.Ledger.Event(ctx, seq)
	if err != nil {
		return Event{}, err
	}
	return d.view(v), nil
}

func (d *Desk) view(v store.View) Event {
	e := Event{State: v.State, Problem: v.Event.Problem, Discarded: v.Event.Discarded, DeliveryID: v.Event.DeliveryID, TraceID: v.Event.InTrace().String(), Deliveries: make([]Delivery, len(v.Deliveries))}
	if ev, err := d.Parse(v.Event); err == nil {
		e.Event = *ev
		e.mends(v.Event)
	} else {
		e.Event = event.Event{ID: v.Event.ID(), Type: v.Event.Type, Source: v.Event.Source, Vendor: v.Event.Vendor, OccurredAt: v.Event.OccurredAt, ReceivedAt: v.Event.ReceivedAt, Origin: v.Event.Origin}
	}
	for i, x := range v.Deliveries {
		e.Deliveries[i] = view(x)
	}
	return e
}

func view(d store.Delivery) Delivery {
	if d.Records == nil {
		d.Records = []store.Record{}
	}
	return Delivery{
		ID: d.ID.String(), Event: store.EventID(d.ID.Seq), Type: d.Type, Source: d.Source, Connector: d.ID.Connector, State: d.State,
		Attempts: d.Attempts, Due: d.Due, Kind: d.Kind, Reason: d.Reason, Records: d.Records,
		OccurredAt: d.OccurredAt, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
}

// Deliveries implements Operations.
func (d *Desk) Deliveries(ctx context.Context, f store.DeliveryFilter) ([]Delivery, error) {
	list, err := d.Ledger.Deliveries(ctx, f)
	if err != nil {
		return nil, err
	}
	out := make([]Delivery, len(list))
	for i, x := range list {
		out[i] = view(x)
	}
	return out, nil
}

// Replay implements Operations.
func (d *Desk) Replay(ctx context.Context, seqs []uint64) (int, error) {
	seqs = once(seqs)
	requeue := make([]store.Requeue, len(seqs))
	for i, seq := range seqs {
		v, err := d.Ledger.Event(ctx, seq)
		if err != nil {
			return 0, err
		}
		if v.Event.Stripped {
			return 0, fmt.Errorf("%s cannot be replayed: %s", store.EventID(seq), stripped)
		}
		requeue[i] = d.Reparse(v.Event)
	}
	if err := d.then(d.Ledger.Replay(audit(ctx, "events replay", "", eventNames(seqs)), requeue)); err != nil {
		return 0, err
	}
	return len(seqs), nil
}

// Retry implements Operations.
func (d *Desk) Retry(ctx context.Context, ids []store.DeliveryID) (int, error) {
	ids = once(ids)
	n, err := d.Ledger.Retry(audit(ctx, "deliveries retry", "", names(ids)), ids)
	return n, d.then(err)
}

// Discard implements Operations.
func (d *Desk) Discard(ctx context.Context, ids []store.DeliveryID, reason string) (int, error) {
	if err := CheckReason(reason); err != nil {
		return 0, err
	}
	ids = once(ids)
	n, err := d.Ledger.Discard(audit(ctx, "deliveries discard", reason, names(ids)), ids, reason)
	return n, d.then(err)
}

func (d *Desk) then(err error) error {
	if err == nil && d.Wake != nil {
		d.Wake()
	}
	return err
}

// once leaves of ids those that are named for the first time.
func once[T comparable](ids []T) []T {
	known := make(map[T]bool, len(ids))
	var out []T
	for _, id := range ids {
		if !known[id] {
			known[id], out = true, append(out, id)
		}
	}
	return out
}
