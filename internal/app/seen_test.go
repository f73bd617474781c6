package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// TestLastWebhooks holds that a start reads few events to know when each source
// sent last, whatever there is in the ledger.
func TestLastWebhooks(t *testing.T) {
	t.Parallel()
	began := time.Now().Add(-time.Hour).Truncate(time.Second)
	tests := []struct {
		name   string
		noted  string
		events []event.Origin // a second apart from began on, of the source named a; but for the first, which is of b
		want   map[string]time.Time
	}{
		{"nothing is noted, and there is nothing", "", nil, map[string]time.Time{}},
		{"nothing is noted: the newest events tell", "", origins(3, event.Webhook), map[string]time.Time{"b": began, "a": began.Add(2 * time.Second)}},
		{"what cannot be read is as nothing", "{", origins(3, event.Webhook), map[string]time.Time{"b": began, "a": began.Add(2 * time.Second)}},
		{"what is noted is not looked for", `{"at": "2999-01-01T00:00:00Z", "last": {"c": "2026-03-04T08:00:00Z"}}`, origins(3*lastPage, event.Webhook),
			map[string]time.Time{"c": time.Date(2026, 3, 4, 8, 0, 0, 0, time.UTC), "a": began.Add((3*lastPage - 1) * time.Second)}},
		{"a backfill after it hides nothing", fmt.Sprintf(`{"at": %q, "last": {"a": %[1]q}}`, began.UTC().Format(time.RFC3339)), append(origins(1, event.Webhook), origins(3*lastPage, event.Backfill)...),
			map[string]time.Time{"a": began, "b": began}},
		{"what came long before too many others is not looked for", "", append(origins(1, event.Webhook), origins(lastBack, event.Backfill)...), map[string]time.Time{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "ledger.db"), Init: true, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			for i, origin := range test.events { // one after the other: their order counts
				e := store.Event{Source: "a", Vendor: "telli", Lane: "l", Origin: origin, ReceivedAt: began.Add(time.Duration(i) * time.Second), DeliveryID: fmt.Sprint(i)}
				if i == 0 {
					e.Source = "b"
				}
				if _, err := l.Append(t.Context(), e); err != nil {
					t.Fatal(err)
				}
			}
			if err := l.PutMark(t.Context(), lastMark, []byte(test.noted)); err != nil {
				t.Fatal(err)
			}
			got, err := LastWebhooks(t.Context(), l)
			if err != nil || len(got) != len(test.want) {
				t.Fatalf("%v, %v; want %v", got, err, test.want)
			}
			for name, at := range test.want {
				if !got[name].Equal(at) {
					t.Errorf("of %s it came %v, want %v", name, got[name], at)
				}
			}
		})
	}
}

func origins(n int, o event.Origin) []event.Origin {
	all := make([]event.Origin, n)
	for i := range all {
		all[i] = o
	}
	return all
}

// TestADaemonNotesWhenWebhooksCame holds that a stop notes it, and a start knows
// it before anything comes.
func TestADaemonNotesWhenWebhooksCame(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeBench(t, dir, unmatchedRules, "http://127.0.0.1:1", 100_000, 10_000)
	a, stop := runBench(t, dir)
	if err := dial(t, a.public.Addr().String()).send(signedWebhook(t, 1, false)); err != nil {
		t.Fatal(err)
	}
	came := a.metrics.seen.of("telli")
	stop()
	l, err := bolt.Open(bolt.Options{Path: filepath.Join(dir, "data", LedgerFile)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	text, err := l.Mark(t.Context(), lastMark)
	var n noted
	if err := errors.Join(err, json.Unmarshal(text, &n)); err != nil || !n.Last["telli"].Equal(came) || len(n.Last) != 1 {
		t.Errorf("%s was noted, %v; want telli's webhook of %v", text, err, came)
	}
}

func TestSeenUnderAWrongClock(t *testing.T) {
	t.Parallel()
	now := time.Now()
	ahead, before := now.Add(400*24*time.Hour), now.Add(-time.Minute)
	for _, order := range [][]time.Time{{ahead, before}, {before, ahead}, {before.Add(-time.Hour), ahead, before}} {
		var s seen
		for _, at := range order {
			s.note("a", at)
		}
		if got := s.of("a"); !got.Equal(before) {
			t.Errorf("after %v: %v, want %v", order, got, before)
		}
	}
	var s seen
	if s.note("a", ahead); !s.of("a").Equal(ahead) {
		t.Errorf("with nothing else: %v, want %v", s.of("a"), ahead)
	}
}
