package admin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

// desk answers with what the test put in and notes what it was asked.
type desk struct {
	status     admin.Status
	events     []admin.Event
	deliveries []admin.Delivery
	err        error
	asked      []any
}

func (d *desk) Status(context.Context) (admin.Status, error) { return d.status, d.err }
func (d *desk) Events(_ context.Context, f store.EventFilter) ([]admin.Event, error) {
	d.asked = append(d.asked, f)
	return d.events, d.err
}

func (d *desk) Event(_ context.Context, seq uint64) (admin.Event, error) {
	d.asked = append(d.asked, seq)
	if d.err != nil {
		return admin.Event{}, d.err
	}
	return d.events[0], nil
}

func (d *desk) Deliveries(_ context.Context, f store.DeliveryFilter) ([]admin.Delivery, error) {
	d.asked = append(d.asked, f)
	return d.deliveries, d.err
}

func (d *desk) Replay(_ context.Context, seqs []uint64) (int, error) {
	d.asked = append(d.asked, seqs)
	return len(seqs), d.err
}

func (d *desk) Retry(_ context.Context, ids []store.DeliveryID) (int, error) {
	d.asked = append(d.asked, ids)
	return len(ids), d.err
}

func (d *desk) Discard(_ context.Context, ids []store.DeliveryID, reason string) (int, error) {
	d.asked = append(d.asked, ids, reason)
	return len(ids), d.err
}

func serve(t *testing.T, d *desk) (*httptest.Server, *admin.Client) {
	srv := httptest.NewServer(admin.Handler(d, nil))
	t.Cleanup(srv.Close)
	return srv, admin.NewClient(srv.Listener.Addr().String())
}

// TestClient/asks the daemon what it would ask a ledger.
func TestClient(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)
	d := &desk{
		status:     admin.Status{Version: "1", Ready: true, Connectors: []admin.Connector{{Name: "hubspot", Waiting: 3}}},
		events:     []admin.Event{{Event: event.Event{ID: "evt_7", Type: event.CallEnded, Call: &event.Call{Status: "completed"}}, State: store.Done, Deliveries: []admin.Delivery{}}},
		deliveries: []admin.Delivery{{ID: "evt_7.hubspot", State: store.Dead, Records: []store.Record{{Object: "contacts", ID: "1"}}}},
	}
	_, c := serve(t, d)
	ctx := t.Context()
	if s, err := c.Status(ctx); err != nil || !reflect.DeepEqual(s, d.status) {
		t.Errorf("Status = %+v, %v", s, err)
	}
	f := store.EventFilter{State: store.Dead, Source: "telli", Type: event.CallEnded, Since: at, Until: at.Add(time.Hour), Before: 9, Limit: 5}
	if list, err := c.Events(ctx, f); err != nil || !reflect.DeepEqual(list, d.events) {
		t.Errorf("Events = %+v, %v", list, err)
	}
	if e, err := c.Event(ctx, 7); err != nil || e.Call.Status != "completed" {
		t.Errorf("Event = %+v, %v", e, err)
	}
	g := store.DeliveryFilter{State: store.Dead, Connector: "hubspot", Before: 9, Limit: 5}
	if list, err := c.Deliveries(ctx, g); err != nil || !reflect.DeepEqual(list, d.deliveries) {
		t.Errorf("Deliveries = %+v, %v", list, err)
	}
	ids := []store.DeliveryID{{Seq: 7, Connector: "hubspot"}}
	for _, err := range []error{fails(c.Replay(ctx, []uint64{7, 8})), fails(c.Retry(ctx, ids)), fails(c.Discard(ctx, ids, "why"))} {
		if err != nil {
			t.Error(err)
		}
	}
	want := []any{f, uint64(7), g, []uint64{7, 8}, ids, ids, "why"}
	if !reflect.DeepEqual(d.asked, want) {
		t.Errorf("the desk was asked\n%v, want\n%v", d.asked, want)
	}
}

func TestClientErrors(t *testing.T) {
	t.Parallel()
	d := &desk{err: store.ErrNotFound}
	srv, c := serve(t, d)
	if _, err := c.Event(t.Context(), 7); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown event: %v, want ErrNotFound", err)
	}
	d.err = errors.New("the disk is tired")
	if _, err := c.Events(t.Context(), store.EventFilter{}); err == nil || err.Error() != "the disk is tired" {
		t.Errorf("error of the desk: %v", err)
	}
	srv.Close()
	if _, err := c.Status(t.Context()); !errors.Is(err, admin.ErrUnreachable) {
		t.Errorf("no daemon: %v, want ErrUnreachable", err)
	}
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	if _, err := admin.NewClient(other.Listener.Addr().String()).Status(t.Context()); err == nil || !strings.Contains(err.Error(), "another program") {
		t.Errorf("another program at the address: %v", err)
	}
	if _, err := admin.NewClient("unix:" + t.TempDir() + "/none.sock").Status(t.Context()); !errors.Is(err, admin.ErrUnreachable) {
		t.Errorf("no socket: %v, want ErrUnreachable", err)
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, path, body string
		header                   map[string]string
		desk                     desk
		want                     int
	}{
		{"a page that rebound its name is refused", "GET", "/api/status", "", map[string]string{"Host": "evil.test"}, desk{}, 421},
		{"metrics are no exception", "GET", "/readyz", "", map[string]string{"Host": "evil.test:8788"}, desk{}, 421},
		{"a cross-origin order is refused", "POST", "/api/deliveries/retry", `{"ids":["evt_1.hubspot"]}`, map[string]string{"Sec-Fetch-Site": "cross-site"}, desk{}, 403},
		{"an order by GET is refused", "GET", "/api/deliveries/retry", "", nil, desk{}, 405},
		{"an order that is no JSON", "POST", "/api/events/replay", `ids=1`, nil, desk{}, 400},
		{"an id that is none", "POST", "/api/events/replay", `{"ids":["seven"]}`, nil, desk{}, 400},
		{"an event id that is none", "GET", "/api/events/seven", "", nil, desk{}, 400},
		{"a limit that is none", "GET", "/api/events?limit=many", "", nil, desk{}, 400},
		{"a time that is none", "GET", "/api/events?since=yesterday", "", nil, desk{}, 400},
		{"a page that is none", "GET", "/api/deliveries?before=x", "", nil, desk{}, 400},
		{"not ready", "GET", "/readyz", "", nil, desk{status: admin.Status{NotReady: "stopping"}}, 503},
		{"ready", "GET", "/readyz", "", nil, desk{status: admin.Status{Ready: true}}, 200},
		{"alive even when not ready", "GET", "/healthz", "", nil, desk{err: errors.New("x")}, 200},
		{"elsewhere", "GET", "/", "", nil, desk{}, 404},
		{"elsewhere below the API", "GET", "/api/nope", "", nil, desk{}, 404},
		{"a path with dots", "GET", "/api/../healthz", "", nil, desk{}, 404},
		{"a path with dots at its end", "GET", "/api/events/..", "", nil, desk{}, 404},
		{"a path with two slashes", "GET", "//healthz", "", nil, desk{}, 404},
		{"two slashes", "GET", "//", "", nil, desk{}, 404},
		{"a state that is none", "GET", "/api/events?state=bogus", "", nil, desk{}, 400},
		{"a state that no delivery has", "GET", "/api/deliveries?state=quarantined", "", nil, desk{}, 400},
		{"a type that is none", "GET", "/api/events?type=call.exploded", "", nil, desk{}, 400},
		{"a key that is none", "POST", "/api/deliveries/retry", `{"ids":[],"all":true}`, nil, desk{}, 400},
		{"two orders in one", "POST", "/api/deliveries/retry", `{"ids":[]}{"ids":["evt_1.x"]}`, nil, desk{}, 400},
		{"an order as text", "POST", "/api/deliveries/retry", `{"ids":["evt_1.x"]}`, map[string]string{"Content-Type": "text/plain"}, desk{}, 415},
		{"an order as a form", "POST", "/api/deliveries/retry", `{"ids":["evt_1.x"]}`, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, desk{}, 415},
		{"an order as nothing", "POST", "/api/deliveries/retry", `{"ids":["evt_1.x"]}`, map[string]string{"Content-Type": ""}, desk{}, 415},
		{"an order that another site's page refers to", "POST", "/api/deliveries/retry", `{"ids":["evt_1.x"]}`, map[string]string{"Referer": "https://evil.test/page"}, desk{}, 403},
		{"an order that no page refers to", "POST", "/api/deliveries/retry", `{"ids":["evt_1.x"]}`, map[string]string{"Referer": "::"}, desk{}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(c.method, "http://127.0.0.1:8788"+c.path, strings.NewReader(c.body))
			r.Header.Set("Content-Type", "application/json")
			for k, v := range c.header {
				r.Header.Set(k, v)
			}
			if h := c.header["Host"]; h != "" {
				r.Host = h
			}
			w := httptest.NewRecorder()
			admin.Handler(&c.desk, nil).ServeHTTP(w, r)
			if w.Code != c.want {
				t.Errorf("%s %s = %d %s, want %d", c.method, c.path, w.Code, w.Body, c.want)
			}
			if w.Code >= 400 && w.Code != 503 && !strings.HasPrefix(w.Body.String(), `{"error":`) || w.Header().Get("Location") != "" {
				t.Errorf("%s %s is answered %q, want an error as JSON and no redirect", c.method, c.path, w.Body)
			}
			if len(c.desk.asked) > 0 {
				t.Errorf("the desk was asked %v", c.desk.asked)
			}
		})
	}
}
