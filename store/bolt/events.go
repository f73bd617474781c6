package bolt

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// An event's record is seal, length of the header, header, body. The seal
// covers the header; the body has a sum of its own in the header, so that a
// scan over headers touches no page of a body.

// encodeEvent appends everything but the seal's sum to rec, which newRecord
// made. headEnd is where the body begins.
func encodeEvent(rec []byte, e *store.Event) (out []byte, headEnd int) {
	var head [512]byte
	h := appendHeader(head[:0], e)
	rec = binary.AppendUvarint(rec, uint64(len(h)))
	rec = append(rec, h...)
	return append(rec, e.Body...), len(rec)
}

func appendHeader(h []byte, e *store.Event) []byte {
	h = append(h, e.Rank)
	h = appendTime(h, e.OccurredAt)
	h = appendTime(h, e.ReceivedAt)
	h = appendString(h, e.Source)
	h = appendString(h, e.Vendor)
	h = appendString(h, e.Type)
	h = appendString(h, e.Origin)
	h = appendString(h, e.Lane)
	h = appendString(h, e.DeliveryID)
	h = appendString(h, e.ContentKey)
	h = appendString(h, e.Problem)
	h = appendString(h, e.ContentType)
	h = binary.AppendUvarint(h, uint64(len(e.Body)))
	return binary.BigEndian.AppendUint32(h, crc32.Checksum(e.Body, castagnoli))
}

// decodeHead reads an event without its body, which it returns as it lies in
// the file, unchecked. bodySum is what its checksum has to be.
func decodeHead(key, rec []byte) (e store.Event, body []byte, bodySum uint32, err error) {
	if len(key) != 8 || len(rec) < sealLen {
		return e, nil, 0, damaged(eventsBucket, key, "too short")
	}
	r := reader{rec[sealLen:], true}
	r.take(r.uvarint())
	if !r.ok {
		return e, nil, 0, damaged(eventsBucket, key, "too short")
	}
	body = r.b
	payload, err := unseal(eventsBucket, key, rec[:len(rec)-len(body)])
	if err != nil {
		return e, nil, 0, err
	}
	r = reader{payload, true}
	r.uvarint()
	e = store.Event{
		Seq: binary.BigEndian.Uint64(key), Rank: r.byte(), OccurredAt: r.time(), ReceivedAt: r.time(),
		Source: r.text(), Vendor: r.text(), Type: event.Type(r.text()), Origin: event.Origin(r.text()), Lane: r.text(),
		DeliveryID: r.text(), ContentKey: r.text(), Problem: r.text(), ContentType: r.text(),
	}
	if n := r.uvarint(); n != uint64(len(body)) {
		return e, nil, 0, damaged(eventsBucket, key, "its body has another length than its header says")
	}
	bodySum = r.uint32()
	if !r.ok {
		return e, nil, 0, damaged(eventsBucket, key, "its header cannot be read")
	}
	return e, body, bodySum, nil
}

// decodeEvent reads a whole event; the body is a copy.
func decodeEvent(key, rec []byte) (store.Event, error) {
	e, body, sum, err := decodeHead(key, rec)
	if err != nil {
		return e, err
	}
	if crc32.Checksum(body, castagnoli) != sum {
		return e, damaged(eventsBucket, key, "the checksum of its body does not match")
	}
	if len(body) > 0 {
		e.Body = append([]byte(nil), body...)
	}
	return e, nil
}

// eventHead returns an event without body, or store.ErrNotFound.
func (t *txn) eventHead(seq uint64) (store.Event, error) {
	key := seqKey(seq)
	rec := t.bucket(eventsBucket).Get(key)
	if rec == nil {
		return store.Event{}, notFound(store.EventID(seq))
	}
	e, _, _, err := decodeHead(key, rec)
	return e, err
}

// event returns a whole event, or store.ErrNotFound.
func (t *txn) event(seq uint64) (store.Event, error) {
	key := seqKey(seq)
	rec := t.bucket(eventsBucket).Get(key)
	if rec == nil {
		return store.Event{}, notFound(store.EventID(seq))
	}
	return decodeEvent(key, rec)
}

func (t *txn) putEvent(e *store.Event) error {
	rec, headEnd := encodeEvent(newRecord(512+len(e.Body)), e)
	return t.putSummed(eventsBucket, seqKey(e.Seq), rec, payloadSum(rec[:headEnd]))
}
