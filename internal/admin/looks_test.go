package admin_test

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestStatusKnowsTheLastBackup(t *testing.T) {
	t.Parallel()
	d := keeperDesk(t)
	last := func(d *admin.Desk) time.Time {
		t.Helper()
		s, err := d.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.LastBackup
	}
	if at := last(d); !at.IsZero() {
		t.Errorf("before the first: %s", at)
	}
	began := time.Now()
	var copied strings.Builder
	if _, err := d.Backup(t.Context(), &copied); err != nil {
		t.Fatal(err)
	}
	if at := last(d); at.Before(began) {
		t.Errorf("after one: %s, want %s or later", at, began)
	}
	made := last(d)
	for range 2 { // one that fails is none
		gone, cancel := context.WithCancel(t.Context())
		if _, err := d.Backup(gone, breaking(cancel)); err == nil {
			t.Fatal("a backup that nobody reads is made")
		}
	}
	// The next daemon finds it in the audit trail.
	if at := last(&admin.Desk{Ledger: d.Ledger}); at.After(made) {
		t.Errorf("of another desk, after one that failed: %s, want at most %s", at, made)
	}
	if at := last(&admin.Desk{Ledger: d.Ledger}); at.IsZero() || time.Since(at) > time.Hour {
		t.Errorf("of another desk: %s", at)
	}
}

// breaking is a reader of a backup that goes away.
type breaking func()

func (b breaking) Write([]byte) (int, error) {
	b()
	return 0, io.ErrClosedPipe
}

func TestWhoLooksAtValuesIsNoted(t *testing.T) {
	t.Parallel()
	d := keeperDesk(t)
	if err := d.Note(admin.WithVisitor(t.Context(), admin.Visitor{Name: "anna"}), admin.ShowValues, []string{"evt_1"}); err != nil {
		t.Fatal(err)
	}
	list, err := d.Audits(t.Context(), store.AuditFilter{})
	if err != nil || len(list) != 1 || list[0].Who != "anna" || list[0].What != "events show values" || list[0].On[0] != "evt_1" {
		t.Errorf("the audit trail has %+v, %v", list, err)
	}
}

func TestEveryDeadDeliverySaysHowToMendIt(t *testing.T) {
	t.Parallel()
	for k := connectors.Transient; k <= connectors.Unknown; k++ {
		d := admin.Delivery{State: store.Dead, Kind: k.String(), Reason: "x"}
		if d.Mend() == "" {
			t.Errorf("%s: no mend", k)
		}
		if d.State = store.Waiting; d.Mend() != "" {
			t.Errorf("%s, waiting: %q", k, d.Mend())
		}
	}
	for want, d := range map[string]admin.Delivery{
		"merge": {State: store.Dead, Kind: "ambiguous"}, "mend the rule": {State: store.Dead, Kind: "invalid"}, "again": {State: store.Dead, Kind: "transient", Reason: "given up after 168h0m0s: x"},
	} {
		if got := d.Mend(); !strings.Contains(got, want) {
			t.Errorf("%s: %q", want, got)
		}
	}
}

func TestParseTimeWhereADayHasNoMidnight(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/Santiago")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := admin.ParseTime("2026-09-06", time.Now(), zone); err != nil || got.Format(time.RFC3339) != "2026-09-06T01:00:00-03:00" {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestParseTime(t *testing.T) {
	t.Parallel()
	now, tokyo := time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC), time.FixedZone("Tokyo", 9*3600)
	for text, want := range map[string]time.Time{
		"": {}, "2h": now.Add(-2 * time.Hour), "7d": now.AddDate(0, 0, -7), "2026-03-01": time.Date(2026, 3, 1, 0, 0, 0, 0, tokyo),
		"2026-03-01T08:00": time.Date(2026, 3, 1, 8, 0, 0, 0, tokyo), "2026-03-01 08:00": time.Date(2026, 3, 1, 8, 0, 0, 0, tokyo), "2026-03-01T08:00:00Z": time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC),
	} {
		if got, err := admin.ParseTime(text, now, tokyo); err != nil || !got.Equal(want) {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "2026-13-01", "-", "99999999d", "-2h", "-5m"} {
		if got, err := admin.ParseTime(text, now, tokyo); err == nil {
			t.Errorf("%q is taken for %s", text, got)
		}
	}
}
