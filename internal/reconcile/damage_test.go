package reconcile

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// bruised is a ledger in which what is known of one record is damaged.
type bruised struct {
	store.Ledger
	id string
}

func (l bruised) Heads(ctx context.Context, keys []store.RecordKey) ([]store.Head, error) {
	if slices.ContainsFunc(keys, func(k store.RecordKey) bool { return k.ID == l.id }) {
		return nil, store.ErrCorrupt
	}
	return l.Ledger.Heads(ctx, keys)
}

func (l bruised) Links(ctx context.Context, keys []store.LinkKey) ([]string, error) {
	ids, err := l.Ledger.Links(ctx, keys)
	if slices.Contains(ids, l.id) {
		return nil, store.ErrCorrupt
	}
	return ids, err
}

func TestADamagedRecordKeepsNoOtherFromBeingCompared(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.happen(upTo(5), 0, "pending", true)
	d.Ledger = bruised{d.Ledger, "people-c002"}
	d.at = noon.Add(time.Hour)
	d.want(d.compare(true), "compared 4 agreed 4 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "")
}
