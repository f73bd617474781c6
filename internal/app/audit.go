package app

import (
	"context"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

// actions are what people do to a running daemon, as the audit trail calls it.
var actions = []string{
	"auth", "backfill", "deliveries discard", "deliveries retry", "erase", "events discard", "events replay", admin.ShowValues,
	"ledger adopt", "ledger backup", "ledger backup failed", "ledger compact", "ledger encrypt", "provision", "reconcile", "reload",
}

// otherAction stands for all that are not listed: labels are bounded.
const otherAction = "other"

// newAudits counts from the start: the first of an action must be seen to rise.
func newAudits() *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crmsyncd_audit_entries_total", Help: "Entries of the audit trail since the start, by what a person did."}, []string{"action"})
	for _, action := range append(slices.Clone(actions), otherAction) {
		c.WithLabelValues(action)
	}
	return c
}

// audited is a ledger that counts what people have it keep in its audit trail:
// entries of their own, and those that come with a change.
type audited struct {
	store.Ledger
	entries *prometheus.CounterVec
}

// count counts an entry that was kept.
func (l audited) count(what string, err error) error {
	if err != nil {
		return err
	}
	if !slices.Contains(actions, what) {
		what = otherAction
	}
	l.entries.WithLabelValues(what).Inc()
	return nil
}

// with counts the entry that came with a change, if one did.
func (l audited) with(ctx context.Context, err error) error {
	if a, ok := store.AuditOf(ctx); ok && store.AuditKept(ctx) {
		return l.count(a.What, err)
	}
	return err
}

// KeepAudit implements store.Ledger, as do all below.
func (l audited) KeepAudit(ctx context.Context, a store.Audit) error {
	return l.count(a.What, l.Ledger.KeepAudit(ctx, a))
}

func (l audited) Replay(ctx context.Context, events []store.Requeue) error {
	return l.with(ctx, l.Ledger.Replay(ctx, events))
}

func (l audited) Retry(ctx context.Context, ids []store.DeliveryID) (int, error) {
	n, err := l.Ledger.Retry(ctx, ids)
	return n, l.with(ctx, err)
}

func (l audited) Discard(ctx context.Context, ids []store.DeliveryID, reason string) (int, error) {
	n, err := l.Ledger.Discard(ctx, ids, reason)
	return n, l.with(ctx, err)
}

func (l audited) DiscardEvents(ctx context.Context, seqs []uint64, reason string) (int, error) {
	n, err := l.Ledger.DiscardEvents(ctx, seqs, reason)
	return n, l.with(ctx, err)
}

func (l audited) Erase(ctx context.Context, e store.Erasure) (store.Erased, error) {
	n, err := l.Ledger.Erase(ctx, e)
	return n, l.with(ctx, err)
}

// noteReload keeps a reload in the audit trail. It comes as a signal, which does
// not say whose; a ledger that cannot be written now does not hold it up.
func (a *App) noteReload() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := a.ledger.KeepAudit(ctx, store.Audit{Who: "somebody by signal", What: "reload"}); err != nil {
		a.log.Warn("the reload could not be noted in the audit trail", "error", err)
	}
}
