package deliver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

const rules = `
version: 1
rules:
  - name: calls
    on: [call.ended, contact.status_changed]
    to: crm
    records:
      - object: contacts
        match: [cid, phone]
        fields:
          cid: =contact.id
          phone: =contact.phone
          status: =contact.status
          name: {value: =contact.full_name, if: empty}
          note: {value: =contact.company, if: changed}
      - object: calls
        match: id
        fields:
          id: =call.id
          title: Call {{ call.id }}
        link: [contacts]
`

// bench is a deliverer with a ledger on disk, a CRM in memory, and virtual time.
type bench struct {
	t      *testing.T
	crm    *crm
	ledger store.Ledger
	d      *deliver.Deliverer
	stop   context.CancelFunc
	ended  chan struct{}
	n      int
}

func start(t *testing.T, text string) *bench {
	t.Helper()
	ledger, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "ledger.db"), Init: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, crm: &crm{}, ledger: ledger}
	b.run(text)
	return b
}

func setup(t *testing.T, c connectors.Connector, text string) deliver.Setup {
	r, problems := mapping.Read([]mapping.File{{Name: "mapping.yaml", Text: []byte(text)}}, mapping.Options{Country: "DE"})
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	return deliver.Setup{
		Rules:      r,
		Policy:     deliver.Policy{MaxAttempts: 5},
		Connectors: map[string]deliver.Target{"crm": {Connector: c, Wave: 100}},
		Parse: func(e store.Event) (*event.Event, error) {
			var ev event.Event
			err := json.Unmarshal(e.Body, &ev)
			return &ev, err
		},
	}
}

// daemonsPolicy goes on with the policy of a daemon in place of one that soon
// gives up.
func (b *bench) daemonsPolicy(text string) {
	s := setup(b.t, b.crm, text)
	s.Policy = deliver.Policy{}
	b.d.Reload(s)
}

func (b *bench) run(text string) { b.runWith(setup(b.t, b.crm, text)) }

func (b *bench) runWith(s deliver.Setup) {
	b.d = deliver.New(deliver.Options{Ledger: b.ledger, Setup: s, Log: slog.New(slog.DiscardHandler)})
	ctx, stop := context.WithCancel(context.Background())
	b.stop, b.ended = stop, make(chan struct{})
	go func() { b.d.Run(ctx, time.Second); close(b.ended) }()
}

// halt stops the deliverer and, unless keep, closes the ledger.
func (b *bench) halt(keep bool) {
	b.stop()
	<-b.ended
	if !keep {
		if err := b.ledger.Close(); err != nil {
			b.t.Error(err)
		}
	}
}

var epoch = time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC)

// call appends a finished call of a contact, at minutes after epoch.
func (b *bench) call(contact string, minute int, change ...func(*event.Event)) uint64 {
	b.t.Helper()
	b.n++
	e := event.Event{Type: event.CallEnded, Source: "s", OccurredAt: epoch.Add(time.Duration(minute) * time.Minute),
		Call:    &event.Call{ID: fmt.Sprintf("c%03d", b.n), Status: "completed"},
		Contact: &event.Contact{ID: contact, Phone: "+4930" + contact, Status: fmt.Sprintf("at%d", minute)}}
	for _, f := range change {
		f(&e)
	}
	body, err := json.Marshal(e)
	if err != nil {
		b.t.Fatal(err)
	}
	r, err := b.ledger.Append(context.Background(), store.Event{Source: "s", Vendor: "v", Type: e.Type, OccurredAt: e.OccurredAt, ReceivedAt: time.Now(), Rank: e.Rank(), Lane: e.Lane(), DeliveryID: fmt.Sprint("d", b.n), Body: body})
	if err != nil {
		b.t.Fatal(err)
	}
	b.d.Wake()
	return r.Seq
}

// settled waits until nothing waits, at most for virtual limit.
func (b *bench) settled(limit time.Duration) {
	b.t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(20 * time.Millisecond) {
		synctest.Wait()
		s, err := b.ledger.Stats(context.Background())
		if err != nil {
			b.t.Fatal(err)
		}
		if s.Unplanned == 0 && s.Connectors["crm"].Waiting == 0 {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%d deliveries still wait after %s", s.Connectors["crm"].Waiting, limit)
		}
	}
}

func (b *bench) delivery(seq uint64) store.Delivery {
	b.t.Helper()
	v, err := b.ledger.Event(context.Background(), seq)
	if err != nil || len(v.Deliveries) != 1 {
		b.t.Fatalf("event %d: %v, %d deliveries", seq, err, len(v.Deliveries))
	}
	return v.Deliveries[0]
}

func story(t *testing.T, name string, tell func(t *testing.T, b *bench)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := start(t, rules)
			tell(t, b)
			b.halt(false)
		})
	})
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	story(t, "a call becomes a contact and a call linked to it", func(t *testing.T, b *bench) {
		seq := b.call("1", 0)
		b.settled(time.Second)
		calls := b.crm.list("calls")
		if len(calls) != 1 || len(calls[0].links) != 1 || calls[0].links[0] != b.crm.list("contacts")[0].id {
			t.Fatalf("calls %+v, want one linked to the contact", calls)
		}
		d := b.delivery(seq)
		if d.State != store.Done || len(d.Records) != 2 || d.Records[0].Action != "created" || d.Records[1].ID != calls[0].id {
			t.Errorf("delivery %+v, want done with both records created", d)
		}
	})
	story(t, "many calls of one contact share requests and stay in order", func(t *testing.T, b *bench) {
		var want []string
		for i := range 60 {
			b.call("1", i)
			want = append(want, fmt.Sprintf("c%03d", i+1))
		}
		b.settled(10 * time.Second)
		if got := b.crm.column("calls", "id"); got != strings.Join(want, " ") {
			t.Errorf("calls arrived as %s", got)
		}
		if got := b.crm.column("contacts", "status"); got != "at59" {
			t.Errorf("status %s, want the newest, at59", got)
		}
		if b.crm.writes > 8 {
			t.Errorf("%d write calls for 60 deliveries that arrived together", b.crm.writes)
		}
	})
	story(t, "an older event that comes later overwrites nothing", func(t *testing.T, b *bench) {
		b.call("1", 50)
		b.settled(time.Second)
		seq := b.call("1", 10)
		b.settled(time.Second)
		if got := b.crm.column("contacts", "status"); got != "at50" {
			t.Errorf("status %s, want at50", got)
		}
		if got := b.crm.column("calls", "id"); got != "c001 c002" {
			t.Errorf("calls %s: the older call must still be logged", got)
		}
		if r := b.delivery(seq).Records[0]; r.Action != "updated" && r.Action != "unchanged" {
			t.Errorf("record %+v", r)
		}
	})
	story(t, "an outage costs nobody anything and all arrives in order after it", func(t *testing.T, b *bench) {
		b.crm.down = &connectors.Error{Kind: connectors.Transient, Message: "503"}
		var seqs []uint64
		for i := range 20 {
			seqs = append(seqs, b.call("1", i))
		}
		time.Sleep(6 * time.Hour)
		b.crm.mu.Lock()
		b.crm.down = nil
		tries := b.crm.finds + b.crm.writes
		b.crm.mu.Unlock()
		if tries > 6*60*3 {
			t.Errorf("%d tries in six hours of outage: a retry storm", tries)
		}
		b.settled(5 * time.Minute)
		if got := b.crm.column("calls", "id"); !strings.HasPrefix(got, "c001 c002 c003") || len(strings.Fields(got)) != 20 {
			t.Errorf("calls %s", got)
		}
		for _, seq := range seqs {
			if d := b.delivery(seq); d.State != store.Done || d.Attempts > 0 {
				t.Fatalf("delivery %+v: an outage must not count", d)
			}
		}
	})
	story(t, "an invalid record is dead with a reason and its neighbours arrive", func(t *testing.T, b *bench) {
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Fields["cid"] == "2" {
				return &connectors.Error{Kind: connectors.Invalid, Field: "cid", Message: "no", Code: "BAD"}
			}
			return nil
		}
		b.call("1", 0)
		bad := b.call("2", 0)
		b.call("3", 0)
		b.settled(time.Minute)
		if got := b.crm.column("calls", "id"); got != "c001 c003" {
			t.Errorf("calls %s, want those of the neighbours", got)
		}
		if d := b.delivery(bad); d.State != store.Dead || !strings.Contains(d.Reason, `field "cid"`) || !strings.HasSuffix(d.Reason, "(mapping.yaml:11:11)") {
			t.Errorf("delivery %+v, want dead naming the field and its place in the mapping", d)
		}
	})
	story(t, "one bad value among merged ones kills only its own delivery", func(t *testing.T, b *bench) {
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Fields["status"] == "at1" {
				return &connectors.Error{Kind: connectors.Invalid, Message: "no"}
			}
			return nil
		}
		b.call("1", 0)
		bad := b.call("1", 1)
		b.settled(time.Minute)
		if got := b.crm.column("calls", "id"); got != "c001" {
			t.Errorf("calls %s, want c001", got)
		}
		if d := b.delivery(bad); d.State != store.Dead {
			t.Errorf("delivery %+v, want dead", d)
		}
	})
	story(t, "a delivery that always fails by itself is given up and holds up no other contact", func(t *testing.T, b *bench) {
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Fields["cid"] == "2" {
				return &connectors.Error{Kind: connectors.Transient, Message: "500"}
			}
			return nil
		}
		bad := b.call("2", 0)
		for i := range 30 {
			b.call(fmt.Sprint(10+i), i)
			time.Sleep(10 * time.Minute)
		}
		b.settled(24 * time.Hour)
		if d := b.delivery(bad); d.State != store.Dead || d.Attempts != 5 {
			t.Errorf("delivery %+v, want dead after 5 attempts", d)
		}
		if n := len(b.crm.list("calls")); n != 30 {
			t.Errorf("%d calls arrived, want 30", n)
		}
	})
	story(t, "bad credentials park the connector until they are mended", func(t *testing.T, b *bench) {
		b.crm.down = &connectors.Error{Kind: connectors.Auth, Account: true, Message: "401"}
		seq := b.call("1", 0)
		time.Sleep(time.Hour)
		if c := b.d.Conditions()["crm"]; c.State != "parked" {
			t.Errorf("condition %+v, want parked", c)
		}
		b.crm.mu.Lock()
		b.crm.down = nil
		b.crm.mu.Unlock()
		b.settled(10 * time.Minute)
		if d := b.delivery(seq); d.State != store.Done || d.Attempts != 0 {
			t.Errorf("delivery %+v", d)
		}
		if c := b.d.Conditions()["crm"]; c.State != "ok" {
			t.Errorf("condition %+v, want ok", c)
		}
	})
	story(t, "a retry by hand has a parked connector tried at once", func(t *testing.T, b *bench) {
		b.crm.down = &connectors.Error{Kind: connectors.Auth, Account: true, Message: "401"}
		b.call("1", 0)
		time.Sleep(time.Second)
		b.crm.mu.Lock()
		b.crm.down = nil
		b.crm.mu.Unlock()
		b.d.WakeAll()
		b.settled(time.Second)
	})
	story(t, "what fails with settings that were replaced meanwhile parks nothing", func(t *testing.T, b *bench) {
		b.halt(true)
		s := setup(t, b.crm, rules)
		to := s.Connectors["crm"]
		to.Connector = &revokedCRM{b.crm}
		s.Connectors["crm"] = to
		b.runWith(s)
		b.call("1", 0)
		time.Sleep(2 * time.Second)
		b.d.Reload(setup(t, b.crm, rules))
		b.settled(5 * time.Second)
		if c := b.d.Conditions()["crm"]; c.State != "ok" {
			t.Errorf("condition %+v, want ok", c)
		}
	})
	story(t, "two contacts with one number become one record, not two", func(t *testing.T, b *bench) {
		same := func(e *event.Event) { e.Contact.Phone = "+493000" }
		b.call("1", 0, same)
		b.call("2", 1, same)
		b.settled(time.Minute)
		if n := len(b.crm.list("contacts")); n != 1 {
			t.Errorf("%d contacts, want 1: the rule matches by phone", n)
		}
	})
	story(t, "a key that the CRM does not upsert by is looked up first", func(t *testing.T, b *bench) {
		b.crm.records = append(b.crm.records, &row{object: "contacts", id: "a", fields: map[string]any{"phone": "+49301"}})
		b.call("1", 0, func(e *event.Event) { e.Contact.ID = "" })
		b.settled(time.Minute)
		if n := len(b.crm.list("contacts")); n != 1 {
			t.Errorf("%d contacts, want 1: the only key with a value finds it", n)
		}
	})
	story(t, "two records that match are reported with both ids", func(t *testing.T, b *bench) {
		for _, id := range []string{"a", "b"} {
			b.crm.records = append(b.crm.records, &row{object: "contacts", id: id, fields: map[string]any{"phone": "+49301"}})
		}
		seq := b.call("1", 0)
		b.settled(time.Minute)
		if d := b.delivery(seq); d.State != store.Dead || !strings.HasSuffix(d.Reason, "a, b (mapping.yaml:8:9)") {
			t.Errorf("delivery %+v, want dead with both ids and the record's place in the mapping", d)
		}
	})
	story(t, "a person's values stay where the rule says so", func(t *testing.T, b *bench) {
		b.crm.records = append(b.crm.records, &row{object: "contacts", id: "a", fields: map[string]any{"phone": "+49301", "name": "By Hand"}})
		b.call("1", 0, func(e *event.Event) { e.Contact.FullName, e.Contact.Company = "Vendor", "First" })
		b.settled(time.Minute)
		if got := b.crm.column("contacts", "name"); got != "By Hand" {
			t.Errorf("name %q: if: empty must not overwrite", got)
		}
		if got := b.crm.column("contacts", "note"); got != "First" {
			t.Errorf("note %q, want First", got)
		}
		b.call("1", 1, func(e *event.Event) { e.Contact.Company = "Second" })
		b.settled(time.Minute)
		if got := b.crm.column("contacts", "note"); got != "Second" {
			t.Errorf("note %q, want Second: nobody edited it", got)
		}
		b.crm.records[0].fields["note"] = "Edited"
		b.call("1", 2, func(e *event.Event) { e.Contact.Company = "Third" })
		b.settled(time.Minute)
		if got := b.crm.column("contacts", "note"); got != "Edited" {
			t.Errorf("note %q: a person's edit must stay", got)
		}
	})
	story(t, "a withheld number skips the contact and logs the call without link", func(t *testing.T, b *bench) {
		seq := b.call("1", 0, func(e *event.Event) { e.Contact = &event.Contact{} })
		b.settled(time.Minute)
		d := b.delivery(seq)
		if d.State != store.Done || d.Records[0].Action != "skipped" || d.Records[0].Note == "" || !strings.Contains(d.Records[1].Note, "not linked") {
			t.Errorf("records %+v", d.Records)
		}
	})
	story(t, "a record deleted in the CRM is looked up and made anew", func(t *testing.T, b *bench) {
		b.call("1", 0)
		b.settled(time.Minute)
		b.crm.mu.Lock()
		b.crm.records = b.crm.records[1:]
		b.crm.mu.Unlock()
		b.call("1", 1)
		b.settled(time.Minute)
		if n := len(b.crm.list("contacts")); n != 1 {
			t.Errorf("%d contacts, want a new one", n)
		}
	})
	story(t, "nothing is done twice after a stop in the middle", func(t *testing.T, b *bench) {
		b.crm.mu.Lock()
		b.crm.hang = make(chan struct{})
		b.crm.mu.Unlock()
		b.call("1", 0)
		time.Sleep(time.Second)
		b.halt(true)
		if n := len(b.crm.list("contacts")); n != 0 {
			t.Fatalf("%d contacts, want none: the request hung", n)
		}
		b.crm.hang = nil
		b.run(rules)
		b.settled(time.Minute)
		if n := len(b.crm.list("calls")); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
	})
	story(t, "what a record was written with is on disk before the next one is made", func(t *testing.T, b *bench) {
		// A crash there loses all that is not: then nobody would know that
		// the note is ours, and `if: changed` would never write it again.
		var note store.FieldHead
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Object == "calls" {
				heads, err := b.ledger.Heads(context.Background(), []store.RecordKey{{Connector: "crm", Object: "contacts", ID: c.Links[0].ID}})
				if err != nil {
					t.Error(err)
				}
				note = heads[0]["note"]
			}
			return nil
		}
		seq := b.call("1", 0, func(e *event.Event) { e.Contact.Company = "Probe & Partner" })
		b.settled(time.Minute)
		if note.Seq != seq {
			t.Errorf("when the call was made, the ledger knew of the note %+v, want that of event %d", note, seq)
		}
	})
	story(t, "a value that was not written keeps no later one out", func(t *testing.T, b *bench) {
		b.crm.skip = "anonymous"
		for n, company := range []string{"anonymous", "Probe", "anonymous", "Probe & Partner"} {
			b.call("1", n, func(e *event.Event) { e.Contact.Company = company })
			b.settled(time.Minute)
			want := []string{"<nil>", "Probe", "Probe", "Probe & Partner"}[n]
			if got := b.crm.column("contacts", "note"); got != want {
				t.Errorf("after %q the note is %s, want %s", company, got, want)
			}
		}
	})
	story(t, "a mended mapping heals what waits", func(t *testing.T, b *bench) {
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if _, old := c.Fields["title"]; old {
				return &connectors.Error{Kind: connectors.Transient, Message: "no"}
			}
			return nil
		}
		b.call("1", 0)
		time.Sleep(time.Second)
		b.d.Reload(setup(t, b.crm, strings.Replace(rules, "          title: Call {{ call.id }}\n", "", 1)))
		b.settled(time.Minute)
		if n := len(b.crm.list("calls")); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
	})
	story(t, "replaying an event writes nothing twice", func(t *testing.T, b *bench) {
		seq := b.call("1", 0)
		b.settled(time.Minute)
		v, err := b.ledger.Event(t.Context(), seq)
		if err != nil {
			t.Fatal(err)
		}
		e := v.Event
		if err := b.ledger.Replay(t.Context(), []store.Requeue{{Seq: seq, Type: e.Type, OccurredAt: e.OccurredAt, Rank: e.Rank, Lane: e.Lane}}); err != nil {
			t.Fatal(err)
		}
		b.d.WakeAll()
		b.settled(time.Minute)
		if n, m := len(b.crm.list("contacts")), len(b.crm.list("calls")); n != 1 || m != 1 {
			t.Errorf("%d contacts and %d calls, want one each", n, m)
		}
	})
}

func TestKeyless(t *testing.T) {
	t.Parallel()
	const text = `
version: 1
rules:
  - on: call.ended
    to: crm
    records:
      - object: notes
        match: key
        create: always
        fields:
          key: =call.outcome.missing
          text: Note on {{ call.id }}
`
	t.Run("a record without key whose reply was lost is made once", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := start(t, text)
			lost := false
			b.crm.fault = func(connectors.Change) *connectors.Error {
				if lost {
					return nil
				}
				lost = true
				return &connectors.Error{Kind: connectors.Unknown, Message: "connection cut"}
			}
			seq := b.call("1", 0)
			b.settled(time.Hour)
			if n := len(b.crm.list("notes")); n != 1 {
				t.Errorf("%d notes, want 1", n)
			}
			if d := b.delivery(seq); d.State != store.Done {
				t.Errorf("delivery %+v", d)
			}
			b.halt(false)
		})
	})
}

// revokedCRM takes its time to refuse a token.
type revokedCRM struct{ *crm }

func (c *revokedCRM) Write(context.Context, []connectors.Change) ([]connectors.Result, error) {
	time.Sleep(3 * time.Second)
	return nil, &connectors.Error{Kind: connectors.Auth, Account: true, Message: "401"}
}
