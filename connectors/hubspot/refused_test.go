package hubspot_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// refusing is the sandbox, but for requests whose path ends so and whose body
// has the word: those get the answer.
func refusing(t *testing.T, path, word string, status int, answer string) string {
	t.Helper()
	s := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.HasSuffix(r.URL.Path, path) && strings.Contains(string(body), word) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			io.WriteString(w, answer)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAValueThatIsRefusedWhenLookedForKeepsNobodyElseOut(t *testing.T) {
	t.Parallel()
	const bad = "99999999999999999999999999" // no id: too large
	for _, x := range []struct{ path, field string }{{"/batch/read", connectors.ID}, {"/batch/read", "telli_contact_id"}, {"/search", "company"}} {
		url := refusing(t, x.path, bad, 400, `{"status":"error","message":"Invalid input","category":"VALIDATION_ERROR"}`)
		c := connect(t, url, connectors.Options{Country: "DE"})
		id := ok(t, c, contact("email", fields{"email": "a@example.com", "telli_contact_id": "t1", "company": "co"})).ID
		good := map[string]string{connectors.ID: id, "telli_contact_id": "t1", "company": "co"}[x.field]
		var matches []connectors.Match
		for _, v := range []string{good, bad, "12345"} {
			matches = append(matches, connectors.Match{Object: "contacts", Keys: []connectors.Key{{{Field: x.field, Value: v}}}})
		}
		found, err := c.Find(t.Context(), matches)
		if err != nil {
			t.Fatal(err)
		}
		if found[0].Err != nil || len(found[0].Records) != 1 || found[0].Records[0].ID != id || found[2].Err != nil {
			t.Errorf("by %s: got %+v and %+v, want the record, and none", x.field, found[0], found[2])
		}
		// Whatever is no id of HubSpot's just does not match.
		if e := found[1].Err; (e == nil) != (x.field == connectors.ID) || e != nil && e.Kind != connectors.Invalid {
			t.Errorf("by %s: the bad one got %v, want invalid, but nothing wrong with an id", x.field, e)
		}
	}
}

func TestErrorsOfABatchAreGivenToAllWhomTheyName(t *testing.T) {
	t.Parallel()
	c := connect(t, refusing(t, "/batch/update", "", 207, `{"status":"COMPLETE","results":[{"id":"1","properties":{}}],"numErrors":2,"errors":[
		{"status":"error","category":"OBJECT_NOT_FOUND","message":"Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.","context":{"ids":["2","3"]}},
		{"status":"error","category":"VALIDATION_ERROR","message":"x","context":{"objectWriteTraceId":["3","4"]}}]}`), connectors.Options{})
	var changes []connectors.Change
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		changes = append(changes, connectors.Change{Object: "contacts", ID: id, Fields: fields{"firstname": "N"}})
	}
	want := []connectors.Kind{0, connectors.NotFound, connectors.NotFound, connectors.Invalid, connectors.Invalid}
	for n, r := range write(t, c, changes...) {
		if n == 0 && r.Err != nil || n > 0 && (r.Err == nil || r.Err.Kind != want[n]) {
			t.Errorf("record %s: got %v, want %v", changes[n].ID, r.Err, want[n])
		}
	}
}

func TestAContactThatIsThereIsToldOfWhereFieldsAreForANewOne(t *testing.T) {
	t.Parallel()
	c, s, url := account(t)
	id := post(t, url+"/_/records/hubspot/contacts", map[string]any{"email": "a@example.com", "company": "A person's"})
	change := contact("phone", fields{"phone": "+4930901820", "email": "a@example.com", "company": "Ours"})
	change.New = true
	r := write(t, c, change)[0]
	if r.Err == nil || r.Err.Kind != connectors.Conflict || len(r.Err.IDs) != 1 || r.Err.IDs[0] != id {
		t.Errorf("got %+v, want a conflict with %s", r, id)
	}
	if got := s.Records("hubspot", "contacts")[0].Fields["company"]; got != "A person's" {
		t.Errorf("the company is %v, want it kept", got)
	}
}

func TestEqualRecordsWhoseAnswerWasLostAreFoundOneEach(t *testing.T) {
	t.Parallel()
	c, s, url := account(t)
	at := time.Now().Add(-time.Hour)
	note := connectors.Change{Object: "notes", Fields: fields{"hs_timestamp": at, "hs_note_body": "Missed call", "hubspot_owner_id": "90002"}}
	post(t, url+"/_/faults", []any{map[string]any{"crm": "hubspot", "path": "/notes/batch/create", "lost_reply": true, "times": 1}})
	for _, r := range write(t, c, note, note) {
		if r.Err == nil || r.Err.Kind != connectors.Unknown {
			t.Fatalf("got %v, want an unknown outcome", r.Err)
		}
	}
	made := len(s.Records("hubspot", "notes"))
	note.Attempted = at
	r := write(t, c, note, note, note)
	if r[0].Err != nil || r[1].Err != nil || r[2].Err != nil || r[0].ID == r[1].ID || r[1].ID == r[2].ID || r[0].ID == r[2].ID {
		t.Errorf("got %+v, want a record each", r)
	}
	if got := len(s.Records("hubspot", "notes")); made != 2 || got != 3 {
		t.Errorf("%d notes after the first attempt and %d after the second, want 2 and 3", made, got)
	}
	// What others have is no more taken where it is asked for by itself.
	note.Others = func(id string) bool { return id == r[0].ID || id == r[1].ID }
	if again := write(t, c, note)[0]; again.Err != nil || again.ID != r[2].ID {
		t.Errorf("got %+v, want the one that is left, %s", again, r[2].ID)
	}
}

// TestWhatSearchDoesNotKnowYetIsFoundByWhatIsUnique: search may take longer than
// search_lag to know a record whose answer was lost.
func TestWhatSearchDoesNotKnowYetIsFoundByWhatIsUnique(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		name   string
		made   time.Duration // before now
		others func(string) bool
		taken  bool
	}{
		{"made by the attempt", 0, nil, true},
		{"made before the attempt", 2 * time.Hour, nil, false},
		{"made by another change", 0, func(string) bool { return true }, false},
	} {
		s := sandbox.New(sandbox.Options{Unlimited: true, SearchDelay: 24 * time.Hour, Now: func() time.Time { return time.Now().Add(-x.made) }})
		server := httptest.NewServer(s)
		t.Cleanup(server.Close)
		c := connect(t, server.URL, connectors.Options{Country: "DE"})
		change := contact("phone", fields{"phone": "+4930123456", "lastname": "N", "telli_contact_id": "t1"})
		post(t, server.URL+"/_/faults", []any{map[string]any{"crm": "hubspot", "path": "/contacts/batch/create", "lost_reply": true, "times": 1}})
		if r := write(t, c, change)[0]; r.Err == nil || r.Err.Kind != connectors.Unknown {
			t.Fatalf("%s: got %v, want an unknown outcome", x.name, r.Err)
		}
		change.Attempted, change.Others = time.Now().Add(-time.Hour), x.others
		r := write(t, c, change, contact("phone", fields{"phone": "+4930999999", "lastname": "M"}))
		held := s.Records("hubspot", "contacts")
		if len(held) != 2 || r[1].Err != nil {
			t.Fatalf("%s: got %+v and %d records, want 2", x.name, r, len(held))
		}
		if x.taken && (r[0].Err != nil || r[0].Created || r[0].ID != held[0].ID) {
			t.Errorf("%s: got %+v, want the record that is there", x.name, r[0])
		}
		if !x.taken && (r[0].Err == nil || r[0].Err.Kind != connectors.Invalid || r[0].Err.Field != "telli_contact_id") {
			t.Errorf("%s: got %+v, want it told which value is another's", x.name, r[0])
		}
	}
}

func TestMoreThanCanBePagedThroughIsNotTakenForNone(t *testing.T) {
	t.Parallel()
	page := `{"total":20000,"paging":{"next":{"after":"10000"}},"results":[` + strings.Repeat(`{"id":"1","properties":{"company":"other"}},`, 9999) + `{"id":"2","properties":{"company":"many"}}]}`
	c := connect(t, refusing(t, "/search", `"many"`, 200, page), connectors.Options{})
	id := ok(t, c, contact("email", fields{"email": "a@example.com", "company": "few"})).ID
	var matches []connectors.Match
	for _, v := range []string{"few", "many"} {
		matches = append(matches, connectors.Match{Object: "contacts", Keys: []connectors.Key{{{Field: "company", Value: v}}}})
	}
	found, err := c.Find(t.Context(), matches)
	if err != nil || found[0].Err != nil || len(found[0].Records) != 1 || found[0].Records[0].ID != id {
		t.Errorf("got %+v %v, want the record that was cut off by the others", found[0], err)
	}
	r := write(t, c, connectors.Change{Object: "contacts", Fields: fields{"lastname": "N", "company": "many"}, Attempted: time.Now().Add(-time.Hour)})[0]
	if r.Err != nil {
		t.Errorf("got %v, want it created: the search has no such word", r.Err)
	}
	c = connect(t, refusing(t, "/search", "", 200, page), connectors.Options{})
	r = write(t, c, connectors.Change{Object: "contacts", Fields: fields{"lastname": "N"}, Attempted: time.Now().Add(-time.Hour)})[0]
	if r.Err == nil || r.Err.Kind != connectors.Unknown || !r.Err.Unseekable() {
		t.Errorf("got %+v, want it said that there is too much to look through", r)
	}
}
