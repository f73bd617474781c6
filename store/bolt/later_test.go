package bolt

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/store"
)

// later is a ledger that may be read after it is opened, and what it says of it.
type later struct {
	*Ledger
	log    *bytes.Buffer
	failed chan error
}

func openLater(t *testing.T, path string) (l later, err error) {
	t.Helper()
	l = later{log: &bytes.Buffer{}, failed: make(chan error, 1)}
	o := options(path)
	o.surveyFirst, o.surveyAfter = 1, 1
	o.Log = slog.New(slog.NewTextHandler(l.log, nil))
	o.Failed = func(err error) {
		select {
		case l.failed <- err:
		default:
		}
	}
	if l.Ledger, err = Open(o); err == nil {
		wantClosed(t, l.Ledger)
	}
	return l, err
}

// wasLater is whether a ledger that is closed was read after it was opened, and
// found sound.
func (l later) wasLater() bool {
	return strings.Contains(l.log.String(), "read after it was opened")
}

// edit writes to a file, in place.
func edit(t *testing.T, path string, do func(file []byte)) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	do(b)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func newest(file []byte) header {
	a, _ := parseHeader(file[:4096])
	b, _ := parseHeader(file[4096:8192])
	if b.txid > a.txid {
		return b
	}
	return a
}

func TestReadLater(t *testing.T) {
	t.Parallel()

	t.Run("a file that was closed cleanly, by the list that it was closed with", func(t *testing.T) {
		t.Parallel()
		path, want := closedLedger(t)
		for n := range 20 {
			l, err := openLater(t, path)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := picture(t, l.Ledger); err != nil || n == 0 && !reflect.DeepEqual(got, want) {
				t.Fatalf("start %d: it answers otherwise than before (%v)", n, err)
			}
			l.later.Wait()
			for m := range n { // none at all at the first start
				e := sample(0)
				e.DeliveryID, e.ContentKey, e.Body = fmt.Sprint("m", n, m), fmt.Sprint("c", n, m), bytes.Repeat([]byte("x"), 200*m)
				if _, err := l.Append(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if !l.wasLater() {
				t.Fatalf("start %d read it first: %s", n, l.log)
			}
			db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
			if err != nil {
				t.Fatal(err)
			}
			err = db.View(func(tx *bbolt.Tx) error {
				for err := range tx.Check() {
					t.Errorf("start %d: %v", n, err)
				}
				return nil
			})
			if err = errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
		}
	})

	for name, do := range map[string]func(t *testing.T, path string){
		"a smaller one": func(*testing.T, string) {},
		"one that was not closed cleanly": func(t *testing.T, path string) {
			l, err := openLater(t, path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := l.Append(t.Context(), sample(50)); err != nil {
				t.Fatal(err)
			}
			abandon(t, l.Ledger)
		},
		"one whose list is damaged": func(t *testing.T, path string) {
			edit(t, path, func(b []byte) { b[newest(b).freelist*4096+pageHeaderLen] ^= 1 })
		},
		"one whose list has no sum": func(t *testing.T, path string) {
			edit(t, path, func(b []byte) {
				list := b[newest(b).freelist*4096:]
				clear(list[pageHeaderLen+8*le16(list[10:]) : 4096])
			})
		},
		"one with a header that is damaged": func(t *testing.T, path string) {
			edit(t, path, func(b []byte) { b[4096*(1-newest(b).txid%2)+pageHeaderLen] ^= 1 })
		},
		"one of which a commit failed": func(t *testing.T, path string) {
			if err := os.WriteFile(suspect(path), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"one that an older crmsyncd closed": func(t *testing.T, path string) {
			db, err := bbolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(func(tx *bbolt.Tx) error {
				rec := newRecord(0)
				placed(metaBucket, cleanKey, rec, payloadSum(rec))
				return tx.Bucket([]byte(metaBucket.name)).Put(cleanKey, rec)
			})
			if err = errors.Join(err, db.Close()); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err == nil {
				err = errors.Join(sealList(f), f.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run("not "+name, func(t *testing.T) {
			t.Parallel()
			path, want := closedLedger(t)
			do(t, path)
			f, err := os.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			o := options(path)
			if name != "a smaller one" {
				o.surveyFirst = 1
			}
			if _, err := os.Stat(suspect(path)); err != nil { // of that Open sees to it
				if _, later := peekFile(f, o); later {
					t.Error("it would be read later")
				}
			}
			l, err := openLater(t, path)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := picture(t, l.Ledger); err != nil || name != "one that was not closed cleanly" && !reflect.DeepEqual(got, want) {
				t.Errorf("it answers otherwise than before (%v)", err)
			}
			l.later.Wait()
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			if l.wasLater() != (name == "a smaller one") {
				t.Error(l.log)
			}
		})
	}

	// unsound opens a damaged file, hears of it, and finds that the next start
	// refuses it.
	unsound := func(t *testing.T, path, want string) {
		t.Helper()
		l, err := openLater(t, path)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case err = <-l.failed:
		case <-time.After(time.Minute):
			t.Fatal("nobody heard of it")
		}
		if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "crmsyncd ledger restore FILE") {
			t.Errorf("got %v; want ErrCorrupt, %q and the mend", err, want)
		}
		if _, err := l.Append(t.Context(), sample(99)); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("append: want ErrCorrupt, got %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("damage ends its use, and the next start refuses it", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		path := filepath.Join(dir, "ledger.db")
		made := openIn(t, dir)
		for n := range 50 { // a start reads none of these
			if err := made.PutMark(t.Context(), fmt.Sprint("mark", n), bytes.Repeat([]byte("m"), 1000)); err != nil {
				t.Fatal(err)
			}
		}
		if err := made.Close(); err != nil {
			t.Fatal(err)
		}
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.LastIndex(whole, []byte("mmmm")) / 4096 * 4096
		edit(t, path, func(b []byte) { b[at] ^= 1 }) // what the page calls itself
		unsound(t, path, "calls itself another")
		if _, err := openLater(t, path); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "calls itself another") {
			t.Errorf("the next start: want ErrCorrupt, got %v", err)
		}
	})

	t.Run("a tree that leads back to itself is refused at the start", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		path := filepath.Join(dir, "ledger.db")
		l := openIn(t, dir)
		for n := range 50 {
			if err := l.PutMark(t.Context(), fmt.Sprint("mark", n), bytes.Repeat([]byte("m"), 1000)); err != nil {
				t.Fatal(err)
			}
		}
		root := uint64(0)
		err := l.read(t.Context(), func(x *txn) error {
			root = uint64(x.bucket(marksBucket).Root())
			return nil
		})
		if err = errors.Join(err, l.Close()); err != nil {
			t.Fatal(err)
		}
		edit(t, path, func(b []byte) {
			binary.LittleEndian.PutUint64(b[4096*root+pageHeaderLen+elementLen+8:], root) // in place of its second page
		})
		if _, err := openLater(t, path); !errors.Is(err, store.ErrCorrupt) {
			t.Errorf("want ErrCorrupt, got %v", err)
		}
	})

	t.Run("whichever bit is flipped, it is an error or goes on, and never a panic", func(t *testing.T) {
		t.Parallel()
		path, want := closedLedger(t)
		whole := used(t, path)
		tries := 100
		if os.Getenv("FAULTS") != "" {
			tries = 3000
		}
		refused, found, sound := 0, 0, 0
		r := rand.New(rand.NewPCG(3, 4))
		for n := 0; n < tries || n < 20*tries && (refused == 0 || found == 0 || sound == 0); n++ {
			// Structure is at the beginning of pages, or anywhere.
			at := 4096*r.IntN(len(whole)/4096) + r.IntN([]int{64, 4096}[n%2])
			file := bytes.Clone(whole)
			file[at] ^= 1 << (n % 8)
			_ = os.Remove(suspect(path))
			if err := os.WriteFile(path, file, 0o600); err != nil {
				t.Fatal(err)
			}
			l, err := openLater(t, path)
			if err != nil {
				if !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrSchema) && !errors.Is(err, store.ErrKey) {
					t.Fatalf("byte %d of page %d: %v", at%4096, at/4096, err)
				}
				refused++
				continue
			}
			_, addErr := l.Append(context.Background(), sample(70))
			got, err := picture(t, l.Ledger)
			l.later.Wait()
			switch {
			case l.failure() != nil:
				found++
			case addErr != nil || err != nil || len(got) != len(want):
			default:
				sound++
			}
			_ = l.Close()
		}
		t.Logf("refused %d, found later %d, sound %d", refused, found, sound)
		if refused == 0 || found == 0 || sound == 0 {
			t.Error("the flips did not hit all kinds of pages")
		}
	})

	t.Run("part by part, and each page is read", func(t *testing.T) {
		t.Parallel()
		l := openIn(t, t.TempDir())
		defer l.Close()
		for n := range 300 {
			if err := l.PutMark(t.Context(), fmt.Sprintf("mark%03d", n), bytes.Repeat([]byte("m"), 1000)); err != nil {
				t.Fatal(err)
			}
		}
		whole, parts := 0, 0
		err := l.read(t.Context(), func(x *txn) error {
			w := walker{f: x.at.file, h: header{pageSize: 4096, pages: uint64(x.tx.Size() / 4096)}}
			err := w.tree(uint64(x.bucket(marksBucket).Root()), 1, nil, nil)
			whole = w.leaves
			if err != nil {
				return err
			}
			for more := true; more; {
				from := w.at
				w = walker{f: w.f, h: w.h, from: from, most: 7}
				err := w.tree(uint64(x.bucket(marksBucket).Root()), 1, nil, nil)
				if more = errors.Is(err, errEnough); err != nil && !more {
					return err
				}
				if more && bytes.Compare(from, w.at) >= 0 {
					t.Fatalf("from %q it came to %q", from, w.at)
				}
				parts += w.leaves
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if whole < 50 || parts != whole {
			t.Errorf("%d pages in parts, %d at once", parts, whole)
		}
	})

	t.Run("while it is written to, emptied and compacted, nothing is wrong", func(t *testing.T) {
		t.Parallel()
		l := openIn(t, t.TempDir())
		var writers sync.WaitGroup
		var n atomic.Int64
		for range 16 {
			writers.Go(func() {
				for i := n.Add(1); i < 1500; i = n.Add(1) {
					e := numbered(int(i))
					e.ReceivedAt = time.Now().Add(-time.Hour)
					e.Body = make([]byte, 3000)
					_, _ = crand.Read(e.Body)
					r, err := l.Append(t.Context(), e)
					if err == nil {
						err = l.Plan(t.Context(), []store.Plan{{Seq: r.Seq}})
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		stop := make(chan struct{})
		var others sync.WaitGroup
		others.Go(func() {
			for turn := 0; ; turn++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := l.Expire(t.Context(), time.Now(), store.Retention{Unmatched: time.Minute}, 100)
				if err == nil && turn%5 == 4 {
					_, err = l.Compact(t.Context(), false, nil)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		parts := 0
		others.Go(func() {
			for {
				for _, b := range buckets {
					for from, more := []byte(nil), true; more; parts++ {
						var wrong, err error
						if from, more, wrong, err = l.surveyPart(b, from); wrong != nil || err != nil {
							t.Error(wrong, err)
							return
						}
					}
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
		writers.Wait()
		close(stop)
		others.Wait()
		t.Logf("read in %d parts", parts)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("closing does not wait for it", func(t *testing.T) {
		t.Parallel()
		path, _ := closedLedger(t)
		o := options(path)
		o.surveyFirst, o.surveyAfter = 1, time.Hour
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	})

	t.Run("a full disk at the stop leaves a file without the list", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		o := options(filepath.Join(dir, "ledger.db"))
		o.Init, o.maxSize = true, 1<<20
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		kept := uint64(0)
		for ; err == nil; kept++ {
			e := numbered(int(kept))
			e.Body = make([]byte, 40_000)
			_, _ = crand.Read(e.Body)
			_, err = l.Append(t.Context(), e)
		}
		kept--
		if !errors.Is(err, store.ErrFull) {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil && !isFull(err) {
			t.Fatal(err)
		}
		o.maxSize = 0
		again, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		if s, err := again.Stats(t.Context()); err != nil || s.Events != kept {
			t.Errorf("%d events, %v; want %d", s.Events, err, kept)
		}
	})
}
