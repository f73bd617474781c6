package bolt

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// Content keys of events for which the vendor gives no time are of no day: if
// all lay in one place, each new one would cost a page of an index that only
// grows. So each table of ids puts its own into the index as a part that is not
// changed any more, but for what is deleted. A part has a filter in memory,
// which tells for nearly every id that it is not in there.
const (
	idUntimed byte = 'u' // vendor and content key, by part
	idFilter  byte = 'f' // a part's filter
)

// partFew is how many ids of a part are too few to keep it for.
const partFew = 256

type part struct {
	number int32
	filter filter
}

// untimed says that the key is of an id without a day.
func (k idKey) untimed() bool { return k[0] == idContent && k.number() == undated }

// number is the day of a key, or its part.
func (k idKey) number() int32 { return numberOf(k[:]) }

func numberOf(k []byte) int32 { return int32(binary.BigEndian.Uint32(k[1:]) ^ (1 << 31)) }

func (k idKey) hash() idHash { return idHash(k[5:]) }

func filterKey(number int32) []byte {
	k := makeIDKey(idFilter, number, idHash{}).day()
	return k[:]
}

// inParts looks an id up that is of no day, the newest part first.
func (t *txn) inParts(parts []part, h idHash) (k idKey, v idValue, found bool) {
	for _, p := range slices.Backward(parts) {
		if !p.filter.has(h) {
			continue
		}
		k = makeIDKey(idUntimed, p.number, h)
		if v = t.indexed(k); v.seq != 0 {
			return k, v, true
		}
	}
	return idKey{}, idValue{}, false
}

// readParts reads the filters. A damaged one is reported, and its part looked
// into for every id.
func (t *txn) readParts() (parts []part) {
	c := t.bucket(idsBucket).Cursor()
	for k, rec := c.Seek([]byte{idFilter}); len(k) == len(idDay{}) && k[0] == idFilter; k, rec = c.Next() {
		p := part{number: numberOf(k)}
		payload, err := t.unseal(idsBucket, k, rec)
		if err == nil {
			p.filter, err = readFilter(k, payload)
		}
		if err != nil {
			t.l.reportDamage(err)
		}
		parts = append(parts, p)
	}
	return parts
}

// smallParts are the parts in which few ids are left.
func (t *txn) smallParts() (small []int32) {
	c := t.bucket(idsBucket).Cursor()
	for k, _ := c.Seek([]byte{idFilter}); len(k) == len(idDay{}) && k[0] == idFilter; k, _ = c.Next() {
		number := numberOf(k)
		if _, ok := t.smallPart(number); ok {
			small = append(small, number)
		}
	}
	return small
}

// smallPart returns what is left in a part; ok is true if that is few enough to
// let go of the part.
func (t *txn) smallPart(number int32) (left []idKey, ok bool) {
	prefix := makeIDKey(idUntimed, number, idHash{}).day()
	c := t.bucket(idsBucket).Cursor()
	for k, _ := c.Seek(prefix[:]); len(k) == len(idKey{}) && idKey(k).day() == prefix; k, _ = c.Next() {
		if left = append(left, idKey(k)); len(left) > partFew {
			return nil, false
		}
	}
	return left, true
}

// dropPart lets go of a part if few ids are left in it, as those of events that
// were erased: they are kept beside the parts. Those that its filter does not
// have were left there by a start in the middle of their move, and are elsewhere
// or gone with their events.
func (t *txn) dropPart(number int32) error {
	left, ok := t.smallPart(number)
	if !ok {
		return nil
	}
	var f filter
	for _, p := range t.l.recent.parts {
		if p.number == number {
			f = p.filter
		}
	}
	for _, k := range left {
		v := t.indexed(k)
		if err := t.del(idsBucket, k[:]); err != nil {
			return err
		}
		if v.seq == 0 || !f.has(k.hash()) {
			continue // damaged, and reported; or left over
		}
		loose := makeIDKey(idContent, undated, k.hash())
		t.l.idDays[loose.day()] = struct{}{}
		if err := t.put(idsBucket, loose[:], v.record()); err != nil {
			return err
		}
	}
	t.dropped = append(t.dropped, number)
	return t.del(idsBucket, filterKey(number))
}

// filter is a Bloom filter of hashes in blocks of 64 bytes, so that a look
// costs one of the memory. With 16 bits for each hash one in about a thousand
// is taken for one that is there. The empty filter has every hash.
type filter []filterBlock

type filterBlock [8]uint64

func newFilter(n int) filter { return make(filter, n*16/512+1) }

// place is the block of a hash; its bits there are spread by the other bytes.
func (f filter) place(h *idHash) *filterBlock {
	i, _ := bits.Mul64(binary.BigEndian.Uint64(h[:]), uint64(len(f)))
	return &f[i]
}

// filterBits are the bits of a hash in its block: one in each word.
func filterBits(h *idHash) uint64 { return binary.LittleEndian.Uint64(h[6:]) }

func (f filter) add(h idHash) {
	b, x := f.place(&h), filterBits(&h)
	for i := range b {
		b[i] |= 1 << (x >> (6 * i) & 63)
	}
}

func (f filter) has(h idHash) bool {
	if len(f) == 0 {
		return true
	}
	b, x := f.place(&h), filterBits(&h)
	// All of them in any case: looks into many parts then wait for the memory
	// side by side.
	all := uint64(1)
	for i := range b {
		all &= b[i] >> (x >> (6 * i) & 63)
	}
	return all == 1
}

func (f filter) record() []byte {
	rec := newRecord(len(f) * 64)
	for i := range f {
		for _, w := range f[i] {
			rec = binary.LittleEndian.AppendUint64(rec, w)
		}
	}
	return rec
}

func readFilter(key, payload []byte) (filter, error) {
	if len(payload) == 0 || len(payload)%64 != 0 {
		return nil, damaged(idsBucket, key, "it cannot be read")
	}
	f := make(filter, len(payload)/64)
	for i := range f {
		for j := range f[i] {
			f[i][j] = binary.LittleEndian.Uint64(payload[64*i+8*j:])
		}
	}
	return f, nil
}
