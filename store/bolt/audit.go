package bolt

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"

	"github.com/crmsyncd/crmsyncd/store"
)

// maxAudit bounds an entry of the audit trail, in bytes of JSON; of one that is
// longer the ids are left out, and the entry says how many they were.
const maxAudit = 256 << 10

// KeepAudit implements store.Ledger.
func (l *Ledger) KeepAudit(ctx context.Context, a store.Audit) error {
	return l.write(ctx, perRecord, func(t *txn) error { return t.putAudit(a) }, nil)
}

// errUnchanged is what audited's run returns if it had nothing to change: that
// leaves no entry.
var errUnchanged = errors.New("nothing was changed")

// audited is run, followed by the entry of the audit trail that ctx carries.
func audited(ctx context.Context, run func(*txn) error) func(*txn) error {
	a, ok := store.AuditOf(ctx)
	return func(t *txn) error {
		err := run(t)
		unchanged := errors.Is(err, errUnchanged)
		store.LeaveAudit(ctx, unchanged)
		if unchanged {
			return nil
		}
		if err != nil || !ok {
			return err
		}
		return t.putAudit(a)
	}
}

func (t *txn) putAudit(a store.Audit) error {
	a.ID = 1
	if k, _ := t.bucket(auditBucket).Cursor().Last(); len(k) == 8 {
		a.ID = binary.BigEndian.Uint64(k) + 1
	}
	if a.At.IsZero() {
		a.At = t.now
	}
	a.At = a.At.UTC()
	return t.writeAudit(a)
}

func (t *txn) writeAudit(a store.Audit) error {
	text, err := json.Marshal(a)
	if err == nil && len(text) > maxAudit {
		a.On = []string{"…"}
		text, err = json.Marshal(a)
	}
	if err != nil {
		return err
	}
	return t.put(auditBucket, seqKey(a.ID), append(newRecord(len(text)), text...))
}

// Audits implements store.Ledger. Damaged entries are passed over and logged.
func (l *Ledger) Audits(ctx context.Context, f store.AuditFilter) ([]store.Audit, error) {
	limit := f.Limit
	if limit <= 0 {
		limit = defaultLimit
	}
	var out []store.Audit
	visit := func(t *txn, id uint64) bool {
		a, err := t.audit(id)
		switch {
		case err != nil:
			l.reportDamage(err)
			return true
		case a.At.Before(f.Since):
			return false
		}
		out = append(out, a)
		return len(out) < limit
	}
	before := f.Before
	if before == 0 {
		before = math.MaxUint64
	}
	err := l.newestFirst(ctx, before, func(*txn) []listing { return []listing{{bucket: auditBucket}} }, visit)
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *txn) audit(id uint64) (a store.Audit, err error) {
	key := seqKey(id)
	payload, err := t.get(auditBucket, key)
	if err != nil {
		return a, err
	}
	if payload == nil {
		return a, notFound("entry of the audit trail")
	}
	return decodeAudit(key, payload)
}

func decodeAudit(key, payload []byte) (a store.Audit, err error) {
	if json.Unmarshal(payload, &a) != nil {
		return a, damaged(auditBucket, key, "it cannot be read")
	}
	return a, nil
}
