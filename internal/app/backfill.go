package app

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/reconcile"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// backfills is how a desk brings in what vendors know. setup is called again
// for every item, so that a reload meanwhile counts.
func backfills(ledger store.Ledger, setup func() *Setup) func(context.Context, string, admin.BackfillOrder, func(admin.BackfillProgress)) (admin.BackfillProgress, error) {
	return func(ctx context.Context, source string, o admin.BackfillOrder, tell func(admin.BackfillProgress)) (admin.BackfillProgress, error) {
		src, err := setup().reader(source)
		if err != nil {
			return admin.BackfillProgress{}, err
		}
		b := &reconcile.Backfill{
			Ledger: ledger, Source: source, Reader: src, Append: ledger.Append,
			Take: func(ctx context.Context, item sources.Item, at time.Time) (store.Event, bool, error) {
				return reader{setup(), ledger}.take(ctx, source, event.Backfill, item, at)
			},
		}
		p, err := b.Run(ctx, reconcile.BackfillOrder(o), func(p reconcile.Progress) { tell(admin.BackfillProgress(p)) })
		return admin.BackfillProgress(p), err
	}
}

// reader is a source whose vendor can be asked.
func (s *Setup) reader(name string) (sources.Reader, error) {
	src, ok := s.Sources[name]
	if !ok {
		return nil, unknownName("source", name, slices.Sorted(maps.Keys(s.Sources)))
	}
	r, ok := src.(sources.Reader)
	if !ok {
		return nil, fmt.Errorf("source %q is of type %s, whose vendor cannot be asked what happened", name, s.Type(name))
	}
	return r, nil
}
