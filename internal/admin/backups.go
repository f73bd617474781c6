package admin

import (
	"context"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// What the audit trail says of a backup: it begins before the copy, which has
// the entry too, and is not heard of again unless it fails.
const (
	backupBegun  = "ledger backup"
	backupFailed = "ledger backup failed"
)

// recalledAudits are the newest entries of the audit trail among which a backup
// is looked for, once.
const recalledAudits = 1000

// backups is when the ledger was copied last.
type backups struct {
	mu     sync.Mutex
	looked bool // in the audit trail
	last   time.Time
}

func (b *backups) made(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looked, b.last = true, at
}

// lastBackup is when the ledger was copied last; zero if that is not known.
func (d *Desk) lastBackup(ctx context.Context) time.Time {
	b := &d.backups
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.looked {
		return b.last
	}
	list, err := d.Ledger.Audits(ctx, store.AuditFilter{Limit: recalledAudits})
	if err != nil {
		return time.Time{}
	}
	b.looked = true
	failed := 0 // whose beginning comes next
	for _, a := range list {
		switch {
		case a.What == backupFailed:
			failed++
		case a.What == backupBegun && failed > 0:
			failed--
		case a.What == backupBegun:
			b.last = a.At
			return b.last
		}
	}
	return b.last
}
