package bolt

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

func TestPack(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 64<<10)
	_, _ = rand.Read(noise)
	text := []byte(strings.Repeat(`{"role":"agent","message":"Guten Tag, was kann ich für Sie tun?"}`, 1000))

	t.Run("a body comes back as it came, whatever it is", func(t *testing.T) {
		t.Parallel()
		for name, r := range map[string]*ring{"plain": nil, "encrypted": newRing([]Key{testKey(t, 1)})} {
			for _, body := range [][]byte{nil, {}, []byte("{}"), text[:packFrom-1], text[:packFrom], text, noise} {
				p, err := r.pack(body)
				if err != nil {
					t.Fatal(err)
				}
				got, err := r.unpack(p, r != nil)
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("%s, %d bytes: got %d, %v", name, len(body), len(got), err)
				}
				if want := len(body) >= packFrom && &body[0] != &noise[0]; p.s2 != want {
					t.Errorf("%s, %d bytes: compressed is %v, want %v", name, len(body), p.s2, want)
				}
			}
		}
	})

	t.Run("a long transcript takes a quarter of its length at most", func(t *testing.T) {
		t.Parallel()
		p, err := (*ring)(nil).pack(text)
		if err != nil || len(p.raw) > len(text)/4 {
			t.Errorf("want at most %d bytes, got %d, %v", len(text)/4, len(p.raw), err)
		}
	})

	t.Run("the limit of an answer counts bodies as they came", func(t *testing.T) {
		t.Parallel()
		l := openIn(t, t.TempDir())
		defer l.Close()
		for n := range 4 {
			e := numbered(n)
			e.Body = text
			appendNew(t, l, e)
		}
		events, err := l.Unplanned(t.Context(), 10, 2*len(text))
		if err != nil || len(events) != 2 {
			t.Errorf("unplanned: want 2, got %d, %v", len(events), err)
		}
		for seq := uint64(1); seq <= 4; seq++ {
			if err := l.Plan(t.Context(), []store.Plan{{Seq: seq, Connectors: []string{"hubspot"}}}); err != nil {
				t.Fatal(err)
			}
		}
		work, _, err := l.Due(t.Context(), "hubspot", time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), nil, 10, 2*len(text))
		if err != nil || len(work) != 2 {
			t.Errorf("due: want 2, got %d, %v", len(work), err)
		}
	})

	t.Run("a length that is not the body's is damage, and no memory is taken for it", func(t *testing.T) {
		t.Parallel()
		p, err := (*ring)(nil).pack(text)
		if err != nil {
			t.Fatal(err)
		}
		p.size++
		if _, err := (*ring)(nil).unpack(p, false); !errors.Is(err, errUnpack) {
			t.Errorf("want errUnpack, got %v", err)
		}
	})
}
