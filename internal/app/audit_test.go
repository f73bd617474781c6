package app

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

func TestEveryEntryOfTheAuditTrailIsCountedOnce(t *testing.T) {
	t.Parallel()
	file, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "ledger.db"), Init: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	l, ctx := audited{file, newAudits()}, t.Context()
	receipt, err := l.Append(ctx, store.Event{Source: "telli", Type: event.Unknown, Lane: "a", ReceivedAt: time.Now(), Problem: "odd", Body: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	seq, id := receipt.Seq, store.DeliveryID{Seq: receipt.Seq, Connector: "crm"}
	requeue := store.Requeue{Seq: seq, Type: event.CallEnded, OccurredAt: time.Now(), Lane: "a"}
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	changed := func(what string, want, n int, err error) {
		t.Helper()
		if do(what, err); n != want {
			t.Errorf("%s: %d were changed, want %d", what, n, want)
		}
	}
	by := func(what string) store.Audit { return store.Audit{Who: "a person", What: what} }
	n, err := l.DiscardEvents(store.WithAudit(ctx, by("events discard")), []uint64{seq}, "a test")
	changed("discard it", 1, n, err)
	do("replay it", l.Replay(store.WithAudit(ctx, by("events replay")), []store.Requeue{requeue}))
	do("plan it", l.Plan(ctx, []store.Plan{{Seq: seq, Connectors: []string{"crm"}}}))
	n, err = l.Retry(store.WithAudit(ctx, by("deliveries retry")), []store.DeliveryID{id})
	changed("retry its delivery", 1, n, err)
	n, err = l.Discard(store.WithAudit(ctx, by("deliveries discard")), []store.DeliveryID{id}, "a test")
	changed("discard it", 1, n, err)
	n, err = l.Retry(store.WithAudit(ctx, by("deliveries retry")), []store.DeliveryID{id})
	changed("retry it, which changes nothing any more", 0, n, err)
	_, err = l.Erase(store.WithAudit(ctx, by("erase")), store.Erasure{Events: []uint64{seq}})
	do("erase it", err)
	do("reload", l.KeepAudit(ctx, by("reload")))
	do("what is not listed", l.KeepAudit(ctx, by("something of evt_17")))
	if _, err := l.Discard(store.WithAudit(ctx, by("deliveries discard")), []store.DeliveryID{id}, "it is gone"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("discard what is erased: %v, want %v", err, store.ErrNotFound)
	}
	do("a change by the daemon itself", l.Replay(ctx, nil))

	trail, err := l.Audits(ctx, store.AuditFilter{})
	if err != nil || len(trail) != 7 {
		t.Errorf("the trail has %d entries, %v; want 7", len(trail), err)
	}
	got := map[string]float64{}
	r := prometheus.NewRegistry()
	r.MustRegister(l.entries)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range families[0].GetMetric() {
		got[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
	}
	want := map[string]float64{otherAction: 1}
	for _, action := range actions {
		want[action] = 0
	}
	for _, action := range []string{"events discard", "events replay", "deliveries discard", "deliveries retry", "erase", "reload"} {
		want[action] = 1
	}
	if !maps.Equal(got, want) {
		t.Errorf("counted %v, want %v", got, want)
	}
}

// What the admin side writes into the trail has a label of its own.
func TestEveryActionOfTheAdminSideIsCountedByItsName(t *testing.T) {
	t.Parallel()
	written := regexp.MustCompile(`(?:What: |audit\(ctx, |\.compact\(ctx, )"([a-z ]+)"`)
	files, err := filepath.Glob("../admin/*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, path := range files {
		if ok, _ := filepath.Match("*_test.go", filepath.Base(path)); ok {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range written.FindAllStringSubmatch(string(text), -1) {
			if found++; !slices.Contains(actions, m[1]) {
				t.Errorf("%s writes %q into the audit trail, which is counted as %q: add it to actions in audit.go", path, m[1], otherAction)
			}
		}
	}
	if found < 9 {
		t.Errorf("only %d actions were found: does this test read them still?", found)
	}
}
