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
func encodeEvent(rec []byte, e *store.Event, m marks) (out []byte, headEnd int) {
	var head [512]byte
	h := appendHeader(head[:0], e, m)
	rec = binary.AppendUvarint(rec, uint64(len(h)))
	rec = append(rec, h...)
	return append(rec, e.Body...), len(rec)
}

func appendHeader(h []byte, e *store.Event, m marks) []byte {
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
	h = binary.BigEndian.AppendUint32(h, crc32.Checksum(e.Body, castagnoli))
	h = append(h, m.kinds)
	h = binary.BigEndian.AppendUint32(h, uint32(m.day))
	h = binary.BigEndian.AppendUint64(h, m.body)
	// Files of before have nothing behind this: see decodeHead.
	h = binary.AppendUvarint(h, uint64(len(e.Calls)))
	for _, call := range e.Calls {
		h = appendString(h, call)
	}
	return appendString(h, e.Discarded)
}

// eventHead is an event's record, all but its body read and checked.
type eventHead struct {
	store.Event
	marks
	calls []string // its Calls, to be put into Event again when it is written
	raw   []byte   // the body as it lies in the file, unchecked
	sum   uint32   // what its checksum has to be
}

func decodeHead(key, rec []byte) (e eventHead, err error) {
	if len(key) != 8 || len(rec) < sealLen {
		return e, damaged(eventsBucket, key, "too short")
	}
	r := reader{rec[sealLen:], true}
	r.take(r.uvarint())
	if !r.ok {
		return e, damaged(eventsBucket, key, "too short")
	}
	e.raw = r.b
	payload, err := unseal(eventsBucket, key, rec[:len(rec)-len(e.raw)])
	if err != nil {
		return e, err
	}
	r = reader{payload, true}
	r.uvarint()
	e.Event = store.Event{
		Seq: binary.BigEndian.Uint64(key), Rank: r.byte(), OccurredAt: r.time(), ReceivedAt: r.time(),
		Source: r.text(), Vendor: r.text(), Type: event.Type(r.text()), Origin: event.Origin(r.text()), Lane: r.text(),
		DeliveryID: r.text(), ContentKey: r.text(), Problem: r.text(), ContentType: r.text(),
	}
	if n := r.uvarint(); n != uint64(len(e.raw)) {
		return e, damaged(eventsBucket, key, "its body has another length than its header says")
	}
	e.sum = r.uint32()
	e.marks = marks{kinds: r.byte(), day: int32(r.uint32()), body: r.uint64()}
	e.Stripped = e.kinds&markStripped != 0
	if r.ok && len(r.b) > 0 {
		for range r.uvarint() {
			if !r.ok {
				break
			}
			e.calls = append(e.calls, r.text())
		}
		e.Discarded = r.text()
	}
	if !r.ok {
		return e, damaged(eventsBucket, key, "its header cannot be read")
	}
	return e, nil
}

// decodeEvent reads a whole event; the body is a copy.
func decodeEvent(key, rec []byte) (store.Event, error) {
	e, err := decodeHead(key, rec)
	if err != nil {
		return e.Event, err
	}
	return e.whole(key)
}

// whole adds a copy of the body, checked.
func (e *eventHead) whole(key []byte) (store.Event, error) {
	if crc32.Checksum(e.raw, castagnoli) != e.sum {
		return e.Event, damaged(eventsBucket, key, "the checksum of its body does not match")
	}
	if len(e.raw) > 0 {
		e.Body = append([]byte(nil), e.raw...)
	}
	return e.Event, nil
}

// eventHead returns an event without body, or store.ErrNotFound.
func (t *txn) eventHead(seq uint64) (eventHead, error) {
	key := seqKey(seq)
	rec := t.bucket(eventsBucket).Get(key)
	if rec == nil {
		return eventHead{}, notFound(store.EventID(seq))
	}
	return decodeHead(key, rec)
}

// event returns a whole event, or store.ErrNotFound.
func (t *txn) event(seq uint64) (store.Event, eventHead, error) {
	head, err := t.eventHead(seq)
	if err != nil {
		return head.Event, head, err
	}
	e, err := head.whole(seqKey(seq))
	return e, head, err
}

// putEvent writes an event anew; was is what was kept of it.
func (t *txn) putEvent(e store.Event, was eventHead) error {
	e.Calls = was.calls
	rec, headEnd := encodeEvent(newRecord(512+len(e.Body)), &e, was.marks)
	return t.putSummed(eventsBucket, seqKey(e.Seq), rec, payloadSum(rec[:headEnd]))
}
