package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/store"
)

func TestFreeList(t *testing.T) {
	t.Parallel()
	// settled surveys a file, writes the list and gives both.
	settled := func(t *testing.T, path string) (s survey, written bool) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if s, err = surveyFile(f); err != nil {
			t.Fatal(err)
		}
		was := s.header
		if err := settleFile(f, &s); err != nil {
			t.Fatal(err)
		}
		return s, was != s.header
	}
	// free is how many pages bbolt takes for free, by the list or by its own scan.
	free := func(t *testing.T, path string) (n int) {
		t.Helper()
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = db.View(func(tx *bbolt.Tx) error {
			for err := range tx.Check() {
				t.Error(err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return db.Stats().FreePageN
	}

	t.Run("is what bbolt finds by itself", func(t *testing.T) {
		t.Parallel()
		path, _ := closedLedger(t)
		if f, err := os.OpenFile(path, os.O_RDWR, 0); err != nil {
			t.Fatal(err)
		} else if s, err := surveyFile(f); err != nil {
			t.Fatal(err)
		} else {
			s.freelist = noFreelist // as after a kill
			s.txid++
			if err := errors.Join(writeHeader(f, s.header), f.Close()); err != nil {
				t.Fatal(err)
			}
		}
		alone := free(t, path)
		s, written := settled(t, path)
		if !written || s.freelist != s.pages-1 {
			t.Fatalf("no list was written: %+v", s.header)
		}
		if n := free(t, path); n != alone || n == 0 {
			t.Errorf("bbolt has %d free pages by the list, %d by itself", n, alone)
		}
		if _, written := settled(t, path); written {
			t.Error("it was written again, though nothing had changed")
		}
	})

	t.Run("may be longer than a page's counter can say", func(t *testing.T) {
		t.Parallel()
		path, _ := closedLedger(t)
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		before, err := surveyFile(f)
		if err != nil {
			t.Fatal(err)
		}
		h := before.header
		h.pages, h.txid = 70_000, h.txid+1
		if err := f.Truncate(int64(h.pages) * h.pageSize); err != nil {
			t.Fatal(err)
		}
		if err := writeHeader(f, h); err != nil {
			t.Fatal(err)
		}
		f.Close()
		s, written := settled(t, path)
		if !written {
			t.Fatal("no list was written")
		}
		used := 0
		for p := range h.pages {
			used += int(s.used[p/64] >> (p % 64) & 1)
		}
		if n, want := free(t, path), int(h.pages)-2-used; n < 0xFFFF || n != want {
			t.Errorf("bbolt has %d free pages, want %d", n, want)
		}
	})

	t.Run("a wrong one is not believed", func(t *testing.T) {
		t.Parallel()
		path, _ := closedLedger(t)
		s, _ := settled(t, path)
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		raw[int64(s.freelist)*s.pageSize+pageHeaderLen] ^= 1 // a page in use is free
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, written := settled(t, path); !written {
			t.Fatal("it stayed")
		}
		free(t, path)
	})

	t.Run("serves what is written after it, through many starts without a clean stop", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		n := 0
		for range 8 {
			l := openIn(t, dir)
			for range 10 {
				n++
				e := sample(0)
				e.DeliveryID, e.ContentKey, e.Body = fmt.Sprint("m", n), fmt.Sprint("c", n), bytes.Repeat([]byte("x"), 100*n)
				if _, err := l.Append(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			abandon(t, l)
		}
		l := openIn(t, dir)
		defer l.Close()
		if damage, err := l.Verify(t.Context(), nil); err != nil || len(damage) > 0 {
			t.Fatalf("verify: %v, %v", damage, err)
		}
		if s, err := l.Stats(t.Context()); err != nil || s.Events != uint64(n) {
			t.Errorf("%d events, %v; want %d", s.Events, err, n)
		}
		if v, err := l.Events(t.Context(), store.EventFilter{Limit: 1000}); err != nil || len(v) != n {
			t.Errorf("%d events listed, %v; want %d", len(v), err, n)
		}
	})
}
