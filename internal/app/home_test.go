package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

func TestSettle(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	open := func(t *testing.T, dir string) *bolt.Ledger {
		t.Helper()
		l, err := bolt.Open(bolt.Options{Path: filepath.Join(dir, LedgerFile), Init: true, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}

	t.Run("a new ledger belongs where it is made, and knows of no gap", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := open(t, dir)
		first := Settle(t.Context(), l, dir, log)
		again := Settle(t.Context(), l, dir, log)
		kept, err := store.HomeOf(t.Context(), l)
		if err != nil || first.ID == "" || first.ID != again.ID || kept.ID != first.ID || kept.Place != place(dir) || len(kept.Gaps) > 0 {
			t.Errorf("first %+v, again %+v, kept %+v (%v)", first, again, kept, err)
		}
	})

	t.Run("a restore leaves one gap, from what the backup knew last on", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := open(t, dir)
		Settle(t.Context(), l, dir, log)
		received := time.Now().Add(-3 * time.Hour).Truncate(time.Second).UTC()
		e := store.Event{Source: "s", Vendor: "v", Type: event.CallEnded, Lane: "l", OccurredAt: received, ReceivedAt: received, Body: []byte("{}")}
		if _, err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, LedgerFile)
		for n, want := range []time.Time{received, received.Add(time.Hour)} {
			if n == 1 { // the backup's own entry
				if err := l.KeepAudit(t.Context(), store.Audit{At: want, What: "ledger backup"}); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(path+".restored", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			h := Settle(t.Context(), l, dir, log)
			if len(h.Gaps) != n+1 || !h.Gaps[n].From.Equal(want) || time.Since(h.Gaps[n].To) > time.Minute {
				t.Fatalf("gaps %+v, want the last one from %v until now", h.Gaps, want)
			}
			if _, is := bolt.Restored(path); is {
				t.Error("the mark of the restore stays")
			}
			if h = Settle(t.Context(), l, dir, log); len(h.Gaps) != n+1 {
				t.Errorf("another start makes another gap: %+v", h.Gaps)
			}
		}
	})

	t.Run("a gap that could not be kept at one start begins no later at the next", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := open(t, dir)
		Settle(t.Context(), l, dir, log)
		now := time.Now().Truncate(time.Second).UTC()
		came := func(at time.Time, body string) {
			t.Helper()
			e := store.Event{Source: "s", Vendor: "v", Type: event.CallEnded, Lane: "l", OccurredAt: at, ReceivedAt: at, Body: []byte(body)}
			if _, err := l.Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
		}
		came(now.Add(-3*time.Hour), "1")
		mark := filepath.Join(dir, LedgerFile+".restored")
		if err := os.WriteFile(mark, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		restored := now.Add(-2 * time.Hour)
		if err := os.Chtimes(mark, restored, restored); err != nil {
			t.Fatal(err)
		}
		first := Settle(t.Context(), markless{l}, dir, log)
		came(now.Add(-time.Hour), "2")
		if err := l.KeepAudit(t.Context(), store.Audit{What: "ledger backup"}); err != nil {
			t.Fatal(err)
		}
		again := Settle(t.Context(), l, dir, log)
		if len(first.Gaps) != 1 || len(again.Gaps) != 1 || !again.Gaps[0].From.Equal(now.Add(-3*time.Hour)) || again.Gaps[0].Last != 2 {
			t.Errorf("gaps %+v, then %+v; want one from the last event of the backup on", first.Gaps, again.Gaps)
		}
	})

	t.Run("what a person did to a copy before its first start does not end the gap", func(t *testing.T) {
		t.Parallel()
		home, away := t.TempDir(), t.TempDir()
		l := open(t, home)
		Settle(t.Context(), l, home, log)
		received := time.Now().Add(-3 * time.Hour).Truncate(time.Second).UTC()
		e := store.Event{Source: "s", Vendor: "v", Type: event.CallEnded, Lane: "l", OccurredAt: received, ReceivedAt: received, Body: []byte("{}")}
		if _, err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		if err := l.KeepAudit(t.Context(), store.Audit{What: "deliveries retry"}); err != nil {
			t.Fatal(err)
		}
		if h := Settle(t.Context(), l, away, log); len(h.Gaps) != 1 || !h.Gaps[0].From.Equal(received) {
			t.Errorf("gaps %+v, want one from %v on", h.Gaps, received)
		}
	})

	t.Run("a ledger from elsewhere is a guest, with one gap, until it is back", func(t *testing.T) {
		t.Parallel()
		home, away := t.TempDir(), t.TempDir()
		l := open(t, home)
		Settle(t.Context(), l, home, log)
		for range 2 {
			h := Settle(t.Context(), l, away, log)
			if !h.Foreign(place(away)) || h.Guest != place(away) || len(h.Gaps) != 1 {
				t.Errorf("away: %+v", h)
			}
		}
		if h := Settle(t.Context(), l, home, log); h.Foreign(place(home)) || h.Guest != "" {
			t.Errorf("back: %+v", h)
		}
	})
}

// markless has no space for marks.
type markless struct{ store.Ledger }

func (markless) PutMark(context.Context, string, []byte) error { return store.ErrFull }
