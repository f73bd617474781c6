package bolt

import (
	"bytes"
	"context"
	"errors"

	"github.com/crmsyncd/crmsyncd/store"
)

// maxMark bounds a mark and its name: they are a few words each.
const (
	maxMark     = 16 << 10
	maxMarkName = 1 << 10
)

// Mark implements store.Ledger.
func (l *Ledger) Mark(ctx context.Context, name string) (value []byte, err error) {
	if name == "" {
		return nil, nil
	}
	err = l.read(ctx, func(t *txn) error {
		payload, err := t.get(marksBucket, []byte(name))
		if payload != nil {
			value = bytes.Clone(payload)
		}
		return err
	})
	return value, err
}

// PutMark implements store.Ledger. Values have at most 16 KiB, names 1 KiB.
func (l *Ledger) PutMark(ctx context.Context, name string, value []byte) error {
	if name == "" || len(name) > maxMarkName || len(value) > maxMark {
		return errors.New("a mark needs a name of at most 1 KiB, and has at most 16 KiB")
	}
	key, rec := []byte(name), append(newRecord(len(value)), value...)
	return l.write(ctx, len(rec), func(t *txn) error {
		if len(value) == 0 {
			return t.del(marksBucket, key)
		}
		return t.put(marksBucket, key, rec)
	}, nil)
}

// Known implements store.Ledger. What Append knows is with the goroutine that
// commits, so that it is asked there; nothing is written.
func (l *Ledger) Known(ctx context.Context, events []store.Event) ([]bool, error) {
	if len(events) == 0 {
		return nil, l.usable(ctx)
	}
	asked := make([]*appending, len(events))
	for i, e := range events {
		asked[i] = prepare(e)
	}
	known := make([]bool, len(events))
	err := l.write(ctx, 0, func(t *txn) error {
		for i, a := range asked {
			known[i] = a.duplicate(t)
		}
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return known, nil
}

// duplicate reports whether run would find the event kept already.
func (a *appending) duplicate(t *txn) bool {
	days := receivedDays(dayOf(a.e.ReceivedAt))
	if a.e.DeliveryID != "" {
		if seq, _ := t.seen(idDelivery, a.hashes.delivery, days...); seq != 0 {
			return true
		}
	}
	switch {
	case a.e.Problem != "":
		seq, _ := t.seen(idBody, a.hashes.body, days...)
		return seq != 0
	case a.e.ContentKey != "":
		day := dayOf(a.e.OccurredAt)
		seq, _ := t.seen(idContent, a.hashes.content, day, undated, day-1, day+1)
		return seq != 0
	}
	return false
}
