package hubspot_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/hubspot"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

func post(t *testing.T, url string, body any) string {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Post(url, "application/json", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var out struct{ ID string }
	json.NewDecoder(answer.Body).Decode(&out)
	if answer.StatusCode >= 300 {
		t.Fatalf("POST %s: %d", url, answer.StatusCode)
	}
	return out.ID
}

func write(t *testing.T, c connectors.Connector, changes ...connectors.Change) []connectors.Result {
	t.Helper()
	results, err := c.Write(t.Context(), changes)
	if err != nil {
		t.Fatal(err)
	}
	return results
}

func contact(key string, fields map[string]connectors.Value) connectors.Change {
	return connectors.Change{Object: "contacts", Fields: fields, Key: connectors.Key{{Field: key, Value: fields[key]}}}
}

func TestCreateOfAKnownEmailUpdatesThatContactAndKeepsWhatIsNotSent(t *testing.T) {
	t.Parallel()
	url := start(t)
	c := connect(t, url, connectors.Options{Country: "DE"})
	id := post(t, url+"/_/records/hubspot/contacts", map[string]any{"email": "a@example.com", "company": "Kept"})
	results := write(t, c,
		contact("email", map[string]connectors.Value{"email": "A@example.com", "firstname": "A"}),
		contact("email", map[string]connectors.Value{"email": "b@example.com", "firstname": "B"}))
	if r := results[0]; r.Err != nil || r.ID != id || r.Created {
		t.Errorf("got %+v, want contact %s updated", r, id)
	}
	if r := results[1]; r.Err != nil || !r.Created {
		t.Errorf("batch mate: got %+v, want it created", r)
	}
	found, err := c.Find(t.Context(), []connectors.Match{{Object: "contacts", Keys: []connectors.Key{{{Field: "email", Value: "a@example.com"}}}, Read: []string{"company", "firstname"}}})
	if err != nil || len(found[0].Records) != 1 || found[0].Records[0].Fields["company"] != "Kept" || found[0].Records[0].Fields["firstname"] != "A" {
		t.Errorf("got %+v %v, want the company kept and the name written", found, err)
	}
}

func TestAContactWithNothingButANumberIsToldWhatItLacks(t *testing.T) {
	t.Parallel()
	c := connect(t, start(t), connectors.Options{Country: "DE"})
	for _, key := range []string{"phone", "crmsync_phone"} {
		r := write(t, c, contact(key, map[string]connectors.Value{key: "+4930901820"}))[0]
		if r.Err == nil || r.Err.Kind != connectors.Invalid || !strings.Contains(r.Err.Error(), "lastname") {
			t.Errorf("by %s: got %v, want invalid and the mend", key, r.Err)
		}
	}
}

func TestTheSameUniqueValueTwiceInOneCallIsOneRecord(t *testing.T) {
	t.Parallel()
	url := start(t)
	c := connect(t, url, connectors.Options{})
	same := contact("telli_contact_id", map[string]connectors.Value{"telli_contact_id": "x", "firstname": "X"})
	results := write(t, c, same, same)
	if results[0].Err != nil || results[1].Err != nil || results[0].ID != results[1].ID {
		t.Errorf("got %+v, want one record twice", results)
	}
}

func TestHTTPSOnlyRecordingLinks(t *testing.T) {
	t.Parallel()
	c := connect(t, start(t), connectors.Options{})
	r := write(t, c, connectors.Change{Object: "calls", Fields: map[string]connectors.Value{"hs_timestamp": time.Now(), "hs_call_recording_url": "http://example.com/r"}})[0]
	if r.Err == nil || r.Err.Field != "hs_call_recording_url" {
		t.Errorf("got %v, want the field as invalid", r.Err)
	}
}

func TestCallValuesAreMadeRight(t *testing.T) {
	t.Parallel()
	s := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := connect(t, server.URL, connectors.Options{Zone: time.UTC})
	r := write(t, c, connectors.Change{Object: "calls", Fields: map[string]connectors.Value{
		"hs_timestamp": "2026-11-21T10:00:00+01:00", "hs_call_duration": 63, "hs_call_direction": "outbound",
		"hs_call_disposition": "left voicemail", "hs_call_body": "<script>\nsecond line",
	}})[0]
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	got := s.Records("hubspot", "calls")[0].Fields
	for name, want := range map[string]string{
		"hs_timestamp": "2026-11-21T09:00:00.000Z", "hs_call_duration": "63000", "hs_call_direction": "OUTBOUND",
		"hs_call_disposition": "b2cf5968-551e-4856-9783-52b3da59a7d0", "hs_call_body": "&lt;script&gt;<br>second line",
	} {
		if fmt.Sprint(got[name]) != want {
			t.Errorf("%s is %v, want %s", name, got[name], want)
		}
	}
}

func TestPublishedLimitsAreHeld(t *testing.T) {
	t.Parallel()
	s := sandbox.New(sandbox.Options{HubSpotPer10s: 100})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := hubspot.New(hubspot.Config{AccessToken: "x", BaseURL: server.URL + "/hubspot"}, connectors.Options{Country: "DE"})
	if err != nil {
		t.Fatal(err)
	}
	var matches []connectors.Match
	for n := range 700 {
		matches = append(matches, connectors.Match{Object: "contacts", Keys: []connectors.Key{{{Field: "phone", Value: fmt.Sprintf("+4930%07d", n+1000000)}}}})
	}
	if _, err := c.Find(t.Context(), matches); err != nil {
		t.Fatal(err)
	}
	refused, all := 0, s.Requests("hubspot")
	for _, r := range all {
		if r.Status == http.StatusTooManyRequests {
			refused++
		}
	}
	// A second's window is kept as exactly as the machine keeps time.
	if refused > 1+len(all)/20 {
		t.Errorf("%d of %d requests were refused for being over the limit", refused, len(all))
	}
}

func TestOneBadInputOfABatchThatIsRefusedWhole(t *testing.T) {
	t.Parallel()
	inner := sandbox.New(sandbox.Options{Unlimited: true})
	// Accounts without multi-status answers refuse the whole batch.
	var whole atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		b.ReadFrom(r.Body)
		if strings.HasSuffix(r.URL.Path, "/batch/upsert") && strings.Contains(b.String(), `"Bad"`) {
			whole.Add(1)
			w.WriteHeader(400)
			w.Write([]byte(`{"status":"error","category":"VALIDATION_ERROR","message":"Property values were not valid: [{\"isValid\":false,\"message\":\"Bad\",\"error\":\"RULE\",\"name\":\"lastname\"}]"}`))
			return
		}
		r.Body = http.NoBody
		r2, _ := http.NewRequestWithContext(r.Context(), r.Method, r.URL.String(), &b)
		r2.Header = r.Header
		inner.ServeHTTP(w, r2)
	}))
	t.Cleanup(server.Close)
	c := connect(t, server.URL, connectors.Options{})
	var changes []connectors.Change
	for n := range 50 {
		name := "Good"
		if n == 17 {
			name = "Bad"
		}
		changes = append(changes, contact("telli_contact_id", map[string]connectors.Value{"telli_contact_id": fmt.Sprint(n), "lastname": name}))
	}
	for n, r := range write(t, c, changes...) {
		switch {
		case n == 17 && (r.Err == nil || r.Err.Kind != connectors.Invalid || r.Err.Field != "lastname" || r.Err.Code != "RULE"):
			t.Errorf("the bad one: got %v, want field and code", r.Err)
		case n != 17 && r.Err != nil:
			t.Errorf("batch mate %d: %v", n, r.Err)
		}
	}
	if whole.Load() > 7 {
		t.Errorf("%d refused requests, want it found in 7", whole.Load())
	}
}

func TestLabelledLinksAndUnknownLabels(t *testing.T) {
	t.Parallel()
	s := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := connect(t, server.URL, connectors.Options{})
	person := write(t, c, contact("email", map[string]connectors.Value{"email": "a@example.com"}))[0]
	call := func(label string) connectors.Result {
		return write(t, c, connectors.Change{Object: "calls", Fields: map[string]connectors.Value{"hs_timestamp": time.Now()}, Links: []connectors.Link{{Object: "contacts", ID: person.ID, Type: label}}})[0]
	}
	if r := call("194"); r.Err != nil {
		t.Errorf("by type id: %v", r.Err)
	}
	if r := call("Nobody"); r.Err == nil || r.ID == "" || r.Err.Code != "NO_SUCH_LABEL" {
		t.Errorf("got %+v, want the record written and the label named as unknown", r)
	}
}

func TestAdditionalEmailsAndMergedIDsAreFound(t *testing.T) {
	t.Parallel()
	url := start(t)
	c := connect(t, url, connectors.Options{})
	keep := post(t, url+"/_/records/hubspot/contacts", map[string]any{"email": "keep@example.com"})
	old := post(t, url+"/_/records/hubspot/contacts", map[string]any{"email": "old@example.com"})
	text, _ := json.Marshal(map[string]string{"primaryObjectId": keep, "objectIdToMerge": old})
	r, _ := http.NewRequestWithContext(t.Context(), "POST", url+"/hubspot/crm/objects/2026-09/contacts/merge", bytes.NewReader(text))
	r.Header.Set("Authorization", "Bearer x")
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil || answer.StatusCode != 200 {
		t.Fatalf("merge: %v %v", answer, err)
	}
	answer.Body.Close()
	found, err := c.Find(t.Context(), []connectors.Match{
		{Object: "contacts", Keys: []connectors.Key{{{Field: "email", Value: "old@example.com"}}}},
		{Object: "contacts", Keys: []connectors.Key{{{Field: connectors.ID, Value: old}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range found {
		if f.Err != nil || len(f.Records) != 1 {
			t.Errorf("match %d: got %+v, want the merged contact", i, f)
		}
	}
}

func TestWrongBaseURLIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := hubspot.New(hubspot.Config{AccessToken: config.Secret("x"), BaseURL: "nonsense"}, connectors.Options{}); err == nil {
		t.Error("it was taken")
	}
}

func TestOneBadInputCostsNoRequestMore(t *testing.T) {
	t.Parallel()
	s := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := connect(t, server.URL, connectors.Options{})
	write(t, c, contact("telli_contact_id", map[string]connectors.Value{"telli_contact_id": "first", "lastname": "X"}))
	before := len(s.Requests("hubspot"))
	var changes []connectors.Change
	for n := range 100 {
		fields := map[string]connectors.Value{"telli_contact_id": fmt.Sprint(n), "lastname": "X"}
		if n == 40 {
			delete(fields, "lastname") // which only HubSpot can see to be missing
		}
		changes = append(changes, contact("telli_contact_id", fields))
	}
	for n, r := range write(t, c, changes...) {
		if (r.Err != nil) != (n == 40) {
			t.Errorf("change %d: %v", n, r.Err)
		}
	}
	if got := len(s.Requests("hubspot")) - before; got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
}

func TestTheAccountsOwnLimitIsTakenFromTheHeaders(t *testing.T) {
	t.Parallel()
	inner := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(header{w, map[string]string{"Max": "20", "Remaining": "19", "Interval-Milliseconds": "10000"}}, r)
	}))
	t.Cleanup(server.Close)
	c, err := hubspot.New(hubspot.Config{AccessToken: "x", BaseURL: server.URL + "/hubspot"}, connectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Describe(t.Context(), []string{"contacts"}); err != nil {
		t.Fatal(err)
	}
	// 19 are left: the next 30 do not fit into the ten seconds, so that not all
	// may go out at once.
	var changes []connectors.Change
	for n := range 30 {
		ch := contact("email", map[string]connectors.Value{"email": fmt.Sprintf("n%d@example.com", n)})
		ch.Lane = fmt.Sprint(n)
		changes = append(changes, ch)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	for _, ch := range changes {
		c.Write(ctx, []connectors.Change{ch})
	}
	if n := len(inner.Requests("hubspot")); n > 20 {
		t.Errorf("%d requests in a moment, want at most the 20 that the account allows in ten seconds", n)
	}
}

// header answers with other limits than the sandbox says.
type header struct {
	http.ResponseWriter
	limits map[string]string
}

func (h header) WriteHeader(status int) {
	for name, v := range h.limits {
		h.Header().Set("X-HubSpot-RateLimit-"+name, v)
	}
	h.ResponseWriter.WriteHeader(status)
}

// api calls HubSpot's API as an administrator would.
func api(t *testing.T, method, url string, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer x")
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %d", method, url, answer.StatusCode)
	}
}

func TestAnUpsertWhoseEmailAnotherContactHasNamesThatContact(t *testing.T) {
	t.Parallel()
	url := start(t)
	c := connect(t, url, connectors.Options{})
	id := post(t, url+"/_/records/hubspot/contacts", map[string]any{"email": "a@example.com"})
	results := write(t, c,
		contact("telli_contact_id", map[string]connectors.Value{"telli_contact_id": "1", "email": "a@example.com", "lastname": "A"}),
		contact("telli_contact_id", map[string]connectors.Value{"telli_contact_id": "2", "email": "b@example.com", "lastname": "B"}))
	if e := results[0].Err; e == nil || e.Kind != connectors.Conflict || len(e.IDs) != 1 || e.IDs[0] != id {
		t.Errorf("got %+v, want a conflict with contact %s", e, id)
	}
	if results[1].Err != nil {
		t.Errorf("batch mate: %v", results[1].Err)
	}
}
