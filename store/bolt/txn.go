package bolt

import (
	"encoding/binary"
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
	counts counts            // of a writing one: as they will be after it
	read   *counts           // of a reading one: see sums
	wrote  int               // puts and deletes so far
	now    time.Time         // of a writing one: when its batch began
	// remembered are the ids that are in memory because of this transaction.
	remembered []idKey
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

// get returns a record's payload as it lies in the file; nil if there is none.
func (t *txn) get(b bucket, key []byte) ([]byte, error) {
	rec := t.bucket(b).Get(key)
	if rec == nil {
		return nil, nil
	}
	return unseal(b, key, rec)
}

// put seals a record that newRecord began. rec must stay as it is until the
// commit is over.
func (t *txn) put(b bucket, key, rec []byte) error {
	return t.putSummed(b, key, rec, payloadSum(rec))
}

// putSummed is put for a record whose payloadSum is known already.
func (t *txn) putSummed(b bucket, key, rec []byte, sum uint32) error {
	binary.BigEndian.PutUint32(rec, placeSum(sum, b, key))
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
