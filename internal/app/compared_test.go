package app_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/internal/reconcile"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/telli"
)

// comparedMost is what comparing 10,000 contacts may cost in requests.
var comparedMost = map[string]int{"hubspot": 110, "salesforce": 60, "airtable": 1050, "pipedrive": 110}

// TestTenThousandCompared/cost few requests, counted on their way to each CRM.
// make month does it, for COMPARED contacts.
func TestTenThousandCompared(t *testing.T) {
	t.Parallel()
	if os.Getenv("COMPARED") == "" {
		t.Skip("COMPARED is not set; make month sets it")
	}
	people, err := strconv.Atoi(os.Getenv("COMPARED"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"config.yaml": monthConfig, "mapping.yaml": monthMapping()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)))
		newMonth(t, dir).costs(people)
	})
}

// costs has all CRMs get so many contacts, and counts what comparing them sends.
func (m *month) costs(people int) {
	ctx, stop := context.WithCancel(m.Context())
	var working sync.WaitGroup
	working.Go(func() { m.deliver.Run(ctx, time.Minute) })
	defer working.Wait()
	defer stop()
	var coming sync.WaitGroup
	for n := range people {
		p := &person{id: fmt.Sprintf("k%05d", n), version: 1, status: "pending", at: time.Now().Truncate(time.Second)}
		m.vendor.people[p.id] = p
		request := &sources.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: p.payload("contact_status_changed", ""), At: time.Now().UTC()}
		e := receiver.Stored("telli", telli.Vendor, event.Webhook, request, m.vendor.Parse(request))
		coming.Go(func() {
			if _, err := m.append(m.Context(), e); err != nil {
				m.Error(err)
			}
		})
	}
	coming.Wait()
	m.drain()
	for _, crm := range slices.Sorted(maps.Keys(monthOf)) {
		before, began := m.ways[crm].count(), time.Now()
		run := m.reconcile(reconcile.Target{Connector: crm})
		sent := m.ways[crm].count() - before
		m.Logf("%s: %d contacts compared with %d requests, %v by its limits", crm, run.Compared, sent, time.Since(began).Round(time.Second))
		if most := max(comparedMost[crm]*people/10_000, 3); run.Agreed != people || sent > most || sent != run.Requests {
			m.Errorf("%s: %d of %d agree (%s); it took %d requests, and says %d; want at most %d", crm, run.Agreed, people, run.Note, sent, run.Requests, most)
		}
	}
}
