package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// crm is a CRM in memory, whose records have the ids that its writers give them.
type crm struct {
	records map[string]map[string]connectors.Value
	merged  map[string]string
	asked   [][]string // ids of each Read
	before  func()     // is called with every Read
	errs    []error    // of the next Reads
	lookups int        // that Find was asked for
}

func (c *crm) Read(_ context.Context, _ string, ids, fields []string) ([]connectors.Read, error) {
	c.asked = append(c.asked, ids)
	if c.before != nil {
		c.before()
	}
	if len(c.errs) > 0 {
		err := c.errs[0]
		if c.errs = c.errs[1:]; err != nil {
			return nil, err
		}
	}
	out := make([]connectors.Read, len(ids))
	for i, id := range ids {
		if into, ok := c.merged[id]; ok {
			id, out[i].Merged = into, true
		}
		rec, ok := c.records[id]
		if !ok {
			out[i] = connectors.Read{Gone: true}
			continue
		}
		out[i].Record = connectors.Record{ID: id, Fields: map[string]connectors.Value{}}
		for _, f := range fields {
			if v, ok := rec[f]; ok {
				out[i].Record.Fields[f] = v
			}
		}
	}
	return out, nil
}

// desk is a Reconciler with a ledger, rules and a CRM to work on.
type desk struct {
	*testing.T
	*Reconciler
	crm   *crm
	conn  Connector
	setup Setup
	rules *mapping.Rules
	mends []event.Only
	at    time.Time
}

const rules = `
version: 1
rules:
  - name: contact
    on: [call.ended, contact.status_changed]
    to: crm
    records:
      - object: people
        match: [key, email]
        fields:
          key: =contact.id
          email: =contact.email
          status: =contact.status
          name: {value: =contact.first_name, if: changed}
          owner: {value: =contact.last_name, if: empty}
      - object: calls
        match: call
        fields: {call: =call.id}
`

func newDesk(t *testing.T, text string) *desk {
	t.Helper()
	ledger, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "ledger.db"), Init: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ledger.Close() })
	read, problems := mapping.Read([]mapping.File{{Name: "mapping.yaml", Text: []byte(text)}}, mapping.Options{})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	d := &desk{T: t, rules: read, at: noon, crm: &crm{records: map[string]map[string]connectors.Value{}, merged: map[string]string{}}}
	d.conn = Connector{Reader: d.crm, OnEdit: "keep", OnMissing: "report"}
	d.setup = Setup{
		FullEvery: 7 * 24 * time.Hour, Parse: parseJSON, Plan: read.Plan,
		Mend: func(of store.Event, only event.Only, key string, at time.Time) (store.Event, error) {
			d.mends = append(d.mends, only)
			of.Seq, of.Origin, of.ReceivedAt, of.DeliveryID, of.ContentKey = 0, event.Reconcile, at, "", "v:"+key
			return of, nil
		},
	}
	d.Reconciler = &Reconciler{
		Ledger: ledger, Log: slog.New(slog.DiscardHandler), Append: ledger.Append, Now: func() time.Time { return d.at },
		Setup: func() Setup {
			s := d.setup
			s.Connectors = map[string]Connector{"crm": d.conn}
			return s
		},
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	}
	return d
}

func parseJSON(e store.Event) (*event.Event, error) {
	ev := &event.Event{}
	err := json.Unmarshal(e.Body, ev)
	ev.ID, ev.Source, ev.Origin, ev.OccurredAt = e.ID(), e.Source, e.Origin, e.OccurredAt
	return ev, err
}

// happens keeps an event of contact n, and delivers it if the CRM is to have it.
func (d *desk) happens(n, minute int, status string, delivered bool) uint64 {
	d.Helper()
	return d.happen([]int{n}, minute, status, delivered)[0]
}

// happen is happens for several contacts at once.
func (d *desk) happen(contacts []int, minute int, status string, delivered bool) []uint64 {
	d.Helper()
	seqs := make([]uint64, len(contacts))
	var all sync.WaitGroup
	for i, n := range contacts {
		id := fmt.Sprintf("c%03d", n)
		ev := event.Event{
			Type: event.CallEnded, Contact: &event.Contact{ID: id, Email: id + "@example.com", FirstName: "Anna", LastName: "Berg", Status: status},
			Call: &event.Call{ID: fmt.Sprintf("call-%s-%d", id, minute), Status: "completed"},
		}
		body, err := json.Marshal(ev)
		if err != nil {
			d.Fatal(err)
		}
		at := noon.Add(time.Duration(minute) * time.Minute)
		all.Go(func() {
			r, err := d.Ledger.Append(d.Context(), store.Event{
				Source: "v", Vendor: "v", Type: ev.Type, Origin: event.Webhook, Lane: id, OccurredAt: at, ReceivedAt: at,
				ContentKey: fmt.Sprintf("%s at %d", id, minute), Body: body,
			})
			if err != nil {
				d.Error(err)
			}
			seqs[i] = r.Seq
		})
	}
	all.Wait()
	plans := make([]store.Plan, len(seqs))
	for i, seq := range seqs {
		plans[i] = store.Plan{Seq: seq, Connectors: []string{"crm"}}
	}
	if err := d.Ledger.Plan(d.Context(), plans); err != nil {
		d.Fatal(err)
	}
	if delivered {
		d.deliver(seqs...)
	}
	return seqs
}

// deliver does what the deliverer does, as far as it matters here.
func (d *desk) deliver(seqs ...uint64) {
	d.Helper()
	updates := make([]store.Update, len(seqs))
	for i, seq := range seqs {
		updates[i] = d.delivered(seq)
	}
	if err := d.Ledger.Settle(d.Context(), updates); err != nil {
		d.Fatal(err)
	}
}

func (d *desk) delivered(seq uint64) store.Update {
	d.Helper()
	v, err := d.Ledger.Event(d.Context(), seq)
	if err != nil {
		d.Fatal(err)
	}
	ev, err := parseJSON(v.Event)
	if err != nil {
		d.Fatal(err)
	}
	plan, err := d.rules.Plan(ev, "crm")
	if err != nil {
		d.Fatal(err)
	}
	u := store.Update{Delivery: v.Deliveries[0], Links: map[store.LinkKey]string{}, Heads: map[store.RecordKey]store.Head{}}
	u.Delivery.State = store.Done
	for _, rec := range plan.Records {
		id := rec.Object + "-" + connectors.Canonical(rec.Keys[0][0].Value)
		if d.crm.records[id] == nil {
			d.crm.records[id] = map[string]connectors.Value{}
		}
		key := store.RecordKey{Connector: "crm", Object: rec.Object, ID: id}
		head := u.Heads[key] // by an earlier rule
		if head == nil {
			head = store.Head{}
		}
		for _, f := range rec.Fields {
			d.crm.records[id][f.Name] = f.Value
			head[f.Name] = store.FieldHead{At: v.Event.OccurredAt, Rank: v.Event.Rank, Seq: seq, Hash: connectors.Hash(f.Value)}
		}
		u.Heads[key] = head
		fields, values := rec.Keys[0].Split()
		u.Links[store.NewLinkKey("crm", rec.Object, fields, values)] = id
		u.Delivery.Records = append(u.Delivery.Records, store.Record{Rule: rec.Rule, Object: rec.Object, ID: id, Action: "updated"})
	}
	return u
}

func upTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func (d *desk) compare(full bool) store.Run {
	d.Helper()
	run, err := d.Run(d.Context(), Order{Target: Target{Connector: "crm"}, Trigger: ByHand, Full: full}, nil)
	if err != nil {
		d.Fatal(err)
	}
	return run
}

// Run hides testing.T's.
func (d *desk) Run(ctx context.Context, o Order, tell func(Step)) (store.Run, error) {
	return d.Reconciler.Run(ctx, o, tell)
}

func (d *desk) found(run store.Run) string {
	d.Helper()
	list, err := d.Ledger.Findings(d.Context(), run.ID, 0, 0)
	if err != nil {
		d.Fatal(err)
	}
	var out []string
	for _, f := range list {
		out = append(out, strings.Join(strings.Fields(strings.Join([]string{f.Kind, f.Record, f.Field, f.Did}, " ")), " "))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func counts(r store.Run) string {
	return fmt.Sprintf("compared %d agreed %d mended %d edited %d missing %d merged %d waiting %d failed %d", r.Compared, r.Agreed, r.Mended, r.Edited, r.Missing, r.Merged, r.Waiting, r.Failed)
}

func (d *desk) want(run store.Run, wantCounts, wantFound string) {
	d.Helper()
	if got := counts(run); got != wantCounts {
		d.Errorf("got  %s\nwant %s (%s)", got, wantCounts, run.Note)
	}
	if got := d.found(run); got != wantFound {
		d.Errorf("got  %s\nwant %s", got, wantFound)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		rules  string
		do     func(d *desk)
		counts string
		found  string
		mends  string
	}{
		{"what agrees is left alone", rules, func(*desk) {},
			"compared 3 agreed 3 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "", "[]"},
		{"a rule in shadow mode is passed over", strings.Replace(rules, "to: crm", "to: crm\n    mode: shadow", 1), func(d *desk) {
			d.conn.OnEdit = "ours"
			d.crm.records["people-c001"]["status"] = "vip"
		}, "compared 0 agreed 0 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "", "[]"},
		{"a person's edit is kept and reported", rules, func(d *desk) { d.crm.records["people-c001"]["status"] = "vip" },
			"compared 3 agreed 2 mended 0 edited 1 missing 0 merged 0 waiting 0 failed 0", "edited people-c001 status", "[]"},
		{"on_edit: ours writes that field again, and no other", rules, func(d *desk) {
			d.conn.OnEdit = "ours"
			d.crm.records["people-c001"]["status"] = "vip"
		}, "compared 3 agreed 2 mended 1 edited 0 missing 0 merged 0 waiting 0 failed 0", "edited people-c001 status mended", "[{crm contact/people [status] false}]"},
		{"if: changed keeps an edit also then, if: empty is not looked at", rules, func(d *desk) {
			d.conn.OnEdit = "ours"
			d.crm.records["people-c001"]["name"] = "Anne"
			d.crm.records["people-c002"]["owner"] = "somebody"
		}, "compared 3 agreed 2 mended 0 edited 1 missing 0 merged 0 waiting 0 failed 0", "edited people-c001 name", "[]"},
		{"a rule's on_edit goes before the settings', a field's before the rule's",
			strings.Replace(strings.Replace(rules, "to: crm", "to: crm\n    on_edit: ours", 1), "email: =contact.email", "email: {value: =contact.email, on_edit: keep}", 1), func(d *desk) {
				d.crm.records["people-c001"]["status"] = "vip"
				d.crm.records["people-c001"]["email"] = "anne@example.com"
			}, "compared 3 agreed 2 mended 1 edited 0 missing 0 merged 0 waiting 0 failed 0", "edited people-c001 email, edited people-c001 status mended", "[{crm contact/people [status] false}]"},
		{"what the CRM answers in another spelling is no edit", rules, func(d *desk) {
			// Whoever wrote it saw another spelling then than reading gives now.
			key := store.RecordKey{Connector: "crm", Object: "people", ID: "people-c001"}
			heads, err := d.Ledger.Heads(d.Context(), []store.RecordKey{key})
			v, err2 := d.Ledger.Event(d.Context(), heads[0]["status"].Seq)
			if err != nil || err2 != nil {
				d.Fatal(err, err2)
			}
			h := heads[0]["status"]
			h.Hash = 1
			if err := d.Ledger.Settle(d.Context(), []store.Update{{Delivery: v.Deliveries[0], Heads: map[store.RecordKey]store.Head{key: {"status": h}}}}); err != nil {
				d.Fatal(err)
			}
		}, "compared 3 agreed 3 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "", "[]"},
		{"what is gone is reported", rules, func(d *desk) { delete(d.crm.records, "people-c001") },
			"compared 3 agreed 2 mended 0 edited 0 missing 1 merged 0 waiting 0 failed 0", "missing people-c001", "[]"},
		{"on_missing: recreate makes it again", rules, func(d *desk) {
			d.conn.OnMissing = "recreate"
			delete(d.crm.records, "people-c001")
		}, "compared 3 agreed 2 mended 1 edited 0 missing 1 merged 0 waiting 0 failed 0", "missing people-c001 recreated", "[{crm contact/people [email key name owner status] true}]"},
		{"on_missing: forget is for good", rules, func(d *desk) {
			d.conn.OnMissing = "forget"
			delete(d.crm.records, "people-c001")
			d.compare(true)
		}, "compared 2 agreed 2 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "", "[]"},
		{"a merged record is followed, and compared from then on", rules, func(d *desk) {
			d.crm.merged["people-c001"] = "people-c002"
			d.want(d.compare(true), "compared 3 agreed 2 mended 0 edited 0 missing 0 merged 1 waiting 0 failed 0", "merged people-c001 followed")
		}, "compared 2 agreed 2 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "", "[]"},
		{"merged into a record of somebody else's, that one is compared, and its empty fields are filled", rules, func(d *desk) {
			d.crm.records["other"] = map[string]connectors.Value{"name": "Own", "email": "own@example.com"}
			d.crm.merged["people-c001"] = "other"
			d.want(d.compare(true), "compared 3 agreed 2 mended 0 edited 0 missing 0 merged 1 waiting 0 failed 0", "merged people-c001 followed")
			list, err := d.Ledger.Events(d.Context(), store.EventFilter{Limit: 1})
			if err != nil || list[0].Event.Origin != event.Reconcile {
				d.Fatal("nothing is on its way to fill it", err)
			}
			d.crm.records["other"]["key"], d.crm.records["other"]["status"] = "c001", "reached"
		}, "compared 3 agreed 2 mended 0 edited 1 missing 0 merged 0 waiting 0 failed 0", "edited other email, edited other name", "[{crm contact/people [key status] false}]"},
		{"what waits for delivery is left to it", rules, func(d *desk) {
			d.happens(1, 5, "closed", false)
			d.crm.records["people-c001"]["status"] = "vip"
		}, "compared 2 agreed 2 mended 0 edited 0 missing 0 merged 0 waiting 1 failed 0", "", "[]"},
		{"what is written while it is read is left to the next run", rules, func(d *desk) {
			d.crm.before = func() {
				d.crm.before = nil
				d.happens(1, 6, "closed", true)
			}
		}, "compared 2 agreed 2 mended 0 edited 0 missing 0 merged 0 waiting 1 failed 0", "", "[]"},
		{"a CRM that is out of breath is asked again", rules, func(d *desk) {
			d.crm.errs = []error{&connectors.Error{Kind: connectors.Transient, Message: "busy"}, &connectors.Error{Kind: connectors.RateLimited}}
		}, "compared 3 agreed 3 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "", "[]"},
		{"a dead delivery is told of", rules, func(d *desk) {
			seq := d.happens(1, 9, "closed", false)
			v, err := d.Ledger.Event(d.Context(), seq)
			if err != nil {
				d.Fatal(err)
			}
			dead := v.Deliveries[0]
			dead.State = store.Dead
			if err := d.Ledger.Settle(d.Context(), []store.Update{{Delivery: dead}}); err != nil {
				d.Fatal(err)
			}
		}, "compared 3 agreed 3 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 1", "failed", "[]"},
		{"a newer event that was not written is", rules, func(d *desk) {
			// The ledger's word of what was written is older than its newest event.
			key := store.RecordKey{Connector: "crm", Object: "people", ID: "people-c001"}
			heads, err := d.Ledger.Heads(d.Context(), []store.RecordKey{key})
			seq := d.happens(1, 7, "closed", true)
			v, err2 := d.Ledger.Event(d.Context(), seq)
			if err != nil || err2 != nil {
				d.Fatal(err, err2)
			}
			d.crm.records["people-c001"]["status"] = "reached"
			if err := d.Ledger.Settle(d.Context(), []store.Update{{Delivery: v.Deliveries[0], Heads: map[store.RecordKey]store.Head{key: heads[0]}}}); err != nil {
				d.Fatal(err)
			}
		}, "compared 3 agreed 2 mended 1 edited 0 missing 0 merged 0 waiting 0 failed 0", "behind people-c001 status mended", "[{crm contact/people [status] false}]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, c.rules)
			for n := 1; n <= 3; n++ {
				d.happens(n, n, "reached", true)
			}
			c.do(d)
			d.want(d.compare(true), c.counts, c.found)
			if got := fmt.Sprint(d.mends); got != c.mends {
				t.Errorf("mends\ngot  %s\nwant %s", got, c.mends)
			}
			for _, ids := range d.crm.asked {
				if slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, "calls-") }) {
					t.Errorf("records of calls were read: %v", ids)
				}
			}
		})
	}
}

func TestARunLooksAtWhatMayHaveDriftedAndInTurnAtAll(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	for n, status := range []string{"reached", "pending", "closed", "new"} {
		d.happens(n+1, -5, status, true)
	}
	d.compare(false) // the first one looks at all
	d.at = noon.Add(24 * time.Hour)
	d.happens(3, 24*60-1, "closed", true)
	d.crm.asked = nil
	d.want(d.compare(false), "compared 3 agreed 3 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "")
	if got := fmt.Sprint(d.crm.asked); got != "[[people-c002 people-c003 people-c004]]" {
		t.Errorf("asked for %s, want those that are open and the one with news", got)
	}
	d.at = noon.Add(8 * 24 * time.Hour)
	d.want(d.compare(false), "compared 4 agreed 4 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "")
}

func TestABudgetEndsARunAndTheNextGoesOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.happen(upTo(350), 0, "pending", true)
	requests := 0
	d.crm.before = func() { requests++ }
	d.Count = func(ctx context.Context) (context.Context, func() int) {
		before := requests
		return ctx, func() int { return requests - before }
	}
	d.conn.PerRun = 2
	seen := map[string]bool{}
	for range 2 {
		run := d.compare(false)
		if run.State != store.RunStopped || run.Requests > 2 || !strings.Contains(run.Note, "one run") {
			t.Errorf("the run is %s after %d requests: %s", run.State, run.Requests, run.Note)
		}
	}
	for _, ids := range d.crm.asked {
		for _, id := range ids {
			seen[id] = true
		}
	}
	if len(seen) != 350 {
		t.Errorf("two runs saw %d of 350 contacts", len(seen))
	}
	d.conn.PerRun, d.conn.PerDay = 0, requests+1
	if run := d.compare(true); run.State != store.RunStopped || !strings.Contains(run.Note, "this day") {
		t.Errorf("the day's budget: %s, %s", run.State, run.Note)
	}
	d.at = d.at.Add(24 * time.Hour)
	if run := d.compare(true); run.State != store.RunDone || run.Compared != 350 {
		t.Errorf("the next day: %s, %d compared, %s", run.State, run.Compared, run.Note)
	}
}

func TestLiveDeliveriesGoFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.happens(1, 0, "pending", true)
	asked := 0
	d.Busy = func(string) (bool, bool) {
		if asked++; len(d.crm.asked) > 0 {
			t.Error("it was read before")
		}
		return asked < 10, false
	}
	d.want(d.compare(true), "compared 1 agreed 1 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "")
	if asked != 10 {
		t.Errorf("it was looked %d times whether there is live work, want 10", asked)
	}
	d.Busy = func(string) (bool, bool) { return false, true }
	run, err := d.Run(t.Context(), Order{Target: Target{Connector: "crm"}, Trigger: ByHand, Full: true}, nil)
	if err == nil || run.State != store.RunFailed || !strings.Contains(run.Note, "paused or parked") {
		t.Errorf("a connector that is down: %s, %v", run.State, err)
	}
}

func TestARunThatACrashCutOffGoesOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.happen(upTo(2500), 0, "pending", true)
	ctx, cancel := context.WithCancel(t.Context())
	d.crm.before = func() {
		if len(d.crm.asked) == 2 {
			cancel()
		}
	}
	o := Order{Target: Target{Connector: "crm"}, Trigger: BySchedule, Full: true}
	if _, err := d.Run(ctx, o, nil); err == nil {
		t.Fatal("it was not cut off")
	}
	runs, err := d.Ledger.Runs(t.Context(), store.RunFilter{})
	if err != nil || len(runs) != 1 || runs[0].State != store.RunGoing || runs[0].Compared != 1000 {
		t.Fatalf("after the crash: %+v, %v", runs, err)
	}
	d.crm.asked, d.crm.before = nil, nil
	d.Resume(t.Context())
	run, err := d.Ledger.Run(t.Context(), runs[0].ID)
	if err != nil || run.State != store.RunDone || run.Compared != 2500 || run.Resumed != 1 {
		t.Fatalf("after going on: %+v, %v", run, err)
	}
	again := map[string]int{}
	for _, ids := range d.crm.asked {
		for _, id := range ids {
			again[id]++
		}
	}
	if len(again) != 1500 || slices.Max(slices.Collect(maps.Values(again))) != 1 {
		t.Errorf("%d contacts were read after the crash, want those 1500 that were left, once each", len(again))
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	for n := 1; n <= 4; n++ {
		d.happens(n, 0, "reached", true)
	}
	d.conn.OnEdit, d.conn.OnMissing = "ours", "recreate"
	d.crm.records["people-c001"]["status"] = "vip"
	delete(d.crm.records, "people-c002")
	d.crm.merged["people-c003"] = "people-c004"
	run, err := d.Run(t.Context(), Order{Target: Target{Connector: "crm"}, Trigger: ByHand, DryRun: true, Full: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.want(run, "compared 4 agreed 1 mended 1 edited 0 missing 1 merged 1 waiting 0 failed 0", "edited people-c001 status to be mended, merged people-c003 to be followed, missing people-c002 to be recreated")
	st, err := d.Ledger.Stats(t.Context())
	if err != nil || st.Events != 4 || len(d.mends) != 0 {
		t.Errorf("%d events, %d mends, %v", st.Events, len(d.mends), err)
	}
	if text, err := d.Ledger.Mark(t.Context(), Target{Connector: "crm"}.mark("until")); text != nil || err != nil {
		t.Errorf("it counts as a run: %s, %v", text, err)
	}
}

func TestTwoRunsOfOneTargetDoNotOverlap(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.happens(1, 0, "pending", true)
	d.crm.before = func() {
		if _, err := d.Run(t.Context(), Order{Target: Target{Connector: "crm"}}, nil); err == nil || !strings.Contains(err.Error(), "is going already") {
			t.Errorf("a second run began: %v", err)
		}
	}
	d.compare(true)
}

func TestFindingsShowNothingPersonal(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.happens(1, 0, "reached", true)
	d.crm.records["people-c001"]["status"] = "VIP"
	d.crm.records["people-c001"]["email"] = "anne.other@example.com"
	d.crm.records["people-c001"]["name"] = "Anneliese"
	list, err := d.Ledger.Findings(t.Context(), d.compare(true).ID, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range list {
		out = append(out, f.Field+": "+f.Ours+" / "+f.Theirs)
	}
	want := "email: c… (16 characters) / a… (22 characters)\nname: A… (4 characters) / A… (9 characters)\nstatus: reached / VIP"
	if got := strings.Join(out, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
