package bolt

import (
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// An event's record is seal, length of the header, header, body. The seal
// covers the header; the body has a sum of its own in the header, so that a
// scan over headers touches no page of a body. Encrypted, header and body are so
// each for itself.

// eventRecord is the record of an event in the making. All but finish can be
// done side by side with others.
type eventRecord struct {
	rec     []byte
	headEnd int    // where the body begins
	headAt  int    // where the header begins
	head    []byte // to be encrypted, once the key is known; nil: it is in rec
	sum     uint32 // payloadSum of the header, unless it is to be encrypted
}

// encodeEvent appends an event's record to rec, which is empty.
func (r *ring) encodeEvent(rec []byte, e *store.Event, m marks, body packed) eventRecord {
	var room [512]byte
	h := appendHeader(room[:0], e, m, body)
	x := eventRecord{}
	rec = append(rec, 0, 0, 0, 0, recordVersion)
	if r.encrypts() {
		rec[sealLen-1] = sealedVersion
		rec = binary.AppendUvarint(rec, uint64(len(h)+sealedLen))
		x.head, x.headAt = append([]byte(nil), h...), len(rec)
		rec = append(rec, make([]byte, len(h)+sealedLen)...)
	} else {
		rec = binary.AppendUvarint(rec, uint64(len(h)))
		rec = append(rec, h...)
	}
	x.headEnd = len(rec)
	x.rec = append(rec, body.raw...)
	if x.head == nil {
		x.sum = payloadSum(x.rec[:x.headEnd])
	}
	return x
}

// finish encrypts the header where that is wanted. It may be called again.
func (x *eventRecord) finish(r *ring, key []byte) error {
	if x.head == nil {
		return nil
	}
	if _, err := r.seal(x.rec[:x.headAt], x.head, placeOf(eventsBucket, key, beginning(x.rec[x.headEnd:]))); err != nil {
		return err
	}
	x.sum = payloadSum(x.rec[:x.headEnd])
	return nil
}

// beginning is the part of an encrypted body that no other one has.
func beginning(body []byte) []byte { return body[:min(len(body), prefixLen)] }

// putRecord writes an event's record.
func (t *txn) putRecord(seq uint64, x *eventRecord) error {
	key := seqKey(seq)
	if err := x.finish(t.ring(), key); err != nil {
		return err
	}
	t.sealed = t.sealed || x.head != nil
	return t.putSummed(eventsBucket, key, x.rec, x.sum)
}

// What stands behind a header, where there is any of it, in this order: each
// begins with its mark.
const (
	markPacked byte = 1 // the length of the body as it came
	markTraced byte = 2 // the trace that the webhook brought
)

func appendHeader(h []byte, e *store.Event, m marks, body packed) []byte {
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
	h = binary.AppendUvarint(h, uint64(len(body.raw)))
	h = binary.BigEndian.AppendUint32(h, body.sum)
	h = append(h, m.kinds)
	h = binary.BigEndian.AppendUint32(h, uint32(m.day))
	h = binary.BigEndian.AppendUint64(h, m.body)
	// Files of before have nothing behind this: see decodeHead.
	h = binary.AppendUvarint(h, uint64(len(e.Calls)))
	for _, call := range e.Calls {
		h = appendString(h, call)
	}
	h = appendString(h, e.Discarded)
	if body.s2 {
		h = append(h, markPacked)
		h = binary.AppendUvarint(h, uint64(body.size))
	}
	if t := e.Trace; t != nil {
		h = append(h, markTraced, t.Flags)
		h = append(h, t.ID[:]...)
		h = append(h, t.Span[:]...)
		h = appendString(h, t.State)
	}
	return h
}

// eventHead is an event's record, all but its body read and checked.
type eventHead struct {
	store.Event
	marks
	calls   []string // its Calls, to be put into Event again when it is written
	body    packed   // unchecked
	sealed  bool     // it is encrypted
	current bool     // with the key that is used now
	ring    *ring
}

func (t *txn) decodeHead(key, rec []byte) (e eventHead, err error) {
	if len(key) != 8 || len(rec) < sealLen {
		return e, damaged(eventsBucket, key, "too short")
	}
	r := reader{rec[sealLen:], true}
	head := r.take(r.uvarint())
	if !r.ok {
		return e, damaged(eventsBucket, key, "too short")
	}
	e.body.raw, e.ring = r.b, t.ring()
	if e.sealed, err = checkSeal(eventsBucket, key, rec[:len(rec)-len(r.b)]); err != nil {
		return e, err
	}
	if e.sealed {
		e.current = e.ring.encrypts() && e.ring.current(head)
		if head, err = e.ring.open(head, placeOf(eventsBucket, key, beginning(e.body.raw))); err != nil {
			return e, damaged(eventsBucket, key, err.Error())
		}
	}
	r = reader{head, true}
	e.Event = store.Event{
		Seq: binary.BigEndian.Uint64(key), Rank: r.byte(), OccurredAt: r.time(), ReceivedAt: r.time(),
		Source: r.text(), Vendor: r.text(), Type: event.Type(r.text()), Origin: event.Origin(r.text()), Lane: r.text(),
		DeliveryID: r.text(), ContentKey: r.text(), Problem: r.text(), ContentType: r.text(),
	}
	if n := r.uvarint(); n != uint64(len(e.body.raw)) {
		return e, damaged(eventsBucket, key, "its body has another length than its header says")
	}
	e.body.sum, e.body.size = r.uint32(), len(e.body.raw)
	if e.sealed {
		e.body.size = max(0, e.body.size-sealedLen)
	}
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
	for r.ok && len(r.b) > 0 {
		switch r.byte() {
		case markPacked:
			size := r.uvarint()
			r.ok = r.ok && size <= maxBody
			e.body.s2, e.body.size = true, int(size)
		case markTraced:
			e.Trace = &event.Trace{Flags: r.byte()}
			copy(e.Trace.ID[:], r.take(uint64(len(e.Trace.ID))))
			copy(e.Trace.Span[:], r.take(uint64(len(e.Trace.Span))))
			e.Trace.State = r.text()
		default:
			r.ok = false
		}
	}
	if !r.ok {
		return e, damaged(eventsBucket, key, "its header cannot be read")
	}
	return e, nil
}

// headOf is an event's record without its body.
func headOf(rec []byte) []byte {
	if len(rec) < sealLen {
		return rec
	}
	r := reader{rec[sealLen:], true}
	r.take(r.uvarint())
	return rec[:len(rec)-len(r.b)]
}

var errUnpack = errors.New("its body cannot be decompressed")

// whole adds a copy of the body, checked.
func (e *eventHead) whole(key []byte) (store.Event, error) {
	if crc32.Checksum(e.body.raw, castagnoli) != e.body.sum {
		return e.Event, damaged(eventsBucket, key, "the checksum of its body does not match")
	}
	var err error
	if e.Body, err = e.ring.unpack(e.body, e.sealed); err != nil {
		return e.Event, damaged(eventsBucket, key, err.Error())
	}
	return e.Event, nil
}

// eventHead returns an event without body, or store.ErrNotFound.
func (t *txn) eventHead(seq uint64) (eventHead, error) {
	key := seqKey(seq)
	rec := t.raw(eventsBucket, key)
	if rec == nil {
		return eventHead{}, notFound(store.EventID(seq))
	}
	return t.decodeHead(key, rec)
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
	body, err := t.ring().pack(e.Body)
	if err != nil {
		return err
	}
	x := t.ring().encodeEvent(make([]byte, 0, 512+len(body.raw)), &e, was.marks, body)
	return t.putRecord(e.Seq, &x)
}
