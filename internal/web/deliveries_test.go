package web_test

import (
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/web"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestPagesSayTheConnectorsNextTryTheTriesAndSinceWhenIsCounted(t *testing.T) {
	t.Parallel()
	now := time.Now()
	d := &desk{
		status: admin.Status{
			Running: true, StartedAt: now.Add(-10 * time.Minute), Sources: []admin.Source{{Name: "telli"}},
			Connectors: []admin.Connector{{Name: "hubspot", State: "parked", Until: now.Add(4*time.Minute + 30*time.Second)}},
		},
		deliveries: []admin.Delivery{{ID: "evt_1.hubspot", Event: "evt_1", Connector: "hubspot", State: store.Waiting, Due: now.Add(-time.Minute)}, {ID: "evt_2.hubspot", Event: "evt_2", Connector: "hubspot", State: store.Dead}},
	}
	p := web.New(d, nil)
	for path, want := range map[string]string{"/deliveries?state=waiting": "next try in 4 min", "/deliveries?state=dead": "1 try", "/": "Received, since the start 10 min ago"} {
		if w := get(p, operator, "GET", path, nil); !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s does not say %q:\n%s", path, want, w.Body)
		}
	}
	d.status.StartedAt = now.Add(-2 * time.Hour)
	if w := get(p, operator, "GET", "/", nil); !strings.Contains(w.Body.String(), "Received, last hour") {
		t.Errorf("after two hours it is not the last hour:\n%s", w.Body)
	}
}
