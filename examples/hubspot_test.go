package examples_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/hubspot"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/store"
)

// TestHubSpotExample tells what people expect of a telephony connector.
func TestHubSpotExample(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	c, err := hubspot.New(hubspot.Config{AccessToken: "x", BaseURL: server.URL + "/hubspot", RequestsPer10s: 100_000}, connectors.Options{Country: "DE", Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	plant := func(object string, fields map[string]any) string {
		text, _ := json.Marshal(fields)
		answer, err := http.Post(server.URL+"/_/records/hubspot/"+object, "application/json", bytes.NewReader(text))
		if err != nil || answer.StatusCode != http.StatusCreated {
			t.Fatalf("plant %s: %v, %v", object, answer, err)
		}
		defer answer.Body.Close()
		var out struct{ ID string }
		json.NewDecoder(answer.Body).Decode(&out)
		return out.ID
	}
	record := func(object, id string) sandbox.Record {
		for _, r := range box.Records("hubspot", object) {
			if r.ID == id {
				return r
			}
		}
		t.Fatalf("%s has no record %s", object, id)
		return sandbox.Record{}
	}
	links := func(r sandbox.Record) (out []string) {
		for _, l := range r.Links {
			out = append(out, l.Object+" "+l.ID)
		}
		slices.Sort(out)
		return slices.Compact(out)
	}
	// One person twice, with one number written in two ways in two fields.
	known := plant("contacts", map[string]any{"firstname": "Erika", "lastname": "M.", "mobilephone": "030 / 90 18 20"})
	plant("contacts", map[string]any{"lastname": "Twin", "phone": "+49 (0)30 901820"})
	company := plant("companies", map[string]any{"name": "Example"})
	open := plant("deals", map[string]any{"dealname": "Roof", "dealstage": "contractsent"})
	closed := plant("deals", map[string]any{"dealname": "Old", "dealstage": "closedlost"})
	if results, err := c.Write(t.Context(), []connectors.Change{{Object: "contacts", ID: known, Links: []connectors.Link{{Object: "companies", ID: company}, {Object: "deals", ID: open}, {Object: "deals", ID: closed}}}}); err != nil || results[0].Err != nil {
		t.Fatal(results, err)
	}
	s := tell(t, "hubspot", "hubspot", "hubspot", c)
	call := func(id, status, phone, agent string) event.Event {
		return event.Event{Type: event.CallEnded, Contact: &event.Contact{Phone: phone, FirstName: "Another", LastName: "Name"},
			Call: &event.Call{ID: id, Status: status, Direction: "inbound", Agent: &event.Person{Email: agent}}}
	}

	d := s.happens(call("c1", event.Completed, "+4930901820", "OWNER.one@example.com"), store.Done)
	first := record("calls", d.Records[1].ID)
	if want := []string{"companies " + company, "contacts " + known, "deals " + open}; !slices.Equal(links(first), want) {
		t.Errorf("the call is linked to %v, want the oldest contact, its company and its open deal %v", links(first), want)
	}
	if first.Fields["hubspot_owner_id"] != "90001" || first.Fields["hs_call_disposition"] != "f240bbac-87c9-4f6e-bf70-924b57d47db7" {
		t.Errorf("got %v, want the agent as owner and the outcome", first.Fields)
	}
	if got := record("contacts", known).Fields; got["firstname"] != "Erika" || got["lastname"] != "M." || got["phone"] != "+4930901820" {
		t.Errorf("got %v, want only what was empty to be filled", got)
	}

	// Senders that tell a call by several events know more of it minutes later,
	// as Retell does with call_analyzed. telli tells a call once.
	late := call("c1", event.Completed, "+4930901820", "owner.one@example.com")
	late.Call.Summary, late.Call.Transcript, late.Call.RecordingURL = "Wants an offer.", "Hello <there>", "https://example.com/r"
	s.happens(late, store.Done)
	calls := box.Records("hubspot", "calls")
	if len(calls) != 1 || calls[0].Fields["hs_call_recording_url"] != "https://example.com/r" || !strings.Contains(calls[0].Fields["hs_call_body"].(string), "Wants an offer.<br>Hello &lt;there&gt;") {
		t.Errorf("got %v, want one call with summary, transcript and recording", calls)
	}

	// An unknown caller, missed, by an agent who is no user.
	d = s.happens(call("c2", event.NotReached, "+4930901830", "gone@example.com"), store.Done)
	made := record("contacts", d.Records[0].ID)
	if made.Fields["phone"] != "+4930901830" || len(box.Records("hubspot", "contacts")) != 3 {
		t.Errorf("got %v, want a new contact", made.Fields)
	}
	tasks := box.Records("hubspot", "tasks")
	if len(tasks) != 1 || tasks[0].Fields["hubspot_owner_id"] != "90002" || !slices.Equal(links(tasks[0]), []string{"contacts " + made.ID}) || tasks[0].Fields["hs_task_type"] != "CALL" {
		t.Errorf("got %v, want one task on the contact with the fallback's owner", tasks)
	}

	// The same caller once more is found, in any notation.
	s.happens(call("c3", event.Completed, "+4930901830", ""), store.Done)
	if n := len(box.Records("hubspot", "contacts")); n != 3 {
		t.Errorf("%d contacts, want no new one", n)
	}
}
