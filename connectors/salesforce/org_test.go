package salesforce_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/salesforce"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// org is a sandbox with what stands between it and the connector.
type org struct {
	t       *testing.T
	box     *sandbox.Sandbox
	url     string
	c       connectors.Connector
	before  func(w http.ResponseWriter, r *http.Request) bool // true: it has answered
	writes  atomic.Int64                                      // under way
	overlap atomic.Bool
}

func newOrg(t *testing.T, change func(*salesforce.Config)) *org {
	t.Helper()
	o := &org{t: t, box: sandbox.New(sandbox.Options{Unlimited: true})}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.before != nil && o.before(w, r) {
			return
		}
		if r.Method != http.MethodGet && strings.Contains(r.URL.Path, "/composite/sobjects") {
			if o.writes.Add(1) > 1 {
				o.overlap.Store(true)
			}
			defer o.writes.Add(-1)
		}
		o.box.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	o.url = server.URL
	cfg := salesforce.Config{ClientID: "app", ClientSecret: "secret", BaseURL: server.URL + "/salesforce", Timeout: time.Minute}
	if change != nil {
		change(&cfg)
	}
	c, err := salesforce.New(cfg, connectors.Options{Country: "DE", Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	o.c = c
	return o
}

func (o *org) post(path string, body any) string {
	o.t.Helper()
	method := http.MethodPost
	if rest, ok := strings.CutPrefix(path, "PUT "); ok {
		method, path = http.MethodPut, rest
	}
	text, err := json.Marshal(body)
	if err != nil {
		o.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.url+path, bytes.NewReader(text))
	if err != nil {
		o.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		o.t.Fatal(err)
	}
	defer answer.Body.Close()
	var out struct{ ID string }
	json.NewDecoder(answer.Body).Decode(&out)
	if answer.StatusCode >= 300 {
		o.t.Fatalf("%s %s: %d", method, path, answer.StatusCode)
	}
	return out.ID
}

func (o *org) plant(object string, fields map[string]any) string {
	o.t.Helper()
	return o.post("/_/records/salesforce/"+object, fields)
}

func (o *org) fault(fault map[string]any) {
	o.t.Helper()
	fault["crm"] = "salesforce"
	o.post("/_/faults", []any{fault})
}

func (o *org) write(changes ...connectors.Change) []connectors.Result {
	o.t.Helper()
	results, err := o.c.Write(o.t.Context(), changes)
	if err != nil {
		o.t.Fatal(err)
	}
	return results
}

func (o *org) requests(part string) int {
	n := 0
	for _, r := range o.box.Requests("salesforce") {
		if strings.Contains(r.Path, part) {
			n++
		}
	}
	return n
}

func (o *org) record(object, id string) sandbox.Record {
	o.t.Helper()
	for _, r := range o.box.Records("salesforce", object) {
		if r.ID == id {
			return r
		}
	}
	o.t.Fatalf("no %s %s", object, id)
	return sandbox.Record{}
}

func keyed(object, key string, fields map[string]connectors.Value) connectors.Change {
	return connectors.Change{Object: object, Fields: fields, Key: connectors.Key{{Field: key, Value: fields[key]}}}
}

func lead(id, name string) connectors.Change {
	return keyed("Lead", "Telli_Contact_Id__c", map[string]connectors.Value{
		"Telli_Contact_Id__c": id, "LastName": name, "Company": "ACME", "Phone": "+4930901820", "Status": "Working - Contacted",
	})
}

func call(id string, links ...connectors.Link) connectors.Change {
	c := keyed("Task", "Call_Id__c", map[string]connectors.Value{
		"Call_Id__c": id, "Subject": "Call", "TaskSubtype": "Call", "CallType": "Outbound", "CallDurationInSeconds": 63.4, "Status": "Completed",
	})
	c.Links = links
	return c
}

func TestAThousandCallsWithRealIDsTakeThirtyRequests(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	var matches []connectors.Match
	var people, calls []connectors.Change
	for n := range 1000 {
		id := fmt.Sprintf("7c9e6679-7425-40de-944b-e07fc1f9%04d", n)
		email, phone := fmt.Sprintf("somebody.with.a.name.%d@mail.example.com", n), fmt.Sprintf("+4915112%06d", n)
		p := keyed("Contact", "Telli_Contact_Id__c", map[string]connectors.Value{"Telli_Contact_Id__c": id, "LastName": "N", "Email": email, "Phone": phone})
		p.Lane = id
		people = append(people, p)
		matches = append(matches, connectors.Match{Object: "Contact", Keys: []connectors.Key{p.Key, {{Field: "Email", Value: email}}, {{Field: "Phone", Value: phone}}}})
	}
	found, err := o.c.Find(t.Context(), matches)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Err != nil || f.Records != nil {
			t.Fatalf("got %+v, want nobody", f)
		}
	}
	for n, r := range o.write(people...) {
		c := call(fmt.Sprintf("9b2f0c1e-58ab-4f7e-8a53-2f1f77f1%04d", n), connectors.Link{Object: "Contact", ID: r.ID})
		c.Lane = people[n].Lane
		calls = append(calls, c)
	}
	for _, r := range o.write(calls...) {
		if r.Err != nil || !r.Created {
			t.Fatalf("got %+v, want the call made", r)
		}
	}
	n := len(o.box.Requests("salesforce"))
	t.Logf("%d requests, token and fields among them", n)
	if n > 30 {
		t.Errorf("%d requests, want at most 30", n)
	}
}

func TestWritesNeverOverlap(t *testing.T) {
	t.Parallel()
	o := newOrg(t, func(c *salesforce.Config) { c.BatchSize = 5 })
	var all sync.WaitGroup
	for w := range 6 {
		all.Go(func() {
			var changes []connectors.Change
			for n := range 20 {
				changes = append(changes, call(fmt.Sprintf("%d-%d", w, n)))
			}
			if _, err := o.c.Write(t.Context(), changes); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if o.overlap.Load() {
		t.Error("two requests wrote at once; both may lock one account")
	}
	if n := len(o.box.Records("salesforce", "Task")); n != 120 {
		t.Errorf("%d tasks, want 120", n)
	}
}

func TestALockedRecordIsTriedAgainAtOnceAndThenLater(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	o.fault(map[string]any{"partial": true, "times": 1, "body": "UNABLE_TO_LOCK_ROW"})
	for _, r := range o.write(call("1"), call("2")) {
		if r.Err != nil {
			t.Errorf("got %v, want it written after the lock", r.Err)
		}
	}
	o.fault(map[string]any{"partial": true, "body": "UNABLE_TO_LOCK_ROW"})
	results := o.write(call("3"), call("4"))
	if e := results[1].Err; results[0].Err != nil || e == nil || e.Kind != connectors.Transient || e.Wait == 0 || e.Account {
		t.Errorf("got %+v, want the locked one to wait alone", results)
	}
}

func TestDuplicateRules(t *testing.T) {
	t.Parallel()
	person := connectors.Change{Object: "Contact", Fields: map[string]connectors.Value{"LastName": "Meier", "Email": "a@example.com"}}
	allow := newOrg(t, nil)
	allow.plant("Contact", map[string]any{"LastName": "Meier", "Email": "a@example.com"})
	if r := allow.write(person)[0]; r.Err != nil || !r.Created {
		t.Errorf("allow: got %+v, want a second contact", r)
	}
	refuse := newOrg(t, func(c *salesforce.Config) { c.DuplicateRules = "refuse" })
	id := refuse.plant("Contact", map[string]any{"LastName": "Meier", "Email": "a@example.com"})
	r := refuse.write(person)[0]
	if r.Err == nil || r.Err.Kind != connectors.Conflict || len(r.Err.IDs) != 1 || r.Err.IDs[0] != id {
		t.Errorf("refuse: got %v, want a conflict with %s", r.Err, id)
	}
}

func TestWhatTakenUniqueValuesAndSeveralKeysName(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	id := o.plant("Task", map[string]any{"Subject": "x", "Call_Id__c": "1"})
	other := call("1")
	other.Key = nil
	if r := o.write(other)[0]; r.Err == nil || r.Err.Kind != connectors.Conflict || len(r.Err.IDs) != 1 || r.Err.IDs[0] != id {
		t.Errorf("got %v, want a conflict with %s", r.Err, id)
	}
}

func TestOwnersByAddress(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	for email, code := range map[string]string{"OWNER.one@example.com": "", "gone@example.com": "NO_SUCH_OWNER", "nobody@example.com": "NO_SUCH_OWNER", "Owner One": connectors.CodeValue} {
		c := call(email)
		c.Fields["OwnerId"] = email
		r := o.write(c)[0]
		if got := r.Err; (got == nil) != (code == "") || got != nil && (got.Code != code || got.Field != "OwnerId") {
			t.Errorf("%s: got %v, want %q", email, got, code)
		}
	}
}

func TestOfSeveralOwnersTheFirstThatIsAUserIsTaken(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	const two = "0055g0000000002AAA"
	for n, x := range []struct {
		owner connectors.Value
		code  string
	}{
		{[]any{"nobody@example.com", "Owner.TWO@example.com"}, ""},
		{[]any{"gone@example.com", "", "owner.two@example.com", "owner.one@example.com"}, ""},
		{[]any{two[:15], "owner.one@example.com"}, ""},
		{[]any{"nobody@example.com", two}, ""},
		{[]any{"nobody@example.com", "gone@example.com"}, connectors.CodeNoUser},
		{[]any{"Owner Two", "owner.two@example.com"}, connectors.CodeValue},
	} {
		c := call(fmt.Sprint(n))
		c.Fields["OwnerId"] = x.owner
		r := o.write(c)[0]
		if (r.Err == nil) != (x.code == "") || r.Err != nil && r.Err.Code != x.code {
			t.Errorf("%v: got %v, want code %q", x.owner, r.Err, x.code)
		} else if r.Err == nil && o.record("Task", r.ID).Fields["OwnerId"] != two {
			t.Errorf("%v: the owner is %v, want %s", x.owner, o.record("Task", r.ID).Fields["OwnerId"], two)
		}
	}
}

func TestTextOfQueriesIsOnlyText(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	for n, name := range []string{`O'Neill`, `\`, `\'`, `x' OR Name != 'x`, `%`, `_`, "a\tb", `\u0041`, `"`, "ü — 漢字", `{!x} :y`, `') //`} {
		id := o.plant("Contact", map[string]any{"LastName": name})
		for _, key := range []connectors.Key{{{Field: "LastName", Value: name}}, {{Field: "LastName", Value: name}, {Field: "Department", Value: name}}} {
			found, err := o.c.Find(t.Context(), []connectors.Match{{Object: "Contact", Keys: []connectors.Key{key}}})
			want := 2 - len(key)
			if err != nil || found[0].Err != nil || len(found[0].Records) != want || want == 1 && found[0].Records[0].ID != id {
				t.Errorf("name %d, %d terms: got %+v %v, want %d", n, len(key), found[0], err, want)
			}
		}
	}
}

func TestTheReserveIsLeftToOthers(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{SalesforceDaily: 20})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	c, err := salesforce.New(salesforce.Config{ClientID: "a", ClientSecret: "s", BaseURL: server.URL + "/salesforce", Reserve: 90}, connectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var last *connectors.Error
	for n := range 6 {
		r, err := c.Write(t.Context(), []connectors.Change{{Object: "Task", Fields: map[string]connectors.Value{"Subject": fmt.Sprint(n)}}})
		if err != nil {
			t.Fatal(err)
		}
		last = r[0].Err
	}
	if last == nil || last.Kind != connectors.RateLimited || !last.Account || !last.Park || last.Wait <= 0 {
		t.Errorf("got %+v, want the connector parked", last)
	}
	if n := len(box.Requests("salesforce")); n > 4 {
		t.Errorf("%d requests, want the reserve kept", n)
	}
}

func TestSomebodyElsesSlowQueryIsHalved(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	var slow atomic.Int64
	o.before = func(w http.ResponseWriter, r *http.Request) bool {
		q := r.URL.Query().Get("q")
		if strings.Count(q, " LIKE ") < 4 {
			return false
		}
		slow.Add(1)
		w.WriteHeader(400)
		w.Write([]byte(`[{"errorCode":"QUERY_TIMEOUT","message":"Your query request was running for too long."}]`))
		return true
	}
	id := o.plant("Contact", map[string]any{"LastName": "A", "Phone": "030 9018203"})
	var matches []connectors.Match
	for n := range 4 {
		matches = append(matches, connectors.Match{Object: "Contact", Keys: []connectors.Key{{{Field: "Phone", Value: fmt.Sprintf("+4930901820%d", n)}}}})
	}
	found, err := o.c.Find(t.Context(), matches)
	if err != nil || found[3].Err != nil || len(found[3].Records) != 1 || found[3].Records[0].ID != id || slow.Load() == 0 {
		t.Errorf("got %+v %v after %d slow queries", found, err, slow.Load())
	}
}

func TestMoreThanIsReadIsNotTakenForAll(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	hidden := o.plant("Contact", map[string]any{"LastName": "Meier"})
	pages := 0
	o.before = func(w http.ResponseWriter, r *http.Request) bool {
		// An org in which very many have one name: the pages of a query for it never end.
		if q := r.URL.Query().Get("q"); !strings.Contains(r.URL.Path, "/query/") && !strings.Contains(q, "'unknown'") && !strings.Contains(q, " LIKE ") {
			return false
		}
		pages++
		fmt.Fprintf(w, `{"done":false,"nextRecordsUrl":"/services/data/v68.0/query/01g-2000","records":[{"Id":"0035g00000%05dAAA","LastName":"unknown"}]}`, pages)
		return true
	}
	by := func(field, value string) connectors.Match {
		return connectors.Match{Object: "Contact", Keys: []connectors.Key{{{Field: field, Value: value}}}}
	}
	found, err := o.c.Find(t.Context(), []connectors.Match{by("LastName", "unknown"), by("LastName", "Meier"), by("LastName", "Nobody")})
	if err != nil || found[1].Err != nil || len(found[1].Records) != 1 || found[1].Records[0].ID != hidden {
		t.Errorf("got %+v %v, want the one whom the others hide", found[1], err)
	}
	if len(found[0].Records) < 2 || found[2].Err != nil || len(found[2].Records) != 0 {
		t.Errorf("got %d records and %+v, want several and nobody", len(found[0].Records), found[2])
	}
	found, err = o.c.Find(t.Context(), []connectors.Match{by("Phone", "+4930901820")})
	if err != nil || found[0].Err == nil || found[0].Err.Kind != connectors.Invalid {
		t.Errorf("got %+v %v, want that nobody knows", found[0], err)
	}
}

func TestALinkedRecordThatIsGoneIsNotTakenForTheRecordItself(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	id := o.plant("Task", map[string]any{"Subject": "x"})
	person := o.plant("Contact", map[string]any{"LastName": "N"})
	o.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, "/composite/sobjects") {
			return false
		}
		fmt.Fprint(w, `[{"success":false,"errors":[{"statusCode":"ENTITY_IS_DELETED","message":"entity is deleted","fields":["WhoId"]}]}]`)
		return true
	}
	update := connectors.Change{Object: "Task", ID: id, Fields: map[string]connectors.Value{"Subject": "y"}, Links: []connectors.Link{{Object: "Contact", ID: person}}}
	create := update
	create.ID = ""
	for _, c := range []connectors.Change{update, create} {
		if e := o.write(c)[0].Err; e == nil || e.Kind != connectors.Invalid || e.Code != "LINK_TARGET_GONE" {
			t.Errorf("id %q: got %v, want it said that what it is linked to is gone", c.ID, e)
		}
	}
}

func TestACreationWithAnUnknownEndIsNotSentAgainForALock(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	sends := 0
	o.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet || !strings.Contains(r.URL.Path, "/composite/sobjects") {
			return false
		}
		sends++
		w.WriteHeader(500)
		fmt.Fprint(w, `[{"errorCode":"UNABLE_TO_LOCK_ROW","message":"unable to obtain exclusive access"}]`)
		return true
	}
	if r := o.write(missed())[0]; r.Err == nil || r.Err.Kind != connectors.Unknown || sends != 1 {
		t.Errorf("got %v after %d requests, want one whose end is unknown", r.Err, sends)
	}
}

func TestSeveralOptionsAreTheSameInAnyOrder(t *testing.T) {
	t.Parallel()
	o := newOrg(t, nil)
	r := o.write(connectors.Change{Object: "Contact", Fields: map[string]connectors.Value{"LastName": "N", "Interests__c": []any{"heat", "solar"}}})[0]
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	o.post("PUT /_/records/salesforce/Contact/"+r.ID, map[string]any{"Interests__c": "solar;heat"}) // as the org keeps them
	read, err := o.c.(connectors.Reader).Read(t.Context(), "Contact", []string{r.ID}, []string{"Interests__c"})
	if err != nil || read[0].Err != nil {
		t.Fatal(err, read[0].Err)
	}
	if written, now := r.Fields["Interests__c"], read[0].Record.Fields["Interests__c"]; connectors.Hash(written) != connectors.Hash(now) {
		t.Errorf("%v was written and %v is read, want them the same", written, now)
	}
}
