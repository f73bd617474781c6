package examples_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/webhook"
	"github.com/crmsyncd/crmsyncd/examples"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/telli"
)

func TestWebhookExamplePostsFieldsAndWholeEvents(t *testing.T) {
	t.Parallel()
	text, err := examples.FS.ReadFile("webhook/mapping.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, problems := mapping.Read([]mapping.File{{Name: "mapping.yaml", Text: text}}, mapping.Options{
		Sources: []string{"telli"}, Connectors: map[string]string{"automation": "webhook"}, Country: "DE",
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
	to, err := webhook.New(webhook.Config{URL: config.Secret(server.URL + "/webhook/automation"), Unsigned: true, AllowPrivate: []string{"true"}}, connectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, sample := range []string{"call_completed", "status_reached"} {
		body, err := src.Sample(sample, 17, time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC))
		if err != nil {
			t.Fatal(err)
		}
		ev := src.Parse(&sources.Request{Body: body, At: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)}).Event
		ev.Raw = body
		plan, err := rules.Plan(ev, "automation")
		if err != nil || len(plan.Records) != 1 || plan.Records[0].Skip != "" {
			t.Fatalf("%s: got %+v, %v; want one record", sample, plan, err)
		}
		change := connectors.Change{Object: plan.Records[0].Object, Fields: map[string]connectors.Value{}, Idempotency: sample}
		for _, f := range plan.Records[0].Fields {
			change.Fields[f.Name] = f.Value
		}
		if results, err := to.Write(t.Context(), []connectors.Change{change}); err != nil || results[0].Err != nil {
			t.Fatalf("%s: %v, %v", sample, results, err)
		}
	}
	caught := box.Records("webhook", "automation")
	if len(caught) != 2 {
		t.Fatalf("%d posts, want 2", len(caught))
	}
	call := caught[0].Fields["body"].(map[string]any)
	inner, _ := call["call"].(map[string]any)
	if call["kind"] != "finished_call" || inner["status"] != "completed" || call["contact"].(map[string]any)["phone"] == nil || inner["outcome"] == nil {
		t.Errorf("the call arrived as %v", call)
	}
	status := caught[1].Fields["body"].(map[string]any)
	if status["kind"] != "status" || status["type"] != "contact.status_changed" || status["raw"] == nil || status["contact"].(map[string]any)["status"] != "reached" {
		t.Errorf("the status arrived as %v", status)
	}
	if diff := cmp.Diff("status_reached", caught[1].Fields["headers"].(map[string]any)["Webhook-Id"]); diff != "" {
		t.Error(diff)
	}
}
