package connectortest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/connectors"
)

func upsertTwice(t *testing.T, b *bench) {
	first := b.must(t, b.person(1), b.person(2))
	again := b.person(1)
	again.Fields[b.People.Name] = "Renamed"
	if b.NoUpsert {
		again.ID, again.Key = b.find(t, b.by(b.People.Key, again.Fields[b.People.Key]))[0].Records[0].ID, nil
	}
	second := b.must(t, again)
	if !first[0].Created || second[0].Created || first[0].ID != second[0].ID {
		t.Errorf("got %+v, then %+v; want created, then the same record updated", first[0], second[0])
	}
	records := b.records(t, b.People.Object)
	if len(records) != 2 || records[0].Fields[b.People.Name] != "Renamed" && records[1].Fields[b.People.Name] != "Renamed" {
		t.Errorf("got %v, want two records, one renamed", records)
	}
}

func lostUpsert(t *testing.T, b *bench) {
	b.must(t, b.person(0)) // warms what is read once
	b.fault(t, map[string]any{"lost_reply": true, "times": 1})
	c := b.person(1)
	if b.NoUpsert {
		if r := b.write(t, c)[0]; r.Err == nil || r.Err.Kind != connectors.Unknown {
			t.Fatalf("got %v, want unknown", r.Err)
		}
		c.Attempted = time.Now().Add(-time.Hour)
	}
	b.must(t, c)
	if n := len(b.records(t, b.People.Object)); n != 2 {
		t.Errorf("got %d records, want 2", n)
	}
}

func lostCreate(t *testing.T, b *bench) {
	p := b.People
	b.must(t, b.person(0))
	for _, key := range []string{p.Phone, p.Email} {
		before := len(b.records(t, p.Object))
		c := b.person(before)
		delete(c.Fields, p.Key)
		if key == p.Phone {
			delete(c.Fields, p.Email)
		}
		c.Key = connectors.Key{{Field: key, Value: c.Fields[key]}}
		b.fault(t, map[string]any{"lost_reply": true, "times": 1})
		r := b.write(t, c)[0]
		if r.Err != nil && r.Err.Kind != connectors.Unknown {
			t.Fatalf("by %s: got %v, want unknown", key, r.Err)
		}
		c.Attempted = time.Now().Add(-time.Hour)
		b.must(t, c)
		b.must(t, c)
		if n := len(b.records(t, p.Object)); n != before+1 {
			t.Errorf("by %s: got %d records more, want 1", key, n-before)
		}
	}
}

func lostKeyless(t *testing.T, b *bench) {
	b.must(t, b.call(0, ""))
	c := b.call(1, "")
	c.Key = nil
	delete(c.Fields, b.Calls.Key)
	b.fault(t, map[string]any{"lost_reply": true, "times": 1})
	if r := b.write(t, c)[0]; r.Err == nil || r.Err.Kind != connectors.Unknown {
		t.Fatalf("got %v, want unknown", r.Err)
	}
	c.Attempted = time.Now().Add(-time.Hour)
	b.must(t, c)
	if n := len(b.records(t, b.Calls.Object)); n != 2 {
		t.Errorf("got %d records, want 2", n)
	}
	ours := c
	ours.Others = func(string) bool { return true }
	if r := b.must(t, ours)[0]; !r.Created {
		t.Error("a record that another change has made was taken for the lost one")
	}
	other := c
	other.Fields = map[string]connectors.Value{}
	for k, v := range c.Fields {
		other.Fields[k] = v
	}
	other.Fields[b.Calls.Name] = "Another call"
	if r := b.must(t, other)[0]; !r.Created {
		t.Error("a record with other values was taken for the lost one")
	}
}

func tooEarly(t *testing.T, b *bench) {
	c := b.call(1, "")
	c.Key = nil
	delete(c.Fields, b.Calls.Key)
	c.Attempted = time.Now()
	r := b.write(t, c)[0]
	if r.Err == nil || r.Err.Kind != connectors.Transient || r.Err.Wait <= 0 {
		t.Errorf("got %+v, want transient with a wait", r.Err)
	}
	if n := len(b.records(t, b.Calls.Object)); n != 0 {
		t.Errorf("got %d records, want none yet", n)
	}
}

func partial(t *testing.T, b *bench) {
	var changes []connectors.Change
	for n := range 25 {
		changes = append(changes, b.person(n))
	}
	results := b.must(t, changes...)
	for n := range changes {
		changes[n].ID = results[n].ID
		changes[n].Fields[b.People.Name] = fmt.Sprintf("New %d", n)
	}
	changes[7].ID = b.Missing
	for n, r := range b.write(t, changes...) {
		switch {
		case n == 7 && (r.Err == nil || r.Err.Kind != connectors.NotFound):
			t.Errorf("the missing record: got %v, want not found", r.Err)
		case n != 7 && r.Err != nil:
			t.Errorf("batch mate %d: %v", n, r.Err)
		}
	}
	renamed := 0
	for _, r := range b.records(t, b.People.Object) {
		if strings.HasPrefix(fmt.Sprint(r.Fields[b.People.Name]), "New") {
			renamed++
		}
	}
	if renamed != 24 {
		t.Errorf("%d records were written, want 24", renamed)
	}
}

func unknownField(t *testing.T, b *bench) {
	bad := b.person(1)
	bad.Fields[b.People.Email+"x"] = "x"
	results := b.write(t, bad, b.person(2))
	e := results[0].Err
	if e == nil || e.Kind != connectors.Invalid || e.Field != b.People.Email+"x" || !strings.Contains(e.Error(), fmt.Sprintf("did you mean %q", b.People.Email)) {
		t.Errorf("got %v, want an invalid field and a suggestion", e)
	}
	if results[1].Err != nil {
		t.Errorf("batch mate: %v", results[1].Err)
	}
}

func wrongValue(t *testing.T, b *bench) {
	bad := b.person(1)
	bad.Fields[b.People.Email] = "secret word"
	e := b.write(t, bad)[0].Err
	if e == nil || e.Kind != connectors.Invalid || e.Field != b.People.Email || strings.Contains(e.Error(), "secret word") {
		t.Errorf("got %v, want the field as invalid, without its value", e)
	}
}

func roundTrip(t *testing.T, b *bench) {
	c := b.person(1)
	read := []string{}
	for _, v := range b.Values {
		c.Fields[v.Field] = v.In
		read = append(read, v.Field)
	}
	r := b.must(t, c)[0]
	found := b.find(t, connectors.Match{Object: b.People.Object, Keys: []connectors.Key{c.Key}, Read: read})
	sameIDs(t, found[0], r.ID)
	for _, v := range b.Values {
		if diff := cmp.Diff(v.Want, found[0].Records[0].Fields[v.Field]); diff != "" {
			t.Errorf("%s from Find (-want +got):\n%s", v.Field, diff)
		}
		if diff := cmp.Diff(v.Want, r.Fields[v.Field]); diff != "" {
			t.Errorf("%s from Write (-want +got):\n%s", v.Field, diff)
		}
	}
}

func clears(t *testing.T, b *bench) {
	c := b.person(1)
	r := b.must(t, c)[0]
	b.must(t, connectors.Change{Object: b.People.Object, ID: r.ID, Fields: map[string]connectors.Value{b.People.Phone: nil}})
	got := b.find(t, connectors.Match{Object: b.People.Object, Keys: []connectors.Key{{{Field: connectors.ID, Value: r.ID}}}, Read: []string{b.People.Phone, b.People.Name}})[0].Records[0]
	if _, there := got.Fields[b.People.Phone]; there || got.Fields[b.People.Name] != "Name 1" {
		t.Errorf("got %v, want the number gone and the name kept", got.Fields)
	}
}

func cutsText(t *testing.T, b *bench) {
	c := b.call(1, "")
	c.Fields[b.LongText] = strings.Repeat("ä", b.Longest+10)
	r := b.must(t, c)[0]
	if r.Adjusted[b.LongText] == "" {
		t.Error("nothing says that the text was cut")
	}
	got := fmt.Sprint(b.records(t, b.Calls.Object)[0].Fields[b.LongText])
	if n := utf8.RuneCountInString(got); n != b.Longest || !strings.HasSuffix(got, "ä…") {
		t.Errorf("got %d characters, want %d and an ellipsis", n, b.Longest)
	}
}

func links(t *testing.T, b *bench) {
	people := b.must(t, b.person(1), b.person(2))
	call := b.must(t, b.call(1, people[0].ID))[0]
	linked := func() map[string]bool {
		out := map[string]bool{}
		for _, r := range b.records(t, b.Calls.Object) {
			for _, l := range r.Links {
				out[l.ID] = r.ID == call.ID && l.Object == b.People.Object
			}
		}
		return out
	}
	if got := linked(); !got[people[0].ID] || len(got) != 1 {
		t.Fatalf("links %v, want the first person", got)
	}
	second := b.call(1, people[1].ID)
	if b.NoUpsert {
		second.ID, second.Key = call.ID, nil
	}
	b.must(t, second) // by key
	if got := linked(); !got[people[0].ID] || !got[people[1].ID] {
		t.Errorf("links %v, want both people", got)
	}
	byID := b.call(1, people[0].ID)
	byID.ID, byID.Key = call.ID, nil
	b.must(t, byID)
	onlyLink := connectors.Change{Object: b.Calls.Object, ID: call.ID, Links: byID.Links}
	b.must(t, onlyLink)
	if got := linked(); !got[people[0].ID] || !got[people[1].ID] {
		t.Errorf("links %v after writing by id, want both people", got)
	}
	gone := b.call(2, b.Missing)
	if r := b.write(t, gone)[0]; r.Err == nil || r.Err.Kind != connectors.Invalid {
		t.Errorf("a link to a record that is gone: got %v, want invalid", r.Err)
	}
}

func thousand(t *testing.T, b *bench) {
	var matches []connectors.Match
	var people, calls []connectors.Change
	for n := range 1000 {
		p := b.person(n)
		p.Lane = fmt.Sprint(n)
		people = append(people, p)
		matches = append(matches, connectors.Match{Object: b.People.Object, Keys: []connectors.Key{
			p.Key, {{Field: b.People.Email, Value: p.Fields[b.People.Email]}}, {{Field: b.People.Phone, Value: p.Fields[b.People.Phone]}},
		}, Read: []string{b.People.Name}})
	}
	for n, f := range b.find(t, matches...) {
		if f.Err != nil || len(f.Records) != 0 {
			t.Fatalf("match %d: found %v %v, want nothing", n, f.Records, f.Err)
		}
	}
	finding := b.requests(t)
	for n, r := range b.must(t, people...) {
		c := b.call(n, r.ID)
		c.Lane = fmt.Sprint(n)
		calls = append(calls, c)
	}
	b.must(t, calls...)
	writing := b.requests(t) - finding
	t.Logf("%d requests to find, %d to write", finding, writing)
	if finding > b.FindMost || writing > b.WriteMost {
		t.Errorf("%d requests to find and %d to write, want at most %d and %d", finding, writing, b.FindMost, b.WriteMost)
	}
	records := b.records(t, b.Calls.Object)
	if len(records) != 1000 || len(b.records(t, b.People.Object)) != 1000 {
		t.Fatalf("got %d calls and %d people, want 1,000 each", len(records), len(b.records(t, b.People.Object)))
	}
	for _, r := range records {
		if len(r.Links) != 1 {
			t.Fatalf("call %s has %d links, want 1", r.ID, len(r.Links))
		}
	}
}

func inLane(t *testing.T, b *bench) {
	const calls = 410 // more than two requests of any CRM take
	b.must(t, b.call(0, ""))
	var changes []connectors.Change
	for n := range calls {
		c := b.call(n+1, "")
		c.Lane = "a"
		changes = append(changes, c)
	}
	other := b.call(calls+1, "")
	other.Lane = "b"
	creates := "/batch/"
	switch {
	case b.WriteOnly:
		creates = ""
	case b.Creates != "":
		creates = b.Creates
	}
	b.fault(t, map[string]any{"status": 500, "method": http.MethodPost, "path": creates, "rate": 1})
	b.fault(t, map[string]any{"status": 500, "method": http.MethodPatch, "rate": 1})
	first, later := 0, 0
	for n, r := range b.write(t, append(changes, other)...) {
		switch {
		case r.Err == nil || r.ID != "":
			t.Fatalf("change %d: got id %q, want an error", n, r.ID)
		case r.Err.Code == connectors.CodeHeld:
			later++
		case later > 0 && n < calls:
			t.Fatalf("change %d was sent after others of its lane were held", n)
		default:
			first++
		}
	}
	if first < 1 || first < 2 && !b.WriteOnly || later < calls/2 {
		t.Errorf("%d changes were tried and %d held, want one request's and all others of the lane", first, later)
	}
	b.noFaults(t)
	b.must(t, changes...)
	for n, r := range b.records(t, b.Calls.Object)[1:] {
		fields := r.Fields
		if b.WriteOnly {
			fields, _ = fields["body"].(map[string]any)
		}
		if want := fmt.Sprintf("call-%d", n+1); fields[b.Calls.Key] != want {
			t.Fatalf("record %d is %v, want %s", n, fields[b.Calls.Key], want)
		}
	}
}

// tellsOnTheWay writes more than two requests of any CRM take.
func tellsOnTheWay(t *testing.T, b *bench) {
	const calls = 410
	var mu sync.Mutex
	told := map[int][]connectors.Result{}
	var changes []connectors.Change
	for n := range calls {
		c := b.call(n, "")
		c.Told = func(r connectors.Result) {
			mu.Lock()
			defer mu.Unlock()
			told[n] = append(told[n], r)
		}
		changes = append(changes, c)
	}
	results, err := b.Write(t.Context(), changes)
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for n, r := range results {
		if list := told[n]; r.Err != nil || len(list) != 1 || list[0].ID != r.ID || list[0].Created != r.Created {
			t.Fatalf("change %d: told %+v, and returned %+v; want the same, once", n, list, r)
		}
	}
}

// saysSkipped wants the fields named whose value is nothing that they hold: the
// ledger must not take it for what the CRM has.
func saysSkipped(t *testing.T, b *bench) {
	c := b.person(1)
	c.Fields[b.People.Phone] = "anonymous"
	if got := b.must(t, c)[0].Skipped; !slices.Equal(got, []string{b.People.Phone}) {
		t.Errorf("Skipped is %v, want %s", got, b.People.Phone)
	}
}
