package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/store"
)

const reconcileKillConfig = `listen: %s
admin: %s
data_dir: ./data
mapping: mapping.yaml
defaults: {country: DE, timezone: Europe/Berlin}
sources:
  telli: {type: telli, signing_secret: "%s", api_key: key, base_url: %s/telli, requests_per_second: 40}
connectors:
  hubspot: {type: hubspot, access_token: x, base_url: %s/hubspot, requests_per_10s: 100000}
` + slowDisk

const reconcileKillMapping = `version: 1
rules:
  - name: Status
    on: contact.status_changed
    to: hubspot
    records:
      - object: contacts
        match: telli_contact_id
        fields: {telli_contact_id: =contact.id, telli_status: =contact.status, firstname: =contact.first_name}
`

// TestKillWhileReconcileRuns kills the daemon in the middle of two runs: both
// go on when it is back, without asking again what they have asked.
func TestKillWhileReconcileRuns(t *testing.T) {
	t.Parallel()
	const contacts = 120
	sb := sandbox.New(sandbox.Options{Unlimited: true})
	// After half of the contacts telli answers no more until the daemon was killed:
	// the run cannot be over before.
	var gets atomic.Int64
	var killed atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/get-contact/") && gets.Add(1) > contacts/2 && !killed.Load() {
			<-r.Context().Done()
			return
		}
		sb.ServeHTTP(w, r)
	}))
	defer srv.Close()
	p := &process{t: t, dir: t.TempDir()}
	listen, private := address(t), "unix:"+filepath.Join(p.dir, "admin.sock")
	for name, text := range map[string]string{"config.yaml": fmt.Sprintf(reconcileKillConfig, listen, private, testSecret, srv.URL, srv.URL), "mapping.yaml": reconcileKillMapping} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.start()
	defer func() { _ = p.cmd.Process.Kill() }()
	if _, err := readyAt(private); err != nil {
		t.Fatal(err)
	}
	src, err := telliSource(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	put := func(path string, v any) {
		t.Helper()
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.Post(srv.URL+path, "application/json", strings.NewReader(string(text)))
		if err != nil || r.StatusCode >= 300 {
			t.Fatal(r, err)
		}
		r.Body.Close()
	}
	for n := range contacts {
		contact := map[string]any{"contact_id": fmt.Sprintf("k-%03d", n), "first_name": "Ada", "status": "pending", "status_updated_at": "2026-03-04T09:30:00Z"}
		body, err := json.Marshal(map[string]any{"event": "contact_status_changed", "contact": contact})
		if err != nil {
			t.Fatal(err)
		}
		if _, status, err := (sender{source: src}).post(t.Context(), "http://"+listen+"/hooks/telli", body, fmt.Sprint("msg_", n)); err != nil || status != 200 {
			t.Fatal(status, err)
		}
		delete(contact, "status_updated_at")
		contact["status"] = "reached" // whose webhook got lost
		put("/_/records/telli/contacts", contact)
	}
	if err := settledAt(private, contacts); err != nil {
		t.Fatal(err)
	}

	// Both runs are under way: one has asked for some contacts, the other waits
	// for the CRM's first answer.
	put("/_/faults", []map[string]any{{"path": "/crm/", "latency_ms": 60_000, "times": 1}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	client := admin.NewClient(private)
	for _, o := range []admin.ReconcileOrder{{Source: "telli", Full: true}, {Connector: "hubspot", Full: true}} {
		go func() { _, _ = client.Reconcile(ctx, o, nil) }()
	}
	runs := func() (source, connector store.Run) {
		list, err := admin.NewClient(private).Runs(t.Context(), store.RunFilter{})
		if err != nil {
			return source, connector
		}
		for _, r := range list {
			if r.Source != "" {
				source = r
			} else {
				connector = r
			}
		}
		return source, connector
	}
	asked := func(crm, path string) (n int) {
		for _, r := range sb.Requests(crm) {
			if strings.Contains(r.Path, path) {
				n++
			}
		}
		return n
	}
	if err := poll(func() error {
		if s, c := runs(); s.Compared < 50 || c.State != store.RunGoing || s.State != store.RunGoing || asked("hubspot", "batch/read") == 0 {
			return fmt.Errorf("the runs are %+v and %+v", s, c)
		}
		return nil
	}); err != nil {
		_, c := runs()
		report, _ := admin.NewClient(private).Findings(t.Context(), c.ID)
		t.Fatal(err, report.Found[:min(1, len(report.Found))])
	}
	_ = p.end(syscall.SIGKILL)
	killed.Store(true)
	p.start()
	if _, err := readyAt(private); err != nil {
		t.Fatal(err)
	}
	var source, connector store.Run
	if err := poll(func() error {
		if source, connector = runs(); source.State != store.RunDone || connector.State != store.RunDone {
			return fmt.Errorf("after the crash the runs are %+v and %+v", source, connector)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if source.Resumed != 1 || source.Compared != contacts || source.Mended != contacts || connector.Resumed != 1 {
		t.Errorf("the runs ended as\n%+v\n%+v", source, connector)
	}
	// A batch of 25 that was under way is asked for again.
	if n := asked("telli", "/get-contact/"); n > contacts+25 {
		t.Errorf("telli was asked %d times for %d contacts", n, contacts)
	}
	if err := settledAt(private, 2*contacts); err != nil {
		t.Fatal(err)
	}
	for _, r := range sb.Records("hubspot", "contacts") {
		if r.Fields["telli_status"] != "reached" {
			t.Errorf("%v is %v", r.Fields["telli_contact_id"], r.Fields["telli_status"])
		}
	}
	if n := len(sb.Records("hubspot", "contacts")); n != contacts {
		t.Errorf("%d contacts in the CRM, want %d", n, contacts)
	}
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Errorf("%v\n%s", err, p.err.String())
	}
}
