package pipedrive_test

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/pipedrive"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

func person(n int) connectors.Change {
	return connectors.Change{Object: "persons", Lane: fmt.Sprint(n), Fields: fields{
		"name": fmt.Sprintf("Name %d", n), "email": fmt.Sprintf("p%d@example.com", n), "phone": fmt.Sprintf("+4930%07d", 9000000+n), "Telli contact id": fmt.Sprintf("person-%d", n)}}
}

func lookFor(n int) connectors.Match {
	f := person(n).Fields
	var keys []connectors.Key
	for _, name := range []string{"Telli contact id", "email", "phone"} {
		keys = append(keys, connectors.Key{{Field: name, Value: f[name]}})
	}
	return connectors.Match{Object: "persons", Keys: keys}
}

// TestCost prints what 1,000 finished calls of 1,000 contacts cost that all
// wait, and what one costs in a small and in a large account.
func TestCost(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	var matches []connectors.Match
	var people, calls []connectors.Change
	for n := range 1000 {
		matches, people = append(matches, lookFor(n)), append(people, person(n))
	}
	check := func(what string, requests, tokens, mostRequests, mostTokens int) {
		t.Helper()
		t.Logf("%s: %d requests, %d tokens", what, requests, tokens)
		if requests > mostRequests || tokens > mostTokens {
			t.Errorf("%s: %d requests and %d tokens, want at most %d and %d", what, requests, tokens, mostRequests, mostTokens)
		}
	}
	look := func() {
		for _, part := range connectors.Chunks(matches, pipedrive.Wave) {
			if _, err := d.Find(t.Context(), part); err != nil {
				t.Fatal(err)
			}
		}
	}
	requests, tokens := d.spent(look)
	check("find 1,000 new contacts", requests, tokens, 11, 110)
	requests, tokens = d.spent(func() {
		for n, r := range d.must(people...) {
			calls = append(calls, connectors.Change{Object: "activities", Lane: fmt.Sprint(n), Fields: fields{"subject": "Call", "type": "call", "public_description": fmt.Sprint(n)},
				Links: []connectors.Link{{Object: "persons", ID: r.ID}}})
		}
		d.must(calls...)
	})
	check("write 1,000 new contacts and calls", requests, tokens, 2002, 10_030)
	requests, tokens = d.spent(look)
	check("find 1,000 contacts that are there", requests, tokens, 30, 300)
	requests, tokens = d.spent(func() { d.found("persons", "email", "p7@example.com") })
	check("find one by e-mail among 1,000", requests, tokens, 2, 21)
}

func TestALargeAccountIsSearched(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	for n := range 4000 {
		d.plant("persons", map[string]any{"name": fmt.Sprintf("Decoy %d", n), "phone": fmt.Sprintf("+4989%07d", 1000000+n)})
	}
	e164 := d.plant("persons", map[string]any{"name": "One", "phone": "+4930901820", "email": "One@Example.com", "Telli contact id": "7"})
	typed := d.plant("persons", map[string]any{"name": "Two", "phone": "030/901820"})
	grouped := d.plant("persons", map[string]any{"name": "Three", "phone": "030 901821"})
	d.plant("persons", map[string]any{"name": "Elsewhere", "phone": "+4989901820", "Remarks": "7"})
	same := func(field string, v connectors.Value, want ...string) {
		t.Helper()
		ids, err := d.found("persons", field, v)
		if err != nil || fmt.Sprint(ids) != fmt.Sprint(want) {
			t.Errorf("by %s: found %v %v, want %v", field, ids, err, want)
		}
	}
	requests, tokens := d.spent(func() { same("email", "one@example.com", e164) })
	t.Logf("the first look, at an account whose size is not known: %d requests, %d tokens", requests, tokens)
	requests, tokens = d.spent(func() { same("email", "one@example.com", e164) })
	if requests != 2 || tokens != 21 {
		t.Errorf("%d requests, %d tokens; want a search and a look", requests, tokens)
	}
	same("Telli contact id", "7", e164)
	same("phone", "+49 30 901820", e164, typed)
	same("phone", "+4930901821", grouped)
	same("phone", "+4930901899")
	same("name", "three", grouped)
	if _, err := d.found("persons", "Telli status", "new"); err == nil || err.Kind != connectors.Invalid || err.Code != "NOT_SEARCHABLE" {
		t.Errorf("got %v, want it said that the field cannot be searched", err)
	}
	// Many together are worth one list.
	var matches []connectors.Match
	for n := range pipedrive.Wave {
		matches = append(matches, lookFor(n))
	}
	requests, tokens = d.spent(func() {
		if _, err := d.Find(t.Context(), matches); err != nil {
			t.Fatal(err)
		}
	})
	if requests > 10 || tokens > 100 {
		t.Errorf("%d matches cost %d requests and %d tokens, want one list", len(matches), requests, tokens)
	}
}

func TestSearchLagDoesNotMakeASecondRecord(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{SearchDelay: time.Hour})
	c := person(1)
	c.Key = connectors.Key{{Field: "phone", Value: "+4930901820"}}
	c.Fields["phone"] = "030 901820"
	d.fault(map[string]any{"lost_reply": true, "times": 1, "method": "POST"})
	if r := d.write(c)[0]; r.Err == nil || r.Err.Kind != connectors.Unknown {
		t.Fatalf("got %+v, want unknown", r)
	}
	c.Attempted = time.Now().Add(-time.Hour)
	if r := d.must(c)[0]; r.Created || len(d.s.Records("pipedrive", "persons")) != 1 {
		t.Errorf("got %+v, want the lost person found", r)
	}
}

func TestLookFirst(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	person := d.plant("persons", map[string]any{"name": "N"})
	call := connectors.Change{Object: "activities", Key: connectors.Key{{Field: "public_description", Value: "1"}},
		Fields: fields{"subject": "Call", "public_description": "1"}, Links: []connectors.Link{{Object: "persons", ID: person}}}
	d.must(call)
	cfg := settings(d.url)
	cfg.LookFirst = true
	careful := open(t, cfg, connectors.Options{})
	r, err := careful.Write(t.Context(), []connectors.Change{call})
	if err != nil || r[0].Err != nil || r[0].Created || len(d.s.Records("pipedrive", "activities")) != 1 {
		t.Errorf("got %+v %v, want the activity found", r, err)
	}
}

func TestPublishedLimitsAreHeld(t *testing.T) {
	t.Parallel()
	s := sandbox.New(sandbox.Options{PipedrivePer2s: 120})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	cfg := settings(server.URL)
	cfg.RequestsPer2s = 0 // which the answers tell
	c := open(t, cfg, connectors.Options{Country: "DE"})
	var people []connectors.Change
	for n := range 150 {
		people = append(people, person(n))
	}
	if _, err := c.Write(t.Context(), people); err != nil {
		t.Fatal(err)
	}
	refused := 0
	for _, r := range s.Requests("pipedrive") {
		if r.Status == http.StatusTooManyRequests {
			refused++
		}
	}
	// On a busy machine requests may be long on their way.
	if refused > 5 {
		t.Errorf("%d requests were refused for being over the limit", refused)
	}
	if n := len(s.Records("pipedrive", "persons")); n != 150 {
		t.Errorf("%d persons, want 150", n)
	}
}

func TestTheUsedUpDay(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]struct {
		tokens, own int
	}{"of the company": {18, 0}, "of the settings": {0, 18}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sandbox.New(sandbox.Options{PipedrivePer2s: 1000, PipedriveTokens: o.tokens})
			server := httptest.NewServer(s)
			t.Cleanup(server.Close)
			cfg := settings(server.URL)
			cfg.TokensPerDay = o.own
			c := open(t, cfg, connectors.Options{})
			results, err := c.Write(t.Context(), []connectors.Change{person(1), person(2)})
			if err != nil || (results[0].Err == nil) == (results[1].Err == nil) {
				t.Fatalf("got %+v %v, want one of them written", results, err)
			}
			if e := cmp.Or(results[0].Err, results[1].Err); e == nil || e.Kind != connectors.RateLimited || !e.Account || !e.Park || e.Wait <= 0 {
				t.Errorf("got %+v, want the account to wait for hours", e)
			}
			if n := len(s.Records("pipedrive", "persons")); n != 1 {
				t.Errorf("%d persons, want 1", n)
			}
		})
	}
}

// TestLostRepliesLeaveOneRecord has half of all answers lost, of every object,
// until everything is written.
func TestLostRepliesLeaveOneRecord(t *testing.T) {
	t.Parallel()
	const each = 25
	for _, object := range []string{"persons", "organizations", "deals", "leads", "activities", "notes", "callLogs"} {
		for _, keyed := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, with a key %v", object, keyed), func(t *testing.T) {
				t.Parallel()
				d := newDesk(t, sandbox.Options{SearchDelay: time.Hour})
				holder := d.plant("persons", map[string]any{"name": "Holder"})
				before := len(d.s.Records("pipedrive", object))
				d.fault(map[string]any{"lost_reply": true, "method": "POST", "rate": 0.5})
				at := time.Now().Add(-time.Hour)
				var open []connectors.Change
				var last *connectors.Error
				for n := range each {
					name := fmt.Sprintf("%s %d", object, n)
					c := connectors.Change{Object: object, Fields: fields{}}
					key := map[string]string{"activities": "public_description", "notes": "content", "callLogs": "subject"}[object]
					switch object {
					case "persons", "organizations":
						key = "name"
					case "deals", "leads":
						key = "title"
					case "callLogs":
						c.Fields = fields{"outcome": "busy", "to_phone_number": fmt.Sprint(100 + n), "start_time": at, "end_time": at}
					}
					c.Fields[key] = name
					if object == "leads" || object == "notes" || object == "activities" {
						c.Links = []connectors.Link{{Object: "persons", ID: holder}}
					}
					if keyed {
						c.Key = connectors.Key{{Field: key, Value: name}}
					}
					open = append(open, c)
				}
				for round := 0; len(open) > 0; round++ {
					if round > 400 {
						t.Fatalf("%d are still open: %v", len(open), last)
					}
					// Where twelve in a row were lost, one is sent in a quarter of a second.
					time.Sleep(time.Duration(min(round, 250)) * time.Millisecond)
					var left []connectors.Change
					for n, r := range d.write(open...) {
						if r.Err == nil {
							continue
						}
						if r.Err.Kind != connectors.Unknown && r.Err.Kind != connectors.Transient {
							t.Fatalf("got %v", r.Err)
						}
						c := open[n]
						c.Attempted, last = at, r.Err
						left = append(left, c)
					}
					open = left
				}
				if n := len(d.s.Records("pipedrive", object)) - before; n != each {
					t.Errorf("%d records, want %d", n, each)
				}
			})
		}
	}
}
