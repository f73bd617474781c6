package admin

import (
	"context"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
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
	for _, a := range list {
		if a.What == "ledger backup" {
			b.last = a.At
			break
		}
	}
	return b.last
}
