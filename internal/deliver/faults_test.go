package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

// These stories are about what goes wrong between a CRM, the ledger and a
// change of settings; each was a defect once.

const notes = `
version: 1
rules:
  - name: notes
    on: call.ended
    to: crm
    records:
      - object: notes
        match: key
        create: always
        fields:
          key: =call.outcome.missing
          text: Note on {{ call.id }}
      - object: calls
        match: id
        fields:
          id: =call.id
`

// storyOf is story with other rules.
func storyOf(t *testing.T, name, text string, tell func(t *testing.T, b *bench)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := start(t, text)
			tell(t, b)
			b.halt(false)
		})
	})
}

// faultyLedger fails where it is told to.
type faultyLedger struct {
	store.Ledger
	settle  func([]store.Update) error
	links   func([]store.LinkKey) error
	settles atomic.Int64
}

func (l *faultyLedger) Settle(ctx context.Context, u []store.Update) error {
	l.settles.Add(1)
	if l.settle != nil {
		if err := l.settle(u); err != nil {
			return err
		}
	}
	return l.Ledger.Settle(ctx, u)
}

func (l *faultyLedger) Links(ctx context.Context, keys []store.LinkKey) ([]string, error) {
	if l.links != nil {
		if err := l.links(keys); err != nil {
			return nil, err
		}
	}
	return l.Ledger.Links(ctx, keys)
}

// onLedger restarts the deliverer on a ledger that can fail.
func (b *bench) onLedger(text string) *faultyLedger {
	b.halt(true)
	l := &faultyLedger{Ledger: b.ledger}
	b.ledger = l
	b.run(text)
	return l
}

// oddCRM answers as a connector may, in place of the crm behind it.
type oddCRM struct {
	*crm
	find  func([]connectors.Match, []connectors.Found, error) ([]connectors.Found, error)
	write func([]connectors.Change, []connectors.Result, error) ([]connectors.Result, error)
}

func (o *oddCRM) Find(ctx context.Context, m []connectors.Match) ([]connectors.Found, error) {
	found, err := o.crm.Find(ctx, m)
	if o.find != nil {
		return o.find(m, found, err)
	}
	return found, err
}

func (o *oddCRM) Write(ctx context.Context, c []connectors.Change) ([]connectors.Result, error) {
	results, err := o.crm.Write(ctx, c)
	if o.write != nil {
		return o.write(c, results, err)
	}
	return results, err
}

// oddRules are rules that fail where they are told to.
type oddRules struct {
	deliver.Planner
	fail atomic.Bool
	with func() error
}

func (r *oddRules) Plan(ev *event.Event, connector string) (mapping.Plan, error) {
	if r.fail.Load() {
		return mapping.Plan{}, r.with()
	}
	return r.Planner.Plan(ev, connector)
}

func (b *bench) replay(seq uint64) {
	b.t.Helper()
	v, err := b.ledger.Event(context.Background(), seq)
	if err != nil {
		b.t.Fatal(err)
	}
	e := v.Event
	if err := b.ledger.Replay(context.Background(), []store.Requeue{{Seq: seq, Type: e.Type, OccurredAt: e.OccurredAt, Rank: e.Rank, Lane: e.Lane}}); err != nil {
		b.t.Fatal(err)
	}
	b.d.WakeAll()
}

func (b *bench) retry(seq uint64) {
	b.t.Helper()
	if _, err := b.ledger.Retry(context.Background(), []store.DeliveryID{{Seq: seq, Connector: "crm"}}); err != nil {
		b.t.Fatal(err)
	}
	b.d.WakeAll()
}

func TestOneRecordInSeveralSteps(t *testing.T) {
	t.Parallel()
	const text = `
version: 1
rules:
  - name: first
    on: call.ended
    to: crm
    records:
      - object: tasks
        match: id
        fields: {id: =call.id}
      - object: contacts
        match: [cid, phone]
        fields: {cid: =contact.id, phone: =contact.phone, status: =contact.status}
  - name: second
    on: [call.ended, contact.status_changed]
    to: crm
    records:
      - object: contacts
        match: [cid, phone]
        fields: {cid: =contact.id, phone: =contact.phone, status: =contact.status, second: "yes"}
`
	storyOf(t, "two rules that write one contact are both done", text, func(t *testing.T, b *bench) {
		b.call("1", 0)
		b.settled(time.Minute)
		seq := b.call("1", 1)
		b.settled(time.Minute)
		if d := b.delivery(seq); d.State != store.Done || len(b.crm.list("contacts")) != 1 {
			t.Errorf("delivery %+v and %d contacts, want done and one", d, len(b.crm.list("contacts")))
		}
	})
	storyOf(t, "an older event with more records does not overwrite a newer one of its wave", text, func(t *testing.T, b *bench) {
		b.call("1", 5)
		b.settled(time.Minute)
		b.call("1", 10)
		b.call("1", 20, func(e *event.Event) { e.Type = event.ContactStatusChanged })
		b.settled(time.Minute)
		if got := b.crm.column("contacts", "status"); got != "at20" {
			t.Errorf("status %s, want that of the newest event, at20", got)
		}
	})
}

func TestLaneBehindAFailure(t *testing.T) {
	t.Parallel()
	const text = `
version: 1
rules:
  - name: calls
    on: call.ended
    to: crm
    records:
      - object: calls
        match: [id, number]
        fields: {id: =call.id, number: =call.from}
`
	storyOf(t, "a call whose look-up fails is made before the later ones of its contact", text, func(t *testing.T, b *bench) {
		failures := 0
		b.d.Reload(setup(t, &oddCRM{crm: b.crm, find: func(m []connectors.Match, f []connectors.Found, err error) ([]connectors.Found, error) {
			if m[0].Keys[0][0].Value == "c001" && failures < 3 {
				failures++
				f[0] = connectors.Found{Err: &connectors.Error{Kind: connectors.Transient}}
			}
			return f, err
		}}, text))
		for n := range 3 {
			b.call("1", n, func(e *event.Event) { e.Call.From = fmt.Sprint("+49301", n) })
		}
		b.settled(5 * time.Minute)
		if got := b.crm.column("calls", "id"); got != "c001 c002 c003" || failures != 3 {
			t.Errorf("calls %s after %d failures, want them in order", got, failures)
		}
	})
	story(t, "a change that the connector held back costs its delivery nothing", func(t *testing.T, b *bench) {
		failures := 0
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			switch {
			case c.Object != "calls" || failures >= 3:
				return nil
			case c.Fields["id"] == "c001":
				failures++
				return &connectors.Error{Kind: connectors.Transient}
			}
			return &connectors.Error{Kind: connectors.Transient, Code: connectors.CodeHeld}
		}
		first, second := b.call("1", 0), b.call("1", 1)
		b.settled(5 * time.Minute)
		if d, e := b.delivery(first), b.delivery(second); d.Attempts == 0 || e.Attempts != 0 || b.crm.column("calls", "id") != "c001 c002" {
			t.Errorf("%d and %d attempts, calls %s; want none counted for the second and both in order", d.Attempts, e.Attempts, b.crm.column("calls", "id"))
		}
	})
	story(t, "a change that is held back for no visible reason waits its time", func(t *testing.T, b *bench) {
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			return &connectors.Error{Kind: connectors.Transient, Code: connectors.CodeHeld}
		}
		b.call("1", 0)
		time.Sleep(time.Minute)
		b.crm.mu.Lock()
		if b.crm.writes > 20 {
			t.Errorf("%d writes in a minute", b.crm.writes)
		}
		b.crm.fault = nil
		b.crm.mu.Unlock()
		b.settled(time.Hour)
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	story(t, "look-ups that all fail are an outage", func(t *testing.T, b *bench) {
		var up atomic.Bool
		b.d.Reload(setup(t, &oddCRM{crm: b.crm, find: func(m []connectors.Match, f []connectors.Found, err error) ([]connectors.Found, error) {
			for i := range f {
				if !up.Load() {
					f[i] = connectors.Found{Err: &connectors.Error{Kind: connectors.Transient, Message: "503"}}
				}
			}
			return f, err
		}}, rules))
		seq := b.call("1", 0)
		for i := range 5 {
			b.call(fmt.Sprint(10+i), 0)
		}
		time.Sleep(6 * time.Hour)
		up.Store(true)
		if d := b.delivery(seq); d.State != store.Waiting || d.Attempts > 0 {
			t.Errorf("delivery %+v: an outage must not count", d)
		}
		if b.crm.finds > 6*60*3 {
			t.Errorf("%d look-ups in six hours of outage", b.crm.finds)
		}
		b.settled(10 * time.Minute)
	})
	story(t, "an outage is one also for waves with deliveries that need no CRM", func(t *testing.T, b *bench) {
		b.crm.mu.Lock()
		b.crm.down = &connectors.Error{Kind: connectors.Transient, Message: "503"}
		b.crm.mu.Unlock()
		seq := b.call("1", 0)
		for i := range 60 {
			b.call("", 0, func(e *event.Event) {
				e.Type, e.Contact, e.Call, e.Conversation = event.ContactStatusChanged, nil, nil, &event.Conversation{ID: fmt.Sprint(i)}
			})
			if i > 20 {
				time.Sleep(time.Minute)
			}
		}
		if d := b.delivery(seq); d.State != store.Waiting || d.Attempts > 0 {
			t.Errorf("delivery %+v: an outage must not count", d)
		}
		b.crm.mu.Lock()
		b.crm.down = nil
		b.crm.mu.Unlock()
		b.settled(time.Hour)
	})
	story(t, "the first wave of an outage costs nothing either", func(t *testing.T, b *bench) {
		hang := make(chan struct{})
		b.crm.hang = hang
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Object == "calls" { // the last that arrives
				b.crm.down = &connectors.Error{Kind: connectors.Transient, Message: "503"}
			}
			return nil
		}
		b.call("8", 0)
		time.Sleep(time.Second)
		seq := b.call("1", 0)
		time.Sleep(100 * time.Millisecond)
		b.crm.mu.Lock()
		b.crm.hang = nil
		b.crm.mu.Unlock()
		close(hang)
		time.Sleep(time.Hour)
		if d := b.delivery(seq); d.Kind == "" || d.Attempts > 0 {
			t.Errorf("delivery %+v: an outage must not count", d)
		}
		b.crm.mu.Lock()
		b.crm.down = nil
		b.crm.mu.Unlock()
		b.settled(time.Hour)
	})
	story(t, "a rate limit costs no attempt, whether it is said of one record or of the account", func(t *testing.T, b *bench) {
		limited := true
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if limited && c.Fields["cid"] == "2" {
				return &connectors.Error{Kind: connectors.RateLimited, Message: "429"}
			}
			return nil
		}
		seq := b.call("2", 0)
		for i := range 30 {
			b.call(fmt.Sprint(10+i), i)
			time.Sleep(10 * time.Minute)
		}
		if d := b.delivery(seq); d.State != store.Waiting || d.Attempts > 0 {
			t.Errorf("delivery %+v: a rate limit must not count", d)
		}
		b.crm.mu.Lock()
		limited = false
		b.crm.mu.Unlock()
		b.settled(time.Hour)
	})
}

func TestStop(t *testing.T) {
	t.Parallel()
	storyOf(t, "a stop in the middle of a request costs no attempt", notes, func(t *testing.T, b *bench) {
		set := func(down *connectors.Error, hang chan struct{}) {
			b.crm.mu.Lock()
			defer b.crm.mu.Unlock()
			b.crm.down, b.crm.hang = down, hang
		}
		set(&connectors.Error{Kind: connectors.Transient, Message: "503"}, nil)
		seq := b.call("1", 0)
		time.Sleep(200 * time.Millisecond)
		set(nil, nil)
		b.call("2", 0) // succeeds before the other is tried again
		time.Sleep(1900 * time.Millisecond)
		set(nil, make(chan struct{}))
		time.Sleep(5 * time.Second)
		b.halt(true)
		if d := b.delivery(seq); d.State != store.Waiting || d.Attempts > 0 || len(b.crm.list("calls")) != 1 {
			t.Errorf("delivery %+v: a stop must not count", d)
		}
		set(nil, nil)
		b.run(notes)
		b.settled(time.Minute)
	})
	storyOf(t, "a request of the old settings under way is not sent again when its connector comes back", notes, func(t *testing.T, b *bench) {
		hang := make(chan struct{})
		b.crm.hang = hang
		b.call("1", 0)
		time.Sleep(time.Second)
		without := setup(t, b.crm, notes)
		without.Connectors = nil
		b.d.Reload(without)
		b.d.Reload(setup(t, b.crm, notes))
		time.Sleep(10 * time.Second)
		b.crm.mu.Lock()
		b.crm.hang = nil
		b.crm.mu.Unlock()
		close(hang)
		b.settled(time.Minute)
		if b.crm.writes != 2 {
			t.Errorf("%d requests, want one for the note and one for the call", b.crm.writes)
		}
	})
	story(t, "deliveries of a connector that was removed wait until it is back", func(t *testing.T, b *bench) {
		without := setup(t, b.crm, rules)
		without.Connectors = nil
		b.d.Reload(without)
		seq := b.call("1", 0)
		time.Sleep(24 * time.Hour)
		if d := b.delivery(seq); d.State != store.Waiting {
			t.Errorf("delivery %+v, want waiting", d)
		}
		b.d.Reload(setup(t, b.crm, rules))
		b.settled(time.Second)
	})
}

func TestProgress(t *testing.T) {
	t.Parallel()
	fail := func(c connectors.Change) *connectors.Error {
		if c.Object == "calls" {
			return &connectors.Error{Kind: connectors.Invalid, Message: "no"}
		}
		return nil
	}
	storyOf(t, "what was made stays known while a rule cannot be worked out", notes, func(t *testing.T, b *bench) {
		b.crm.fault = fail
		seq := b.call("1", 0)
		b.settled(time.Minute)
		s := setup(t, b.crm, notes)
		odd := &oddRules{Planner: s.Rules, with: func() error { return errors.New("a rule went wrong") }}
		odd.fail.Store(true)
		s.Rules = odd
		b.d.Reload(s)
		b.retry(seq)
		b.settled(time.Minute)
		odd.fail.Store(false)
		b.crm.fault = nil
		b.retry(seq)
		b.settled(time.Minute)
		if n := len(b.crm.list("notes")); n != 1 {
			t.Errorf("%d notes, want 1", n)
		}
	})
	storyOf(t, "what was made stays known when a rule is put before", notes, func(t *testing.T, b *bench) {
		b.crm.fault = fail
		seq := b.call("1", 0)
		b.settled(time.Minute)
		b.crm.fault = nil
		b.d.Reload(setup(t, b.crm, strings.Replace(notes, "rules:\n", `rules:
  - name: before
    on: call.ended
    to: crm
    records:
      - object: contacts
        match: cid
        fields: {cid: =contact.id}
`, 1)))
		b.retry(seq)
		b.settled(time.Minute)
		if n, m := len(b.crm.list("notes")), len(b.crm.list("contacts")); n != 1 || m != 1 {
			t.Errorf("%d notes and %d contacts, want one each", n, m)
		}
	})
	storyOf(t, "what was perhaps made is looked for when its rule gets another name", notes, func(t *testing.T, b *bench) {
		lost := true
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Object == "notes" && lost {
				lost = false
				return &connectors.Error{Kind: connectors.Unknown, Message: "no answer"}
			}
			return nil
		}
		b.call("1", 0)
		for len(b.crm.list("notes")) == 0 {
			time.Sleep(time.Millisecond)
		}
		b.d.Reload(setup(t, b.crm, strings.Replace(notes, "- name: ", "- name: renamed ", 1)))
		b.settled(time.Minute)
		if n := len(b.crm.list("notes")); n != 1 {
			t.Errorf("%d notes, want 1", n)
		}
	})
	storyOf(t, "what was made without a key is not made again when its rule gets another name", notes, func(t *testing.T, b *bench) {
		seq := b.call("1", 0)
		b.settled(time.Minute)
		renamed := strings.Replace(notes, "- name: ", "- name: renamed ", 1)
		b.d.Reload(setup(t, b.crm, strings.Replace(renamed, "Note on", "Text on", 1)))
		b.replay(seq)
		b.settled(time.Minute)
		if got := b.crm.column("notes", "text"); got != "Text on c001" {
			t.Errorf("notes %q, want the first one with its new text", got)
		}
		// A rule beside it is another one, and makes its own.
		b.d.Reload(setup(t, b.crm, renamed+strings.Replace(notes[strings.Index(notes, "  - name"):], "- name: ", "- name: second ", 1)))
		b.replay(seq)
		b.settled(time.Minute)
		if n := len(b.crm.list("notes")); n != 2 {
			t.Errorf("%d notes of two rules, want 2", n)
		}
	})
	storyOf(t, "what was made stays known while no rule wants it", notes, func(t *testing.T, b *bench) {
		seq := b.call("1", 0)
		b.settled(time.Minute)
		s := setup(t, b.crm, notes)
		odd := &oddRules{Planner: s.Rules, with: func() error { return nil }}
		odd.fail.Store(true) // an empty plan
		s.Rules = odd
		b.d.Reload(s)
		b.replay(seq)
		b.settled(time.Minute)
		if d := b.delivery(seq); d.State != store.Done || d.Reason == "" {
			t.Errorf("delivery %+v, want done with the reason that no rule wants it", d)
		}
		odd.fail.Store(false)
		b.replay(seq)
		b.settled(time.Minute)
		if n := len(b.crm.list("notes")); n != 1 {
			t.Errorf("%d notes, want 1", n)
		}
	})
	storyOf(t, "a panic in a rule ends that delivery and nothing else", notes, func(t *testing.T, b *bench) {
		s := setup(t, b.crm, notes)
		odd := &oddRules{Planner: s.Rules, with: func() error { panic("boom") }}
		odd.fail.Store(true)
		s.Rules = odd
		b.d.Reload(s)
		seq := b.call("1", 0)
		b.settled(time.Minute)
		if d := b.delivery(seq); d.State != store.Dead || d.Reason == "" {
			t.Errorf("delivery %+v, want dead with a reason", d)
		}
		odd.fail.Store(false)
		b.call("2", 0)
		b.settled(time.Minute)
	})
	when := strings.Replace(notes, "    to: crm\n", "    when: =call.status == \"completed\"\n    to: crm\n", 1)
	storyOf(t, "an event that cannot be read any more goes into quarantine, where a condition asks for it", when, func(t *testing.T, b *bench) {
		s := setup(t, b.crm, when)
		read := s.Parse
		s.Parse = func(store.Event) (*event.Event, error) { return nil, errors.New("its source was removed") }
		b.d.Reload(s)
		seq := b.call("1", 0)
		b.settled(time.Minute)
		v, err := b.ledger.Event(t.Context(), seq)
		if err != nil || v.State != store.Quarantined || v.Event.Problem == "" {
			t.Errorf("event is %s (%q), %v; want quarantined", v.State, v.Event.Problem, err)
		}
		s.Parse = read
		b.d.Reload(s)
		b.replay(seq)
		b.settled(time.Minute)
		if n := len(b.crm.list("notes")); n != 1 {
			t.Errorf("%d notes after the replay, want 1", n)
		}
	})
}

func TestRemovedSource(t *testing.T) {
	t.Parallel()
	storyOf(t, "an event whose source was removed is dead until it is put back", notes, func(t *testing.T, b *bench) {
		s := setup(t, b.crm, notes)
		read := s.Parse
		s.Parse = func(store.Event) (*event.Event, error) { return nil, errors.New("its source was removed") }
		b.d.Reload(s)
		seq := b.call("1", 0)
		b.settled(time.Minute)
		if d := b.delivery(seq); d.State != store.Dead || !strings.Contains(d.Reason, "its source was removed") {
			t.Errorf("delivery %+v, want dead with the reason", d)
		}
		s.Parse = read
		b.d.Reload(s)
		if _, err := b.ledger.Retry(t.Context(), []store.DeliveryID{{Seq: seq, Connector: "crm"}}); err != nil {
			t.Fatal(err)
		}
		b.d.WakeAll()
		b.settled(time.Minute)
		if n := len(b.crm.list("notes")); n != 1 {
			t.Errorf("%d notes after the retry, want 1", n)
		}
	})
}

func TestLedgerFails(t *testing.T) {
	t.Parallel()
	story(t, "a CRM is not asked over and over while the ledger keeps nothing", func(t *testing.T, b *bench) {
		l := b.onLedger(rules)
		b.call("1", 0)
		b.settled(time.Minute)
		var mu sync.Mutex
		broken := true
		l.settle = func([]store.Update) error {
			mu.Lock()
			defer mu.Unlock()
			if broken {
				return store.ErrBroken
			}
			return nil
		}
		before := b.crm.writes
		b.call("1", 1)
		time.Sleep(time.Hour)
		b.crm.mu.Lock()
		tries := b.crm.writes - before
		b.crm.mu.Unlock()
		if tries > 200 {
			t.Errorf("%d requests in an hour", tries)
		}
		mu.Lock()
		broken = false
		mu.Unlock()
		b.settled(time.Hour)
	})
	storyOf(t, "a full disk costs no attempt and makes nothing twice", notes, func(t *testing.T, b *bench) {
		l := b.onLedger(notes)
		var full atomic.Bool
		var n atomic.Int64
		l.settle = func(u []store.Update) error {
			// Every other commit finds no space: intents mostly.
			if full.Load() && n.Add(1)%2 == 1 {
				return store.ErrFull
			}
			return nil
		}
		full.Store(true)
		seq := b.call("1", 0)
		for i := range 30 {
			b.call(fmt.Sprint(10+i), 0)
			time.Sleep(time.Minute)
		}
		if d := b.delivery(seq); d.Attempts > 0 || d.State == store.Dead {
			t.Errorf("delivery %+v: a full disk must not count", d)
		}
		full.Store(false)
		b.settled(time.Hour)
		if n := len(b.crm.list("notes")); n != 31 {
			t.Errorf("%d notes, want 31", n)
		}
	})
	story(t, "one damaged link does not stop the connector", func(t *testing.T, b *bench) {
		l := b.onLedger(rules)
		l.links = func(keys []store.LinkKey) error {
			for _, k := range keys {
				if k.Value == "1" {
					return fmt.Errorf("%w: links", store.ErrCorrupt)
				}
			}
			return nil
		}
		b.call("1", 0)
		b.call("2", 0)
		b.settled(time.Minute)
		if n := len(b.crm.list("calls")); n != 2 {
			t.Errorf("%d calls, want 2", n)
		}
	})
	story(t, "one delivery erased meanwhile does not undo the others", func(t *testing.T, b *bench) {
		l := b.onLedger(rules)
		l.settle = func(u []store.Update) error {
			if len(u) > 1 && u[0].Delivery.State == store.Done {
				return store.ErrNotFound
			}
			return nil
		}
		b.call("1", 0)
		b.call("2", 0)
		b.settled(time.Minute)
	})
}

func TestOddAnswers(t *testing.T) {
	t.Parallel()
	storyOf(t, "a call that breaks off after it was applied makes nothing twice", notes, func(t *testing.T, b *bench) {
		cut := true
		b.d.Reload(setup(t, &oddCRM{crm: b.crm, write: func(c []connectors.Change, r []connectors.Result, err error) ([]connectors.Result, error) {
			if cut {
				cut = false
				return nil, context.DeadlineExceeded
			}
			return r, err
		}}, notes))
		b.call("1", 0)
		b.settled(time.Hour)
		if n := len(b.crm.list("notes")); n != 1 {
			t.Errorf("%d notes, want 1", n)
		}
	})
	storyOf(t, "a result that is missing is not taken for success", notes, func(t *testing.T, b *bench) {
		cut := true
		b.d.Reload(setup(t, &oddCRM{crm: b.crm, write: func(c []connectors.Change, r []connectors.Result, err error) ([]connectors.Result, error) {
			if cut {
				cut = false
				return nil, nil
			}
			return r, err
		}}, notes))
		seq := b.call("1", 0)
		b.settled(time.Hour)
		if d := b.delivery(seq); len(b.crm.list("notes")) != 1 || d.Records[0].ID == "" {
			t.Errorf("%d notes and delivery %+v, want 1 whose id is known", len(b.crm.list("notes")), d)
		}
	})
	storyOf(t, "a panic in a connector makes its deliveries wait", notes, func(t *testing.T, b *bench) {
		cut := true
		b.d.Reload(setup(t, &oddCRM{crm: b.crm, write: func(c []connectors.Change, r []connectors.Result, err error) ([]connectors.Result, error) {
			if cut {
				cut = false
				panic("boom")
			}
			return r, err
		}}, notes))
		b.call("1", 0)
		b.settled(time.Hour)
		if n := len(b.crm.list("notes")); n != 1 {
			t.Errorf("%d notes, want 1", n)
		}
	})
	story(t, "a value taken by another record does not make that record ours", func(t *testing.T, b *bench) {
		b.call("1", 0)
		b.call("2", 0)
		b.settled(time.Minute)
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.ID == "contacts-1" {
				return &connectors.Error{Kind: connectors.Conflict, IDs: []string{"contacts-2"}}
			}
			return nil
		}
		seq := b.call("1", 1)
		b.settled(24 * time.Hour)
		if got := b.crm.column("contacts", "cid"); got != "1 2" {
			t.Errorf("contacts %s, want 1 2", got)
		}
		if d := b.delivery(seq); d.State != store.Dead {
			t.Errorf("delivery %+v, want dead", d)
		}
	})
	story(t, "a contact that is there under a value that is no match keeps what stands in it", func(t *testing.T, b *bench) {
		b.crm.records = append(b.crm.records, &row{object: "contacts", id: "theirs", fields: map[string]any{"name": "A person's", "note": "A person's"}})
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Object == "contacts" && c.ID == "" && c.New {
				return &connectors.Error{Kind: connectors.Conflict, IDs: []string{"theirs"}}
			}
			return nil
		}
		seq := b.call("1", 0, func(e *event.Event) { e.Contact.FullName, e.Contact.Company = "Ours", "Ours" })
		b.settled(time.Minute)
		list := b.crm.list("contacts")
		if len(list) != 1 || list[0].fields["name"] != "A person's" || list[0].fields["note"] != "A person's" || list[0].fields["status"] != "at0" {
			t.Errorf("contacts %+v, want one, with the status and what stood there", list[0].fields)
		}
		if d := b.delivery(seq); d.State != store.Done {
			t.Errorf("delivery %+v, want done", d)
		}
	})
	storyOf(t, "a record that was written but not linked is not forgotten when a link's target is gone", notes, func(t *testing.T, b *bench) {
		tries := 0
		b.d.Reload(setup(t, &oddCRM{crm: b.crm, write: func(c []connectors.Change, r []connectors.Result, err error) ([]connectors.Result, error) {
			if c[0].Object == "notes" && tries < 3 {
				tries++
				r[0].Err = &connectors.Error{Kind: connectors.NotFound, Message: "the other record is gone"}
			}
			return r, err
		}}, notes))
		b.call("1", 0)
		b.settled(time.Hour)
		if n := len(b.crm.list("notes")); n != 1 {
			t.Errorf("%d notes, want 1", n)
		}
	})
	story(t, "a wait that one record needs holds up no other", func(t *testing.T, b *bench) {
		lost := map[any]bool{}
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Fields["cid"] != "1" {
				return nil
			}
			if !c.Attempted.IsZero() && time.Since(c.Attempted) < time.Minute {
				return &connectors.Error{Kind: connectors.Transient, Code: "SEARCH_LAG", Wait: time.Until(c.Attempted.Add(time.Minute))}
			}
			if !lost["1"] {
				lost["1"] = true
				return &connectors.Error{Kind: connectors.Unknown, Message: "cut"}
			}
			return nil
		}
		b.d.Reload(setup(t, &oddCRM{crm: b.crm, find: func(m []connectors.Match, f []connectors.Found, err error) ([]connectors.Found, error) {
			return make([]connectors.Found, len(m)), err // searches lag behind
		}}, rules))
		seq := b.call("1", 0)
		time.Sleep(20 * time.Second)
		b.call("2", 0)
		time.Sleep(time.Second)
		if n := len(b.crm.list("calls")); n != 1 {
			t.Errorf("%d calls, want that of the other contact", n)
		}
		b.settled(10 * time.Minute)
		if d := b.delivery(seq); d.State != store.Done || d.Attempts > 1 {
			t.Errorf("delivery %+v, want done, and only the lost reply counted", d)
		}
	})
}

func TestLate(t *testing.T) {
	t.Parallel()
	lagging := func(t *testing.T, b *bench) (s deliver.Setup, lose *bool) {
		lose = new(bool)
		s = setup(t, &oddCRM{crm: b.crm, find: func(m []connectors.Match, f []connectors.Found, err error) ([]connectors.Found, error) {
			for i := range f {
				if m[i].Keys[0][0].Field != connectors.ID {
					f[i] = connectors.Found{} // searches lag behind
				}
			}
			return f, err
		}}, rules)
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if *lose && c.Object == "contacts" {
				*lose = false
				return &connectors.Error{Kind: connectors.Unknown, Message: "cut"}
			}
			if c.Object == "contacts" && c.ID == "" && c.Attempted.IsZero() && len(b.crm.records) > 0 {
				return &connectors.Error{Kind: connectors.Invalid, Message: "made twice"}
			}
			return nil
		}
		return s, lose
	}
	story(t, "an older event that passes one with a lost reply makes no second contact", func(t *testing.T, b *bench) {
		s, lose := lagging(t, b)
		*lose = true
		b.d.Reload(s)
		b.call("1", 50)
		time.Sleep(500 * time.Millisecond)
		seq := b.call("1", 10)
		b.settled(time.Hour)
		if d := b.delivery(seq); d.State != store.Done || len(b.crm.list("contacts")) != 1 {
			t.Errorf("%d contacts, and delivery %+v", len(b.crm.list("contacts")), d)
		}
	})
	story(t, "after a crash a contact whose keys are not known yet is not made twice", func(t *testing.T, b *bench) {
		l := b.onLedger(rules)
		l.settle = func(u []store.Update) error {
			if u[0].Delivery.State == store.Done {
				return store.ErrBroken
			}
			return nil
		}
		first := b.call("1", 0)
		time.Sleep(100 * time.Millisecond)
		second := b.call("1", 1) // planned in the pause that follows
		time.Sleep(100 * time.Millisecond)
		b.halt(true)
		l.settle = nil
		s, _ := lagging(t, b)
		b.runWith(s)
		b.settled(time.Hour)
		if len(b.crm.list("contacts")) != 1 || b.delivery(first).State != store.Done || b.delivery(second).State != store.Done {
			t.Errorf("%d contacts, and deliveries %+v %+v", len(b.crm.list("contacts")), b.delivery(first), b.delivery(second))
		}
	})
	story(t, "a replay that finds its old record deleted does not forget the new one", func(t *testing.T, b *bench) {
		first := b.call("1", 0)
		b.settled(time.Minute)
		b.crm.mu.Lock()
		b.crm.records = nil
		b.crm.mu.Unlock()
		b.call("1", 1)
		b.settled(time.Minute)
		time.Sleep(10 * time.Minute) // what was written lately is remembered for five
		s, _ := lagging(t, b)
		b.d.Reload(s)
		b.replay(first)
		b.settled(time.Minute)
		if d := b.delivery(first); d.State != store.Done || len(b.crm.list("contacts")) != 1 {
			t.Errorf("%d contacts, and delivery %+v", len(b.crm.list("contacts")), d)
		}
	})
}

func TestEdits(t *testing.T) {
	t.Parallel()
	company := func(name string) func(*event.Event) { return func(e *event.Event) { e.Contact.Company = name } }
	story(t, "a lost reply does not make our value a person's", func(t *testing.T, b *bench) {
		b.call("1", 0, company("First"))
		b.settled(time.Minute)
		lost := false
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Object == "contacts" && !lost {
				lost = true
				return &connectors.Error{Kind: connectors.Unknown, Message: "cut"}
			}
			return nil
		}
		b.call("1", 1, company("Second"))
		b.settled(time.Hour)
		b.call("1", 2, company("Third"))
		b.settled(time.Hour)
		if got := b.crm.column("contacts", "note"); got != "Third" {
			t.Errorf("note %q, want Third: nobody edited it", got)
		}
	})
	story(t, "a record that was written but not linked keeps what was written", func(t *testing.T, b *bench) {
		unlinked := true
		b.d.Reload(setup(t, &oddCRM{crm: b.crm, write: func(c []connectors.Change, r []connectors.Result, err error) ([]connectors.Result, error) {
			if unlinked {
				unlinked = false
				r[0].Err = &connectors.Error{Kind: connectors.Transient, Message: "not linked"}
			}
			return r, err
		}}, rules))
		b.call("1", 0, company("First"))
		b.settled(time.Hour)
		b.call("1", 1, company("Second"))
		b.settled(time.Hour)
		if got := b.crm.column("contacts", "note"); got != "Second" {
			t.Errorf("note %q, want Second: nobody edited it", got)
		}
	})
	const all = `
version: 1
rules:
  - on: call.ended
    to: crm
    records:
      - object: contacts
        match: phone
        on_many: all
        fields:
          phone: =contact.phone
          status: =contact.status
          name: {value: =contact.full_name, if: empty}
`
	two := func(b *bench) {
		for _, id := range []string{"a", "b"} {
			b.crm.records = append(b.crm.records, &row{object: "contacts", id: id, fields: map[string]any{"phone": "+49301"}})
		}
	}
	storyOf(t, "with on_many all each record keeps what a person wrote there", all, func(t *testing.T, b *bench) {
		two(b)
		b.crm.records[1].fields["name"] = "By Hand"
		b.call("1", 0, func(e *event.Event) { e.Contact.FullName = "Vendor" })
		b.settled(time.Minute)
		if got := b.crm.column("contacts", "name"); got != "Vendor By Hand" {
			t.Errorf("names %q, want Vendor and By Hand", got)
		}
	})
	storyOf(t, "with on_many all a record that failed is written later", all, func(t *testing.T, b *bench) {
		two(b)
		failed := false
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.ID == "b" && !failed {
				failed = true
				return &connectors.Error{Kind: connectors.Transient, Message: "500"}
			}
			return nil
		}
		b.call("1", 0)
		b.settled(time.Hour)
		if got := b.crm.column("contacts", "status"); got != "at0 at0" {
			t.Errorf("status %q, want at0 in both", got)
		}
	})
	storyOf(t, "with on_many all a record is made once though searches lag", all, func(t *testing.T, b *bench) {
		b.d.Reload(setup(t, &oddCRM{crm: b.crm, find: func(m []connectors.Match, f []connectors.Found, err error) ([]connectors.Found, error) {
			for i := range f {
				if k := f[i].Key; len(f[i].Records) > 0 && m[i].Keys[k][0].Field != connectors.ID {
					// Searches lag behind; only a read by id tells the truth.
					if f[i] = (connectors.Found{}); slices.ContainsFunc(m[i].Keys, func(k connectors.Key) bool { return k[0].Field == connectors.ID }) {
						one, _ := b.crm.Find(t.Context(), []connectors.Match{{Object: m[i].Object, Keys: m[i].Keys[len(m[i].Keys)-1:], Read: m[i].Read}})
						f[i] = one[0]
						f[i].Key = len(m[i].Keys) - 1
					}
				}
			}
			return f, err
		}, write: nil}, all))
		b.call("1", 0)
		b.settled(time.Minute)
		b.call("1", 1)
		b.settled(time.Minute)
		if got := b.crm.column("contacts", "status"); got != "at1" {
			t.Errorf("status %q, want one contact at1", got)
		}
	})
}

func TestShared(t *testing.T) {
	t.Parallel()
	story(t, "a number that one contact gave up and another has is one record's only", func(t *testing.T, b *bench) {
		number := func(n string) func(*event.Event) { return func(e *event.Event) { e.Contact.Phone = n } }
		b.call("1", 0, number("+49301"))
		b.call("1", 1, number("+49302"))
		b.call("2", 2, number("+49302"))
		b.settled(time.Minute)
		seen := map[any]int{}
		for _, r := range b.crm.list("contacts") {
			seen[r.fields["phone"]]++
		}
		if seen["+49302"] != 1 {
			t.Errorf("%d contacts with the number, want 1", seen["+49302"])
		}
	})
	story(t, "a bad value among a thousand merged ones costs few requests", func(t *testing.T, b *bench) {
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Fields["status"] == "at99" {
				return &connectors.Error{Kind: connectors.Invalid, Message: "no"}
			}
			return nil
		}
		for i := range 100 {
			b.call("1", i)
		}
		b.settled(time.Minute)
		if n := len(b.crm.list("calls")); n != 99 || b.crm.writes > 12 {
			t.Errorf("%d calls with %d requests, want 99 with at most 12", n, b.crm.writes)
		}
	})
}
