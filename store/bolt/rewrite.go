package bolt

import (
	"bytes"
	"crypto/aes"
	"fmt"

	bbolt "go.etcd.io/bbolt"
)

// A compaction writes records as they would be written today: with the first of
// the keys, long bodies compressed, and in an encrypted file under keys that
// hide what they are made from. What is damaged is copied as it is, for a
// person to see.

// rewriting brings records from one file to another.
type rewriting struct {
	from    *txn
	to      *opened
	damaged map[place]struct{} // records that could not be read
}

// hides reports whether keys are hidden in the new file and not in the old one.
func (w *rewriting) hides() bool { return w.from.blind() == nil && w.to.blind != nil }

// put brings a record into the new file; v is nil where it is gone. The new file says
// itself which keys it needs.
func (w *rewriting) put(to *bbolt.Bucket, b bucket, k, v []byte) error {
	if b == metaBucket && bytes.Equal(k, keysKey) {
		return nil
	}
	key := w.key(b, k)
	if v == nil {
		return to.Delete(key)
	}
	rec, err := w.record(b, k, key, v)
	if err != nil {
		w.from.l.reportDamage(err)
		w.damaged[place{b.id, string(k)}] = struct{}{}
		rec = v
	}
	return to.Put(key, rec)
}

// key gives a record's key in the new file.
func (w *rewriting) key(b bucket, k []byte) []byte {
	if !w.hides() {
		return k
	}
	hidden := func(at int) []byte {
		if at < 0 || at+aes.BlockSize > len(k) {
			return k
		}
		out := bytes.Clone(k)
		copy(out[at:], w.to.blind.hash(k[at:at+aes.BlockSize]))
		return out
	}
	switch b {
	case linksBucket:
		return hidden(0)
	case headsBucket:
		return hidden(len(k) - aes.BlockSize)
	case lanesBucket:
		return hidden(len(k) - laneTailLen - laneHashLen)
	case dueBucket:
		return hidden(len(k) - laneHashLen)
	case callsBucket, runningBucket:
		if source, call, rest, ok := readCallKey(k); ok {
			return append(w.to.blind.callKey(source, call), rest...)
		}
	}
	return k
}

// readCallKey takes a key of the calls or the running bucket apart, where calls
// stand in keys as they are.
func readCallKey(k []byte) (source, call string, rest []byte, ok bool) {
	s, more, _ := bytes.Cut(k, []byte{0})
	c, rest, ok := bytes.Cut(more, []byte{0})
	return string(s), string(c), rest, ok
}

// record gives a record as the new file has it under key.
func (w *rewriting) record(b bucket, k, key, rec []byte) ([]byte, error) {
	if b == eventsBucket {
		return w.event(k, rec)
	}
	ring := w.from.ring()
	encrypts := ring.encrypts() && b.private(k)
	sealed := len(rec) >= sealLen && rec[sealLen-1] == sealedVersion
	moved := w.hides() && !bytes.Equal(k, key)
	if sealed == encrypts && (!sealed || ring.current(rec[sealLen:])) && !moved {
		return rec, nil
	}
	payload, err := w.from.unseal(b, k, rec)
	if err != nil {
		return nil, err
	}
	if moved {
		if payload, err = w.payload(b, k, payload); err != nil {
			return nil, err
		}
	}
	return ring.record(b, key, payload)
}

// payload is what a record holds besides, now that its key is hidden.
func (w *rewriting) payload(b bucket, k, payload []byte) ([]byte, error) {
	switch b {
	case linksBucket, headsBucket:
		if len(payload) < aes.BlockSize {
			return nil, damaged(b, k, "it cannot be read")
		}
		return append(bytes.Clone(w.to.blind.hash(payload[:aes.BlockSize])), payload[aes.BlockSize:]...), nil
	case runningBucket:
		_, call, _, _ := readCallKey(k)
		return w.to.blind.running(bytes.Clone(payload), call), nil
	}
	return payload, nil
}

func (w *rewriting) event(k, rec []byte) ([]byte, error) {
	head, err := w.from.decodeHead(k, rec)
	if err != nil {
		return nil, err
	}
	ring := w.from.ring()
	if head.sealed == ring.encrypts() && (!head.sealed || head.current) && (head.body.s2 || head.body.size < packFrom) {
		return rec, nil
	}
	e, err := head.whole(k)
	if err != nil {
		return nil, err
	}
	e.Calls = head.calls
	body, err := ring.pack(e.Body)
	if err != nil {
		return nil, err
	}
	x := ring.encodeEvent(make([]byte, 0, 512+len(body.raw)), &e, head.marks, body)
	if err := x.finish(ring, k); err != nil {
		return nil, err
	}
	placed(eventsBucket, k, x.rec, x.sum)
	return x.rec, nil
}

// begin writes into the empty new file what is needed to read its keys and
// records.
func (w *rewriting) begin(tx *bbolt.Tx) error {
	ring := w.from.ring()
	put := func(key, payload []byte) error {
		rec, err := ring.record(metaBucket, key, payload)
		if err != nil {
			return err
		}
		return tx.Bucket([]byte(metaBucket.name)).Put(key, rec)
	}
	if w.to.blind = w.from.blind(); w.to.blind == nil && ring.encrypts() {
		b, secret, err := newBlind()
		if err != nil {
			return err
		}
		if err := put(blindKey, secret); err != nil {
			return fmt.Errorf("hide keys: %w", err)
		}
		w.to.blind = b
	}
	if !ring.encrypts() {
		return nil
	}
	return put(keysKey, ring.first.id[:])
}
