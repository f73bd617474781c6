package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// Keeper looks after the ledger. tell hears how far long work is; it may be nil.
type Keeper interface {
	// Verify reads every record and returns what is damaged.
	Verify(ctx context.Context, tell func(done, total int)) ([]store.Damage, error)
	// Backup writes a consistent copy of the ledger's file and returns its
	// length in bytes.
	Backup(ctx context.Context, w io.Writer) (int64, error)
	// Compact gives the disk back what the ledger's file does not use; with
	// overwrite the old file is filled with zeros first.
	Compact(ctx context.Context, overwrite bool, tell func(done, total int)) (store.Compacted, error)
	// Encrypt writes every record anew with the first of the ledger's keys, or
	// not encrypted without one, and overwrites the old file.
	Encrypt(ctx context.Context, tell func(done, total int)) (store.Compacted, error)
	// Adopt says that the ledger belongs to this machine now, and to no other;
	// done is false where it did before.
	Adopt(ctx context.Context) (done bool, err error)
	// Note keeps in the audit trail what a person had done elsewhere: provision,
	// which writes to a CRM, and ShowValues.
	Note(ctx context.Context, what string, on []string) error
	// Audits returns entries of the audit trail, newest first.
	Audits(ctx context.Context, f store.AuditFilter) ([]store.Audit, error)
	// DiscardEvents sets aside events that go nowhere, for a reason; others stay
	// as they are. It says how many it changed.
	DiscardEvents(ctx context.Context, seqs []uint64, reason string) (changed int, err error)
	// Preview says what a replay of events would write, and sends nothing.
	Preview(ctx context.Context, seqs []uint64) ([]Preview, error)
	// Erase takes a person out of the ledger; with dryRun it only says of what.
	Erase(ctx context.Context, p Person, dryRun bool, tell func(done, total int)) (Erased, error)
}

// Preview is what a replay of an event would write.
type Preview struct {
	Event   string          `json:"event"`
	Problem string          `json:"problem,omitempty"` // why it would write nothing
	Records []PreviewRecord `json:"records"`
}

// PreviewRecord is a record of a Preview.
type PreviewRecord struct {
	Connector string `json:"connector"`
	Rule      string `json:"rule"`
	Object    string `json:"object"`
	ID        string `json:"id,omitempty"`   // "" where none is known
	Skip      string `json:"skip,omitempty"` // why it is not written
	// Shadow says that its rule or connector is in shadow mode, and so nothing
	// would be written.
	Shadow bool `json:"shadow,omitempty"`

	Fields []PreviewField `json:"fields"`
}

// PreviewField is a field that would be written.
type PreviewField struct {
	Name  string           `json:"name"`
	Value connectors.Value `json:"value"` // null clears
	If    mapping.If       `json:"if,omitempty"`
	// Effect is new (nothing of ours is known there), changes, same, or older
	// (a newer event wrote it, and that stays).
	Effect string `json:"effect"`
}

var (
	_ Keeper = (*Desk)(nil)
	_ Keeper = (*Client)(nil)
)

// errNoFile is the answer where the ledger is no file.
var errNoFile = errors.New("this ledger is not a file; use what its database brings for that")

// Verify implements Keeper.
func (d *Desk) Verify(ctx context.Context, tell func(done, total int)) ([]store.Damage, error) {
	return d.Ledger.Verify(ctx, tell)
}

// Backup implements Keeper.
func (d *Desk) Backup(ctx context.Context, w io.Writer) (int64, error) {
	return d.backup(ctx, w, nil)
}

func (d *Desk) backup(ctx context.Context, w io.Writer, size func(int64)) (int64, error) {
	if d.File == nil {
		return 0, errNoFile
	}
	st, err := d.Ledger.Stats(ctx)
	if err != nil {
		return 0, err
	}
	if err := d.Ledger.KeepAudit(ctx, store.Audit{Who: actorOf(ctx), What: backupBegun}); err != nil {
		return 0, err
	}
	asked := ctx
	ctx, cancel := context.WithTimeoutCause(ctx, time.Minute+time.Duration(st.Bytes/slowestBackup)*time.Second, errSlowBackup)
	defer cancel()
	n, err := d.File.Snapshot(ctx, w, size)
	if err == nil {
		d.backups.made(time.Now())
		return n, nil
	}
	if errors.Is(context.Cause(ctx), errSlowBackup) {
		err = errSlowBackup
	}
	// The next daemon must not take it for one that was made.
	asked, cancelNote := context.WithTimeout(context.WithoutCancel(asked), backupNote)
	defer cancelNote()
	if noted := d.Ledger.KeepAudit(asked, store.Audit{Who: actorOf(asked), What: backupFailed}); noted != nil {
		err = fmt.Errorf("%w (and the audit trail counts it as made: %w)", err, noted)
	}
	return n, err
}

// backupNote is how long it may take to note that a backup failed.
const backupNote = 5 * time.Second

// slowestBackup is how slowly a backup may be read, in bytes a second: while it
// is, the ledger cannot use free space again.
const slowestBackup = 1 << 20

var errSlowBackup = errors.New("the backup was written too slowly, and the ledger grew meanwhile; write it to a faster disk of this machine")

// Compact implements Keeper.
func (d *Desk) Compact(ctx context.Context, overwrite bool, tell func(done, total int)) (store.Compacted, error) {
	return d.compact(ctx, "ledger compact", overwrite, tell)
}

// Encrypt implements Keeper.
func (d *Desk) Encrypt(ctx context.Context, tell func(done, total int)) (store.Compacted, error) {
	return d.compact(ctx, "ledger encrypt", true, tell)
}

func (d *Desk) compact(ctx context.Context, what string, overwrite bool, tell func(done, total int)) (store.Compacted, error) {
	if d.File == nil {
		return store.Compacted{}, errNoFile
	}
	if err := d.Ledger.KeepAudit(ctx, store.Audit{Who: actorOf(ctx), What: what}); err != nil {
		return store.Compacted{}, err
	}
	return d.File.Compact(ctx, overwrite, tell)
}

// Adopt implements Keeper.
func (d *Desk) Adopt(ctx context.Context) (done bool, err error) {
	if d.Settle == nil {
		return false, errNoFile
	}
	h := d.Settle(ctx) // before the trail has an entry of today
	if !h.Foreign(d.Place) {
		return false, nil
	}
	if err := d.Ledger.KeepAudit(ctx, store.Audit{Who: actorOf(ctx), What: "ledger adopt"}); err != nil {
		return false, err
	}
	h.Place, h.Guest = d.Place, ""
	return true, h.Keep(ctx, d.Ledger)
}

// ShowValues is what the audit trail calls it when somebody looks at the values
// of an event on a page.
const ShowValues = "events show values"

// Note implements Keeper.
func (d *Desk) Note(ctx context.Context, what string, on []string) error {
	if what != "provision" && what != ShowValues {
		return Mistake{"only provision and " + ShowValues + " are noted so"}
	}
	for _, name := range on {
		if err := checkText("a name", name); err != nil {
			return err
		}
	}
	return d.Ledger.KeepAudit(ctx, store.Audit{Who: actorOf(ctx), What: what, On: on})
}

// Audits implements Keeper.
func (d *Desk) Audits(ctx context.Context, f store.AuditFilter) ([]store.Audit, error) {
	list, err := d.Ledger.Audits(ctx, f)
	if list == nil {
		list = []store.Audit{}
	}
	return list, err
}

// DiscardEvents implements Keeper.
func (d *Desk) DiscardEvents(ctx context.Context, seqs []uint64, reason string) (int, error) {
	if err := CheckReason(reason); err != nil {
		return 0, err
	}
	seqs = once(seqs)
	return d.Ledger.DiscardEvents(audit(ctx, "events discard", reason, eventNames(seqs)), seqs, reason)
}

// Preview implements Keeper.
func (d *Desk) Preview(ctx context.Context, seqs []uint64) ([]Preview, error) {
	out := make([]Preview, 0, len(seqs))
	for _, seq := range seqs {
		v, err := d.Ledger.Event(ctx, seq)
		if err != nil {
			return nil, err
		}
		p, err := d.preview(ctx, v)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

func (d *Desk) preview(ctx context.Context, v store.View) (Preview, error) {
	p := Preview{Event: v.Event.ID(), Records: []PreviewRecord{}}
	if v.Event.Stripped {
		p.Problem = stripped
		return p, nil
	}
	now := d.Reparse(v.Event)
	if now.Problem != "" {
		p.Problem = "it is not understood: " + now.Problem
		return p, nil
	}
	v.Event.Problem, v.Event.Type, v.Event.OccurredAt, v.Event.Rank, v.Event.Lane = "", now.Type, now.OccurredAt, now.Rank, now.Lane
	ev, err := d.Parse(v.Event)
	if err != nil {
		p.Problem = err.Error()
		return p, nil
	}
	records, err := d.Plan(ctx, ev, v)
	switch {
	case err != nil:
		p.Problem = err.Error()
	case len(records) == 0:
		p.Problem = "no rule wants it"
	default:
		p.Records = records
	}
	return p, ctx.Err()
}

// stripped says why an event cannot be replayed.
const stripped = "its payload was deleted when the time of retention.payloads was over"

func eventNames(seqs []uint64) []string {
	out := make([]string, len(seqs))
	for i, seq := range seqs {
		out[i] = store.EventID(seq)
	}
	return out
}
