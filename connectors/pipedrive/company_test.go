package pipedrive_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

type fields = map[string]connectors.Value

// desk is a sandbox with a connector to it.
type desk struct {
	connectors.Connector
	t   *testing.T
	s   *sandbox.Sandbox
	url string
}

func newDesk(t *testing.T, o sandbox.Options) *desk {
	t.Helper()
	o.Unlimited = true
	s := sandbox.New(o)
	server := httptest.NewServer(documented(t, s))
	t.Cleanup(server.Close)
	return &desk{connect(t, server.URL, connectors.Options{Country: "DE", Zone: time.UTC}), t, s, server.URL}
}

func (d *desk) post(path string, body any) string {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(d.t.Context(), http.MethodPost, path, bytes.NewReader(text))
	w := httptest.NewRecorder()
	d.s.ServeHTTP(w, r)
	if w.Code >= 300 {
		d.t.Fatalf("POST %s: %d %s", path, w.Code, w.Body)
	}
	var out struct{ ID string }
	_ = json.Unmarshal(w.Body.Bytes(), &out) // lists of faults have none
	return out.ID
}

func (d *desk) plant(object string, f map[string]any) string {
	d.t.Helper()
	return d.post("/_/records/pipedrive/"+object, f)
}

func (d *desk) fault(f map[string]any) {
	d.t.Helper()
	f["crm"] = "pipedrive"
	d.post("/_/faults", []any{f})
}

func (d *desk) write(changes ...connectors.Change) []connectors.Result {
	d.t.Helper()
	results, err := d.Write(d.t.Context(), changes)
	if err != nil {
		d.t.Fatal(err)
	}
	return results
}

func (d *desk) must(changes ...connectors.Change) []connectors.Result {
	d.t.Helper()
	results := d.write(changes...)
	for n, r := range results {
		if r.Err != nil || r.ID == "" {
			d.t.Fatalf("change %d: got id %q, error %v", n, r.ID, r.Err)
		}
	}
	return results
}

// found are the ids that one key finds.
func (d *desk) found(object, field string, v connectors.Value) ([]string, *connectors.Error) {
	d.t.Helper()
	f, err := d.Find(d.t.Context(), []connectors.Match{{Object: object, Keys: []connectors.Key{{{Field: field, Value: v}}}}})
	if err != nil {
		d.t.Fatal(err)
	}
	var ids []string
	for _, r := range f[0].Records {
		ids = append(ids, r.ID)
	}
	return ids, f[0].Err
}

func (d *desk) record(object, id string) sandbox.Record {
	d.t.Helper()
	for _, r := range d.s.Records("pipedrive", object) {
		if r.ID == id {
			return r
		}
	}
	d.t.Fatalf("%s has no record %s", object, id)
	return sandbox.Record{}
}

// spent runs do and counts requests and tokens.
func (d *desk) spent(do func()) (requests, tokens int) {
	d.t.Helper()
	count := d.Connector.(interface{ Tokens() int })
	requests, tokens = len(d.s.Requests("pipedrive")), count.Tokens()
	do()
	return len(d.s.Requests("pipedrive")) - requests, count.Tokens() - tokens
}

func TestOtherAddressesAndNumbersOfAPersonStay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	id := d.plant("persons", map[string]any{"name": "N", "phones": []any{
		map[string]any{"value": "030 901820", "primary": true, "label": "work"}, map[string]any{"value": "+491701234567", "label": "mobile"}}})
	phones := func() string {
		var out []string
		for _, x := range d.record("persons", id).Fields["phones"].([]any) {
			p := x.(map[string]any)
			mark := ""
			if p["primary"] == true {
				mark = "*"
			}
			out = append(out, mark+p["value"].(string))
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		write connectors.Value
		want  string
	}{
		{"+4930901820", "*030 901820 +491701234567"}, // the same number keeps its notation
		{"0170 1234567", "030 901820 *+491701234567"},
		{"+4930777", "030 901820 *+4930777"},
		{nil, "*030 901820"},
	} {
		d.must(connectors.Change{Object: "persons", ID: id, Fields: fields{"phone": c.write}})
		if got := phones(); got != c.want {
			t.Errorf("after %v: got %q, want %q", c.write, got, c.want)
		}
	}
	if ids, err := d.found("persons", "phone", "+49 30 90 18 20"); err != nil || len(ids) != 1 {
		t.Errorf("got %v %v, want the person", ids, err)
	}
}

func TestWhatIsAsItShouldBeIsNotWritten(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	first := connectors.Change{Object: "persons", Fields: fields{"name": "N", "email": "n@example.com", "Telli status": "reached", "Score": 3}}
	first.ID = d.must(first)[0].ID
	first.Fields["email"] = "N@example.com"
	requests, tokens := d.spent(func() {
		if r := d.must(first)[0]; r.Fields["Telli status"] != "reached" {
			t.Errorf("got fields %v, want what is there", r.Fields)
		}
	})
	if requests != 1 || tokens != 1 {
		t.Errorf("%d requests and %d tokens, want one look for one token", requests, tokens)
	}
}

func TestACallAsActivity(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	person := d.plant("persons", map[string]any{"name": "N"})
	org := d.plant("organizations", map[string]any{"name": "O"})
	deal := d.plant("deals", map[string]any{"title": "D"})
	at := time.Date(2026, 11, 21, 23, 30, 0, 0, time.FixedZone("", -2*3600))
	r := d.must(connectors.Change{Object: "Activities", Fields: fields{
		"subject": "Call with N", "type": "call", "done": "yes", "duration": event.Seconds(63), "due_date": at, "due_time": at,
		"note": "<b>\nsecond", "owner_id": "owner.two@example.com", "public_description": "call-1",
	}, Links: []connectors.Link{{Object: "persons", ID: person}, {Object: "organizations", ID: org}, {Object: "deals", ID: deal}}})[0]
	got := d.record("activities", r.ID)
	for name, want := range map[string]string{
		"type": "call", "done": "true", "duration": "00:02:00", "due_date": "2026-11-22", "due_time": "01:30:00", "note": "&lt;b&gt;<br>second", "owner_id": "90002",
	} {
		if fmt.Sprint(got.Fields[name]) != want {
			t.Errorf("%s is %v, want %s", name, got.Fields[name], want)
		}
	}
	if diff := cmp.Diff([]sandbox.Link{{Object: "deals", ID: deal, Type: "deal_id"}, {Object: "organizations", ID: org, Type: "org_id"}, {Object: "persons", ID: person, Type: "participants"}}, got.Links); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	if r.Fields["duration"] != event.Seconds(120) {
		t.Errorf("duration is read as %v, want 2 minutes", r.Fields["duration"])
	}
	for field, v := range (fields{"person_id": person, "type": "calll", "nothing": 1}) {
		if r := d.write(connectors.Change{Object: "activities", Fields: fields{field: v}})[0]; r.Err == nil || r.Err.Kind != connectors.Invalid || r.Err.Field != field {
			t.Errorf("%s: got %v, want invalid", field, r.Err)
		}
	}
}

func TestNotesAndLeadsNeedSomebody(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	person := d.plant("persons", map[string]any{"name": "N"})
	note := connectors.Change{Object: "notes", Fields: fields{"content": "one & two", "pinned_to_person_flag": true}}
	lead := connectors.Change{Object: "leads", Fields: fields{"title": "L", "value": "100 eur", "Source": "phone"}}
	for _, c := range []connectors.Change{note, lead} {
		if r := d.write(c)[0]; r.Err == nil || r.Err.Code != "REQUIRED_LINK" {
			t.Errorf("%s: got %v, want the missing link named", c.Object, r.Err)
		}
		c.Links = []connectors.Link{{Object: "persons", ID: person}}
		r := d.must(c)[0]
		c.ID = r.ID
		d.must(c)
		if l := d.record(c.Object, r.ID).Links; len(l) != 1 || l[0].ID != person {
			t.Errorf("%s: linked to %v, want the person", c.Object, l)
		}
		if ids, err := d.found(c.Object, connectors.ID, r.ID); err != nil || len(ids) != 1 {
			t.Errorf("%s: found %v %v, want the record", c.Object, ids, err)
		}
	}
	if ids, err := d.found("leads", "title", "l"); err != nil || len(ids) != 1 {
		t.Errorf("by title: found %v %v, want the lead", ids, err)
	}
}

func TestALostNoteIsNotTakenForAnother(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	links := []connectors.Link{{Object: "persons", ID: d.plant("persons", map[string]any{"name": "N"})}}
	d.must(connectors.Change{Object: "notes", Fields: fields{"content": "another"}, Links: links})
	c := connectors.Change{Object: "notes", Fields: fields{"content": "one & two\nthree"}, Links: links}
	for range 2 {
		d.fault(map[string]any{"lost_reply": true, "times": 1, "method": "POST"})
		if r := d.write(c)[0]; c.Attempted.IsZero() && (r.Err == nil || r.Err.Kind != connectors.Unknown) {
			t.Fatalf("got %+v, want unknown", r)
		}
		c.Attempted = time.Now().Add(-time.Hour)
	}
	d.must(c)
	if n := len(d.s.Records("pipedrive", "notes")); n != 2 {
		t.Errorf("%d notes, want 2", n)
	}
}

func TestTwoLostNotesThatAreAlikeAreTwo(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	c := connectors.Change{Object: "notes", Fields: fields{"content": "missed call"}, Links: []connectors.Link{{Object: "persons", ID: d.plant("persons", map[string]any{"name": "N"})}}}
	d.fault(map[string]any{"lost_reply": true, "times": 2, "method": "POST"})
	d.write(c, c)
	c.Attempted = time.Now().Add(-time.Hour)
	if r := d.must(c, c); r[0].ID == r[1].ID || len(d.s.Records("pipedrive", "notes")) != 2 {
		t.Errorf("got %+v, want both notes found", r)
	}
}

func TestALostActivityIsNotTakenForThatOfSomebodyElse(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	one, two := d.plant("persons", map[string]any{"name": "One"}), d.plant("persons", map[string]any{"name": "Two"})
	missed := func(person string) connectors.Change {
		return connectors.Change{Object: "activities", Fields: fields{"subject": "Missed call", "type": "call", "done": true}, Links: []connectors.Link{{Object: "persons", ID: person}}}
	}
	first := d.must(missed(one))[0]
	lost := missed(two)
	lost.Attempted = time.Now().Add(-time.Hour)
	second := d.must(lost)[0]
	if !second.Created || second.ID == first.ID {
		t.Fatalf("got %+v, want an activity of its own beside %s", second, first.ID)
	}
	if again := d.must(lost)[0]; again.Created || again.ID != second.ID {
		t.Errorf("the next look finds %+v, want %s", again, second.ID)
	}
}

func TestCallLogs(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	log := connectors.Change{Object: "callLogs", Fields: fields{
		"subject": "Call", "outcome": "Connected", "to_phone_number": "+4930901820", "from_phone_number": "+49301",
		"start_time": at, "end_time": at.Add(time.Minute), "duration": event.Seconds(60), "note": "<i>",
	}, Links: []connectors.Link{{Object: "persons", ID: d.plant("persons", map[string]any{"name": "N"})}}}
	d.must(connectors.Change{Object: "callLogs", Fields: fields{"outcome": "busy", "to_phone_number": "+4930901820", "start_time": at, "end_time": at}})
	d.fault(map[string]any{"lost_reply": true, "times": 1, "method": "POST"})
	if r := d.write(log)[0]; r.Err == nil || r.Err.Kind != connectors.Unknown {
		t.Fatalf("got %+v, want unknown", r)
	}
	log.Attempted = time.Now().Add(-time.Hour)
	r := d.must(log)[0]
	if n := len(d.s.Records("pipedrive", "callLogs")); n != 2 || r.Created {
		t.Errorf("%d call logs, created %v; want the lost one found", n, r.Created)
	}
	got := d.record("callLogs", r.ID).Fields
	if got["start_time"] != "2026-11-21 10:00:00" || got["duration"] != "60" || got["outcome"] != "connected" || got["note"] != "&lt;i&gt;" {
		t.Errorf("got %v", got)
	}
	if r := d.write(connectors.Change{Object: "callLogs", ID: r.ID, Fields: fields{"subject": "New"}})[0]; r.Err == nil || r.Err.Code != "CANNOT_CHANGE" {
		t.Errorf("got %v, want it told that call logs cannot be changed", r.Err)
	}
	log.Fields["user_id"], log.Fields["subject"] = "owner.two@example.com", "Another's"
	if r := d.write(log)[0]; r.Err == nil || r.Err.Code != "CALL_LOG_UNSEEN" {
		t.Errorf("got %v, want a person asked: another's logs are not listed", r.Err)
	}
}

func TestCustomFieldsByNameOrKey(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	schema, err := d.Describe(t.Context(), []string{"persons", "deals", "leads"})
	if err != nil {
		t.Fatal(err)
	}
	key := schema["persons"].Fields["Telli contact id"].ID
	r := d.must(connectors.Change{Object: "persons", Fields: fields{"name": "N", key: "1", " telli STATUS": "new"}})[0]
	if got := d.record("persons", r.ID).Fields; got["Telli contact id"] != "1" || got["Telli status"] != "new" {
		t.Errorf("got %v, want both fields written", got)
	}
	if r.Fields[key] != "1" {
		t.Errorf("got fields %v, want them by the names they were given by", r.Fields)
	}
	e := d.write(connectors.Change{Object: "persons", Fields: fields{"name": "N", "REGION": "x"}})[0].Err
	if e == nil || e.Code != "SEVERAL_FIELDS" || strings.Count(e.Message, ",") != 1 {
		t.Errorf("got %v, want both keys named", e)
	}
	if schema["leads"].Fields["Source"].ID != schema["deals"].Fields["Source"].ID {
		t.Error("leads do not have the custom fields of deals")
	}
	e = d.write(connectors.Change{Object: "persons", Fields: fields{"name": "N", "Telli status": "pendign"}})[0].Err
	if e == nil || !strings.Contains(e.Message, `did you mean "pending"`) {
		t.Errorf("got %v, want the nearest option", e)
	}
	if e := d.write(connectors.Change{Object: "persons", Fields: fields{"phone": "1"}})[0].Err; e == nil || e.Field != "name" {
		t.Errorf("got %v, want the name asked for", e)
	}
	if e := d.write(connectors.Change{Object: "persons", Fields: fields{"name": "N", "owner_id": "gone@example.com"}})[0].Err; e == nil || e.Code != connectors.CodeNoUser || e.Field != "owner_id" {
		t.Errorf("got %v, want the user unknown", e)
	}
	if e := d.write(connectors.Change{Object: "people", Fields: fields{"name": "N"}})[0].Err; e == nil || e.Code != "NO_SUCH_OBJECT" {
		t.Errorf("got %v, want the object unknown", e)
	}
}

func TestPersonsBelongToOrganizations(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	org := d.must(connectors.Change{Object: "organizations", Fields: fields{"name": "O", "address": "Street 1", "Customer number": "7"}})[0]
	if ids, err := d.found("organizations", "Customer number", "7"); err != nil || len(ids) != 1 || ids[0] != org.ID {
		t.Errorf("found %v %v, want the organization", ids, err)
	}
	person := d.must(connectors.Change{Object: "persons", Fields: fields{"name": "N"}, Links: []connectors.Link{{Object: "organizations", ID: org.ID}}})[0]
	if l := d.record("persons", person.ID).Links; len(l) != 1 || l[0].ID != org.ID {
		t.Errorf("linked to %v, want the organization", l)
	}
	requests, tokens := d.spent(func() {
		d.must(connectors.Change{Object: "persons", ID: person.ID, Links: []connectors.Link{{Object: "organizations", ID: org.ID}}})
	})
	if requests != 1 || tokens != 1 {
		t.Errorf("a link that is there cost %d requests, %d tokens; want 1 and 1", requests, tokens)
	}
	if r := d.write(connectors.Change{Object: "organizations", ID: org.ID, Links: []connectors.Link{{Object: "persons", ID: person.ID}}})[0]; r.Err == nil || r.Err.Code != "NO_LINK_FIELD" {
		t.Errorf("got %v, want the link refused", r.Err)
	}
}

func TestDeletedRecordsAreNotFound(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	r := d.must(connectors.Change{Object: "persons", Fields: fields{"name": "N", "email": "n@example.com"}})[0]
	q, _ := http.NewRequestWithContext(t.Context(), http.MethodDelete, d.url+"/pipedrive/api/v2/persons/"+r.ID, nil)
	q.Header.Set("X-Api-Token", "x")
	if answer, err := http.DefaultClient.Do(q); err != nil || answer.StatusCode != 200 {
		t.Fatalf("delete: %v %v", answer, err)
	}
	for field, v := range (fields{connectors.ID: r.ID, "email": "n@example.com"}) {
		if ids, err := d.found("persons", field, v); err != nil || len(ids) != 0 {
			t.Errorf("by %s: found %v %v, want nobody", field, ids, err)
		}
	}
	for _, f := range []fields{{"name": "M"}, {"email": "m@example.com"}} {
		if r := d.write(connectors.Change{Object: "persons", ID: r.ID, Fields: f})[0]; r.Err == nil || r.Err.Kind != connectors.NotFound {
			t.Errorf("writing %v: got %v, want not found", f, r.Err)
		}
	}
}

func TestARecordBehindTheSearchesPagesIsNotTakenForMissing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, sandbox.Options{})
	var people [2]json.Number
	for n := range people {
		people[n] = json.Number(d.plant("persons", map[string]any{"name": "N"}))
	}
	for range 1600 {
		d.plant("deals", map[string]any{"title": "Inbound call", "person_id": people[0]})
	}
	d.plant("deals", map[string]any{"title": "Inbound call", "person_id": people[1]})
	found, err := d.Find(t.Context(), []connectors.Match{{Object: "deals", Keys: []connectors.Key{{{Field: "title", Value: "Inbound call"}, {Field: "person_id", Value: people[1].String()}}}}})
	if err != nil || len(found[0].Records) == 0 && (found[0].Err == nil || found[0].Err.Kind != connectors.Invalid) {
		t.Errorf("got %+v %v, want the deal, or that it cannot be told", found[0], err)
	}
}
