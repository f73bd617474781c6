package bolt

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/store"
)

func exceptions(t testing.TB, l *Ledger) (n int) {
	t.Helper()
	err := l.read(t.Context(), func(t *txn) error {
		return t.bucket(replanBucket).ForEach(func(_, _ []byte) error { n++; return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func unplannedSeqs(t testing.TB, l *Ledger) map[uint64]bool {
	t.Helper()
	events, err := l.Unplanned(t.Context(), 1000, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	seqs := map[uint64]bool{}
	for i, e := range events {
		if seqs[e.Seq] = true; i > 0 && events[i-1].Seq >= e.Seq {
			t.Fatalf("%d comes after %d", e.Seq, events[i-1].Seq)
		}
	}
	return seqs
}

func TestPlanned(t *testing.T) {
	t.Parallel()

	t.Run("events planned in order leave nothing behind", func(t *testing.T) {
		t.Parallel()
		l := openIn(t, t.TempDir())
		defer l.Close()
		for n := 1; n <= 9; n++ {
			e := sample(n)
			if n%3 == 0 {
				e.Problem = "bad"
			}
			appendNew(t, l, e)
		}
		for _, seqs := range [][]store.Plan{{{Seq: 1}, {Seq: 2}}, {{Seq: 4}, {Seq: 5}, {Seq: 7}}, {{Seq: 8}}} {
			if err := l.Plan(t.Context(), seqs); err != nil {
				t.Fatal(err)
			}
		}
		if n := exceptions(t, l); n != 0 || l.counts.planned != 9 || l.counts.unplanned != 0 {
			t.Fatalf("%d exceptions, planned up to %d, %d unplanned", n, l.counts.planned, l.counts.unplanned)
		}
		sound(t, l)
	})

	t.Run("in any order each is unplanned until it is planned", func(t *testing.T) {
		t.Parallel()
		l := openIn(t, t.TempDir())
		defer l.Close()
		want := map[uint64]bool{}
		for n := 1; n <= 20; n++ {
			e := sample(n)
			if n%4 == 0 {
				e.Problem = "bad"
			} else {
				want[uint64(n)] = true
			}
			appendNew(t, l, e)
		}
		for _, i := range rand.New(rand.NewPCG(3, 4)).Perm(20) {
			seq := uint64(i + 1)
			if err := l.Plan(t.Context(), []store.Plan{{Seq: seq, Connectors: []string{"hubspot"}}}); err != nil {
				t.Fatal(err)
			}
			delete(want, seq)
			got := unplannedSeqs(t, l)
			waiting, err := l.Events(t.Context(), store.EventFilter{State: store.Waiting})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) || len(waiting) != 15 || l.counts.unplanned != uint64(len(want)) {
				t.Fatalf("after %d: unplanned %v, counted %d, want %v; %d wait", seq, got, l.counts.unplanned, want, len(waiting))
			}
			sound(t, l)
		}
	})

	t.Run("a damaged event is gone past and stays to be planned", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openIn(t, dir)
		for n := 1; n <= 3; n++ {
			appendNew(t, l, sample(n))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		alter(t, filepath.Join(dir, "ledger.db"), func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte(eventsBucket.name)).Put(seqKey(2), []byte("damaged"))
		})
		l = openIn(t, dir)
		defer l.Close()
		if err := l.Plan(t.Context(), []store.Plan{{Seq: 1}, {Seq: 3}}); err != nil {
			t.Fatal(err)
		}
		if got := unplannedSeqs(t, l); len(got) != 0 || exceptions(t, l) != 1 || l.counts.unplanned != 1 {
			t.Fatalf("unplanned %v, %d exceptions, counted %d", got, exceptions(t, l), l.counts.unplanned)
		}
	})
}
