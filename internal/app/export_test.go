package app

import (
	"context"
	"log/slog"

	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/internal/reconcile"
	"github.com/crmsyncd/crmsyncd/store"
)

// Delivery and Reconciler are what New wires together, for tests in which no
// address is listened at.
func (s *Setup) Delivery(ledger store.Ledger) deliver.Setup { return s.delivery(ledger) }

// Reconciler compares by the Setup.
func (s *Setup) Reconciler(ledger store.Ledger, appending func(context.Context, store.Event) (store.Receipt, error), log *slog.Logger) *reconcile.Reconciler {
	return newReconciler(ledger, func() *Setup { return s }, appending, log)
}
