package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// oracle is a vendor that knows the status of contacts, and lists nothing.
type oracle struct {
	status map[string]string // "" is a contact that it has no more
	at     time.Time
	asked  []string
	errs   []error // of the next calls
	mute   error
	ranges []sources.Query
	pages  int // to come
	lists  bool
	knows  func(cursor string) bool // nil: all of them
}

func (o *oracle) Readable() error { return o.mute }

func (o *oracle) History(ctx context.Context, q sources.Query) (sources.Page, error) {
	if err := q.Turn.Ask(ctx); err != nil {
		return sources.Page{}, err
	}
	if o.knows != nil && !o.knows(q.Cursor) {
		return sources.Page{}, &sources.ReadError{What: "no such cursor", Status: 400}
	}
	o.ranges = append(o.ranges, q)
	page := sources.Page{}
	if o.lists {
		body, err := json.Marshal(event.Event{Type: event.ContactStatusChanged, OccurredAt: noon, Contact: &event.Contact{ID: fmt.Sprint("p", o.pages), Status: "closed"}})
		if err != nil {
			return page, err
		}
		page.Items = append(page.Items, sources.Item{Body: body})
	}
	if o.pages--; o.pages > 0 {
		page.Next = strconv.Itoa(o.pages)
		return page, nil
	}
	page.Part = 1
	return page, nil
}

func (o *oracle) Statuses(ctx context.Context, ids []string, turn sources.Turn) (out []sources.Status, err error) {
	for _, id := range ids {
		if len(o.errs) > 0 {
			err := o.errs[0]
			if o.errs = o.errs[1:]; err != nil {
				return out, err
			}
		}
		if err := turn.Ask(ctx); err != nil {
			return out, err
		}
		o.asked = append(o.asked, id)
		s := sources.Status{ID: id, Status: o.status[id], At: o.at, Gone: o.status[id] == ""}
		body, err := json.Marshal(event.Event{Type: event.ContactStatusChanged, OccurredAt: o.at, Contact: &event.Contact{ID: id, Email: id + "@example.com", Status: s.Status}})
		if err != nil {
			return out, err
		}
		s.Item = sources.Item{Body: body}
		out = append(out, s)
	}
	return out, nil
}

func newOracle(t *testing.T) (*desk, *oracle) {
	t.Helper()
	d, o := newDesk(t, rules), &oracle{status: map[string]string{}}
	d.setup.Overlap = time.Hour
	d.setup.Sources = map[string]Source{"v": {Reader: o, Take: func(_ context.Context, item sources.Item, at time.Time) (store.Event, bool, error) {
		ev := event.Event{}
		err := json.Unmarshal(item.Body, &ev)
		return store.Event{
			Source: "v", Vendor: "v", Type: ev.Type, Origin: event.Reconcile, Lane: ev.Contact.ID, OccurredAt: ev.OccurredAt, ReceivedAt: at, Rank: ev.Rank(),
			ContentKey: fmt.Sprintf("v:%s:%s:%s", ev.Contact.ID, ev.Contact.Status, ev.OccurredAt), Body: item.Body,
		}, false, err
	}}}
	return d, o
}

func (d *desk) ask(full bool) store.Run {
	d.Helper()
	run, err := d.Run(d.Context(), Order{Target: Target{Source: "v"}, Trigger: ByHand, Full: full}, nil)
	if err != nil {
		d.Fatal(err)
	}
	return run
}

func TestStatusesThatTheVendorChangedBecomeEvents(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	d.happens(1, -30, "pending", true)
	d.happens(2, -30, "pending", true)
	d.happens(3, -30, "new", true)
	o.status, o.at = map[string]string{"c001": "pending", "c002": "reached"}, noon.Add(-time.Minute)
	run := d.ask(false)
	d.want(run, "compared 3 agreed 1 mended 1 edited 0 missing 1 merged 0 waiting 0 failed 0", "status, status mended")
	views, err := d.Ledger.Events(t.Context(), store.EventFilter{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	ev, err := parseJSON(views[0].Event)
	if e := views[0].Event; err != nil || e.Origin != event.Reconcile || e.Lane != "c002" || ev.Contact.Status != "reached" || !e.OccurredAt.Equal(o.at) {
		t.Errorf("the event is %+v, %v", e, err)
	}
	// Once is enough, and a webhook that comes late changes nothing.
	d.happens(2, -20, "reached", true)
	o.at = noon
	d.want(d.ask(false), "compared 3 agreed 2 mended 0 edited 0 missing 1 merged 0 waiting 0 failed 0", "status")
}

func TestAWebhookOfTheSameSecondKnowsBetter(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	d.happens(1, 0, "closed", true)
	o.status, o.at = map[string]string{"c001": "pending"}, noon
	d.want(d.ask(false), "compared 1 agreed 0 mended 0 edited 0 missing 0 merged 0 waiting 1 failed 0", "")
}

func TestOpenContactsAreAskedForAndInTurnAll(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	for n, status := range []string{"reached", "pending", "closed", "new"} {
		d.happens(n+1, -90, status, true)
		o.status[fmt.Sprintf("c%03d", n+1)] = status
	}
	d.ask(false) // the first looks at all
	o.asked, d.at = nil, noon.Add(24*time.Hour)
	d.happens(3, 24*60-1, "closed", true)
	d.ask(false)
	if got := fmt.Sprint(o.asked); got != "[c002 c003 c004]" {
		t.Errorf("asked for %s, want those that are open and the one with news", got)
	}
	if q := o.ranges[1]; !q.From.Equal(noon.Add(-time.Hour)) || !q.Until.Equal(d.at) {
		t.Errorf("the vendor was asked what happened from %v to %v, want from the last run's beginning less the overlap", q.From, q.Until)
	}
	o.asked, d.at = nil, noon.Add(8*24*time.Hour)
	d.ask(false)
	if slices.Sort(o.asked); fmt.Sprint(o.asked) != "[c001 c002 c003 c004]" {
		t.Errorf("after a week asked for %v, want all", o.asked)
	}
}

func TestAVendorsBudgetEndsARunAndTheSweepGoesOn(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	d.happen(upTo(120), -90, "closed", true)
	for n := range 120 {
		o.status[fmt.Sprintf("c%03d", n)] = "closed"
	}
	d.ask(true)
	d.setup.PerRun, d.at = 50, noon.Add(8*24*time.Hour)
	o.asked = nil
	for range 3 {
		d.ask(false)
	}
	if slices.Sort(o.asked); len(slices.Compact(o.asked)) != 120 {
		t.Errorf("three runs asked for %d of 120", len(slices.Compact(o.asked)))
	}
}

func TestTheSweepHasItsTurnWhereOpenContactsExceedTheBudget(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	d.happen(upTo(40), -90, "closed", true)
	for n := range 200 {
		id := fmt.Sprintf("c%03d", n)
		o.status[id] = "closed"
		if n >= 40 {
			d.happens(n, -90, "pending", true)
			o.status[id] = "pending"
		}
	}
	d.ask(true)
	d.setup.PerRun, d.at = 60, noon.Add(8*24*time.Hour)
	o.asked = nil
	for n := range 6 {
		before := len(o.asked)
		run := d.ask(false)
		if got := len(o.asked) - before; got > 60 || run.Requests > 60 || run.State != store.RunStopped {
			t.Errorf("run %d asked %d times, counted %d, and is %s", n, got, run.Requests, run.State)
		}
	}
	asked := map[bool]map[string]bool{true: {}, false: {}}
	for _, id := range o.asked {
		asked[o.status[id] == "closed"][id] = true
	}
	if len(asked[true]) != 40 || len(asked[false]) != 160 {
		t.Errorf("six runs of 60 asked for %d of 40 closed ones and %d of 160 open ones", len(asked[true]), len(asked[false]))
	}
}

func TestWhatAVendorListsIsWithinTheBudgetToo(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	d.happens(1, -30, "pending", true)
	o.status, o.pages, d.setup.PerRun = map[string]string{"c001": "pending"}, 25, 10
	for n, want := range []string{"stopped 10", "stopped 10", "done 7"} {
		run := d.ask(false)
		if got := fmt.Sprint(run.State, " ", run.Requests); got != want {
			t.Errorf("run %d: got %s, want %s", n, got, want)
		}
		d.at = d.at.Add(time.Hour)
	}
	// 25 pages up to when the first run began, then what happened since or was going.
	if last := o.ranges[len(o.ranges)-1]; len(o.asked) != 1 || last.Cursor != "" || !last.From.Equal(noon.Add(-going)) || !last.Until.Equal(noon.Add(2*time.Hour)) {
		t.Errorf("asked for %v, and last for %+v", o.asked, last)
	}
	o.ranges, o.pages, d.at = nil, 25, d.at.Add(48*time.Hour)
	if run := d.ask(true); run.State != store.RunDone || len(o.ranges) != 25 {
		t.Errorf("a full run: %s after %d pages", run.State, len(o.ranges))
	}
}

func TestARunCountsWhatItBroughtItself(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	o.lists, o.pages, d.setup.PerRun = true, 15, 10
	for _, want := range []int{10, 6} { // the last one is of the time since
		if run := d.ask(false); run.Brought != want {
			t.Errorf("it says that it brought %d, want %d", run.Brought, want)
		}
		d.at = d.at.Add(time.Hour)
	}
}

func TestAVendorThatIsOutOfBreathIsWaitedFor(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	var waits []time.Duration
	d.Wait = func(_ context.Context, wait time.Duration) error { waits = append(waits, wait); return nil }
	d.happens(1, -30, "pending", true)
	d.happens(2, -30, "pending", true)
	o.status = map[string]string{"c001": "pending", "c002": "pending"}
	o.errs = []error{nil, &sources.ReadError{What: "too many requests", Again: true, Wait: time.Minute}}
	d.want(d.ask(false), "compared 2 agreed 2 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "")
	if fmt.Sprint(waits) != "[1m0s]" || fmt.Sprint(o.asked) != "[c001 c002]" {
		t.Errorf("waited %v, asked %v", waits, o.asked)
	}
	// As long as it answers now and then it is not given up.
	o.asked = nil
	for n := range 8 {
		id := fmt.Sprintf("c%03d", n+1)
		d.happens(n+1, -29, "pending", true)
		o.status[id] = "pending"
		o.errs = append(o.errs, &sources.ReadError{What: "too many requests", Again: true}, nil)
	}
	if run, err := d.Run(t.Context(), Order{Target: Target{Source: "v"}, Trigger: ByHand}, nil); err != nil || len(o.asked) != 8 {
		t.Errorf("one answer for each refusal: asked %v, %s, %v", o.asked, run.State, err)
	}
	o.errs = []error{&sources.ReadError{What: "v: answered 401", Status: 401}}
	run, err := d.Run(t.Context(), Order{Target: Target{Source: "v"}, Trigger: ByHand}, nil)
	if err == nil || run.State != store.RunFailed || !strings.Contains(run.Note, "401") {
		t.Errorf("a refusal: %s, %s, %v", run.State, run.Note, err)
	}
}

func TestWithoutCredentialsTheLedgerCounts(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	o.mute = errors.New("api_key is not set")
	run := d.ask(false)
	if run.State != store.RunDone || !strings.Contains(run.Note, "api_key is not set") || !strings.Contains(run.Note, "the newest event in the ledger counts") {
		t.Errorf("%s: %s", run.State, run.Note)
	}
}

// TestAPullThatABudgetEndsIsGoneOnWith/also where the next run is due in more
// than a day: it would begin at the same page again, run for run.
func TestAPullThatABudgetEndsIsGoneOnWith(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	o.lists, o.pages, d.setup.PerRun = true, 5, 2
	var states []string
	for o.pages > 0 && len(states) < 6 {
		states = append(states, string(d.ask(false).State))
		d.at = d.at.Add(7 * 24 * time.Hour)
	}
	var asked []string
	for _, q := range o.ranges {
		asked = append(asked, q.Cursor)
	}
	if got := strings.Join(asked, ","); !strings.HasPrefix(got, ",4,3,2,1") {
		t.Errorf("the cursors were %q (runs %s), want each page once", got, states)
	}
	// A vendor that does not know the place any more is listed anew, at one go.
	o.ranges, o.pages = nil, 5
	d.ask(false)
	o.pages, o.knows = 5, func(cursor string) bool { return cursor != "3" || o.pages < 5 }
	d.at = d.at.Add(7 * 24 * time.Hour)
	if run := d.ask(false); run.State == store.RunFailed || len(o.ranges) != 2+5+1 {
		t.Errorf("%s (%s) after %d pages, want 2, then all 5, and one of the time since", run.State, run.Note, len(o.ranges))
	}
}

// TestEachStatusThatIsAskedForIsTold has the line of a run tell a slow vendor from
// many contacts.
func TestEachStatusThatIsAskedForIsTold(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	o.status, o.at = map[string]string{}, noon.Add(-time.Minute)
	for n := 1; n <= 9; n++ {
		d.happens(n, -30, "pending", true)
		o.status[fmt.Sprintf("c%03d", n)] = "pending"
	}
	told := map[int]bool{}
	if _, err := d.Run(t.Context(), Order{Target: Target{Source: "v"}, Trigger: ByHand, Full: true}, func(s Step) {
		if s.Asks {
			told[s.Requests] = true
		}
	}); err != nil {
		t.Fatal(err)
	}
	if len(o.asked) != 9 || len(told) < 9 {
		t.Errorf("%d statuses were asked for, and after %d requests it was told that an answer is due; want 9, and each", len(o.asked), len(told))
	}
}
