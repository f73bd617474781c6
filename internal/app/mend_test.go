package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestAMendWritesNothingButWhatDiffers(t *testing.T) {
	t.Parallel()
	plan := mapping.Plan{Records: []mapping.Record{
		{Step: "r/contacts", Object: "contacts", Create: mapping.CreateMissing, Keys: []connectors.Key{{{Field: "email", Value: "a@example.com"}}},
			Fields: []mapping.Field{{Name: "email"}, {Name: "status"}, {Name: "name"}}},
		{Step: "r/calls", Object: "calls", Links: []mapping.Link{{To: 0}}},
	}}
	for _, c := range []struct {
		name string
		only event.Only
		want string
	}{
		{"of a record that is there the fields that differ, and none is made", event.Only{Step: "r/contacts", Fields: []string{"status"}}, "never [status]"},
		{"of one that is gone also what it is found by", event.Only{Step: "r/contacts", Fields: []string{"status"}, Whole: true}, "missing [email status]"},
	} {
		got := only(plan, c.only)
		if len(got.Records) != 1 {
			t.Fatalf("%s: %d records", c.name, len(got.Records))
		}
		var names []string
		for _, f := range got.Records[0].Fields {
			names = append(names, f.Name)
		}
		if text := fmt.Sprint(got.Records[0].Create, " ", names); text != c.want {
			t.Errorf("%s: got %s, want %s", c.name, text, c.want)
		}
	}
	if len(plan.Records[0].Fields) != 3 {
		t.Error("the rules' plan was changed")
	}
}

func TestAMendStandsWhereItsEventStood(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)
	of := store.Event{Seq: 7, Source: "telli", Vendor: "telli", Type: event.ContactStatusChanged, OccurredAt: at, Rank: 73, Lane: "telli:contact:k-1"}
	first, err := newMend(of, event.Only{Connector: "hubspot", Step: "r/contacts", Fields: []string{"status"}}, "mend:1", at.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if first.Lane != of.Lane || first.Rank != of.Rank || !first.OccurredAt.Equal(at) || first.Origin != event.Reconcile || first.ContentKey != "telli:mend:1" {
		t.Errorf("the mend is %+v", first)
	}
	// What was mended before is mended by the event of then, not by the mend.
	again, err := newMend(first, event.Only{Connector: "hubspot", Step: "r/contacts", Fields: []string{"status"}}, "mend:2", at.Add(2*time.Hour))
	if want := `{"of":7,"connector":"hubspot","step":"r/contacts","fields":["status"]}`; err != nil || string(again.Body) != want {
		t.Errorf("got %s, %v", again.Body, err)
	}
}
