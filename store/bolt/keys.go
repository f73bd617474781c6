package bolt

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// Keys. Numbers are big-endian, times as appendTime gives them, so that bytes
// sort as meant. What is written together lies together: a commit then touches
// few pages, whatever the ledger already holds. Where the ledger is encrypted,
// hashes of lanes, links, records and calls are enciphered (see blind.go).
//
//	meta        a word
//	events      seq
//	ids         kind, day, 14 bytes of a hash (see ids.go)
//	replan      seq (see planned.go)
//	deliveries  seq, connector
//	states      state, connector, 0, seq
//	lanes       connector, 0, hash of the lane (16), occurred, rank, seq
//	due         connector, 0, due, seq of the lane's head, hash of the lane (16)
//	links       hash of the link key (16)
//	heads       sum of where the record is (4), end of its id (up to 6), hash of the record key (16); in layout 3 the last alone
//	calls       source, 0, id of the call, 0, seq (see calls.go)
//	running     source, 0, id of the call, 0
//	secrets     name (see secrets.go)
//	marks       name (see marks.go)
//	audit       number of the entry (see audit.go)
//	runs        id of the run; of its findings also their number (see runs.go)
const (
	laneHashLen = 16
	laneTailLen = timeLen + 1 + 8           // occurred, rank, seq
	dueTailLen  = timeLen + 8 + laneHashLen // due, seq, lane
)

func seqKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 8), seq) }

func deliveryKey(id store.DeliveryID) []byte {
	k := make([]byte, 0, 8+len(id.Connector))
	return append(binary.BigEndian.AppendUint64(k, id.Seq), id.Connector...)
}

// States kept in the states bucket: those that people list and that are not
// what most of a ledger is in.
const (
	stateWaiting     byte = 'w'
	stateDead        byte = 'd'
	stateDiscarded   byte = 'x' // of a delivery, or of an event; the connector of an event is ""
	stateQuarantined byte = 'q' // of an event; its connector is ""
	stateUnmatched   byte = 'u' // of an event; its connector is ""
)

func statePrefix(state byte, connector string) []byte {
	k := make([]byte, 0, 2+len(connector)+8)
	k = append(k, state)
	k = append(k, connector...)
	return append(k, 0)
}

func stateKey(state byte, connector string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(statePrefix(state, connector), seq)
}

func connectorPrefix(connector string, room int) []byte {
	k := make([]byte, 0, len(connector)+1+room)
	k = append(k, connector...)
	return append(k, 0)
}

func lanePrefix(connector string, lane []byte) []byte {
	return append(connectorPrefix(connector, laneHashLen+laneTailLen), lane...)
}

func laneKey(prefix []byte, occurred time.Time, rank uint8, seq uint64) []byte {
	k := make([]byte, 0, len(prefix)+laneTailLen)
	k = appendTime(append(k, prefix...), occurred)
	return binary.BigEndian.AppendUint64(append(k, rank), seq)
}

func dueKey(connector string, due time.Time, seq uint64, lane []byte) []byte {
	k := appendTime(connectorPrefix(connector, dueTailLen), due)
	k = binary.BigEndian.AppendUint64(k, seq)
	return append(k, lane...)
}

func (t *txn) laneHash(lane string) []byte {
	sum := sha256.Sum256([]byte(lane))
	return t.blind().hash(sum[:laneHashLen])
}

// hashOf hashes words so that no two lists of words give the same input.
func hashOf(kind string, words ...string) [sha256.Size]byte {
	n := len(kind) + 1
	for _, w := range words {
		n += len(w) + 4
	}
	var few [256]byte // most are shorter, and need no memory of their own
	b := few[:0]
	if n > len(few) {
		b = make([]byte, 0, n)
	}
	b = appendString(b, kind)
	for _, w := range words {
		b = appendString(b, w)
	}
	return sha256.Sum256(b)
}
