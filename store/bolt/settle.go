package bolt

import (
	"context"
	"fmt"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// Settle implements store.Ledger. An unknown delivery is store.ErrNotFound, and
// nothing of the call is kept then.
func (l *Ledger) Settle(ctx context.Context, updates []store.Update) error {
	size := 0
	for i := range updates {
		u := &updates[i]
		if err := checkState(u.Delivery.State); err != nil {
			return fmt.Errorf("%s: %w", u.Delivery.ID, err)
		}
		size += perRecord * (1 + len(u.Links) + len(u.Heads))
	}
	return l.write(ctx, size, audited(ctx, func(t *txn) error {
		for i := range updates {
			if err := t.settle(&updates[i]); err != nil {
				return err
			}
		}
		return nil
	}), nil)
}

func (t *txn) settle(u *store.Update) error {
	kept, err := t.delivery(u.Delivery.ID)
	if err != nil {
		return err
	}
	d := u.Delivery
	// What orders a delivery is its event's affair.
	d.Source, d.Type, d.Lane, d.OccurredAt, d.Rank, d.CreatedAt = kept.Source, kept.Type, kept.Lane, kept.OccurredAt, kept.Rank, kept.CreatedAt
	if d.UpdatedAt.IsZero() {
		d.UpdatedAt = t.now
	}
	if kept.State == store.Discarded && d.State != store.Done {
		// Discarded by a person while it was under way: it is not tried again.
		d.State, d.Reason = store.Discarded, kept.Reason
	}
	if kept.State == store.Waiting && !u.Read.IsZero() && !u.Read.Equal(kept.UpdatedAt) {
		// To be tried again since it was read: what came of it is kept, but it is
		// not over.
		d.State, d.Due, d.Attempts, d.Kind, d.Reason, d.UpdatedAt = kept.State, kept.Due, kept.Attempts, kept.Kind, kept.Reason, kept.UpdatedAt
	}
	if err := t.replace(&kept, &d, time.Time{}); err != nil {
		return err
	}
	for k, id := range u.Links {
		if err := t.putLink(k, id); err != nil {
			return err
		}
	}
	for k, h := range u.Heads {
		if err := t.mergeHead(k, h); err != nil {
			return err
		}
	}
	return nil
}

// Retry implements store.Ledger. Deliveries that are done or discarded are left
// as they are.
func (l *Ledger) Retry(ctx context.Context, ids []store.DeliveryID) (int, error) {
	return l.alter(ctx, ids, func(d *store.Delivery) bool {
		if d.State != store.Dead && d.State != store.Waiting {
			return false
		}
		d.State, d.Attempts, d.Due, d.Kind, d.Reason = store.Waiting, 0, time.Time{}, "", ""
		return true
	})
}

// Discard implements store.Ledger. Deliveries that are done or discarded are
// left as they are.
func (l *Ledger) Discard(ctx context.Context, ids []store.DeliveryID, reason string) (int, error) {
	return l.alter(ctx, ids, func(d *store.Delivery) bool {
		if d.State == store.Done || d.State == store.Discarded {
			return false
		}
		d.State, d.Due, d.Reason = store.Discarded, time.Time{}, reason
		return true
	})
}

// alter changes deliveries for which change returns true, and counts them.
func (l *Ledger) alter(ctx context.Context, ids []store.DeliveryID, change func(*store.Delivery) bool) (changed int, err error) {
	var n int
	err = l.write(ctx, perRecord*len(ids), audited(ctx, func(t *txn) error {
		for _, id := range ids {
			if _, err := t.delivery(id); err != nil {
				return err
			}
		}
		n = 0
		for _, id := range ids {
			kept, err := t.delivery(id)
			if err != nil {
				return err
			}
			d := kept
			if !change(&d) {
				continue
			}
			n++
			d.UpdatedAt = t.now
			if err := t.replace(&kept, &d, time.Time{}); err != nil {
				return err
			}
		}
		if n == 0 {
			return errUnchanged
		}
		return nil
	}), nil)
	if err != nil {
		return 0, err // where ctx has ended, the commit may be under way still
	}
	return n, nil
}
