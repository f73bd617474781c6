package app

import (
	"context"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// noteReload keeps a reload in the audit trail. It comes as a signal, which does
// not say whose; a ledger that cannot be written now does not hold it up.
func (a *App) noteReload() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := a.ledger.KeepAudit(ctx, store.Audit{Who: "somebody by signal", What: "reload"}); err != nil {
		a.log.Warn("the reload could not be noted in the audit trail", "error", err)
	}
}
