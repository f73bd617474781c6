package bolt

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/crmsyncd/crmsyncd/store"
)

func TestHeads(t *testing.T) {
	t.Parallel()

	t.Run("those of records made together lie together", func(t *testing.T) {
		t.Parallel()
		x := &txn{}
		var keys [][]byte
		for id := 41_234_567_000; id < 41_234_567_100; id++ {
			key, _, _ := x.headHash(store.RecordKey{Connector: "hubspot", Object: "contacts", ID: fmt.Sprint(id)})
			keys = append(keys, key)
		}
		if !slices.IsSortedFunc(keys, bytes.Compare) || !bytes.Equal(keys[0][:4], keys[99][:4]) {
			t.Errorf("the keys of ids that count up are %x to %x, want them in order", keys[0], keys[99])
		}
		other, _, _ := x.headHash(store.RecordKey{Connector: "hubspot", Object: "calls", ID: "41234567000"})
		if bytes.Equal(other[:4], keys[0][:4]) {
			t.Error("those of another object lie there too")
		}
	})

	t.Run("one of layout 3 is read, and written under its new key", func(t *testing.T) {
		t.Parallel()
		for _, forget := range []bool{false, true} {
			dir := t.TempDir()
			l := openIn(t, dir)
			defer func() { _ = l.Close() }()
			k := store.RecordKey{Connector: "hubspot", Object: "contacts", ID: "41234567000"}
			was := store.Head{"phone": {Seq: 1, Hash: 2}}
			// As layout 3 had it.
			err := l.write(t.Context(), 0, func(x *txn) error {
				if err := x.mergeHead(k, was); err != nil {
					return err
				}
				key, old, _ := x.headHash(k)
				payload, err := x.get(headsBucket, key)
				if err != nil {
					return err
				}
				if err := x.put(headsBucket, old, append(newRecord(len(payload)), payload...)); err != nil {
					return err
				}
				return x.del(headsBucket, key)
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			// A start finds out that there are such.
			l.oldHeads = true // as of what wrote layout 3
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = openIn(t, dir)
			heads, err := l.Heads(t.Context(), []store.RecordKey{k})
			if err != nil || heads[0]["phone"].Hash != 2 {
				t.Fatalf("got %v, %v; want the hash 2", heads, err)
			}
			add, want := store.Head{"email": {Seq: 3, Hash: 4}}, 2
			if forget {
				add, want = nil, 0
			}
			if err := l.write(t.Context(), 0, func(x *txn) error { return x.mergeHead(k, add) }, nil); err != nil {
				t.Fatal(err)
			}
			heads, err = l.Heads(t.Context(), []store.RecordKey{k})
			if err != nil || len(heads[0]) != want {
				t.Errorf("forget %v: got %v, %v; want %d fields", forget, heads, err, want)
			}
			err = l.read(t.Context(), func(x *txn) error {
				n := 0
				err := x.bucket(headsBucket).ForEach(func(_, _ []byte) error { n++; return nil })
				if n > 1 || forget && n > 0 {
					t.Errorf("forget %v: %d records of one head", forget, n)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if damage, err := l.Verify(t.Context(), nil); err != nil || len(damage) > 0 {
				t.Errorf("verify: %v, %v", damage, err)
			}
		}
	})
}
