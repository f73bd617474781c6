package admin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestAReasonIsOneShortLineOfPlainText(t *testing.T) {
	t.Parallel()
	for reason, ok := range map[string]bool{
		"Testanruf, gelöscht von Anna 👩‍💻": true, strings.Repeat("ü", 500): true,
		"": false, "  ": false, strings.Repeat("x", 501): false, "a\nb": false, "a\tb": false, "\x1b[2Jx": false, "x\u009b": false, "x\u2028y": false, "x\u202ey": false, "x\xff": false, "x\x00": false,
	} {
		if err := admin.CheckReason(reason); (err == nil) != ok {
			t.Errorf("%q: %v, want it taken to be %v", reason, err, ok)
		}
	}
}

func TestWithoutAGoodReasonNothingIsDiscarded(t *testing.T) {
	t.Parallel()
	d := keeperDesk(t)
	keep(t, d, store.Event{Type: event.CallEnded})
	h := admin.Handler(d, nil)
	order := func(path, body string) *httptest.ResponseRecorder {
		r, w := httptest.NewRequest("POST", "http://127.0.0.1:8788"+path, strings.NewReader(body)), httptest.NewRecorder()
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
		h.ServeHTTP(w, r)
		return w
	}
	for _, path := range []string{"/api/events/discard", "/api/deliveries/discard"} {
		for _, body := range []string{`{"ids":["evt_1"]}`, `{"ids":["evt_1"],"reason":"a\n7  root  erase"}`, `{"ids":["evt_1"],"reason":"` + strings.Repeat("x", 500_000) + `"}`} {
			if path == "/api/deliveries/discard" {
				body = strings.Replace(body, "evt_1", "evt_1.hubspot", 1)
			}
			w := order(path, body)
			if w.Code != http.StatusBadRequest {
				t.Errorf("%s %.60s: %d %s, want 400", path, body, w.Code, w.Body)
			}
		}
	}
	if w := order("/api/audit", `{"what":"provision","on":["\u001b[2J"]}`); w.Code != http.StatusBadRequest {
		t.Errorf("a name with an escape: %d, want 400", w.Code)
	}
	if list, err := d.Audits(t.Context(), store.AuditFilter{}); err != nil || len(list) != 0 {
		t.Errorf("the audit trail has %+v, %v; want nothing", list, err)
	}
}

func TestAnOrderThatChangesNothingLeavesNoEntry(t *testing.T) {
	t.Parallel()
	d := keeperDesk(t)
	keep(t, d, store.Event{Type: event.CallEnded}, "hubspot")
	id := []store.DeliveryID{{Seq: 1, Connector: "hubspot"}}
	ctx := admin.WithActor(t.Context(), "anna")
	d.Fill = func(s *admin.Status) { s.Running, s.Sources = true, []admin.Source{{Name: "telli"}} }
	d.Backfills = func(context.Context, string, admin.BackfillOrder, func(admin.BackfillProgress)) (admin.BackfillProgress, error) {
		return admin.BackfillProgress{}, errors.New("no such source")
	}
	for name, err := range map[string]error{
		"nothing retried":   fails(d.Retry(ctx, nil)),
		"nothing discarded": fails(d.Discard(ctx, nil, "x")),
		"nothing replayed":  fails(d.Replay(ctx, nil)),
		"nothing set aside": fails(d.DiscardEvents(ctx, []uint64{1}, "it has a delivery that waits")),
		"discarded":         fails(d.Discard(ctx, id, "x")),
		"discarded again":   fails(d.Discard(ctx, id, "x")),
		"retried":           fails(d.Retry(ctx, id)),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := d.Backfill(ctx, "teli", admin.BackfillOrder{From: time.Unix(1, 0), Until: time.Unix(2, 0)}, nil); err == nil {
		t.Error("a backfill of a source that is not there: no error")
	}
	list, err := d.Audits(ctx, store.AuditFilter{})
	if err != nil || len(list) != 1 || list[0].What != "deliveries discard" {
		t.Errorf("the audit trail has %+v, %v; want the one discard", list, err)
	}
}

func fails(_ int, err error) error { return err }

// TestAnOrderCountsWhatItChanged: not what was named, and nothing twice.
func TestAnOrderCountsWhatItChanged(t *testing.T) {
	t.Parallel()
	d := keeperDesk(t)
	keep(t, d, store.Event{Type: event.CallEnded}, "hubspot")
	keep(t, d, store.Event{Type: event.CallEnded}, "hubspot")
	keep(t, d, store.Event{Body: []byte("odd"), Problem: "odd"})
	h := admin.Handler(d, nil)
	for _, order := range []struct{ path, body, want string }{
		{"deliveries/retry", `{"ids":["evt_1.hubspot","evt_1.hubspot"]}`, `{"changed":1}`},
		{"deliveries/discard", `{"ids":["evt_1.hubspot"],"reason":"x"}`, `{"changed":1}`},
		{"deliveries/discard", `{"ids":["evt_1.hubspot","evt_2.hubspot"],"reason":"x"}`, `{"changed":1}`},
		{"deliveries/discard", `{"ids":["evt_1.hubspot","evt_2.hubspot"],"reason":"x"}`, `{"changed":0}`},
		{"deliveries/retry", `{"ids":["evt_1.hubspot"]}`, `{"changed":0}`},
		{"events/discard", `{"ids":["evt_1","evt_3","evt_3"],"reason":"x"}`, `{"changed":1}`},
		{"events/replay", `{"ids":["evt_1","evt_2","evt_1"]}`, `{"changed":2}`},
	} {
		r, w := httptest.NewRequest("POST", "http://127.0.0.1:8788/api/"+order.path, strings.NewReader(order.body)), httptest.NewRecorder()
		r.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()); got != order.want {
			t.Errorf("%s %s: %s, want %s", order.path, order.body, got, order.want)
		}
	}
	list, err := d.Audits(t.Context(), store.AuditFilter{Limit: 1})
	if err != nil || len(list) != 1 || strings.Join(list[0].On, " ") != "evt_1 evt_2" {
		t.Errorf("the audit trail has %+v, %v; want the replay of evt_1 and evt_2", list, err)
	}
}

func TestTriesCountTheOneThatEndedIt(t *testing.T) {
	t.Parallel()
	for want, d := range map[int]admin.Delivery{
		1: {State: store.Dead, Reason: "hubspot: invalid"},
		2: {State: store.Dead, Attempts: 1, Reason: "given up after 168h0m0s: busy"},
		3: {State: store.Dead, Attempts: 3, Reason: "given up after 3 attempts: busy"},
		4: {State: store.Done, Attempts: 3, Records: []store.Record{{ID: "1"}}},
		0: {State: store.Waiting},
	} {
		if got := d.Tries(); got != want {
			t.Errorf("%+v: %d tries, want %d", d, got, want)
		}
	}
}
