package examples_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/salesforce"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/examples"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/telli"
)

func TestSalesforceExampleIsTakenByTheOrg(t *testing.T) {
	t.Parallel()
	text, err := examples.FS.ReadFile("salesforce/mapping.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, problems := mapping.Read([]mapping.File{{Name: "mapping.yaml", Text: text}}, mapping.Options{
		Sources: []string{"telli"}, Connectors: map[string]string{"salesforce": "salesforce"}, Country: "DE",
	})
	if len(problems) > 0 {
		t.Fatal(problems.Error())
	}
	src, err := telli.New("telli", telli.Config{SigningSecret: []config.Secret{"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	box := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	to, err := salesforce.New(salesforce.Config{ClientID: "app", ClientSecret: "s", BaseURL: server.URL + "/salesforce"}, connectors.Options{Country: "DE"})
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range []string{"call_completed", "call_not_reached", "status_reached"} {
		at := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
		body, err := src.Sample(sample, 17, at)
		if err != nil {
			t.Fatal(err)
		}
		ev := src.Parse(&sources.Request{Body: body, At: at}).Event
		if sample == "call_not_reached" {
			ev.Call.Direction, ev.Call.Status = "inbound", event.NotReached // so that somebody must call back
		}
		plan, err := rules.Plan(ev, "salesforce")
		if err != nil {
			t.Fatal(err)
		}
		writePlan(t, to, plan)
	}
	leads, tasks := box.Records("salesforce", "Lead"), box.Records("salesforce", "Task")
	if len(leads) != 1 || leads[0].Fields["Telli_Status__c"] != "reached" {
		t.Fatalf("the leads are %v, want one that was reached", leads)
	}
	kinds := map[any]int{}
	for _, task := range tasks {
		kinds[task.Fields["TaskSubtype"]]++
		if len(task.Links) != 1 || task.Links[0].ID != leads[0].ID {
			t.Errorf("a task is linked to %v, want the lead", task.Links)
		}
	}
	if kinds["Call"] != 2 || kinds["Task"] != 1 {
		t.Errorf("tasks by kind are %v, want two calls and one to call back", kinds)
	}
}

// writePlan writes a plan's records one after the other, as the deliverer does
// where nothing is known of them yet.
func writePlan(t *testing.T, to connectors.Connector, plan mapping.Plan) {
	t.Helper()
	ids := make([]string, len(plan.Records))
	for n, rec := range plan.Records {
		found, err := to.Find(t.Context(), []connectors.Match{{Object: rec.Object, Keys: rec.Keys}})
		if err != nil || found[0].Err != nil || len(found[0].Records) > 1 {
			t.Fatalf("%s: found %+v, %v", rec.Step, found, err)
		}
		c := connectors.Change{Object: rec.Object, Key: rec.Keys[0], Fields: map[string]connectors.Value{}}
		if len(found[0].Records) == 1 {
			c.ID = found[0].Records[0].ID
		}
		for _, f := range rec.Fields {
			c.Fields[f.Name] = f.Value
		}
		for _, l := range rec.Links {
			c.Links = append(c.Links, connectors.Link{Object: plan.Records[l.To].Object, ID: ids[l.To], Field: l.Field, Type: l.Type})
		}
		results, err := to.Write(t.Context(), []connectors.Change{c})
		if err != nil || results[0].Err != nil {
			t.Fatalf("%s: %+v, %v", rec.Step, results, err)
		}
		ids[n] = results[0].ID
	}
}
