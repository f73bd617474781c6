package bolt

import (
	"bytes"
	"encoding/binary"
	"time"
)

// dropUndated forgets the content key of an event for which the vendor gave no
// time: such keys lie in no day that would pass, and go with the event.
func (t *txn) dropUndated(seq uint64) error {
	e, err := t.eventHead(seq)
	if err != nil || e.kinds&markContent == 0 || e.day != undated {
		return err
	}
	h := e.hashes(&e.Event).content
	if seq > t.counts.indexed {
		t.forgotten = append(t.forgotten, makeIDKey(idContent, undated, h))
		if o := t.l.recent.old; o != nil { // it may have been moved already
			k := makeIDKey(idUntimed, o.part.number, h)
			return t.delIfThere(idsBucket, k[:])
		}
		return nil
	}
	if k, _, in := t.inParts(t.l.recent.parts, h); in {
		return t.del(idsBucket, k[:])
	}
	k := makeIDKey(idContent, undated, h)
	return t.delIfThere(idsBucket, k[:])
}

// identityDays is for how many days ids by which vendors tell a retry are kept:
// more than they are looked up for.
const identityDays = redeliveryDays + 4

// forgotten are the days before which ids are not known any more.
type forgotten struct {
	received int32 // of ids by the day on which the event came in
	occurred int32 // of content keys
}

var forgottenKey = []byte("forgotten")

func forgottenBy(now time.Time, identity time.Duration) forgotten {
	f := forgotten{received: dayOf(now) - identityDays}
	if identity > 0 {
		f.occurred = dayOf(now.Add(-identity))
	}
	return f
}

func (f forgotten) before(kind byte) int32 {
	if kind == idContent {
		return f.occurred
	}
	return f.received
}

func (f forgotten) has(k idKey) bool {
	day := k.number()
	return day < f.before(k[0]) && (k[0] != idContent || day > undated)
}

func (f forgotten) record() []byte {
	rec := binary.BigEndian.AppendUint32(newRecord(8), uint32(f.received))
	return binary.BigEndian.AppendUint32(rec, uint32(f.occurred))
}

func (t *txn) readForgotten() (forgotten, error) {
	payload, err := t.get(metaBucket, forgottenKey)
	if err != nil || payload == nil {
		return forgotten{}, err
	}
	r := reader{payload, true}
	f := forgotten{int32(r.uint32()), int32(r.uint32())}
	if !r.ok {
		err = damaged(metaBucket, forgottenKey, "it cannot be read")
	}
	return f, err
}

// staleIDs returns at most limit keys of the index that are to be forgotten.
func (t *txn) staleIDs(f forgotten, limit int) (keys [][]byte) {
	c := t.bucket(idsBucket).Cursor()
	for _, kind := range []byte{idBody, idContent, idDelivery, idConflict} {
		first := []byte{kind}
		if kind == idContent {
			// Behind those without a day; no vendor tells of calls before 1970.
			k := makeIDKey(kind, undated+1, idHash{})
			first = k[:]
		}
		for k, _ := c.Seek(first); len(k) == len(idKey{}) && k[0] == kind && len(keys) < limit && f.has(idKey(k)); k, _ = c.Next() {
			keys = append(keys, bytes.Clone(k))
		}
	}
	return keys
}
