package bolt

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/store"
)

// untimedSample is an event for which the vendor gives no time, and no delivery id.
func untimedSample(n int) store.Event {
	e := sample(n)
	e.OccurredAt, e.DeliveryID = e.ReceivedAt, ""
	return e
}

// stillKnown holds that the event is known months later, and under another body.
func stillKnown(t testing.TB, l *Ledger, n int) {
	t.Helper()
	e := untimedSample(n)
	e.ReceivedAt = e.ReceivedAt.AddDate(0, 3, 0)
	e.OccurredAt, e.Body = e.ReceivedAt, []byte("other")
	if r, err := l.Append(t.Context(), e); err != nil || r != (store.Receipt{Seq: uint64(n), Duplicate: true}) {
		t.Fatalf("event %d: want a duplicate, got %+v, %v", n, r, err)
	}
}

func partsOf(l *Ledger) int {
	n := 0
	_ = l.write(context.Background(), 1, func(t *txn) error { n = len(t.l.recent.parts); return nil }, nil)
	return n
}

func TestUntimed(t *testing.T) {
	t.Parallel()

	t.Run("events without a time are known for good, in whichever part their ids are", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openSmall(t, dir, 10, 3)
		defer func() { l.Close() }()
		const events = 100
		for n := 1; n <= events; n++ {
			appendNew(t, l, untimedSample(n))
		}
		for n := 1; n <= events; n++ {
			stillKnown(t, l, n)
		}
		sound(t, l)
		if n := partsOf(l); n < 8 {
			t.Fatalf("%d parts, want one for each ten ids", n)
		}
		for _, clean := range []bool{true, false} {
			if clean {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			} else {
				abandon(t, l)
			}
			l = openSmall(t, dir, 7, 2) // other tables do no harm
			for n := 1; n <= events; n++ {
				stillKnown(t, l, n)
			}
			sound(t, l)
		}
	})

	t.Run("a vendor that gives the time later tells of the same call", func(t *testing.T) {
		t.Parallel()
		l := openSmall(t, t.TempDir(), 4, 2)
		defer l.Close()
		for n := 1; n <= 20; n++ {
			appendNew(t, l, untimedSample(n))
		}
		told := sample(3)
		told.DeliveryID = ""
		if r, err := l.Append(t.Context(), told); err != nil || r.Seq != 3 || !r.Duplicate {
			t.Fatalf("want a duplicate of 3, got %+v, %v", r, err)
		}
	})

	t.Run("their ids go with them, and parts that are empty go too", func(t *testing.T) {
		t.Parallel()
		l := openSmall(t, t.TempDir(), 10, 3)
		defer l.Close()
		for n := 1; n <= 45; n++ {
			seq := appendNew(t, l, untimedSample(n))
			if err := l.Plan(t.Context(), []store.Plan{{Seq: seq}}); err != nil { // no rule wants it
				t.Fatal(err)
			}
		}
		if n := partsOf(l); n < 2 {
			t.Fatalf("%d parts, the test wants some", n)
		}
		if _, err := l.Erase(t.Context(), store.Erasure{Events: []uint64{2}}); err != nil {
			t.Fatal(err)
		}
		later := untimedSample(45).ReceivedAt.AddDate(1, 0, 0)
		expireAll(t, l, later)
		sound(t, l)
		if n := partsOf(l); n > 1 {
			t.Errorf("%d parts are left with few ids in them", n)
		}
		stillKnown(t, l, 2) // an erased one is known for good
	})

	for name, tables := range map[string]struct{ len, run int }{"young": {1000, 3}, "on their way": {30, 29}, "half moved": {30, 7}} {
		t.Run("ids go with their events while they are "+name, func(t *testing.T) {
			t.Parallel()
			l := openSmall(t, t.TempDir(), tables.len, tables.run)
			defer l.Close()
			const events = 40
			for n := 1; n <= events; n++ {
				seq := appendNew(t, l, untimedSample(n))
				if err := l.Plan(t.Context(), []store.Plan{{Seq: seq}}); err != nil { // no rule wants it
					t.Fatal(err)
				}
			}
			expireAll(t, l, untimedSample(events).ReceivedAt.AddDate(1, 0, 0))
			for n := events + 1; n <= 5*events; n++ {
				appendNew(t, l, untimedSample(n))
			}
			sound(t, l)
			for n := 1; n <= events; n++ {
				appendNew(t, l, untimedSample(n)) // nothing knows of the first one
			}
			expireAll(t, l, untimedSample(5*events).ReceivedAt.AddDate(2, 0, 0))
			sound(t, l)
		})
	}

	for after, more := range map[string]int{"at once": 0, "once they are moved": 50, "once they are on their way again": 12} {
		t.Run("ids that were half moved before a restart go with their events "+after, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			l := openSmall(t, dir, 30, 7)
			defer func() { l.Close() }()
			add := func(from, to int) {
				for n := from; n <= to; n++ {
					seq := appendNew(t, l, untimedSample(n))
					if err := l.Plan(t.Context(), []store.Plan{{Seq: seq}}); err != nil {
						t.Fatal(err)
					}
				}
			}
			add(1, 36)
			abandon(t, l)
			l = openSmall(t, dir, 20, 7) // as after a table that a large commit filled
			add(37, 36+more)
			expireAll(t, l, untimedSample(36+more).ReceivedAt.AddDate(1, 0, 0))
			add(100, 160)
			expireAll(t, l, untimedSample(160).ReceivedAt.AddDate(1, 0, 0))
			sound(t, l)
			for n := 1; n <= 36+more; n++ {
				appendNew(t, l, untimedSample(n)) // nothing knows of the first one
			}
		})
	}

	t.Run("a damaged filter is reported and does no harm", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openSmall(t, dir, 10, 3)
		for n := 1; n <= 40; n++ {
			appendNew(t, l, untimedSample(n))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		alter(t, filepath.Join(dir, "ledger.db"), func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(idsBucket.name))
			k, v := b.Cursor().Seek([]byte{idFilter})
			v = append([]byte(nil), v...)
			v[len(v)-1] ^= 1
			return b.Put(append([]byte(nil), k...), v)
		})
		l = openSmall(t, dir, 10, 3)
		defer l.Close()
		for n := 1; n <= 40; n++ {
			stillKnown(t, l, n)
		}
		if damage, err := l.Verify(t.Context(), nil); err != nil || len(damage) != 1 || damage[0].Bucket != "ids" {
			t.Fatalf("want the filter, got %v, %v", damage, err)
		}
	})
}

// TestFilter: every hash that was added is there, and few of the others.
func TestFilter(t *testing.T) {
	t.Parallel()
	const n = 30_000
	f := newFilter(n)
	hash := func(i int) idHash { return idOf(idContent, fmt.Sprint(i)) }
	for i := range n {
		f.add(hash(i))
	}
	back, err := readFilter(nil, f.record()[sealLen:])
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for i := range 4 * n {
		switch has := back.has(hash(i)); {
		case i < n && !has:
			t.Fatalf("hash %d is not there", i)
		case i >= n && has:
			wrong++
		}
	}
	if share := float64(wrong) / (3 * n); share > 0.004 {
		t.Errorf("%.2f %% of other hashes are taken for ones that are there", 100*share)
	} else {
		t.Logf("%.3f %% of other hashes are taken for ones that are there", 100*share)
	}
}

// BenchmarkParts looks for an id in the parts of five million others.
func BenchmarkParts(b *testing.B) {
	const parts, ids = 150, 32 << 10
	all := make([]part, parts)
	for i := range all {
		all[i] = part{int32(i), newFilter(ids)}
		for range ids {
			all[i].filter.add(randomHash())
		}
	}
	h := randomHash()
	for b.Loop() {
		h = randomHash()
		for i := range all {
			if all[i].filter.has(h) {
				h[0]++
			}
		}
	}
}

func randomHash() (h idHash) {
	binary.LittleEndian.PutUint64(h[:], rand.Uint64())
	binary.LittleEndian.PutUint64(h[6:], rand.Uint64())
	return h
}

// expireAll has everything expire that may at a time.
func expireAll(t *testing.T, l *Ledger, now time.Time) {
	t.Helper()
	keep := 24 * time.Hour
	r := store.Retention{Done: keep, Dead: keep, Unmatched: keep, Quarantined: keep, Discarded: keep, Identity: 400 * keep}
	for range 100 {
		if done, err := l.Expire(t.Context(), now, r, 20); err != nil {
			t.Fatal(err)
		} else if done.Over {
			return
		}
	}
	t.Fatal("there is no end to it")
}
