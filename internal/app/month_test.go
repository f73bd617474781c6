package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/internal/reconcile"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/telli"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// monthOf is for each CRM the object and fields that the month is about.
var monthOf = map[string]struct{ object, key, status, name string }{
	"hubspot":    {"contacts", "telli_contact_id", "telli_status", "lastname"},
	"airtable":   {"Contacts", "telli_contact_id", "Status", "Name"},
	"salesforce": {"Contact", "Telli_Contact_Id__c", "Telli_Status__c", "LastName"},
	"pipedrive":  {"persons", "Telli contact id", "Telli status", "name"},
}

const monthConfig = `
data_dir: ./data
mapping: mapping.yaml
defaults: {country: DE, timezone: Europe/Berlin}
sources:
  telli: {type: telli, signing_secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}
connectors:
  hubspot: {type: hubspot, access_token: x}
  airtable: {type: airtable, access_token: x, base: appCrmsyncdDemo00}
  salesforce: {type: salesforce, client_id: x, client_secret: x, login_url: https://crm.invalid}
  pipedrive: {type: pipedrive, api_token: x}
reconcile:
  schedule: 30 3 * * *
  on_missing: recreate
  requests_per_run: 5000
  sources:
    telli: {schedule: 15 */6 * * *}
`

// The word that is written as the name tells how new it is: nothing may be
// written after something newer.
func monthMapping() string {
	var s strings.Builder
	s.WriteString("version: 1\nrules:\n")
	for _, crm := range slices.Sorted(maps.Keys(monthOf)) {
		m := monthOf[crm]
		fmt.Fprintf(&s, "  - name: %s\n    on: [call.ended, contact.status_changed]\n    to: %s\n    records:\n      - object: %s\n        match: %s\n        fields: {%s: =contact.id, %s: =contact.status, %s: =contact.last_name}\n",
			crm, crm, m.object, m.key, m.key, m.status, m.name)
	}
	return s.String()
}

// person is a contact as the vendor has it.
type person struct {
	id      string
	version int
	status  string
	at      time.Time
}

func (p *person) payload(name, call string) []byte {
	doc := map[string]any{"event": name, "contact": map[string]any{
		"contact_id": p.id, "first_name": "Ada", "last_name": fmt.Sprintf("%s-v%d", p.id, p.version), "status": p.status, "status_updated_at": p.at.Format(time.RFC3339),
	}}
	if call != "" {
		doc["call"] = map[string]any{"call_id": call, "contact_id": p.id, "direction": "outbound", "call_status": "COMPLETED",
			"triggered_at": p.at.Add(-time.Minute).UnixMilli(), "started_at": p.at.Add(-time.Minute).UnixMilli(), "ended_at": p.at.UnixMilli()}
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return text
}

// calling is telli, whose API knows what happens in the month.
type calling struct {
	*telli.Source
	mu     sync.Mutex
	people map[string]*person
	calls  []call // oldest first
	down   bool
}

type call struct {
	id, of string
	at     time.Time
}

func (c *calling) Readable() error { return nil }

func (c *calling) ask(ctx context.Context, turn sources.Turn) error {
	if err := turn.Ask(ctx); err != nil {
		return err
	}
	time.Sleep(250 * time.Millisecond) // four a second
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return &sources.ReadError{What: "telli: answered 503", Status: 503, Again: true}
	}
	return nil
}

// History is as that of telli: newest first, each call with its contact as it is now.
func (c *calling) History(ctx context.Context, q sources.Query) (sources.Page, error) {
	if err := c.ask(ctx, q.Turn); err != nil {
		return sources.Page{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	skip, err := q.Offset()
	page := sources.Page{Part: 1}
	for i := len(c.calls) - 1 - skip; i >= 0; i-- {
		one := c.calls[i]
		if one.at.Before(q.From) {
			return page, err
		}
		if len(page.Items) == 100 {
			page.Next, page.Part = strconv.Itoa(len(c.calls)-1-i), 0.5
			return page, err
		}
		if q.Holds(one.at) {
			p := *c.people[one.of]
			p.at = one.at
			page.Items = append(page.Items, sources.Item{ContentType: sources.ReadType(telli.Vendor), Body: p.payload("call_ended", one.id)})
		}
	}
	return page, err
}

func (c *calling) Statuses(ctx context.Context, ids []string, turn sources.Turn) (out []sources.Status, err error) {
	for _, id := range ids {
		at := time.Now().Truncate(time.Second)
		if err := c.ask(ctx, turn); err != nil {
			return out, err
		}
		c.mu.Lock()
		p := *c.people[id]
		c.mu.Unlock()
		p.at = at
		out = append(out, sources.Status{ID: id, Status: p.status, At: at, Item: sources.Item{ContentType: sources.ReadType(telli.Vendor), Body: p.payload("contact_status_changed", "")}})
	}
	return out, nil
}

// watch is the way to one CRM: it can be cut, counts, and sees what is written.
type watch struct {
	line
	newest map[string]int
	undone []string
	writes int
	sent   int // requests
}

func (w *watch) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

var versioned = regexp.MustCompile(`(k\d+)-v(\d+)`)

// RoundTrip implements http.RoundTripper.
func (w *watch) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.sent++
	w.mu.Unlock()
	if r.Body != nil && !strings.Contains(r.URL.Path, "search") && r.Method != http.MethodGet {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		w.mu.Lock()
		for _, m := range versioned.FindAllStringSubmatch(string(body), -1) {
			w.writes++
			n, _ := strconv.Atoi(m[2])
			if n < w.newest[m[1]] {
				w.undone = append(w.undone, fmt.Sprintf("%s: version %d after %d", m[1], n, w.newest[m[1]]))
			}
			w.newest[m[1]] = max(n, w.newest[m[1]])
		}
		w.mu.Unlock()
	}
	return w.line.RoundTrip(r)
}

// month is the simulation.
type month struct {
	*testing.T
	box      *sandbox.Sandbox
	ledger   store.Ledger
	deliver  *deliver.Deliverer
	runs     *reconcile.Reconciler
	vendor   *calling
	ways     map[string]*watch
	rand     *rand.Rand
	off      bool // the daemon is off: webhooks get lost
	hooks    int
	lost     int
	edits    map[string]map[string]string // by CRM and contact: what a person wrote as status
	edited   int
	deleted  int
	mergings int
}

// TestAMonth/of lost webhooks and busy people ends with CRMs that are right,
// but for what people edited, which is listed. make month does it at full size.
func TestAMonth(t *testing.T) {
	t.Parallel()
	people, days := 30, 2
	if long := os.Getenv("MONTH"); long != "" {
		var err error
		if people, err = strconv.Atoi(long); err != nil {
			t.Fatal(err)
		}
		days = 30
	}
	dir := t.TempDir()
	for name, text := range map[string]string{"config.yaml": monthConfig, "mapping.yaml": monthMapping()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		// A bubble begins in 2000, before telli did. In October clocks change.
		time.Sleep(time.Until(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)))
		m := newMonth(t, dir)
		m.live(people, days)
	})
}

func newMonth(t *testing.T, dir string) *month {
	log := slog.New(slog.DiscardHandler)
	setup, problems := app.Build(filepath.Join(dir, "config.yaml"), "test", func(config.Log) *slog.Logger { return log })
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	m := &month{T: t, box: sandbox.New(sandbox.Options{Unlimited: true}), ways: map[string]*watch{}, rand: rand.New(rand.NewPCG(7, 7)), edits: map[string]map[string]string{}}
	m.vendor = &calling{Source: setup.Sources["telli"].(*telli.Source), people: map[string]*person{}}
	setup.Sources["telli"] = m.vendor
	for crm := range monthOf {
		m.ways[crm] = &watch{line: line{up: m.box, began: time.Now()}, newest: map[string]int{}}
		m.edits[crm] = map[string]string{}
		c, err := connectorOn(crm, connectors.Options{Name: crm, Country: "DE", Zone: time.UTC, Log: log, Transport: m.ways[crm]})
		if err != nil {
			t.Fatal(err)
		}
		setup.Connectors[crm] = c
	}
	ledger, err := bolt.Open(bolt.Options{Path: filepath.Join(dir, "ledger.db"), Init: true, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ledger.Close(); err != nil {
			t.Error(err)
		}
	})
	m.ledger = ledger
	m.deliver = deliver.New(deliver.Options{Ledger: ledger, Log: log, Setup: setup.Delivery(ledger)})
	m.runs = setup.Reconciler(ledger, m.append, log)
	m.runs.Busy = m.deliver.Busy
	return m
}

func (m *month) append(ctx context.Context, e store.Event) (store.Receipt, error) {
	r, err := m.ledger.Append(ctx, e)
	m.deliver.Wake()
	return r, err
}

// live goes through the month and looks at what is left of it.
func (m *month) live(people, days int) {
	ctx, stop := context.WithCancel(m.Context())
	var working sync.WaitGroup
	working.Go(func() { m.deliver.Run(ctx, time.Minute) })
	working.Go(func() { m.runs.Schedule(ctx) })
	defer working.Wait()
	defer stop()

	changes := map[int][]int{} // people by the hour in which something happens to them
	for n := range people {
		for range 2 + m.rand.IntN(3) {
			hour := m.rand.IntN(days * 24)
			changes[hour] = append(changes[hour], n)
		}
	}
	for hour := range days * 24 {
		day := hour * 30 / (days * 24) // of a month
		m.off = day == 20              // the second outage: ours
		for _, w := range m.ways {
			w.mu.Lock()
			w.down = nil
			if day == 8 { // the first: the CRMs'
				w.down = reply(http.StatusServiceUnavailable, "", "")
			}
			w.mu.Unlock()
		}
		m.vendor.mu.Lock()
		m.vendor.down = day == 15
		m.vendor.mu.Unlock()
		for _, n := range changes[hour] {
			m.happens(n)
		}
		if day > 4 && day < 28 && day != 8 {
			m.busy(people, days)
		}
		time.Sleep(time.Hour)
	}
	for range 3 { // what is mended the first time is looked at the second
		m.reconcile(reconcile.Target{Source: "telli"})
		m.drain()
		for crm := range monthOf {
			m.reconcile(reconcile.Target{Connector: crm})
		}
		m.drain()
	}
	m.check(people)
}

// happens lets the vendor call somebody, whose status changes.
func (m *month) happens(n int) {
	id := fmt.Sprintf("k%05d", n)
	time.Sleep(time.Duration(1+m.rand.IntN(3)) * time.Second)
	m.vendor.mu.Lock()
	p := m.vendor.people[id]
	if p == nil {
		p = &person{id: id, status: "new"}
		m.vendor.people[id] = p
	}
	p.version++
	p.at = time.Now().Truncate(time.Second)
	words := []string{"pending", "reached", "closed"}
	for before := p.status; p.status == before; {
		p.status = words[m.rand.IntN(len(words))]
	}
	one := call{fmt.Sprintf("%s-call-%d", id, p.version), id, p.at}
	m.vendor.calls = append(m.vendor.calls, one)
	ended, changed := p.payload("call_ended", one.id), p.payload("contact_status_changed", "")
	m.vendor.mu.Unlock()
	for _, body := range [][]byte{ended, changed} {
		m.hooks++
		if m.off || m.rand.Float64() < 0.02 {
			m.lost++
			continue
		}
		at := time.Now().UTC()
		request := &sources.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {"application/json"}}, Body: body, At: at}
		parsed := m.vendor.Parse(request)
		if parsed.Problem != "" {
			m.Fatal(parsed.Problem)
		}
		if _, err := m.append(m.Context(), receiver.Stored("telli", telli.Vendor, event.Webhook, request, parsed)); err != nil {
			m.Fatal(err)
		}
	}
}

// busy lets people work in the CRMs: in the month they edit one of a hundred
// contacts of each, and delete and merge some.
func (m *month) busy(people, days int) {
	per := max(float64(people), 1000) / (22 * 0.8 * float64(days))
	for _, crm := range slices.Sorted(maps.Keys(monthOf)) {
		if m.rand.Float64() < per*0.01 {
			m.edit(crm)
		}
		if m.rand.Float64() < per*0.002 {
			if r, ok := m.anyone(crm); ok {
				m.do(http.MethodDelete, "/_/records/"+crm+"/"+monthOf[crm].object+"/"+r.ID, "")
				m.deleted++
			}
		}
		if m.rand.Float64() < per*0.002 {
			m.merge(crm)
		}
	}
}

func (m *month) anyone(crm string) (sandbox.Record, bool) {
	list := m.box.Records(crm, monthOf[crm].object)
	list = slices.DeleteFunc(list, func(r sandbox.Record) bool {
		return fmt.Sprint(r.Fields[monthOf[crm].key]) == "" || r.Fields[monthOf[crm].key] == nil
	})
	if len(list) == 0 {
		return sandbox.Record{}, false
	}
	return list[m.rand.IntN(len(list))], true
}

func (m *month) edit(crm string) {
	r, ok := m.anyone(crm)
	if !ok {
		return
	}
	word := "new" // which no vendor says any more
	m.do(http.MethodPut, "/_/records/"+crm+"/"+monthOf[crm].object+"/"+r.ID, fmt.Sprintf(`{%q:%q}`, monthOf[crm].status, word))
	m.edits[crm][fmt.Sprint(r.Fields[monthOf[crm].key])] = word
	m.edited++
}

// merge lets a person find that they had the contact already, under a record of
// their own.
func (m *month) merge(crm string) {
	r, ok := m.anyone(crm)
	if !ok || crm == "airtable" {
		return
	}
	own := m.do(http.MethodPost, "/_/records/"+crm+"/"+monthOf[crm].object, fmt.Sprintf(`{%q:"Own record"}`, monthOf[crm].name))
	var made sandbox.Record
	if err := json.Unmarshal([]byte(own), &made); err != nil {
		m.Fatal(err)
	}
	switch crm {
	case "hubspot":
		m.do(http.MethodPost, "/hubspot/crm/v3/objects/contacts/merge", fmt.Sprintf(`{"primaryObjectId":%q,"objectIdToMerge":%q}`, made.ID, r.ID))
	case "salesforce":
		m.do(http.MethodPut, "/_/records/salesforce/Contact/"+r.ID, fmt.Sprintf(`{"MasterRecordId":%q}`, made.ID))
	case "pipedrive":
		m.do(http.MethodPut, "/pipedrive/v1/persons/"+r.ID+"/merge", fmt.Sprintf(`{"merge_with_id":%s}`, made.ID))
	}
	m.mergings++
}

func (m *month) do(method, path, body string) string {
	m.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer x")
	r.Header.Set("X-Api-Token", "x")
	r.Header.Set("Content-Type", "application/json")
	m.box.ServeHTTP(w, r)
	if w.Code >= 300 {
		m.Fatalf("%s %s %s: %d %s", method, path, body, w.Code, w.Body)
	}
	return w.Body.String()
}

func (m *month) reconcile(t reconcile.Target) store.Run {
	m.Helper()
	run, err := m.runs.Run(m.Context(), reconcile.Order{Target: t, Trigger: reconcile.ByHand, Full: true}, nil)
	if err != nil {
		m.Fatalf("%s: %v", t, err)
	}
	return run
}

// drain waits until nothing is on its way.
func (m *month) drain() {
	m.Helper()
	for range 24 * 60 {
		time.Sleep(time.Minute)
		s, err := m.ledger.Stats(m.Context())
		if err != nil {
			m.Fatal(err)
		}
		left := s.Unplanned
		for _, c := range s.Connectors {
			left += c.Waiting
		}
		if left == 0 {
			return
		}
	}
	list, _ := m.ledger.Deliveries(m.Context(), store.DeliveryFilter{State: store.Waiting, Limit: 3})
	m.Fatalf("deliveries still wait after a day: %+v", list)
}

// check compares the CRMs with the vendor.
func (m *month) check(people int) {
	requests := map[string]int{}
	runs, err := m.ledger.Runs(m.Context(), store.RunFilter{Limit: store.MaxRuns})
	if err != nil {
		m.Fatal(err)
	}
	last := map[string]store.Run{}
	for _, r := range runs {
		if _, seen := last[r.Connector]; !seen {
			last[r.Connector] = r
		}
	}
	stands := 0
	for crm, of := range monthOf {
		run := last[crm]
		requests[crm] = run.Requests
		if run.Requests > comparedMost[crm]*people/10_000+2 {
			m.Errorf("%s: %d contacts took %d requests", crm, people, run.Requests)
		}
		listed := map[string]bool{}
		found, err := m.ledger.Findings(m.Context(), run.ID, 0, 0)
		if err != nil {
			m.Fatal(err)
		}
		for _, f := range found {
			if f.Kind == reconcile.KindEdited && f.Field == of.status && f.Did == "" {
				listed[f.Contact] = true
			} else if f.Kind != reconcile.KindEdited {
				m.Errorf("%s: the last run found %+v", crm, f)
			}
		}
		has := map[string]string{}
		for _, r := range m.box.Records(crm, of.object) {
			if id := fmt.Sprint(r.Fields[of.key]); r.Fields[of.key] != nil && id != "" {
				if _, twice := has[id]; twice {
					m.Errorf("%s has %s twice", crm, id)
				}
				has[id] = fmt.Sprint(r.Fields[of.status])
			}
		}
		for id, p := range m.vendor.people {
			switch got, ok := has[id]; {
			case !ok:
				m.Errorf("%s lacks %s", crm, id)
			case got == p.status && !listed[id]:
			case listed[id] && got == m.edits[crm][id]:
				stands++
			default:
				m.Errorf("%s: %s is %q, the vendor says %q; edited: %v, listed: %v", crm, id, got, p.status, m.edits[crm][id] != "", listed[id])
			}
		}
		if got := run.Compared + run.Waiting; got != len(m.vendor.people) {
			m.Errorf("%s: the last run looked at %d of %d", crm, got, len(m.vendor.people))
		}
		for _, u := range m.ways[crm].undone {
			m.Errorf("%s: something newer was undone: %s", crm, u)
		}
	}
	st, err := m.ledger.Stats(m.Context())
	if err != nil {
		m.Fatal(err)
	}
	if m.lost == 0 || m.edited == 0 || m.deleted == 0 || m.mergings == 0 || stands == 0 {
		m.Error("a month in which nothing went wrong shows nothing")
	}
	m.Logf("%d contacts, %d webhooks, %d of them lost, %d events in the ledger; people edited %d, deleted %d, merged %d; %d edits stand and are listed; the last comparison took these requests: %v",
		people, m.hooks, m.lost, st.Events, m.edited, m.deleted, m.mergings, stands, requests)
}
