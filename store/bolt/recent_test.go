package bolt

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"

	"github.com/crmsyncd/crmsyncd/store"
)

// where says in which of the three places an event's delivery id is.
func where(t testing.TB, l *Ledger, e store.Event) (young, old, index bool) {
	t.Helper()
	k := makeIDKey(idDelivery, dayOf(e.ReceivedAt), marks{kinds: markDelivery}.hashes(&e).delivery)
	hold := errors.New("nothing is written")
	err := l.write(t.Context(), 1, func(t *txn) error {
		_, young = l.recent.young[k]
		if l.recent.old != nil {
			_, old = l.recent.old.ids[k]
		}
		index = t.bucket(idsBucket).Get(k[:]) != nil
		return hold
	}, nil)
	if !errors.Is(err, hold) {
		t.Fatal(err)
	}
	return young, old, index
}

func appendNew(t testing.TB, l *Ledger, e store.Event) uint64 {
	t.Helper()
	r, err := l.Append(t.Context(), e)
	if err != nil || r.Duplicate {
		t.Fatalf("append: %+v, %v", r, err)
	}
	// A commit that finds its table still being sorted moves nothing.
	if l.recent.old != nil {
		<-l.recent.old.sorted
	}
	return r.Seq
}

func known(t testing.TB, l *Ledger, e store.Event, seq uint64) {
	t.Helper()
	byKey := e
	byKey.DeliveryID = "another"
	for _, e := range []store.Event{e, byKey} {
		if r, err := l.Append(t.Context(), e); err != nil || r != (store.Receipt{Seq: seq, Duplicate: true}) {
			t.Fatalf("want a duplicate of %d, got %+v, %v", seq, r, err)
		}
	}
	other := e
	other.Body = []byte("other")
	if r, err := l.Append(t.Context(), other); err != nil || !r.Conflict && !r.Duplicate {
		t.Fatalf("want a conflict, got %+v, %v", r, err)
	}
}

func sound(t testing.TB, l *Ledger) {
	t.Helper()
	if damage, err := l.Verify(t.Context(), nil); err != nil || len(damage) > 0 {
		t.Fatalf("verify: %v, %v", damage, err)
	}
}

func TestRecentIDs(t *testing.T) {
	t.Parallel()

	t.Run("an id is found in the young table, in the old one and in the index", func(t *testing.T) {
		t.Parallel()
		l := openSmall(t, t.TempDir(), 20, 4)
		defer l.Close()
		first := sample(1)
		appendNew(t, l, first)
		if young, old, index := where(t, l, first); !young || old || index {
			t.Fatalf("after one event it is in young %v, old %v, index %v", young, old, index)
		}
		known(t, l, first, 1) // keeps a conflict as well: event 2
		for n := 3; n <= 11; n++ {
			appendNew(t, l, sample(n))
		}
		if young, old, _ := where(t, l, first); young || !old {
			t.Fatalf("with the young table full it is in young %v, old %v", young, old)
		}
		known(t, l, first, 1)
		for n := 12; n <= 22; n++ {
			appendNew(t, l, sample(n))
		}
		if young, old, index := where(t, l, first); young || old || !index {
			t.Fatalf("in the end it is in young %v, old %v, index %v", young, old, index)
		}
		known(t, l, first, 1)
		sound(t, l)
	})

	t.Run("a table is moved in runs that keep up with what comes", func(t *testing.T) {
		t.Parallel()
		l := openSmall(t, t.TempDir(), 100, 8)
		defer l.Close()
		longest := 0
		for n := 1; n <= 600; n++ {
			moved := 0
			if l.recent.old != nil {
				moved = l.recent.old.moved
			}
			appendNew(t, l, sample(n))
			if l.recent.old != nil {
				longest = max(longest, l.recent.old.moved-moved)
			}
			if have := len(l.recent.young); have > 102 {
				t.Fatalf("after %d events the young table has %d ids", n, have)
			}
		}
		if longest == 0 || longest > 32 {
			t.Fatalf("the longest run was of %d ids, want some and at most 32", longest)
		}
		if l.counts.indexed < 450 {
			t.Fatalf("of 600 events the ids of %d are in the index", l.counts.indexed)
		}
		sound(t, l)
	})

	t.Run("events without ids do not hold a table up", func(t *testing.T) {
		t.Parallel()
		l := openSmall(t, t.TempDir(), 10, 2)
		defer l.Close()
		for n := 1; n <= 100; n++ {
			e := sample(n)
			if n%40 != 0 {
				e.DeliveryID, e.ContentKey = "", ""
			}
			appendNew(t, l, e)
		}
		if l.counts.indexed < 80 {
			t.Fatalf("after a start %d of 100 events would be read", 100-l.counts.indexed)
		}
		sound(t, l)
	})

	t.Run("after a stop of either kind the ids are made again", func(t *testing.T) {
		t.Parallel()
		for _, clean := range []bool{true, false} {
			dir := t.TempDir()
			l := openSmall(t, dir, 20, 4)
			conflict, bad := sample(2), sample(40)
			for n := 1; n <= 17; n++ {
				appendNew(t, l, sample(n))
			}
			conflict.Body = []byte("other")
			bad.Problem, bad.ContentKey = "not JSON", ""
			if r, err := l.Append(t.Context(), conflict); err != nil || !r.Conflict {
				t.Fatalf("want a conflict, got %+v, %v", r, err)
			}
			appendNew(t, l, bad)
			// A replay changes what the ids of an event were made from.
			again := store.Requeue{Seq: 18, Type: "call.ended", OccurredAt: sample(2).OccurredAt.AddDate(0, 0, 9), Lane: "x"}
			moved := store.Requeue{Seq: 17, Type: "call.ended", OccurredAt: sample(17).OccurredAt.AddDate(0, 0, 9), Lane: "x"}
			healed := store.Requeue{Seq: 19, Type: "call.ended", OccurredAt: bad.OccurredAt, Lane: "x"}
			if err := l.Replay(t.Context(), []store.Requeue{again, moved, healed}); err != nil {
				t.Fatal(err)
			}
			if l.counts.indexed == 0 || l.counts.indexed > 12 {
				t.Fatalf("the ids of %d events are in the index, the test wants some", l.counts.indexed)
			}
			if clean {
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			} else {
				abandon(t, l)
			}
			l = openSmall(t, dir, 20, 4)
			for _, e := range []store.Event{conflict, bad} {
				if r, err := l.Append(t.Context(), e); err != nil || !r.Duplicate {
					t.Errorf("clean %v: want a duplicate, got %+v, %v", clean, r, err)
				}
			}
			for n := 1; n <= 17; n++ {
				known(t, l, sample(n), uint64(n))
			}
			sound(t, l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})

	t.Run("what a failed change remembered is forgotten", func(t *testing.T) {
		t.Parallel()
		l := openIn(t, t.TempDir())
		defer l.Close()
		bad := errors.New("on purpose")
		err := l.write(t.Context(), 1, func(t *txn) error {
			a := prepare(sample(1))
			_ = a.encode(nil, nil)
			return errors.Join(a.run(t), bad)
		}, nil)
		if !errors.Is(err, bad) {
			t.Fatal(err)
		}
		if young, _, _ := where(t, l, sample(1)); young {
			t.Fatal("an id is remembered")
		}
		appendNew(t, l, sample(1))
	})

	t.Run("an id that is missing in the index shows in verify", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openSmall(t, dir, 4, 2)
		for n := 1; n <= 20; n++ {
			appendNew(t, l, sample(n))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		alter(t, filepath.Join(dir, "ledger.db"), func(tx *bbolt.Tx) error {
			c := tx.Bucket([]byte(idsBucket.name)).Cursor()
			c.First()
			return c.Delete()
		})
		l = openIn(t, dir)
		defer l.Close()
		if damage, err := l.Verify(t.Context(), nil); err != nil || len(damage) != 1 || damage[0].Bucket != "events" {
			t.Fatalf("want one event, got %v, %v", damage, err)
		}
	})
}

// TestRecentIDsMemory is not parallel: nothing else may use memory meanwhile.
func TestRecentIDsMemory(t *testing.T) {
	before := heap()
	r := newRecentIDs(idTableLen, idRunLen, 0, nil)
	seq := uint64(0)
	fill := func() {
		for len(r.young) < idTableLen {
			seq++
			r.add(makeIDKey(idDelivery, 20000, idOf(idDelivery, fmt.Sprint(seq))), idValue{seq, seq})
		}
	}
	for range 3 {
		fill()
		if r.old != nil {
			r.moved(len(r.old.order), true)
		}
		r.grow(seq)
		<-r.old.sorted
	}
	fill()
	if took := heap() - before; took < 5<<20 || took > 20<<20 {
		t.Fatalf("two full tables take %d bytes, want less than 20 MB", took)
	} else {
		t.Logf("two full tables take %.1f MB", float64(took)/(1<<20))
	}
	runtime.KeepAlive(r)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestRecentIDsModel appends what may be a duplicate in every way to a ledger
// with tiny tables, and compares with a map.
func TestRecentIDsModel(t *testing.T) {
	t.Parallel()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; runs > 15 {
			return // each append is a sync
		}
		dir := t.TempDir()
		size := rapid.IntRange(1, 6).Draw(rt, "table")
		run := rapid.IntRange(1, 4).Draw(rt, "run")
		l := openSmall(t, dir, size, run)
		defer func() { _ = l.Close() }()
		byID, byKey := map[string]uint64{}, map[string]uint64{}
		seq := uint64(0)
		for range rapid.IntRange(10, 60).Draw(rt, "steps") {
			switch rapid.IntRange(0, 11).Draw(rt, "step") {
			case 0:
				abandon(t, l)
				l = openSmall(t, dir, size, run)
			case 1:
				if err := l.Close(); err != nil {
					rt.Fatal(err)
				}
				l = openSmall(t, dir, size, run)
			default:
				id, key := rapid.IntRange(1, 25).Draw(rt, "id"), rapid.IntRange(1, 25).Draw(rt, "key")
				e := sample(key)
				e.DeliveryID = fmt.Sprint(id)
				e.ReceivedAt = e.ReceivedAt.Add(time.Duration(id%3) * 24 * time.Hour)
				if key%2 == 0 { // the vendor gives no time
					e.OccurredAt = e.ReceivedAt
				}
				e.Body = fmt.Appendf(nil, "body of %d", id)
				want := store.Receipt{Seq: byID[e.DeliveryID], Duplicate: true}
				if want.Seq == 0 {
					want.Seq = byKey[e.ContentKey]
				}
				if want.Seq == 0 {
					seq++
					byID[e.DeliveryID], byKey[e.ContentKey] = seq, seq
					want = store.Receipt{Seq: seq}
				}
				if got, err := l.Append(t.Context(), e); err != nil || got != want {
					rt.Fatalf("append: got %+v, %v, want %+v", got, err, want)
				}
			}
		}
		sound(t, l)
	})
}
