package bolt

import (
	"testing"

	"github.com/crmsyncd/crmsyncd/store"
)

// FuzzRecords decodes payloads whose seals are right, as a hand with the ledger
// could make them, or memory that failed before a write: a record or an error,
// never a panic, and no more memory than the record has.
func FuzzRecords(f *testing.F) {
	key := []byte{0, 0, 0, 0, 0, 0, 0, 1}
	f.Add([]byte{}, []byte{})
	f.Add([]byte("hubspot"), []byte("\x04done\x05telli\x0acall.ended\x01x"))
	f.Add([]byte("x"), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add([]byte("x"), []byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, more, payload []byte) {
		tx := &txn{l: &Ledger{ring: newRing(nil)}}
		sealed := func(b bucket, key []byte) []byte {
			rec := append(newRecord(len(payload)), payload...)
			placed(b, key, rec, payloadSum(rec))
			return rec
		}
		long := append(key[:8:8], more...)
		d, err := tx.decodeDelivery(long, sealed(deliveriesBucket, long))
		if err == nil && len(d.Records) > len(payload) {
			t.Errorf("%d records of %d bytes", len(d.Records), len(payload))
		}
		head, err := decodeHeads(more, payload)
		if err == nil && len(head) > len(payload) {
			t.Errorf("%d fields of %d bytes", len(head), len(payload))
		}
		if e, err := tx.decodeHead(key, sealed(eventsBucket, key)); err == nil {
			_, _ = e.whole(key)
		}
		_, _ = decodeAudit(key, payload)
		_, _ = parseHeader(payload)
		_, _ = tx.ring().unpack(packed{raw: payload, size: len(payload), s2: true}, false)
		_, _ = tx.ring().open(payload, more)
		_ = keyIDs(payload)
		for _, b := range []bucket{eventsBucket, deliveriesBucket, metaBucket, linksBucket} {
			_ = printable(b, more)
		}
		_, _ = store.ParseEventID(string(more))
		_, _ = store.ParseDeliveryID(string(payload))
	})
}
