package reconcile

import (
	"cmp"
	"encoding/binary"
	"maps"
	"math/bits"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// rosterMost is how many records a roster has once it had to be cut, and half of
// how many it may have. A record takes some 300 bytes.
const rosterMost = 100_000

// roster is what the deliveries of a connector say, read once, of which records
// there are and which events wrote to them. A run goes through it in parts.
type roster struct {
	since   time.Time
	most    int    // rosterMost, but for tests
	after   string // places up to here are not in it
	before  string // nor those from here on; "" is none
	entries map[string]*entry
	places  []string // of entries, in order
	kinds   map[kind]int
	waiting map[string]bool          // lanes in which something is on its way
	dead    map[string]bool          // lanes of deliveries that are dead
	lost    map[store.LinkKey]uint64 // keys under which nothing is known since the delivery of that event was discarded
	report  bool                     // dead deliveries are to be told of
	sorts   map[sort]int
	objects map[string]string // each once: what is read from the ledger is always another string
}

// kind is what tells records of contacts from others.
type kind struct{ rule, object string }

// sort is what mostly says which fields an event wants of a record.
type sort struct {
	source string
	typ    event.Type
	rule   string
}

// entry is one record.
type entry struct {
	object string
	newest store.FieldHead // version of the newest event
	events []byte          // see add and list
	last   uint64          // the event that was added last
	sorts  uint64          // of its events, as bits
	sum    uint64          // another one for other events
	oldest int64           // time of the oldest event
	mixed  bool            // events did not come in the order in which they occurred
	recent bool            // a delivery was made since the last run
}

// written is one event that wrote to a record.
type written struct {
	seq    uint64
	first  bool // the newest of its sort
	recent bool
}

const (
	firstBit = 1 << iota
	recentBit
	flagBits = 2
)

func newRoster(since time.Time, after string, most int) *roster {
	return &roster{
		since: since, after: after, most: most, entries: map[string]*entry{}, kinds: map[kind]int{},
		waiting: map[string]bool{}, dead: map[string]bool{}, lost: map[store.LinkKey]uint64{}, sorts: map[sort]int{}, objects: map[string]string{},
	}
}

// within tells whether a place is among those of this roster.
func (r *roster) within(at string) bool { return at > r.after && (r.before == "" || at < r.before) }

// covers tells whether what comes behind a place is in this roster.
func (r *roster) covers(after string) bool {
	return after >= r.after && (r.before == "" || len(r.places) > 0 && after < r.places[len(r.places)-1])
}

// entry gives a record; nil if it is not in the roster. No string is made: it is
// asked for with every delivery.
func (r *roster) entry(object, id string) *entry {
	var room [128]byte
	at := append(append(append(room[:0], object...), '/'), id...)
	return r.entries[string(at)]
}

// note adds a delivery to a record. first is the place behind which the run
// wants records: where there are too many, those are kept.
func (r *roster) note(object, id, rule string, d *store.Delivery, first string) {
	e := r.entry(object, id)
	if e == nil {
		at := place(store.RecordKey{Object: object, ID: id})
		if !r.within(at) {
			return
		}
		if _, known := r.objects[object]; !known {
			r.objects[object] = object
		}
		e = &entry{object: r.objects[object]}
		r.entries[at] = e
	}
	s := sort{d.Source, d.Type, rule}
	n, known := r.sorts[s]
	if !known {
		n = len(r.sorts)
		r.sorts[s] = n
	}
	e.add(d, n, !d.CreatedAt.Before(r.since))
	if len(r.entries) > 2*r.most {
		r.cut(first)
	}
}

// cut leaves the first of the records behind a place.
func (r *roster) cut(first string) {
	if r.after < first && r.before == "" {
		r.after = first
	}
	maps.DeleteFunc(r.entries, func(at string, _ *entry) bool { return !r.within(at) })
	if len(r.entries) <= r.most {
		return
	}
	places := slices.Sorted(maps.Keys(r.entries))
	r.before = places[r.most]
	for _, at := range places[r.most:] {
		delete(r.entries, at)
	}
}

// add adds an event that wrote to a record. Events come newest first, mostly.
func (e *entry) add(d *store.Delivery, sort int, recent bool) {
	seq := d.ID.Seq
	if len(e.events) > 0 && e.last == seq {
		return // another rule of the same event
	}
	flags := int64(0)
	if bit := uint64(1) << min(sort, 63); e.sorts&bit == 0 || sort >= 63 {
		e.sorts |= bit
		flags |= firstBit
	}
	if recent {
		e.recent = true
		flags |= recentBit
	}
	e.events = binary.AppendVarint(e.events, int64(seq-e.last)<<flagBits|flags)
	e.last = seq
	e.sum += mixed(seq)
	occurred := d.OccurredAt.UnixMilli()
	e.mixed = e.mixed || e.newest.Seq != 0 && occurred >= e.oldest
	if e.newest.Seq == 0 || occurred < e.oldest {
		e.oldest = occurred
	}
	if v := (store.FieldHead{At: d.OccurredAt, Rank: d.Rank, Seq: seq}); e.newest.Seq == 0 || e.newest.Older(v) {
		e.newest = v
	}
}

// list gives the events of a record, newest first.
func (e *entry) list() []written {
	out := make([]written, 0, len(e.events)/2)
	for b, seq := e.events, uint64(0); len(b) > 0; {
		v, n := binary.Varint(b)
		b, seq = b[n:], seq+uint64(v>>flagBits)
		out = append(out, written{seq, v&firstBit != 0, v&recentBit != 0})
	}
	slices.SortFunc(out, func(a, b written) int { return cmp.Compare(b.seq, a.seq) })
	return out
}

// print tells a record with its events from any other.
func (e *entry) print(at string) uint64 {
	sum := e.sum
	for i := range len(at) {
		sum = (sum ^ uint64(at[i])) * 0x100000001b3
	}
	return mixed(sum)
}

// mixed makes a number another one in which each bit depends on all.
func mixed(n uint64) uint64 {
	hi, lo := bits.Mul64(n^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	n = hi ^ lo ^ n
	n = (n ^ n>>32) * 0xd6e8feb86659fd93
	return n ^ n>>29
}
