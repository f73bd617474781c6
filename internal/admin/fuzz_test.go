package admin_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

// FuzzHandler holds that whatever the admin side is sent is answered, as JSON,
// and that an order that is refused is not carried out.
func FuzzHandler(f *testing.F) {
	for _, path := range []string{"/api/events", "/api/events/evt_1", "/api/events/replay", "/api/deliveries/retry", "/api/deliveries/discard", "/api/status", "/api/connectors/x/grant", "/api/connectors/x/consent", "/api/connectors/x/account", "/api/sources/x/backfill", "/healthz"} {
		for _, body := range []string{"", `{"ids":["evt_1"]}`, `{"ids":["evt_1.hubspot"],"reason":"x"}`, `{"ids":[null]}`, `[`, `{"ids":["../x"]}`, `{"since":"x","state":7}`} {
			f.Add("POST", path, "", body)
			f.Add("GET", path, "state=done&limit=1&before=evt_9&since=2026-03-04T09:30:00Z", body)
		}
	}
	f.Fuzz(func(t *testing.T, method, path, query, body string) {
		d := &desk{events: []admin.Event{{}}}
		req, err := http.NewRequest(method, "http://localhost"+path, strings.NewReader(body))
		if err != nil || req.URL.Host != "localhost" || req.URL.Path == "" || strings.ContainsAny(path, "?#") {
			return
		}
		req.URL.RawQuery = query
		w := httptest.NewRecorder()
		admin.Handler(d, nil).ServeHTTP(w, req)
		if w.Code < 200 || w.Code > 599 {
			t.Errorf("answered %d", w.Code)
		}
		if w.Code < 400 {
			return
		}
		for _, a := range d.asked {
			switch a.(type) {
			case []uint64, []store.DeliveryID:
				t.Errorf("%s %s with %q was answered %d and carried out", method, path, body, w.Code)
			}
		}
	})
}
