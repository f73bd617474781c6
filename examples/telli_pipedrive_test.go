package examples_test

import (
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/pipedrive"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/examples"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/mapping"
)

// TestPipedriveExampleLogsCallsAndTasks writes a missed call by the example's
// rules: the person once, the call and a task on it.
func TestPipedriveExampleLogsCallsAndTasks(t *testing.T) {
	t.Parallel()
	text, err := examples.FS.ReadFile("telli-pipedrive/mapping.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, problems := mapping.Read([]mapping.File{{Name: "mapping.yaml", Text: text}}, mapping.Options{
		Sources: []string{"telli"}, Connectors: map[string]string{"pipedrive": "pipedrive"}, Country: "DE", Zone: time.UTC,
	})
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	box := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	to, err := pipedrive.New(pipedrive.Config{APIToken: "x", BaseURL: server.URL + "/pipedrive"}, connectors.Options{Country: "DE", Zone: time.UTC})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	ended := event.Seconds(0)
	ev := event.Event{Type: "call.ended", Source: "telli", OccurredAt: at}
	ev.Call = &event.Call{ID: "c-1", Status: "not_reached", Direction: "inbound", StartedAt: at, Duration: &ended, Summary: "Nobody <there>"}
	ev.Contact = &event.Contact{ID: "p-1", FullName: "Clara Beispiel", Phone: "+493023125018", Status: "pending"}
	plan, err := rules.Plan(&ev, "pipedrive")
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(plan.Records))
	known := map[string]string{} // as the ledger does it
	for n, r := range plan.Records {
		change := connectors.Change{Object: r.Object, Fields: map[string]connectors.Value{}}
		for _, f := range r.Fields {
			change.Fields[f.Name] = f.Value
		}
		for _, l := range r.Links {
			change.Links = append(change.Links, connectors.Link{Object: plan.Records[l.To].Object, ID: ids[l.To]})
		}
		if r.Object == "persons" {
			change.ID = known[r.Object]
		}
		results, err := to.Write(t.Context(), []connectors.Change{change})
		if err != nil || results[0].Err != nil {
			t.Fatalf("%s: %v, %v", r.Object, results, err)
		}
		ids[n], known[r.Object] = results[0].ID, results[0].ID
	}
	if people := box.Records("pipedrive", "persons"); len(people) != 1 || people[0].Fields["Telli status"] != "pending" || people[0].Fields["name"] != "Clara Beispiel" {
		t.Errorf("persons are %v, want one with name and status", people)
	}
	made := box.Records("pipedrive", "activities")
	if len(made) != 2 || made[0].Fields["type"] != "call" || made[1].Fields["type"] != "task" || made[1].Fields["done"] != false {
		t.Fatalf("activities are %v, want the call and a task", made)
	}
	if note := fmt.Sprint(made[0].Fields["note"]); note != "Not Reached. Nobody &lt;there&gt;<br>No transcript.<br>Recording: none" {
		t.Errorf("note is %q", note)
	}
	for _, a := range made {
		if len(a.Links) != 1 || a.Links[0].ID != ids[0] {
			t.Errorf("activity %s is linked to %v, want the person", a.ID, a.Links)
		}
	}
}
