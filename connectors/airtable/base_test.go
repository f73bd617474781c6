package airtable_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/airtable"
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

func person(key, name string) connectors.Change {
	return connectors.Change{Object: "Contacts", Fields: map[string]connectors.Value{"telli_contact_id": key, "Name": name},
		Key: connectors.Key{{Field: "telli_contact_id", Value: key}}}
}

func TestUpsertOfAKeyThatTwoRowsHaveIsAmbiguousAndBatchMatesAreWritten(t *testing.T) {
	t.Parallel()
	url := start(t)
	c := connect(t, url, connectors.Options{})
	var twins []string
	for range 2 {
		twins = append(twins, post(t, url+"/_/records/airtable/Contacts", map[string]any{"telli_contact_id": "twin"}))
	}
	var changes []connectors.Change
	for n := range 10 {
		changes = append(changes, person(fmt.Sprint(n), "N"))
	}
	changes[4] = person("twin", "N")
	for n, r := range write(t, c, changes...) {
		switch {
		case n == 4 && (r.Err == nil || r.Err.Kind != connectors.Ambiguous || len(r.Err.IDs) != 2 || r.Err.IDs[0] != twins[0]):
			t.Errorf("the twins: got %v, want ambiguous with both ids", r.Err)
		case n != 4 && r.Err != nil:
			t.Errorf("batch mate %d: %v", n, r.Err)
		}
	}
}

func TestTheTwo429s(t *testing.T) {
	t.Parallel()
	for word, park := range map[string]bool{"RATE_LIMIT_REACHED": false, "PUBLIC_API_BILLING_LIMIT_EXCEEDED": true} {
		url := start(t)
		c := connect(t, url, connectors.Options{})
		post(t, url+"/_/faults", []any{map[string]any{"crm": "airtable", "status": 429, "body": word}})
		r := write(t, c, person("1", "N"))[0]
		if r.Err == nil || r.Err.Kind != connectors.RateLimited || !r.Err.Account || r.Err.Park != park || !park && r.Err.Wait.Seconds() < 30 {
			t.Errorf("%s: got %+v, want a rate limit with park %v", word, r.Err, park)
		}
	}
}

func TestWithoutTheSchemaScopeValuesGoOutAsTheyAre(t *testing.T) {
	t.Parallel()
	url := start(t)
	c := connect(t, url, connectors.Options{Country: "DE"})
	post(t, url+"/_/faults", []any{map[string]any{"crm": "airtable", "path": "/v0/meta", "status": 403}})
	first := person("1", "N")
	first.Fields["Email"], first.Fields["Phone"] = "A@example.com", "030 901820"
	if r := write(t, c, first)[0]; r.Err != nil {
		t.Fatal(r.Err)
	}
	if r := write(t, c, first)[0]; r.Err != nil || r.Created {
		t.Errorf("got %+v, want the same row updated", r)
	}
	for field, v := range map[string]string{"Email": "a@EXAMPLE.com", "Phone": "+4930901820", "Name": "N"} {
		found, err := c.Find(t.Context(), []connectors.Match{{Object: "Contacts", Keys: []connectors.Key{{{Field: field, Value: v}}}}})
		if err != nil || found[0].Err != nil || len(found[0].Records) != 1 {
			t.Errorf("by %s: got %+v %v, want the row", field, found, err)
		}
	}
	call := connectors.Change{Object: "Calls", Fields: map[string]connectors.Value{"Call ID": "1"}, Links: []connectors.Link{{Object: "Contacts", ID: "recAAAAAAAAAAAAAA"}}}
	if r := write(t, c, call)[0]; r.Err == nil || !strings.Contains(r.Err.Error(), "schema.bases:read") {
		t.Errorf("got %v, want the missing scope named", r.Err)
	}
	if _, err := c.Describe(t.Context(), []string{"Contacts"}); connectors.AsError(err) == nil || connectors.AsError(err).Kind != connectors.Auth {
		t.Errorf("describe: got %v, want auth", err)
	}
}

func TestTypecastMakesOptions(t *testing.T) {
	t.Parallel()
	url := start(t)
	for _, typecast := range []bool{false, true} {
		c, err := airtable.New(airtable.Config{AccessToken: "x", Base: "appTest0000000000", BaseURL: url + "/airtable", Typecast: typecast, RequestsPerSecond: 1000}, connectors.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p := person("1", "N")
		p.Fields["Status"] = "pendign"
		r := write(t, c, p)[0]
		if typecast && r.Err != nil || !typecast && (r.Err == nil || !strings.Contains(r.Err.Error(), `did you mean "pending"`)) {
			t.Errorf("typecast %v: got %v", typecast, r.Err)
		}
	}
}

func TestFieldsAndTablesByID(t *testing.T) {
	t.Parallel()
	c := connect(t, start(t), connectors.Options{})
	schema, err := c.Describe(t.Context(), []string{"Contacts"})
	if err != nil {
		t.Fatal(err)
	}
	o := schema["Contacts"]
	key, name := o.Fields["telli_contact_id"].ID, o.Fields["Name"].ID
	r := write(t, c, connectors.Change{Object: "Contacts", Key: connectors.Key{{Field: key, Value: "1"}}, Fields: map[string]connectors.Value{key: "1", name: "N"}})[0]
	if r.Err != nil || r.Fields[name] != "N" {
		t.Fatalf("got %+v, want the fields by the names they were given by", r)
	}
	found, err := c.Find(t.Context(), []connectors.Match{{Object: "Contacts", Keys: []connectors.Key{{{Field: key, Value: "1"}}}, Read: []string{name}}})
	if err != nil || len(found[0].Records) != 1 || found[0].Records[0].Fields[name] != "N" {
		t.Errorf("got %+v %v, want the row", found, err)
	}
}

func TestFindTakesAnyTextAndNeverAnotherRow(t *testing.T) {
	t.Parallel()
	s := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c := connect(t, server.URL, connectors.Options{})
	write(t, c, person("decoy", "Decoy"))
	odd := rapid.StringOfN(rapid.SampledFrom([]rune("ab\"'\\|{}(),&= \n\tü%;")), 1, 12, -1)
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.TrimSpace(odd.Draw(rt, "text"))
		if text == "" {
			return
		}
		r := write(t, c, person(text, "N"))[0]
		if r.Err != nil {
			rt.Fatalf("write: %v", r.Err)
		}
		found, err := c.Find(t.Context(), []connectors.Match{{Object: "Contacts", Keys: []connectors.Key{{{Field: "telli_contact_id", Value: text}}}}})
		if err != nil || found[0].Err != nil || len(found[0].Records) != 1 || found[0].Records[0].ID != r.ID {
			rt.Fatalf("%q: found %+v %v, want row %s", text, found[0], err, r.ID)
		}
	})
}

func TestARowIsFoundByANumberHoweverItIsWritten(t *testing.T) {
	t.Parallel()
	c := connect(t, start(t), connectors.Options{Country: "DE"})
	r := write(t, c, connectors.Change{Object: "Calls", Fields: map[string]connectors.Value{"Call ID": "1", "Attempt": 1234}})[0]
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	for _, v := range []connectors.Value{1234, 1234.0, "1234.00", "1.234,00"} {
		found, err := c.Find(t.Context(), []connectors.Match{{Object: "Calls", Keys: []connectors.Key{{{Field: "Attempt", Value: v}}}}})
		if err != nil || found[0].Err != nil || len(found[0].Records) != 1 || found[0].Records[0].ID != r.ID {
			t.Errorf("by %v: got %+v %v, want the row", v, found[0], err)
		}
	}
}

func TestEqualRowsWhoseAnswerWasLostAreFoundOneEach(t *testing.T) {
	t.Parallel()
	s := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := airtable.New(airtable.Config{AccessToken: "x", Base: "appTest0000000000", BaseURL: server.URL + "/airtable", RequestsPerSecond: 1000, Timeout: time.Minute}, connectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	call := connectors.Change{Object: "Calls", Fields: map[string]connectors.Value{"Summary": "Missed call"}}
	before := len(s.Records("airtable", "Calls"))
	post(t, server.URL+"/_/faults", []any{map[string]any{"crm": "airtable", "path": "/v0/app", "lost_reply": true, "times": 1}})
	for _, r := range write(t, c, call, call) {
		if r.Err == nil || r.Err.Kind != connectors.Unknown {
			t.Fatalf("got %v, want an unknown outcome", r.Err)
		}
	}
	made := len(s.Records("airtable", "Calls")) - before
	call.Attempted = time.Now().Add(-time.Hour)
	r := write(t, c, call, call, call)
	if r[0].Err != nil || r[1].Err != nil || r[2].Err != nil || r[0].ID == r[1].ID || r[1].ID == r[2].ID || r[0].ID == r[2].ID {
		t.Errorf("got %+v, want a row each", r)
	}
	if got := len(s.Records("airtable", "Calls")) - before; made != 2 || got != 3 {
		t.Errorf("%d rows after the first attempt and %d after the second, want 2 and 3", made, got)
	}
	// What others have is no more taken where it is asked for by itself.
	call.Others = func(id string) bool { return id == r[0].ID || id == r[1].ID }
	if again := write(t, c, call)[0]; again.Err != nil || again.ID != r[2].ID {
		t.Errorf("got %+v, want the one that is left, %s", again, r[2].ID)
	}
}
