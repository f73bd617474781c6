package bolt

import (
	"bytes"
	"context"
	"errors"
)

// maxSecret bounds a secret: a page of bbolt holds several.
const maxSecret = 16 << 10

// Secret implements store.Ledger.
func (l *Ledger) Secret(ctx context.Context, name string) (value []byte, err error) {
	if name == "" {
		return nil, nil
	}
	err = l.read(ctx, func(t *txn) error {
		payload, err := t.get(secretsBucket, []byte(name))
		if payload != nil {
			value = bytes.Clone(payload)
		}
		return err
	})
	return value, err
}

// PutSecret implements store.Ledger. Values have at most 16 KiB.
func (l *Ledger) PutSecret(ctx context.Context, name string, value []byte) error {
	if name == "" || len(name) > 255 || len(value) > maxSecret {
		return errors.New("a secret needs a name, and at most 16 KiB")
	}
	key, rec := []byte(name), append(newRecord(len(value)), value...)
	return l.write(ctx, len(rec), func(t *txn) error {
		if len(value) == 0 {
			return t.del(secretsBucket, key)
		}
		return t.put(secretsBucket, key, rec)
	}, nil)
}
