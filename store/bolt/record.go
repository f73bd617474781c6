package bolt

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"strconv"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// Every value in the file is a record: CRC32C (4 bytes), version (1 byte),
// payload. The sum covers version, payload, key and bucket, so that a flipped
// bit in a key, or a value that ended up under another key, shows as well.
// bbolt itself has no checksums on data.
const (
	recordVersion = 1
	sealedVersion = 2 // the payload is encrypted: see keyring.go
	sealLen       = 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// bucket is one bbolt bucket; id stands for it in checksums and never changes.
type bucket struct {
	id   byte
	name string
}

// The buckets; what their keys look like stands in keys.go.
var (
	metaBucket       = bucket{1, "meta"}
	eventsBucket     = bucket{2, "events"}
	idsBucket        = bucket{3, "ids"}
	replanBucket     = bucket{4, "replan"}
	deliveriesBucket = bucket{5, "deliveries"}
	statesBucket     = bucket{6, "states"}
	lanesBucket      = bucket{7, "lanes"}
	dueBucket        = bucket{8, "due"}
	linksBucket      = bucket{9, "links"}
	headsBucket      = bucket{10, "heads"}
	callsBucket      = bucket{11, "calls"}
	runningBucket    = bucket{12, "running"}
	secretsBucket    = bucket{13, "secrets"}
	auditBucket      = bucket{14, "audit"}
	marksBucket      = bucket{15, "marks"}
	runsBucket       = bucket{16, "runs"}

	buckets = []bucket{
		metaBucket, eventsBucket, idsBucket, replanBucket, deliveriesBucket,
		statesBucket, lanesBucket, dueBucket, linksBucket, headsBucket, callsBucket, runningBucket, secretsBucket, auditBucket,
		marksBucket, runsBucket,
	}
)

// newRecord gives a buffer whose first bytes are reserved for the seal.
func newRecord(capacity int) []byte {
	rec := make([]byte, sealLen, sealLen+capacity)
	rec[sealLen-1] = recordVersion
	return rec
}

// payloadSum is the part of a record's checksum that does not need the key.
func payloadSum(rec []byte) uint32 { return crc32.Update(0, castagnoli, rec[sealLen-1:]) }

// placed puts the sum of a record that lies in a bucket under key into it.
func placed(b bucket, key, rec []byte, sum uint32) {
	binary.BigEndian.PutUint32(rec, placeSum(sum, b, key))
}

func placeSum(sum uint32, b bucket, key []byte) uint32 {
	sum = crc32.Update(sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, bucketIDs[b.id:][:1])
}

// bucketIDs are all ids there can be, as crc32 wants bytes that stay.
var bucketIDs = func() (all [256]byte) {
	for i := range all {
		all[i] = byte(i)
	}
	return all
}()

// private reports whether a record is encrypted where the ledger is: all but
// what only orders and counts.
func (b bucket) private(key []byte) bool {
	switch b.id {
	case eventsBucket.id, deliveriesBucket.id, dueBucket.id, linksBucket.id, headsBucket.id, runningBucket.id,
		secretsBucket.id, auditBucket.id, marksBucket.id, runsBucket.id:
		return true
	case metaBucket.id:
		return string(key) == string(blindKey)
	}
	return false
}

// checkSeal checks a record as it lies in the file.
func checkSeal(b bucket, key, rec []byte) (sealed bool, err error) {
	switch {
	case len(rec) < sealLen:
		return false, damaged(b, key, "too short")
	case binary.BigEndian.Uint32(rec) != placeSum(payloadSum(rec), b, key):
		return false, damaged(b, key, "its checksum does not match")
	case rec[sealLen-1] != recordVersion && rec[sealLen-1] != sealedVersion:
		return false, damaged(b, key, fmt.Sprintf("its version %d is not known", rec[sealLen-1]))
	}
	return rec[sealLen-1] == sealedVersion, nil
}

// unseal checks a record and returns its payload, decrypted.
func (t *txn) unseal(b bucket, key, rec []byte) ([]byte, error) {
	sealed, err := checkSeal(b, key, rec)
	if err != nil {
		return nil, err
	}
	payload := rec[sealLen:]
	if !sealed {
		return payload, nil
	}
	if payload, err = t.ring().open(payload, placeOf(b, key, nil)); err != nil {
		return nil, damaged(b, key, err.Error())
	}
	return payload, nil
}

// damageError says which record is damaged; it is a store.ErrCorrupt.
type damageError struct {
	bucket, key, what string
}

func damaged(b bucket, key []byte, what string) *damageError {
	return &damageError{b.name, printable(b, key), what}
}

func (e *damageError) Error() string {
	return fmt.Sprintf("%v: %s record %s: %s", store.ErrCorrupt, e.bucket, e.key, e.what)
}

func (e *damageError) Unwrap() error { return store.ErrCorrupt }

// printable never shows more than ids, connectors and hashes: keys hold
// nothing else.
func printable(b bucket, key []byte) string {
	switch {
	case b == auditBucket && len(key) == 8:
		return strconv.FormatUint(binary.BigEndian.Uint64(key), 10)
	case b == metaBucket, b == secretsBucket:
		return string(key)
	case (b == eventsBucket || b == replanBucket) && len(key) == 8:
		return store.EventID(binary.BigEndian.Uint64(key))
	case b == deliveriesBucket && len(key) > 8:
		return store.DeliveryID{Seq: binary.BigEndian.Uint64(key), Connector: string(key[8:])}.String()
	}
	return hex.EncodeToString(key)
}

// timeLen is the length of an encoded time.
const timeLen = 12

// appendTime encodes t so that bytes sort as times do, also before 1970 and
// for the zero time, which UnixNano could not hold.
func appendTime(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix())^(1<<63))
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond()))
}

// readTime decodes what appendTime gave; b has at least timeLen bytes.
func readTime(b []byte) time.Time {
	return time.Unix(int64(binary.BigEndian.Uint64(b)^(1<<63)), int64(binary.BigEndian.Uint32(b[8:]))).UTC()
}

func appendString[S ~string](b []byte, s S) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// reader decodes a payload. After the first malformed field every further one
// is zero and ok is false.
type reader struct {
	b  []byte
	ok bool
}

func (r *reader) take(n uint64) []byte {
	if !r.ok || n > uint64(len(r.b)) {
		r.ok = false
		return nil
	}
	field := r.b[:n]
	r.b = r.b[n:]
	return field
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.ok = false
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) text() string { return string(r.take(r.uvarint())) }

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) time() time.Time {
	if b := r.take(timeLen); b != nil {
		return readTime(b)
	}
	return time.Time{}
}
