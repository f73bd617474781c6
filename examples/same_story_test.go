package examples_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/airtable"
	"github.com/crmsyncd/crmsyncd/connectors/hubspot"
	"github.com/crmsyncd/crmsyncd/connectors/pipedrive"
	"github.com/crmsyncd/crmsyncd/connectors/salesforce"
	"github.com/crmsyncd/crmsyncd/connectors/webhook"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/store"
)

// account is a CRM with the words that it has for a person and a call.
type account struct {
	crm, person, call          string
	name, phone, status, about string // fields, the last of the call
	open                       func(address string, o connectors.Options) (connectors.Connector, error)
}

var accounts = []account{
	{
		crm: "hubspot", person: "contacts", call: "calls", name: "lastname", phone: "phone", status: "telli_status", about: "hs_call_body",
		open: func(address string, o connectors.Options) (connectors.Connector, error) {
			return hubspot.New(hubspot.Config{AccessToken: "x", BaseURL: address + "/hubspot", RequestsPer10s: 100_000}, o)
		},
	},
	{
		crm: "airtable", person: "Contacts", call: "Calls", name: "Name", phone: "Phone", status: "Status", about: "Summary",
		open: func(address string, o connectors.Options) (connectors.Connector, error) {
			return airtable.New(airtable.Config{AccessToken: "x", Base: "appCrmsyncdDemo00", BaseURL: address + "/airtable", RequestsPerSecond: 1000}, o)
		},
	},
	{
		crm: "pipedrive", person: "persons", call: "activities", name: "name", phone: "phone", status: "Telli status", about: "note",
		open: func(address string, o connectors.Options) (connectors.Connector, error) {
			return pipedrive.New(pipedrive.Config{APIToken: "x", BaseURL: address + "/pipedrive", RequestsPer2s: 100_000}, o)
		},
	},
	{
		crm: "salesforce", person: "Contact", call: "Task", name: "LastName", phone: "Phone", status: "Telli_Status__c", about: "Description",
		open: func(address string, o connectors.Options) (connectors.Connector, error) {
			return salesforce.New(salesforce.Config{ClientID: "app", ClientSecret: "s", BaseURL: address + "/salesforce"}, o)
		},
	},
}

// TestTheSameStoryInEveryCRM tells of two calls of somebody unknown, of a status
// that moves, of a person's edit, and of a number that two people have.
func TestTheSameStoryInEveryCRM(t *testing.T) {
	t.Parallel()
	for _, a := range accounts {
		t.Run(a.crm, func(t *testing.T) {
			t.Parallel()
			box := sandbox.New(sandbox.Options{Unlimited: true})
			server := httptest.NewServer(box)
			t.Cleanup(server.Close)
			c, err := a.open(server.URL, connectors.Options{Country: "DE", Zone: time.UTC})
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile("testdata/story/" + a.crm + ".yaml")
			if err != nil {
				t.Fatal(err)
			}
			s := tellBy(t, text, a.crm, a.crm, c)
			people := func() []sandbox.Record { return box.Records(a.crm, a.person) }
			calls := func() []sandbox.Record { return box.Records(a.crm, a.call) }

			// An unknown caller becomes a contact, with the call on it.
			s.happens(called("c1", "+4930901820", ""), store.Done)
			if len(people()) != 1 || len(calls()) != 1 {
				t.Fatalf("%d people and %d calls, want one of each", len(people()), len(calls()))
			}
			who := people()[0].ID

			// A second call finds it.
			s.happens(called("c2", "+4930901820", ""), store.Done)
			// More comes of the same call: it is logged once.
			s.happens(called("c2", "+4930901820", "Wants an offer."), store.Done)
			if len(people()) != 1 || len(calls()) != 2 {
				t.Fatalf("%d people and %d calls, want the one with two calls", len(people()), len(calls()))
			}
			for _, call := range calls() {
				if !slices.ContainsFunc(call.Links, func(l sandbox.Link) bool { return l.ID == who }) || len(call.Links) != 1 {
					t.Errorf("call %s is linked to %v, want %s", call.ID, call.Links, who)
				}
			}
			if about, _ := calls()[1].Fields[a.about].(string); !strings.Contains(about, "Wants an offer.") {
				t.Errorf("the second call says %q", about)
			}

			// The status moves, and moves on.
			for _, status := range []string{"pending", "reached"} {
				s.happens(moved("+4930901820", status), store.Done)
				if got := people()[0].Fields[a.status]; got != status {
					t.Errorf("the status is %v, want %s", got, status)
				}
			}
			// What a person changes stays.
			record(t, http.MethodPut, server.URL+"/_/records/"+a.crm+"/"+a.person+"/"+who, map[string]any{a.status: "closed"})
			s.happens(moved("+4930901820", "pending"), store.Done)
			if got := people()[0].Fields[a.status]; got != "closed" || len(people()) != 1 {
				t.Errorf("the status is %v of %d people, want the person's edit", got, len(people()))
			}

			// Two have one number: nothing is written, and both are named.
			var twins []string
			for _, name := range []string{"Erika", "Erich"} {
				twins = append(twins, record(t, http.MethodPost, server.URL+"/_/records/"+a.crm+"/"+a.person, map[string]any{a.name: name, a.phone: "+4930901830"}))
			}
			d := s.happens(called("c3", "+4930901830", ""), store.Dead)
			if d.Kind != connectors.Ambiguous.String() || !strings.Contains(d.Reason, twins[0]) || !strings.Contains(d.Reason, twins[1]) {
				t.Errorf("the call is dead of %s: %s; want both of %v", d.Kind, d.Reason, twins)
			}
			if len(people()) != 3 || len(calls()) != 2 {
				t.Errorf("%d people and %d calls, want nothing new", len(people()), len(calls()))
			}
		})
	}
}

// TestTheSameStoryForAWebhook: there is no record to find; each call is posted,
// and one whose answer was lost again under the same id.
func TestTheSameStoryForAWebhook(t *testing.T) {
	t.Parallel()
	box := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(box)
	t.Cleanup(server.Close)
	c, err := webhook.New(webhook.Config{URL: config.Secret(server.URL + "/webhook/story"), Unsigned: true, AllowPrivate: []string{"true"}}, connectors.Options{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/story/webhook.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := tellBy(t, text, "webhook", "webhook", c)
	ids := func() (calls, ids []string) {
		for _, p := range box.Records("webhook", "story") {
			calls = append(calls, p.Fields["body"].(map[string]any)["call"].(string))
			ids = append(ids, p.Fields["headers"].(map[string]any)["Webhook-Id"].(string))
		}
		return calls, ids
	}
	s.happens(called("c1", "+4930901820", ""), store.Done)
	s.happens(called("c2", "+4930901820", ""), store.Done)
	if calls, all := ids(); !slices.Equal(calls, []string{"c1", "c2"}) || all[0] == "" || all[0] == all[1] {
		t.Fatalf("posted were %v as %v, want each once, under an id of its own", calls, all)
	}
	answer, err := http.Post(server.URL+"/_/faults", "application/json", strings.NewReader(`{"crm":"webhook","lost_reply":true,"times":1}`))
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatal(answer, err)
	}
	answer.Body.Close()
	s.happens(called("c3", "+4930901820", ""), store.Done)
	if calls, all := ids(); !slices.Equal(calls[2:], []string{"c3", "c3"}) || all[2] != all[3] {
		t.Errorf("posted were %v as %v, want the third call twice under one id", calls, all)
	}
}

func called(id, phone, summary string) event.Event {
	return event.Event{
		Type: event.CallEnded, Call: &event.Call{ID: id, Status: event.Completed, Direction: "inbound", Summary: summary},
		Contact: &event.Contact{Phone: phone},
	}
}

func moved(phone, status string) event.Event {
	return event.Event{Type: event.ContactStatusChanged, Contact: &event.Contact{Phone: phone, Status: status}}
}

// record makes or edits a record, as a person does, and returns its id.
func record(t *testing.T, method, address string, fields map[string]any) string {
	t.Helper()
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	var made struct{ ID string }
	if err != nil || answer.StatusCode/100 != 2 || json.Unmarshal(said, &made) != nil {
		t.Fatalf("%s is answered %d %s, %v", method, answer.StatusCode, said, err)
	}
	return made.ID
}
