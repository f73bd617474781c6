package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

const (
	faultSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	faultPeople = 3
)

// faulty are the ways in which CRMs and the network to them go wrong, each as
// the sandbox's /_/faults has it. quick ones are tried in every run of the tests;
// all of them with NETFAULTS=1.
var faulty = []struct {
	name, fault string
	quick       bool
}{
	{"an answer that comes late", `"latency_ms":200`, false},
	{"an answer that comes too late", `"latency_ms":1500`, false},
	{"no answer", `"answer":"hang"`, false},
	{"a reset connection", `"answer":"reset"`, true},
	{"a connection that ends in the middle of an answer", `"answer":"cut"`, false},
	{"an answer that stops in the middle", `"answer":"stall"`, false},
	{"half of an answer's JSON", `"answer":"truncated"`, false},
	{"an empty answer", `"answer":"empty"`, false},
	{"HTML in place of JSON", `"answer":"html"`, false},
	{"100 MiB", `"answer":"huge"`, false},
	{"a gzip bomb", `"answer":"bomb"`, false},
	{"a batch's answer with a result too few", `"answer":"short"`, false},
	{"a batch's answer with a result too many", `"answer":"extra"`, false},
	{"a part of a batch that fails", `"partial":true,"status":500`, false},
	{"a lost reply", `"lost_reply":true`, false},
	{"429 without a wait", `"status":429`, false},
	{"429 with a wait", `"status":429,"retry_after":1`, false},
	{"500", `"status":500`, false},
	{"502 in HTML", `"status":502,"answer":"html"`, false},
	{"503", `"status":503`, false},
	{"503 and a reset", `"status":503,"answer":"reset"`, false},
}

// TestFaults/whatever a CRM or the network does for a while, afterwards each
// record is in all five CRMs once, with the values of its newest event; memory
// and goroutines stay bounded.
func TestFaults(t *testing.T) {
	all := os.Getenv("NETFAULTS") != ""
	before := runtime.NumGoroutine()
	var peak atomic.Uint64
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for ctx.Err() == nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak.Store(max(peak.Load(), m.HeapAlloc))
			time.Sleep(20 * time.Millisecond)
		}
	}()
	t.Run("the CRMs", func(t *testing.T) {
		slots := make(chan struct{}, 8)
		for _, f := range faulty {
			if !f.quick && !all {
				continue
			}
			t.Run(f.name, func(t *testing.T) {
				t.Parallel()
				slots <- struct{}{}
				defer func() { <-slots }()
				faultStory(t, f.fault)
			})
		}
	})
	cancel()
	<-watched
	t.Logf("heap at most %d MiB, with up to eight daemons and their sandboxes in one process", peak.Load()>>20)
	if peak.Load() > 400<<20 {
		t.Errorf("the heap grew to %d MiB, want at most 400", peak.Load()>>20)
	}
	for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > before+20; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// faultStory has people called and their status change while every CRM does
// what the fault says, several times each, and looks at what is there at the end.
func faultStory(t *testing.T, fault string) {
	box := sandbox.New(sandbox.Options{Unlimited: true, SearchDelay: 200 * time.Millisecond, RefreshGrace: time.Minute})
	srv := httptest.NewServer(box)
	defer srv.Close()
	d := startFaulty(t, srv.URL)
	defer d.stop()
	for kind, at := range map[string]int{"call_completed": 0, "status_pending": 1} { // fields and types are known then
		d.send(kind, 0, at)
	}
	d.settle(4 * time.Minute)

	var faults []string
	for _, crm := range []string{"hubspot", "airtable", "pipedrive", "salesforce", "webhook"} {
		faults = append(faults, fmt.Sprintf(`{"crm":%q,%s,"times":4}`, crm, fault))
	}
	post(t, srv.URL+"/_/faults", "["+strings.Join(faults, ",")+"]")
	for n := 1; n <= faultPeople; n++ {
		for i, kind := range []string{"call_completed", "status_pending", "call_not_reached", "status_closed"} {
			d.send(kind, n, 10*(i+1))
		}
	}
	d.settle(8 * time.Minute) // Airtable wants half a minute after each 429

	for crm, want := range map[string]struct{ person, call, status string }{
		"hubspot": {"contacts", "calls", "telli_status"}, "airtable": {"Contacts", "Calls", "Status"},
		"pipedrive": {"persons", "activities", ""}, "salesforce": {"Contact", "Task", "Telli_Status__c"},
	} {
		people, calls := box.Records(crm, want.person), box.Records(crm, want.call)
		if len(people) != faultPeople+1 || len(calls) != 2*faultPeople+1 {
			t.Errorf("%s has %d people and %d calls, want %d and %d", crm, len(people), len(calls), faultPeople+1, 2*faultPeople+1)
		}
		closed := 0
		for _, p := range people {
			for name, v := range p.Fields {
				if (name == want.status || want.status == "") && strings.EqualFold(fmt.Sprint(v), "closed") {
					closed++
					break
				}
			}
		}
		if closed != faultPeople {
			t.Errorf("%s has %d people with the status of their newest event, want %d", crm, closed, faultPeople)
		}
		for _, c := range calls {
			if len(c.Links) == 0 && crm == "hubspot" {
				t.Errorf("%s: call %s is linked to nobody", crm, c.ID)
			}
		}
	}
	ids := map[string]bool{}
	for _, r := range box.Records("webhook", "automation") {
		headers, _ := r.Fields["headers"].(map[string]any)
		ids[fmt.Sprint(headers["Webhook-Id"])] = true
	}
	if len(ids) != 2*faultPeople+1 {
		t.Errorf("%d ids were posted to the webhook, want %d", len(ids), 2*faultPeople+1)
	}
}

// faultyDaemon is a daemon with all kinds of connectors, to a sandbox.
type faultyDaemon struct {
	t    *testing.T
	app  *app.App
	src  sources.Source
	stop func()
	sent int
}

func startFaulty(t *testing.T, crm string) *faultyDaemon {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"config.yaml": strings.NewReplacer("CRM", crm, "SECRET", faultSecret, "DIR", dir).Replace(`
listen: 127.0.0.1:0
admin: 127.0.0.1:0
data_dir: DIR/data
mapping: mapping.d
defaults: {country: DE, timezone: Europe/Berlin}
limits: {store_time: 1m}
delivery: {backoff_min: 100ms, backoff_max: 1s, drain: 1s}
sources:
  telli: {type: telli, signing_secret: "SECRET"}
connectors:
  hubspot: {type: hubspot, access_token: x, base_url: CRM/hubspot, requests_per_10s: 100000, timeout: 1s, search_lag: 3s}
  airtable: {type: airtable, access_token: x, base: appCrmsyncdDemo00, base_url: CRM/airtable, requests_per_second: 10000, timeout: 1s}
  pipedrive: {type: pipedrive, api_token: x, base_url: CRM/pipedrive, requests_per_2s: 100000, timeout: 1s, search_lag: 3s}
  salesforce: {type: salesforce, client_id: x, client_secret: x, base_url: CRM/salesforce, timeout: 1s}
  webhook: {type: webhook, url: CRM/webhook/automation, unsigned: true, allow_private: ["true"], requests_per_second: 10000, timeout: 1s}
`)}
	for _, name := range []string{"hubspot", "airtable", "pipedrive", "salesforce", "webhook"} {
		text, err := os.ReadFile("../../examples/testdata/story/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, rule := range []string{"Log calls", "Keep the status", "Tell of calls"} {
			text = bytes.ReplaceAll(text, []byte("name: "+rule), []byte("name: "+rule+" in "+name))
		}
		// A person's edits are not what this is about.
		files["mapping.d/"+name+".yaml"] = strings.ReplaceAll(string(text), ", if: changed", "")
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	logger := func(config.Log) *slog.Logger { return slog.New(slog.DiscardHandler) }
	setup, problems := app.Build(filepath.Join(dir, "config.yaml"), "test", logger)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	a, err := app.New(setup, "", "test", logger)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return &faultyDaemon{t: t, app: a, src: setup.Sources["telli"], stop: func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	}}
}

// send posts an event of a person, some seconds after the first, and wants it taken.
func (d *faultyDaemon) send(kind string, n, second int) {
	d.t.Helper()
	body, err := d.src.(sources.Sampler).Sample(kind, n, time.Now().Add(time.Duration(second-3600)*time.Second))
	if err != nil {
		d.t.Fatal(err)
	}
	d.sent++
	r := &sources.Request{Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
	if err := d.src.(sources.Signer).Sign(r, fmt.Sprint("msg_", d.sent), time.Now()); err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, d.app.URL()+"/hooks/telli", bytes.NewReader(r.Body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header = r.Header
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	if _, _ = io.Copy(io.Discard, answer.Body); answer.StatusCode != http.StatusOK {
		d.t.Fatalf("a webhook was answered %s", answer.Status)
	}
}

// settle waits until nothing waits, and wants nothing dead.
func (d *faultyDaemon) settle(limit time.Duration) {
	d.t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		s, err := d.app.Desk().Status(context.Background())
		if err != nil {
			d.t.Fatal(err)
		}
		waiting, dead := s.Unplanned, uint64(0)
		for _, c := range s.Connectors {
			waiting, dead = waiting+c.Waiting, dead+c.Dead
		}
		if waiting == 0 && dead == 0 && s.Events >= uint64(d.sent) {
			return
		}
		if dead > 0 || time.Now().After(end) {
			var why []string
			for _, state := range []store.State{store.Dead, store.Waiting} {
				left, _ := d.app.Desk().Deliveries(context.Background(), store.DeliveryFilter{State: state, Limit: 5})
				for _, l := range left {
					why = append(why, fmt.Sprintf("%s %s since %d attempts, %s", l.ID, state, l.Attempts, l.Reason))
				}
			}
			d.t.Fatalf("%d wait, %d are dead: %s", waiting, dead, strings.Join(why, "\n"))
		}
	}
}

func post(t *testing.T, url, body string) {
	t.Helper()
	r, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(r.Body)
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", r.Status, text)
	}
}
