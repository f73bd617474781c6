package deliver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/store"
)

// TestModel lets chance decide what happens, and then holds the promises
// against what the CRM has. A failure names its seed; SEED=n runs that one.
func TestModel(t *testing.T) {
	t.Parallel()
	first, n := uint64(1), uint64(30)
	if testing.Short() {
		n = 8
	}
	if text := os.Getenv("SEED"); text != "" {
		first, _ = strconv.ParseUint(text, 10, 64)
		n = 1
	}
	if text := os.Getenv("SEEDS"); text != "" {
		n, _ = strconv.ParseUint(text, 10, 64)
	}
	for seed := first; seed < first+n; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newModel(t, seed).play() })
		})
	}
}

const modelAttempts = 5

// modelRules have, beside what rules have, a record without keys, which only the
// ledger keeps from being made twice, and a value that a mended parser changes.
var modelRules = strings.Replace(rules, "        link: [contacts]\n", `          status: =call.status
        link: [contacts]
      - object: notes
        match: key
        create: always
        fields:
          key: =call.outcome.missing
          text: Note on {{ call.id }}
`, 1)

// happening is an event of the model and what became of it.
type happening struct {
	seq      uint64
	contact  string
	status   string
	call     string // "" for a change of status
	at       time.Time
	rank     uint8
	appended time.Time
	bad      bool // the CRM refuses its values
	moved    bool // to a lane of its own
	put      bool // aside by a person at some time
	failed   bool // before a person had it tried again
}

// after is the order of events.
func (h happening) after(o happening) bool {
	if !h.at.Equal(o.at) {
		return h.at.After(o.at)
	}
	if h.rank != o.rank {
		return h.rank > o.rank
	}
	return h.seq > o.seq
}

type model struct {
	*bench
	*moodyCRM
	seed     uint64
	rng      *rand.Rand
	ledgered *faultyLedger
	killed   atomic.Bool // nothing is kept any more
	contacts int
	events   []happening
	shared   map[string]bool   // contacts with a number that another has, too
	deleted  map[string]bool   // contacts whose record a person deleted
	edits    map[string]string // record and field: what a person wrote there
	version  atomic.Int64      // of the parser
	full     atomic.Bool       // the disk is
}

// moodyCRM is a crm whose faults are a matter of chance.
type moodyCRM struct {
	*crm
	mu         sync.Mutex
	rng        *rand.Rand
	off        bool    // no more faults
	rate       float64 // of faults among changes
	callFaults bool    // also among calls
	lag        bool    // searches do not know what is new, and the CRM makes duplicates
	slow       bool
	tells      bool              // of each change what became of it, before the next
	whole      *connectors.Error // of every call
	under      int               // calls under way
	calls      int
	trace      []string // for whoever reads a failure
}

const modelLag = 30 * time.Second

func newModel(t *testing.T, seed uint64) *model {
	rng := rand.New(rand.NewPCG(seed, 7))
	b := start(t, modelRules)
	m := &model{bench: b, seed: seed, rng: rng, contacts: 1 + rng.IntN(4), shared: map[string]bool{}, deleted: map[string]bool{}, edits: map[string]string{}}
	m.moodyCRM = &moodyCRM{crm: b.crm, rng: rand.New(rand.NewPCG(seed, 8)), rate: []float64{0, 0.1, 0.4}[rng.IntN(3)], callFaults: rng.IntN(2) == 0, lag: rng.IntN(2) == 0, slow: rng.IntN(2) == 0}
	m.tells = seed%2 == 0
	b.halt(true)
	m.ledgered = &faultyLedger{Ledger: b.ledger}
	m.ledgered.settle = func([]store.Update) error {
		if m.killed.Load() {
			return store.ErrBroken
		}
		if m.full.Load() {
			return store.ErrFull
		}
		if m.ledgered.settles.Load() > 30000 {
			panic(fmt.Sprint("seed ", seed, ": a loop without end"))
		}
		return nil
	}
	b.ledger = m.ledgered
	m.begin()
	return m
}

func (m *model) setup() deliver.Setup {
	s := setup(m.t, m.bench.crm, modelRules)
	s.Parse = func(e store.Event) (*event.Event, error) {
		var ev event.Event
		err := json.Unmarshal(e.Body, &ev)
		if v := m.version.Load(); v > 0 {
			ev.Contact.Status += fmt.Sprint(" v", v)
			if ev.Call != nil {
				ev.Call.Status = fmt.Sprint("v", v)
			}
		}
		return &ev, err
	}
	s.Connectors["crm"] = deliver.Target{Connector: m.moodyCRM, Wave: 1 + m.rng.IntN(20)}
	return s
}

func (m *model) begin() { m.runWith(m.setup()) }

func (m *model) fatal(format string, args ...any) {
	m.t.Helper()
	m.t.Log(strings.Join(m.trace, "\n"))
	for _, h := range m.events {
		m.t.Logf("%+v\n    %+v", h, m.delivery(h.seq))
	}
	for _, r := range m.crm().list("contacts") {
		m.t.Logf("%+v", *r)
	}
	m.t.Fatalf("seed %d: %s", m.seed, fmt.Sprintf(format, args...))
}

func (c *moodyCRM) chance(p float64) bool { return !c.off && c.rng.Float64() < p }

// enter begins a call: it may take time, and it may fail as a whole.
func (c *moodyCRM) enter(ctx context.Context) error {
	c.mu.Lock()
	c.calls++
	c.under++
	var wait time.Duration
	if c.slow && !c.off {
		wait = time.Duration(c.rng.IntN(4000)) * time.Millisecond
	}
	c.mu.Unlock()
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return &connectors.Error{Kind: connectors.Transient, Err: ctx.Err()}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.whole != nil && !c.off {
		return c.whole
	}
	return nil
}

func (c *moodyCRM) leave() {
	c.mu.Lock()
	c.under--
	c.mu.Unlock()
}

func (c *moodyCRM) Find(ctx context.Context, matches []connectors.Match) ([]connectors.Found, error) {
	defer c.leave()
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found := make([]connectors.Found, len(matches))
	for i, m := range matches {
		if c.chance(c.rate / 2) {
			found[i].Err = &connectors.Error{Kind: connectors.Transient, Message: "500"}
			continue
		}
		for n, k := range m.Keys {
			one, err := c.crm.Find(ctx, []connectors.Match{{Object: m.Object, Keys: []connectors.Key{k}, Read: m.Read}})
			if err != nil {
				return nil, err
			}
			one[0].Records = slices.DeleteFunc(one[0].Records, func(r connectors.Record) bool {
				return c.lag && k[0].Field != connectors.ID && time.Since(r.Created) < modelLag
			})
			if len(one[0].Records) > 0 {
				found[i].Records, found[i].Key = one[0].Records[:1], n
				break
			}
		}
	}
	return found, nil
}

func (c *moodyCRM) Write(ctx context.Context, changes []connectors.Change) ([]connectors.Result, error) {
	defer c.leave()
	if err := c.enter(ctx); err != nil {
		return nil, err
	}
	results := make([]connectors.Result, len(changes))
	for i := range changes {
		c.mu.Lock()
		results[i] = c.change(ctx, changes[i])
		c.mu.Unlock()
		if c.tells {
			changes[i].Tell(&results[i])
			select {
			case <-time.After(30 * time.Millisecond):
			case <-ctx.Done():
				return results, ctx.Err()
			}
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.chance(c.rate / 10) {
		return nil, context.DeadlineExceeded // applied, but nobody knows
	}
	return results, nil
}

func (c *moodyCRM) change(ctx context.Context, ch connectors.Change) connectors.Result {
	for _, v := range ch.Fields {
		if s, ok := v.(string); ok && strings.Contains(s, "bad") {
			return connectors.Result{Err: &connectors.Error{Kind: connectors.Invalid, Message: "no"}}
		}
	}
	lost := false
	if c.chance(c.rate) && (c.callFaults || ch.Object != "calls") {
		switch c.rng.IntN(4) {
		case 0:
			return connectors.Result{Err: &connectors.Error{Kind: connectors.RateLimited, Account: true, Wait: 10 * time.Second}}
		case 1:
			lost = true
		default:
			return connectors.Result{Err: &connectors.Error{Kind: connectors.Transient, Message: "500"}}
		}
	}
	if c.lag && ch.ID == "" {
		if wait := time.Until(ch.Attempted.Add(modelLag + 5*time.Second)); !ch.Attempted.IsZero() && wait > 0 {
			return connectors.Result{Err: &connectors.Error{Kind: connectors.Transient, Code: "SEARCH_LAG", Wait: wait}}
		}
		if ch.Attempted.IsZero() {
			ch.Key = nil // nothing but our own care prevents a second record
		}
	}
	out, err := c.crm.Write(ctx, []connectors.Change{ch})
	c.trace = append(c.trace, fmt.Sprint(time.Now().Format("15:04:05.000 "), ch.Object, " ", ch.ID, ch.Key, ch.Fields, " attempted ", ch.Attempted.Format("15:04:05"), " -> ", out, lost))
	if err != nil {
		return connectors.Result{Err: connectors.AsError(err)}
	}
	if lost {
		return connectors.Result{Err: &connectors.Error{Kind: connectors.Unknown, Message: "connection cut"}}
	}
	return out[0]
}

func (m *model) play() {
	defer m.halt(false)
	for range 20 + m.rng.IntN(40) {
		m.act()
		switch m.rng.IntN(4) {
		case 0:
			time.Sleep(time.Duration(m.rng.IntN(50)) * time.Millisecond)
		case 1:
			time.Sleep(time.Duration(m.rng.IntN(5000)) * time.Millisecond)
		case 2:
			time.Sleep(time.Duration(m.rng.IntN(10)) * time.Minute)
		}
	}
	m.full.Store(false)
	m.moodyCRM.mu.Lock()
	m.off = true
	m.moodyCRM.mu.Unlock()
	m.d.Reload(m.setup())
	m.rest()
	m.check()
}

// rest waits until nothing waits; a day is more than any wait can take.
func (m *model) rest() {
	for end := time.Now().Add(24 * time.Hour); ; time.Sleep(5 * time.Second) {
		synctest.Wait()
		s, err := m.ledger.Stats(context.Background())
		if err != nil {
			m.fatal("%v", err)
		}
		if s.Unplanned == 0 && s.Connectors["crm"].Waiting == 0 {
			return
		}
		if time.Now().After(end) {
			m.fatal("%d deliveries wait for ever; %+v", s.Connectors["crm"].Waiting, m.d.Conditions())
		}
	}
}

// act does one thing.
func (m *model) act() {
	switch m.rng.IntN(18) {
	default:
		for range 1 + m.rng.IntN(6) {
			m.happen()
		}
	case 0:
		m.stopAndGo()
	case 1:
		errs := []*connectors.Error{nil, nil, {Kind: connectors.Transient, Message: "503"}, {Kind: connectors.Auth, Account: true}, {Kind: connectors.Unknown, Message: "cut"}}
		m.moodyCRM.mu.Lock()
		m.whole = errs[m.rng.IntN(len(errs))]
		m.moodyCRM.mu.Unlock()
	case 2, 3:
		m.edit()
	case 4:
		m.remove()
	case 5:
		m.again()
	case 6:
		without := m.setup()
		without.Connectors = nil
		m.d.Reload(without)
		time.Sleep(time.Duration(m.rng.IntN(5000)) * time.Millisecond)
		m.d.Reload(m.setup())
	case 7:
		m.mend()
	case 8:
		m.move()
	case 9:
		m.discard()
	case 10:
		m.full.Store(m.rng.IntN(3) > 0)
		m.say(fmt.Sprint("the disk is full: ", m.full.Load()))
		time.Sleep(time.Duration(m.rng.IntN(3000)) * time.Millisecond)
		m.full.Store(false)
	}
}

// mend has another parser read all events again.
func (m *model) mend() {
	m.version.Add(1)
	m.say(fmt.Sprint("version ", m.version.Load()))
	if m.rng.IntN(2) == 0 {
		m.d.Reload(m.setup())
	}
	for _, h := range m.events {
		m.requeue(h.seq)
	}
	m.d.WakeAll()
}

// requeue has an event planned again in its lane.
func (m *model) requeue(seq uint64) {
	h := m.tried(seq)
	v, err := m.ledger.Event(context.Background(), seq)
	if err != nil {
		m.fatal("%v", err)
	}
	e := v.Event
	q := store.Requeue{Seq: seq, Type: e.Type, OccurredAt: e.OccurredAt, Rank: e.Rank, Lane: e.Lane}
	if h.moved {
		q.Lane = fmt.Sprint("moved ", h.seq)
	}
	if err := m.ledger.Replay(context.Background(), []store.Requeue{q}); err != nil {
		m.fatal("%v", err)
	}
}

// tried notes whether a delivery that is to be tried again had failed.
func (m *model) tried(seq uint64) *happening {
	h := &m.events[slices.IndexFunc(m.events, func(h happening) bool { return h.seq == seq })]
	v, err := m.ledger.Event(context.Background(), seq)
	if err != nil {
		m.fatal("%v", err)
	}
	h.failed = h.failed || len(v.Deliveries) > 0 && v.Deliveries[0].Kind != ""
	return h
}

// move has a replay take an event to another lane.
func (m *model) move() {
	if len(m.events) == 0 {
		return
	}
	h := &m.events[m.rng.IntN(len(m.events))]
	h.moved = true
	m.say(fmt.Sprint("moved ", h.seq))
	m.requeue(h.seq)
	m.d.WakeAll()
}

// discard has a person set a delivery aside.
func (m *model) discard() {
	if len(m.events) == 0 {
		return
	}
	h := &m.events[m.rng.IntN(len(m.events))]
	_, err := m.ledger.Discard(context.Background(), []store.DeliveryID{{Seq: h.seq, Connector: "crm"}}, "no")
	switch {
	case err == nil:
		h.put = true
		m.say(fmt.Sprint("discarded ", h.seq))
	case !errors.Is(err, store.ErrNotFound):
		m.fatal("%v", err)
	}
}

func (m *model) happen() {
	n := len(m.events)
	contact := fmt.Sprint(1 + m.rng.IntN(m.contacts))
	h := happening{contact: contact, status: fmt.Sprint("s", n), rank: 60, appended: time.Now()}
	minute := m.rng.IntN(200)
	m.bench.n = n
	h.seq = m.call(contact, minute, func(e *event.Event) {
		e.Contact.Status = h.status
		e.Contact.Company = fmt.Sprint("company ", n)
		switch m.rng.IntN(10) {
		case 0:
			e.Contact.Phone, m.shared[contact] = "+493099", true
		case 1:
			e.Contact.FullName = "Name"
		case 2:
			h.bad = true
			e.Call.ID += " bad"
		case 3:
			h.bad = true
			e.Contact.Status += " bad"
			h.status += " bad"
		case 4, 5:
			e.Type, e.Call, h.rank = event.ContactStatusChanged, nil, 70
		}
		if e.Call != nil {
			h.call = e.Call.ID
		}
	})
	h.at = epoch.Add(time.Duration(minute) * time.Minute)
	m.events = append(m.events, h)
}

func (m *model) stopAndGo() {
	m.say("stop")
	m.killed.Store(m.tells && m.rng.IntN(2) == 0)
	m.halt(true)
	m.killed.Store(false)
	time.Sleep(time.Duration(m.rng.IntN(3)) * time.Second)
	m.begin()
}

// edit has a person change a contact while nothing is under way: between a
// look and a write, nobody could know.
func (m *model) edit() {
	synctest.Wait()
	m.moodyCRM.mu.Lock()
	idle := m.under == 0
	m.moodyCRM.mu.Unlock()
	rows := m.crm().list("contacts")
	if !idle || len(rows) == 0 {
		return
	}
	m.crm().mu.Lock()
	defer m.crm().mu.Unlock()
	r := rows[m.rng.IntN(len(rows))]
	field := []string{"note", "name"}[m.rng.IntN(2)]
	if field == "name" && r.fields["name"] != nil && m.edits[r.id+" name"] == "" {
		return // ours: if: empty leaves it anyway
	}
	m.edits[r.id+" "+field] = fmt.Sprint("by hand ", m.rng.IntN(1000))
	r.fields[field] = m.edits[r.id+" "+field]
}

// say notes something for whoever reads a failure.
func (m *model) say(what string) {
	m.moodyCRM.mu.Lock()
	defer m.moodyCRM.mu.Unlock()
	m.trace = append(m.trace, time.Now().Format("15:04:05.000 ")+what)
}

func (m *model) crm() *crm { return m.bench.crm }

// remove has a person delete a contact.
func (m *model) remove() {
	synctest.Wait()
	c := m.crm()
	rows := c.list("contacts")
	if len(rows) == 0 || m.rng.IntN(2) == 0 {
		return
	}
	r := rows[m.rng.IntN(len(rows))]
	m.say("a person deletes " + r.id)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range m.events {
		if h.contact == r.fields["cid"] || m.shared[h.contact] {
			m.deleted[h.contact] = true
		}
	}
	c.records = slices.DeleteFunc(c.records, func(x *row) bool { return x == r })
}

// again has a person replay or retry an event.
func (m *model) again() {
	if len(m.events) == 0 {
		return
	}
	seq := m.events[m.rng.IntN(len(m.events))].seq
	m.tried(seq)
	v, err := m.ledger.Event(context.Background(), seq)
	if err != nil {
		m.fatal("%v", err)
	}
	if m.rng.IntN(2) == 0 || len(v.Deliveries) == 0 {
		m.replay(seq)
	} else {
		m.retry(seq)
	}
}

// check holds the promises against what the CRM has.
func (m *model) check() {
	calls, contacts, notes := map[string][]*row{}, map[string]int{}, map[string]int{}
	for _, r := range m.crm().list("notes") {
		notes[r.fields["text"].(string)]++
	}
	for _, r := range m.crm().list("calls") {
		id := r.fields["id"].(string)
		calls[id] = append(calls[id], r)
	}
	for _, r := range m.crm().list("contacts") {
		contacts[fmt.Sprint(r.fields["cid"])]++
		for _, field := range []string{"note", "name"} {
			if want, edited := m.edits[r.id+" "+field]; edited && r.fields[field] != want {
				m.fatal("%s of %s is %v; a person wrote %q", field, r.id, r.fields[field], want)
			}
		}
	}
	for cid, n := range contacts {
		if n > 1 {
			m.fatal("%d contacts with the id %s", n, cid)
		}
	}
	states := map[uint64]store.State{}
	for _, h := range m.events {
		d := m.delivery(h.seq)
		states[h.seq] = d.State
		switch {
		case d.State == store.Discarded && h.put:
		case d.State != store.Done && d.State != store.Dead:
			m.fatal("delivery of event %d is %s", h.seq, d.State)
		case d.State == store.Dead && (d.Reason == "" || d.Kind == "invalid" && !h.bad):
			m.fatal("event %d is dead for %q, though its values are good", h.seq, d.Reason)
		case d.Attempts > modelAttempts:
			m.fatal("event %d has %d attempts", h.seq, d.Attempts)
		case h.call != "" && len(calls[h.call]) > 1, d.State == store.Done && h.call != "" && len(calls[h.call]) != 1:
			m.fatal("call %s is there %d times, and its delivery is %s: %+v", h.call, len(calls[h.call]), d.State, d)
		case h.call != "" && notes["Note on "+h.call] > 1, d.State == store.Done && h.call != "" && notes["Note on "+h.call] != 1:
			m.fatal("the note on %s is there %d times, and its delivery is %s: %+v", h.call, notes["Note on "+h.call], d.State, d)
		case d.State == store.Done && h.call != "" && !h.put && m.version.Load() > 0 && calls[h.call][0].fields["status"] != fmt.Sprint("v", m.version.Load()):
			m.fatal("call %s is %v, want as version %d reads it", h.call, calls[h.call][0].fields["status"], m.version.Load())
		}
		if h.call != "" && (len(calls[h.call]) > 1 || notes["Note on "+h.call] > 1) {
			m.fatal("call %s is there %d times, its note %d times", h.call, len(calls[h.call]), notes["Note on "+h.call])
		}
	}
	for n := range m.contacts {
		m.checkContact(fmt.Sprint(n+1), states)
	}
	if !m.callFaults || m.rate == 0 {
		m.checkOrder(calls)
	}
}

func (m *model) checkContact(contact string, states map[uint64]store.State) {
	if m.shared[contact] || m.deleted[contact] {
		return
	}
	var newest happening
	allowed := map[string]bool{}
	for _, h := range m.events {
		if h.contact == contact && states[h.seq] == store.Done && !strings.Contains(h.status, "bad") && (newest.seq == 0 || h.after(newest)) {
			newest = h
		}
	}
	for _, h := range m.events {
		// One that died may have written the contact before it did.
		if h.contact == contact && (states[h.seq] != store.Done || h.put) && (newest.seq == 0 || h.after(newest) || h.seq == newest.seq) {
			allowed[h.status] = true
		}
	}
	want := newest.status
	if v := m.version.Load(); v > 0 {
		want += fmt.Sprint(" v", v)
	}
	if newest.seq == 0 {
		return
	}
	for _, r := range m.crm().list("contacts") {
		if got := fmt.Sprint(r.fields["status"]); r.fields["cid"] == contact {
			said, _, _ := strings.Cut(got, " v")
			if got != want && !allowed[said] {
				m.fatal("status of contact %s is %s, want %s", contact, got, want)
			}
			return
		}
	}
	m.fatal("contact %s is missing", contact)
}

// checkOrder looks at calls of one contact that waited together: the older was
// to be made first.
func (m *model) checkOrder(calls map[string][]*row) {
	for _, a := range m.events {
		for _, b := range m.events {
			if a.bad || b.bad || a.moved || b.moved || a.put || b.put || b.failed || a.contact != b.contact || !a.after(b) || len(calls[a.call]) != 1 || len(calls[b.call]) != 1 {
				continue
			}
			later, earlier := calls[a.call][0], calls[b.call][0]
			begun := later.created
			if earlier.created.Before(begun) {
				begun = earlier.created
			}
			if later.n < earlier.n && b.appended.Add(time.Minute).Before(begun) && a.appended.Add(time.Minute).Before(begun) && m.delivery(b.seq).Kind == "" {
				m.fatal("call %s was made before the older %s; both had waited", a.call, b.call)
			}
		}
	}
}
