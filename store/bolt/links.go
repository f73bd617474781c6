package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"maps"
	"slices"

	"github.com/crmsyncd/crmsyncd/store"
)

// Links and heads are found by a hash of their key. The key itself is not
// kept: match values are e-mail addresses and phone numbers. The first half of
// the hash is bbolt's key, the second half stands in the record.

func (t *txn) linkHash(k store.LinkKey) (key, check []byte) {
	sum := hashOf("link", k.Connector, k.Object, k.Field, k.Value)
	return t.blind().hash(sum[:16]), t.blind().hash(sum[16:])
}

// oldHeadLen is how long a head's key was in layout 3.
const oldHeadLen = 16

// nearLen is how much of the end of a record's id stands in its key.
const nearLen = 6

// headHash gives the key of a head, the one that it had in layout 3, and the
// check. CRMs mostly count their ids up: the end of the id comes before the hash,
// behind a sum of all that comes before that end, so that records made together
// lie together.
func (t *txn) headHash(k store.RecordKey) (key, old, check []byte) {
	sum := hashOf("head", k.Connector, k.Object, k.ID)
	old, check = t.blind().hash(sum[:16]), t.blind().hash(sum[16:])
	end := max(0, len(k.ID)-nearLen)
	near := crc32.NewIEEE()
	for _, s := range []string{k.Connector, k.Object, k.ID[:end]} {
		_, _ = near.Write([]byte(s))
	}
	key = near.Sum(make([]byte, 0, 4+nearLen+len(old)))
	return append(append(key, k.ID[end:]...), old...), old, check
}

// Links implements store.Ledger.
func (l *Ledger) Links(ctx context.Context, keys []store.LinkKey) ([]string, error) {
	ids := make([]string, len(keys))
	err := l.read(ctx, func(t *txn) error {
		for i, k := range keys {
			key, check := t.linkHash(k)
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
	key, check := t.linkHash(k)
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
	key, old, check := t.headHash(k)
	payload, err := t.checked(headsBucket, key, check)
	if err == nil && payload == nil && t.l.oldHeads {
		key = old
		payload, err = t.checked(headsBucket, key, check)
	}
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
	key, old, check := t.headHash(k)
	if add == nil {
		return errors.Join(t.delIfThere(headsBucket, key), t.delIfThere(headsBucket, old))
	}
	if len(add) == 0 {
		return nil
	}
	h, err := t.head(k)
	if err != nil {
		t.l.reportDamage(err)
	}
	if h == nil {
		h = add
	} else {
		maps.Copy(h, add)
	}
	rec := append(newRecord(len(check)+64*len(h)), check...)
	rec = binary.AppendUvarint(rec, uint64(len(h)))
	fields := slices.AppendSeq(make([]string, 0, len(h)), maps.Keys(h))
	slices.Sort(fields)
	for _, field := range fields {
		v := h[field]
		rec = appendString(rec, field)
		rec = appendTime(rec, v.At)
		rec = append(rec, v.Rank)
		rec = binary.AppendUvarint(rec, v.Seq)
		rec = binary.BigEndian.AppendUint64(rec, v.Hash)
	}
	if err := t.put(headsBucket, key, rec); err != nil || !t.l.oldHeads {
		return err
	}
	return t.delIfThere(headsBucket, old)
}
