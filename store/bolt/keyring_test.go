package bolt

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/storetest"
)

// testKey is a key for a test; n tells them apart.
func testKey(t testing.TB, n byte) Key {
	t.Helper()
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(i)*7 ^ n
	}
	k, err := ParseKey(base64.StdEncoding.EncodeToString(raw) + "\n")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// openWith opens the ledger in dir with keys.
func openWith(t testing.TB, dir string, keys ...Key) (*Ledger, error) {
	t.Helper()
	l, err := Open(Options{Path: filepath.Join(dir, "ledger.db"), Init: true, Log: slog.New(slog.DiscardHandler), Keys: keys})
	if err == nil {
		wantClosed(t, l)
	}
	return l, err
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"none": true,
		"3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8=":       false, // four bytes again and again
		"j4cV0nTq2mJ3yX8bQm5sK9wPzR1uE6aL7hGdF4tVoNI=":       true,
		"j4cV0nTq2mJ3yX8bQm5sK9wPzR1uE6aL7hGdF4tVoNI":        true,
		"j4cV0nTq2mJ3yX8bQm5sKw==":                           false, // 16 bytes
		"correct horse battery staple correct horse battery": false,
		"hunter2": false,
		"":        false,
		"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08": true, // openssl rand -hex 32
	} {
		k, err := ParseKey(text)
		if got := err == nil; got != ok {
			t.Errorf("%q: want %v, got %v", text, ok, err)
		}
		if ok && k.None() != (text == "none") {
			t.Errorf("%q: is it none? %v", text, k.None())
		}
		if err != nil && text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the error quotes the key: %v", err)
		}
	}
}

// TestLedgerEncrypted runs the suite with all records encrypted.
func TestLedgerEncrypted(t *testing.T) {
	t.Parallel()
	key := testKey(t, 1)
	storetest.Test(t, func(t *testing.T, dir string) store.Ledger {
		l, err := openWith(t, dir, key)
		if err != nil {
			t.Fatal(err)
		}
		return l
	})
}

// secrets are what of people private gives a ledger to keep.
var secrets = []string{"anna@example.com", "4915123456789", "the roof leaks", "sesame", "no such person", "leg-77", "word-of-a-call", "lane of anna", "reason of a person", "skipped: anna"}

func private(t testing.TB, l *Ledger) {
	t.Helper()
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	e := sample(40)
	e.Lane, e.Calls, e.Body = "lane of anna", []string{"leg-77", "word-of-a-call"}, []byte(`{"email":"anna@example.com","phone":"+4915123456789"}`)
	r, err := l.Append(ctx, e)
	ok(err)
	long := sample(41)
	long.Lane, long.Body = "lane of anna", []byte(strings.Repeat(`{"transcript":"the roof leaks"}`, 500))
	_, err = l.Append(ctx, long)
	ok(err)
	strange := sample(42)
	strange.Problem, strange.Body = "not JSON", []byte("sesame")
	_, err = l.Append(ctx, strange)
	ok(err)
	ok(l.Plan(ctx, []store.Plan{{Seq: r.Seq, Connectors: []string{"hubspot"}}, {Seq: r.Seq + 1, Connectors: []string{"hubspot"}}}))
	v, err := l.Event(ctx, r.Seq)
	ok(err)
	d := v.Deliveries[0]
	d.Reason, d.Records = "no such person", []store.Record{{Rule: "r", Object: "contacts", Note: "skipped: anna"}}
	ok(l.Settle(ctx, []store.Update{{Delivery: d, Links: map[store.LinkKey]string{aLink: "17"}}}))
	ok(l.PutSecret(ctx, "oauth/x", []byte("sesame")))
	ok(l.PutMark(ctx, "backfill", []byte("anna@example.com")))
	ok(l.KeepAudit(ctx, store.Audit{Who: "root", What: "test", Reason: "reason of a person"}))
}

// told is what a ledger says of what private gave it.
func told(t testing.TB, l *Ledger) []any {
	t.Helper()
	running, err1 := l.Running(t.Context(), "telli", time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), 100)
	story, err2 := l.Story(t.Context(), "telli", []string{"word-of-a-call"}, 10)
	secret, err3 := l.Secret(t.Context(), "oauth/x")
	mark, err4 := l.Mark(t.Context(), "backfill")
	audits, err5 := l.Audits(t.Context(), store.AuditFilter{})
	all, err6 := picture(t, l)
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		t.Fatal(err)
	}
	if len(running) != 1 || running[0].Call != "leg-77" || len(story) != 1 || string(secret) != "sesame" {
		t.Fatalf("want the call, its story and the secret, got %v, %d, %q", running, len(story), secret)
	}
	return append(all, running, story, mark, audits)
}

// found lists which of the words the file holds.
func found(t testing.TB, path string, words []string) (out []string) {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range words {
		if bytes.Contains(file, []byte(w)) {
			out = append(out, w)
		}
	}
	return out
}

func TestEncryption(t *testing.T) {
	t.Parallel()
	one, two := testKey(t, 1), testKey(t, 2)

	t.Run("the file holds none of it in plain", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l, err := openWith(t, dir, one)
		if err != nil {
			t.Fatal(err)
		}
		private(t, l)
		told(t, l)
		sound(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if f := found(t, filepath.Join(dir, "ledger.db"), secrets); len(f) > 0 {
			t.Errorf("the file holds %q", f)
		}
	})

	t.Run("without the key, or with another, the ledger is refused and untouched", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		path := filepath.Join(dir, "ledger.db")
		l, err := openWith(t, dir, one)
		if err != nil {
			t.Fatal(err)
		}
		private(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path)
		for _, keys := range [][]Key{nil, {two}, {{}}} {
			if _, err := openWith(t, dir, keys...); !errors.Is(err, store.ErrKey) || !strings.Contains(err.Error(), "privacy.encryption_keys") {
				t.Errorf("%d keys: want ErrKey with what to do, got %v", len(keys), err)
			}
			if _, err := Inspect(t.Context(), path, nil, keys...); !errors.Is(err, store.ErrKey) {
				t.Errorf("inspect with %d keys: want ErrKey, got %v", len(keys), err)
			}
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Error("the file was changed")
		}
		if damage, err := Inspect(t.Context(), path, nil, two, one); err != nil || len(damage) > 0 {
			t.Errorf("with the key as a further one: %v, %v", damage, err)
		}
	})

	t.Run("without the key a backup's structure and sums are looked at all the same", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		path := filepath.Join(dir, "ledger.db")
		l, err := openWith(t, dir, one)
		if err != nil {
			t.Fatal(err)
		}
		fill(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if damage, err := InspectSums(t.Context(), path, nil); err != nil || len(damage) > 0 {
			t.Fatalf("a sound file: %v, %v", damage, err)
		}
		alter(t, path, func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(deliveriesBucket.name))
			k, v := b.Cursor().First()
			v = bytes.Clone(v)
			v[len(v)-1] ^= 1
			return b.Put(bytes.Clone(k), v)
		})
		if damage, err := InspectSums(t.Context(), path, nil); err != nil || len(damage) != 1 || damage[0].Bucket != "deliveries" {
			t.Errorf("want one damaged delivery, got %v, %v", damage, err)
		}
	})

	t.Run("turned on, changed and turned off, it says the same and keeps to the keys", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		path := filepath.Join(dir, "ledger.db")
		l := openIn(t, dir)
		fill(t, l)
		private(t, l)
		want := told(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if f := found(t, path, secrets[:3]); len(f) < 3 {
			t.Fatalf("the test finds only %q in a file that is not encrypted", f)
		}
		for _, step := range []struct {
			name          string
			before, after []Key
			plain         bool
		}{
			{name: "on", before: []Key{one}, after: []Key{one}},
			{name: "changed", before: []Key{two, one}, after: []Key{two}},
			{name: "off", before: []Key{{}, two}, plain: true},
			{name: "on again", before: []Key{one}, after: []Key{one}},
		} {
			l, err := openWith(t, dir, step.before...)
			if err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if got := told(t, l); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: the ledger says something else", step.name)
			}
			for i := range 2 { // the second time there is nothing to change
				if _, err := l.Compact(t.Context(), true, nil); err != nil {
					t.Fatalf("%s: %v", step.name, err)
				}
				if got := told(t, l); !reflect.DeepEqual(got, want) {
					t.Fatalf("%s: compacted %d times, the ledger says something else", step.name, i+1)
				}
				sound(t, l)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if f := found(t, path, secrets); !step.plain && len(f) > 0 {
				t.Errorf("%s: the file holds %q", step.name, f)
			}
			if l, err = openWith(t, dir, step.after...); err != nil {
				t.Fatalf("%s: with the keys that are left: %v", step.name, err)
			}
			if got := told(t, l); !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: reopened, the ledger says something else", step.name)
			}
			if known, err := l.Known(t.Context(), []store.Event{sample(3)}); err != nil || !known[0] {
				t.Errorf("%s: an event of before is not known: %v", step.name, err)
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})

	t.Run("a record cannot be put in the place of another, nor its body", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		path := filepath.Join(dir, "ledger.db")
		l, err := openWith(t, dir, one)
		if err != nil {
			t.Fatal(err)
		}
		fill(t, l)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		alter(t, path, func(tx *bbolt.Tx) error {
			b := tx.Bucket([]byte(eventsBucket.name))
			first, second, third := bytes.Clone(b.Get(seqKey(1))), bytes.Clone(b.Get(seqKey(2))), bytes.Clone(b.Get(seqKey(3)))
			bodyOf := func(rec []byte) []byte {
				r := reader{rec[sealLen:], true}
				r.take(r.uvarint())
				return r.b
			}
			placed(eventsBucket, seqKey(2), first, payloadSum(first[:len(first)-len(bodyOf(first))]))
			mixed := append(third[:len(third)-len(bodyOf(third))], bodyOf(second)...)
			placed(eventsBucket, seqKey(3), mixed, payloadSum(mixed[:len(mixed)-len(bodyOf(second))]))
			return errors.Join(b.Put(seqKey(2), first), b.Put(seqKey(3), mixed))
		})
		if l, err = openWith(t, dir, one); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for seq := uint64(1); seq <= 4; seq++ {
			_, err := l.Event(t.Context(), seq)
			if swapped := seq == 2 || seq == 3; swapped != errors.Is(err, store.ErrCorrupt) {
				t.Errorf("event %d: %v", seq, err)
			}
		}
		if damage, err := l.Verify(t.Context(), nil); err != nil || len(damage) < 2 {
			t.Errorf("verify: %v, %v", damage, err)
		}
	})

	t.Run("hiding keys while the ledger is used loses nothing", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openIn(t, dir)
		for n := range 300 {
			appendNew(t, l, numbered(n))
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l, err := openWith(t, dir, one)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		links := make([]int, 4)
		for w := range links {
			wg.Go(func() {
				for ctx.Err() == nil {
					e := numbered(1000 + w*100_000 + links[w])
					e.Calls = []string{fmt.Sprint("call ", e.DeliveryID)}
					r, err := l.Append(t.Context(), e)
					if err == nil {
						err = l.Plan(t.Context(), []store.Plan{{Seq: r.Seq, Connectors: []string{"hubspot"}}})
					}
					if err == nil {
						u := store.Update{Delivery: store.Delivery{ID: store.DeliveryID{Seq: r.Seq, Connector: "hubspot"}, State: store.Done}}
						u.Links = map[store.LinkKey]string{{Connector: "hubspot", Object: "contacts", Field: "phone", Value: e.DeliveryID}: e.DeliveryID}
						err = l.Settle(t.Context(), []store.Update{u})
					}
					if err != nil {
						t.Error(err)
						return
					}
					links[w]++
				}
			})
		}
		for range 2 {
			if _, err := l.Compact(t.Context(), false, nil); err != nil {
				t.Error(err)
			}
		}
		stop()
		wg.Wait()
		sound(t, l)
		for w, n := range links {
			for i := range n {
				id := numbered(1000 + w*100_000 + i).DeliveryID
				ids, err := l.Links(t.Context(), []store.LinkKey{{Connector: "hubspot", Object: "contacts", Field: "phone", Value: id}})
				if err != nil || ids[0] != id {
					t.Fatalf("link %s: %q, %v", id, ids, err)
				}
				if story, err := l.Story(t.Context(), "telli", []string{"call " + id}, 10); err != nil || len(story) != 1 {
					t.Fatalf("story of %s: %d, %v", id, len(story), err)
				}
			}
		}
	})
}
