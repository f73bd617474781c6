package bolt

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// Ids say what the ledger has already: those of recent events in memory
// (recent.go), all others in the ids bucket, the index. Keys are a kind, a day
// and a hash: hashes alone would spread over the whole bucket, and slow down as
// it grows. A value is the event's seq and 8 bytes of a hash of its body.
const (
	idDelivery byte = 'd' // source and delivery id, by the day it was received
	idConflict byte = 'x' // source, delivery id and body of a conflict, by the day it was received
	idContent  byte = 'c' // vendor and content key, by the day it occurred; untimed.go has those without a day
	idBody     byte = 'b' // source and body of a quarantined event, by the day it was received
)

const idHashLen = 14

// undated is the day of events for which the vendor gives no time: there
// OccurredAt is ReceivedAt, which differs from one delivery to the next.
const undated int32 = 0

// redeliveryDays is for how many days back a delivery id is looked up. Vendors
// give up after three (Svix' last retry comes after 28 h; read 2026-11); what
// people send again later has the same content key.
const redeliveryDays = 3

type idHash [idHashLen]byte

func idOf(kind byte, words ...string) (h idHash) {
	sum := hashOf(string(kind), words...)
	copy(h[:], sum[:])
	return h
}

// marks are what an event's record says of the ids under which it was kept, so
// that they can be made again from it: a replay may have changed what they
// depended on.
type marks struct {
	kinds byte
	day   int32  // of the content key
	body  uint64 // bodyHash
}

const (
	markDelivery byte = 1 << iota
	markConflict
	markContent
	markBody
	markStripped // no id: the body was let go of
)

// idHashes are the hashes of an event's ids; zero where it has none.
type idHashes struct {
	delivery, conflict, content, body idHash
}

func (m marks) hashes(e *store.Event) (h idHashes) {
	if m.kinds&markDelivery != 0 {
		h.delivery = idOf(idDelivery, e.Source, e.DeliveryID)
	}
	if m.kinds&markConflict != 0 {
		h.conflict = idOf(idConflict, e.Source, e.DeliveryID, string(binary.BigEndian.AppendUint64(nil, m.body)))
	}
	if m.kinds&markContent != 0 {
		h.content = idOf(idContent, e.Vendor, e.ContentKey)
	}
	if m.kinds&markBody != 0 {
		h.body = idOf(idBody, e.Source, string(binary.BigEndian.AppendUint64(nil, m.body)))
	}
	return h
}

// eachKey calls do with each key under which an event is known.
func (m marks) eachKey(e *store.Event, h *idHashes, do func(idKey, idValue)) {
	received, v := dayOf(e.ReceivedAt), idValue{e.Seq, m.body}
	if m.kinds&markDelivery != 0 {
		do(makeIDKey(idDelivery, received, h.delivery), v)
	}
	if m.kinds&markConflict != 0 {
		do(makeIDKey(idConflict, received, h.conflict), v)
	}
	if m.kinds&markContent != 0 {
		do(makeIDKey(idContent, m.day, h.content), v)
	}
	if m.kinds&markBody != 0 {
		do(makeIDKey(idBody, received, h.body), v)
	}
}

func bodyHash(body []byte) uint64 {
	sum := sha256.Sum256(body)
	h := binary.BigEndian.Uint64(sum[:])
	if h == 0 {
		return 1 // zero is "not known"
	}
	return h
}

func dayOf(t time.Time) int32 {
	const day = 24 * 60 * 60
	s := t.Unix()
	d := s / day
	if s%day < 0 {
		d--
	}
	return int32(d)
}

type idKey [1 + 4 + idHashLen]byte

// idValue is the event that has an id, and the bodyHash of its body.
type idValue struct{ seq, body uint64 }

const idValueLen = 8 + 8

func (v idValue) record() []byte {
	rec := newRecord(idValueLen)
	rec = binary.BigEndian.AppendUint64(rec, v.seq)
	return binary.BigEndian.AppendUint64(rec, v.body)
}

func makeIDKey(kind byte, day int32, h idHash) (k idKey) {
	k[0] = kind
	binary.BigEndian.PutUint32(k[1:], uint32(day)^(1<<31))
	copy(k[5:], h[:])
	return k
}

// idDay is the part of a key before the hash. Which there are is known in
// memory, so that an id is looked up only on days that have any of its kind.
type idDay [1 + 4]byte

func (k idKey) day() idDay { return idDay(k[:]) }

// readIDDays finds the days of the ids bucket, with one look for each.
func (t *txn) readIDDays() map[idDay]struct{} {
	days := map[idDay]struct{}{}
	c := t.bucket(idsBucket).Cursor()
	for k, _ := c.First(); len(k) >= len(idDay{}); {
		day := idDay(k)
		days[day] = struct{}{}
		// The end of the day: no hash is longer or greater than this.
		end := bytes.Repeat([]byte{0xff}, len(idKey{})+1)
		copy(end, day[:])
		k, _ = c.Seek(end)
	}
	return days
}

// seen looks an id up on each of the days; found is 0 if there is none.
func (t *txn) seen(kind byte, h idHash, days ...int32) (found, body uint64) {
	for _, day := range days {
		k := makeIDKey(kind, day, h)
		if _, any := t.l.idDays[k.day()]; any {
			v, known := t.l.recent.find(k)
			if !known {
				v = t.indexed(k)
			}
			if v.seq != 0 {
				return v.seq, v.body
			}
		}
		if k.untimed() {
			if _, v, known := t.inParts(t.l.recent.parts, h); known {
				return v.seq, v.body
			}
		}
	}
	return 0, 0
}

// indexed looks a key up in the index; zero if it is not there. A damaged entry
// is reported and taken for none: an event kept twice does less harm than one
// that can never be kept.
func (t *txn) indexed(k idKey) idValue {
	payload, err := t.get(idsBucket, k[:])
	if err == nil && payload != nil && len(payload) != idValueLen {
		err = damaged(idsBucket, k[:], "it cannot be read")
	}
	if err != nil {
		t.l.reportDamage(err)
	}
	if err != nil || payload == nil {
		return idValue{}
	}
	return idValue{binary.BigEndian.Uint64(payload), binary.BigEndian.Uint64(payload[8:])}
}

// remember keeps an id in memory; what moves it into the index is recent.go.
func (t *txn) remember(k idKey, v idValue) {
	t.l.idDays[k.day()] = struct{}{}
	if t.l.recent.add(k, v) {
		t.remembered = append(t.remembered, k)
	}
}

// receivedDays are the days on which an event that is received on day may
// have been received before; the day after, should the clock have been put back.
func receivedDays(day int32) []int32 {
	days := make([]int32, 0, redeliveryDays+2)
	for d := day; d >= day-redeliveryDays; d-- {
		days = append(days, d)
	}
	return append(days, day+1)
}

var (
	errNoSource = errors.New("an event without a source cannot be kept")
	errNoLane   = errors.New("an event without a lane cannot be kept")
)

func checkEvent(e *store.Event) error {
	switch {
	case e.Source == "":
		return errNoSource
	case e.Lane == "":
		return errNoLane
	}
	return nil
}
