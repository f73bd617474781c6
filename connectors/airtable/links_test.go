package airtable_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/airtable"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// base is a connector with the sandbox behind it.
func base(t *testing.T, change ...func(*airtable.Config)) (connectors.Connector, *sandbox.Sandbox, string) {
	t.Helper()
	s := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	cfg := airtable.Config{AccessToken: "x", Base: "appTest0000000000", BaseURL: server.URL + "/airtable", RequestsPerSecond: 100_000}
	for _, f := range change {
		f(&cfg)
	}
	c, err := airtable.New(cfg, connectors.Options{Country: "DE"})
	if err != nil {
		t.Fatal(err)
	}
	return c, s, server.URL
}

func must(t *testing.T, c connectors.Connector, change connectors.Change) connectors.Result {
	t.Helper()
	r := write(t, c, change)[0]
	if r.Err != nil {
		t.Fatalf("%s: %v", change.Object, r.Err)
	}
	return r
}

// addField makes a field as an administrator would.
func addField(t *testing.T, c connectors.Connector, url, table string, field map[string]any) {
	t.Helper()
	text, err := json.Marshal(field)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/airtable/v0/meta/bases/appTest0000000000/tables/"+table+"/fields", bytes.NewReader(text))
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
		t.Fatalf("make field: %d", answer.StatusCode)
	}
}

// tableIDs gives the ids of tables by name.
func tableIDs(t *testing.T, url string) map[string]string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/airtable/v0/meta/bases/appTest0000000000/tables", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer x")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var out struct{ Tables []struct{ ID, Name string } }
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, x := range out.Tables {
		ids[x.Name] = x.ID
	}
	return ids
}

func TestTablesByIDAlsoWhereALinkLeads(t *testing.T) {
	t.Parallel()
	c, s, url := base(t)
	ids := tableIDs(t, url)
	who := person("k1", "One")
	who.Object = ids["Contacts"]
	one := must(t, c, who)
	call := connectors.Change{Object: ids["Calls"], Fields: map[string]connectors.Value{"Call ID": "c1"}, Key: connectors.Key{{Field: "Call ID", Value: "c1"}},
		Links: []connectors.Link{{Object: ids["Contacts"], ID: one.ID}}}
	must(t, c, call)
	call.Object, call.Links[0].Object = "Calls", "Contacts"
	must(t, c, call)
	records := s.Records("airtable", "Calls")
	if len(records) != 1 || len(records[0].Links) != 1 || records[0].Links[0].ID != one.ID {
		t.Errorf("got %+v, want one call linked to the contact once", records)
	}
}

func TestSeveralFieldsThatLinkToOneTable(t *testing.T) {
	t.Parallel()
	c, s, url := base(t)
	ids := tableIDs(t, url)
	addField(t, c, url, ids["Calls"], map[string]any{"name": "Referrer", "type": "multipleRecordLinks", "options": map[string]any{"linkedTableId": ids["Contacts"]}})
	one, two := must(t, c, person("k1", "One")), must(t, c, person("k2", "Two"))
	call := connectors.Change{Object: "Calls", Fields: map[string]connectors.Value{"Call ID": "c1"}, Key: connectors.Key{{Field: "Call ID", Value: "c1"}}, Links: []connectors.Link{{Object: "Contacts", ID: one.ID}}}
	if r := write(t, c, call)[0]; r.Err == nil || r.Err.Kind != connectors.Invalid || !strings.Contains(r.Err.Error(), "Contact, Referrer") {
		t.Errorf("without a field's name: got %v, want both fields named", r.Err)
	}
	call.Links = []connectors.Link{{Object: "Contacts", ID: one.ID, Field: "Contact"}, {Object: "Contacts", ID: two.ID, Field: "Referrer"}}
	must(t, c, call)
	call.Links[0].Field = "Call ID"
	if r := write(t, c, call)[0]; r.Err == nil || r.Err.Code != "NO_LINK_FIELD" {
		t.Errorf("through a text field: got %v, want it refused", r.Err)
	}
	var got []string
	for _, l := range s.Records("airtable", "Calls")[0].Links {
		got = append(got, l.Type+" "+l.ID)
	}
	slices.Sort(got)
	if want := []string{"Contact " + one.ID, "Referrer " + two.ID}; !slices.Equal(got, want) {
		t.Errorf("linked by %v, want %v", got, want)
	}
}

func TestSeveralOptionsWithAndWithoutTypecast(t *testing.T) {
	t.Parallel()
	for _, typecast := range []bool{false, true} {
		c, s, url := base(t, func(cfg *airtable.Config) { cfg.Typecast = typecast })
		addField(t, c, url, tableIDs(t, url)["Contacts"], map[string]any{"name": "Interests", "type": "multipleSelects", "options": map[string]any{"choices": []any{map[string]any{"name": "Solar"}, map[string]any{"name": "Storage"}}}})
		p := person("k1", "One")
		p.Fields["Interests"] = []any{"solar", "Storage", "Solar"}
		must(t, c, p)
		if got := fmt.Sprint(s.Records("airtable", "Contacts")[0].Fields["Interests"]); got != "[Solar Storage]" {
			t.Errorf("typecast %v: got %s, want each option once, as Airtable spells it", typecast, got)
		}
		p.Fields["Interests"] = []any{"Solar", "Heat pump"}
		r := write(t, c, p)[0]
		if typecast && r.Err != nil || !typecast && (r.Err == nil || r.Err.Kind != connectors.Invalid || r.Err.Field != "Interests") {
			t.Errorf("typecast %v: a new option got %v", typecast, r.Err)
		}
	}
}

func TestABatchThatOneRecordSpoilsIsTakenApart(t *testing.T) {
	t.Parallel()
	c, s, _ := base(t)
	must(t, c, person("first", "First")) // reads the schema
	before := len(s.Requests("airtable"))
	var changes []connectors.Change
	for n := range 10 {
		changes = append(changes, connectors.Change{Object: "Calls", Fields: map[string]connectors.Value{"Call ID": fmt.Sprint(n)}})
	}
	// Only Airtable can see that the row to link to is gone.
	changes[6].Links = []connectors.Link{{Object: "Contacts", ID: "recAAAAAAAAAAAAAA"}}
	for n, r := range write(t, c, changes...) {
		switch {
		case n == 6 && (r.Err == nil || r.Err.Kind != connectors.Invalid || r.Err.Code != "LINK_TARGET_GONE"):
			t.Errorf("the bad one: got %v, want the link named", r.Err)
		case n != 6 && (r.Err != nil || !r.Created):
			t.Errorf("batch mate %d: %+v", n, r)
		}
	}
	if n := len(s.Records("airtable", "Calls")); n != 9 {
		t.Errorf("%d calls, want 9", n)
	}
	if n := len(s.Requests("airtable")) - before; n > 9 {
		t.Errorf("%d requests, want at most 9", n)
	}
}
