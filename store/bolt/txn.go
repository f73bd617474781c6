package bolt

import (
	"bytes"
	"fmt"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/store"
)

// txn is a bbolt transaction in which records are sealed and checked.
type txn struct {
	tx     *bbolt.Tx
	at     *opened
	opened [24]*bbolt.Bucket // by bucket.id
	seeks  [24]*bbolt.Cursor // by bucket.id, for seek
	counts counts            // of a writing one: as they will be after it
	read   *counts           // of a reading one: see sums
	wrote  int               // puts and deletes so far
	sealed bool              // something was encrypted
	keys   []keyID           // of a writing one that encrypted: see noteKey
	now    time.Time         // of a writing one: when its batch began
	// remembered are the ids that are in memory because of this transaction.
	remembered []idKey
	dropped    []int32 // parts of ids that are gone with it
	forgotten  []idKey // ids in memory that are gone with it
	l          *Ledger
}

func (t *txn) bucket(b bucket) *bbolt.Bucket {
	if t.opened[b.id] == nil {
		bb := t.tx.Bucket([]byte(b.name))
		if bb == nil {
			panic("bucket " + b.name + " is missing")
		}
		// Buckets that grow at their end are packed: splitting pages in the
		// middle would leave half of the file empty.
		switch b {
		case eventsBucket, statesBucket:
			bb.FillPercent = 1
		case deliveriesBucket:
			bb.FillPercent = 0.8
		}
		t.opened[b.id] = bb
	}
	return t.opened[b.id]
}

// get returns a record's payload; nil if there is none.
func (t *txn) get(b bucket, key []byte) ([]byte, error) {
	rec := t.raw(b, key)
	if rec == nil {
		return nil, nil
	}
	return t.unseal(b, key, rec)
}

// raw returns a record as it lies in the file; nil if there is none.
func (t *txn) raw(b bucket, key []byte) []byte {
	k, rec := t.seek(b, key)
	if !bytes.Equal(k, key) {
		return nil
	}
	return rec
}

// seek returns the record at key, or the next there is; nil if there is none.
// A new cursor for each, as bbolt's Get makes, would be a tenth of all that
// the road of an event allocates.
func (t *txn) seek(b bucket, key []byte) (k, rec []byte) {
	c := t.seeks[b.id]
	if c == nil {
		c = t.bucket(b).Cursor()
		t.seeks[b.id] = c
	}
	return c.Seek(key)
}

// put seals a record that newRecord began. rec must stay as it is until the
// commit is over.
func (t *txn) put(b bucket, key, rec []byte) error {
	if t.ring().encrypts() && b.private(key) {
		sealed, err := t.ring().sealed(b, key, rec[sealLen:])
		if err != nil {
			return err
		}
		rec, t.sealed = sealed, true
	}
	return t.putSummed(b, key, rec, payloadSum(rec))
}

// putSummed is put for a record whose payloadSum is known already.
func (t *txn) putSummed(b bucket, key, rec []byte, sum uint32) error {
	placed(b, key, rec, sum)
	t.wrote++
	t.changed(b, key)
	return t.bucket(b).Put(key, rec)
}

func (t *txn) del(b bucket, key []byte) error {
	t.wrote++
	t.changed(b, key)
	return t.bucket(b).Delete(key)
}

func notFound(what string) error { return fmt.Errorf("%s: %w", what, store.ErrNotFound) }
