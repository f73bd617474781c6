package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"slices"

	"github.com/crmsyncd/crmsyncd/store"
)

// Links and heads are found by a hash of their key. The key itself is not
// kept: match values are e-mail addresses and phone numbers. The first half of
// the hash is bbolt's key, the second half stands in the record.

func linkHash(k store.LinkKey) (key, check []byte) {
	sum := hashOf("link", k.Connector, k.Object, k.Field, k.Value)
	return sum[:16], sum[16:]
}

func headHash(k store.RecordKey) (key, check []byte) {
	sum := hashOf("head", k.Connector, k.Object, k.ID)
	return sum[:16], sum[16:]
}

// Links implements store.Ledger.
func (l *Ledger) Links(ctx context.Context, keys []store.LinkKey) ([]string, error) {
	ids := make([]string, len(keys))
	err := l.read(ctx, func(t *txn) error {
		for i, k := range keys {
			key, check := linkHash(k)
			payload, err := t.checked(linksBucket, key, check)
			if err != nil {
				return err
			}
			ids[i] = string(payload)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// checked reads a record that begins with the second half of its key's hash.
func (t *txn) checked(b bucket, key, check []byte) ([]byte, error) {
	payload, err := t.get(b, key)
	if err != nil || payload == nil {
		return nil, err
	}
	if !bytes.HasPrefix(payload, check) {
		return nil, damaged(b, key, "it belongs to another key")
	}
	return payload[len(check):], nil
}

func (t *txn) putLink(k store.LinkKey, id string) error {
	key, check := linkHash(k)
	if id == "" {
		return t.del(linksBucket, key)
	}
	return t.put(linksBucket, key, append(append(newRecord(len(check)+len(id)), check...), id...))
}

// Heads implements store.Ledger.
func (l *Ledger) Heads(ctx context.Context, keys []store.RecordKey) ([]store.Head, error) {
	heads := make([]store.Head, len(keys))
	err := l.read(ctx, func(t *txn) (err error) {
		for i, k := range keys {
			if heads[i], err = t.head(k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return heads, nil
}

func (t *txn) head(k store.RecordKey) (store.Head, error) {
	key, check := headHash(k)
	payload, err := t.checked(headsBucket, key, check)
	if err != nil || payload == nil {
		return nil, err
	}
	return decodeHeads(key, payload)
}

func decodeHeads(key, payload []byte) (store.Head, error) {
	r := reader{payload, true}
	n := r.uvarint()
	h := store.Head{}
	for range n {
		if !r.ok {
			break
		}
		field := r.text()
		h[field] = store.FieldHead{At: r.time(), Rank: r.byte(), Seq: r.uvarint(), Hash: r.uint64()}
	}
	if !r.ok {
		return nil, damaged(headsBucket, key, "it cannot be read")
	}
	return h, nil
}

// mergeHead adds fields to what is known of a record. What is damaged is
// replaced: the next write of a field makes it whole again.
func (t *txn) mergeHead(k store.RecordKey, add store.Head) error {
	key, check := headHash(k)
	if add == nil {
		return t.del(headsBucket, key)
	}
	if len(add) == 0 {
		return nil
	}
	h, err := t.head(k)
	if err != nil {
		t.l.reportDamage(err)
	}
	if h == nil {
		h = make(store.Head, len(add))
	}
	maps.Copy(h, add)
	rec := append(newRecord(len(check)+64*len(h)), check...)
	rec = binary.AppendUvarint(rec, uint64(len(h)))
	for _, field := range slices.Sorted(maps.Keys(h)) {
		v := h[field]
		rec = appendString(rec, field)
		rec = appendTime(rec, v.At)
		rec = append(rec, v.Rank)
		rec = binary.AppendUvarint(rec, v.Seq)
		rec = binary.BigEndian.AppendUint64(rec, v.Hash)
	}
	return t.put(headsBucket, key, rec)
}
