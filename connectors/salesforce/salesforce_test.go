package salesforce_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/connectortest"
	"github.com/crmsyncd/crmsyncd/connectors/salesforce"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

func start(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
	t.Cleanup(s.Close)
	return s.URL
}

func connect(t *testing.T, url string, o connectors.Options) connectors.Connector {
	t.Helper()
	c, err := salesforce.New(salesforce.Config{
		ClientID: "app", ClientSecret: config.Secret(connectortest.Secret), BaseURL: url + "/salesforce", Timeout: time.Minute,
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	connectortest.Test(t, connectortest.Harness{
		CRM:     "salesforce",
		Sandbox: start,
		New:     connect,
		People:  connectortest.Shape{Object: "Contact", Key: "Telli_Contact_Id__c", Name: "LastName", Email: "Email", Phone: "Phone"},
		Calls:   connectortest.Shape{Object: "Task", Key: "Call_Id__c", Name: "Subject", Needed: map[string]connectors.Value{"TaskSubtype": "Call"}},
		Values: []connectortest.Value{
			{Field: "FirstName", In: " Ünïcode <b> & \"'\\ ", Want: "Ünïcode <b> & \"'\\"},
			{Field: "Telli_Status__c", In: "Not reached", Want: "not_reached"},
			{Field: "LeadSource", In: "Word of mouth", Want: "Word of mouth"},
			{Field: "Telli_Reached_At__c", In: at.Add(time.Millisecond), Want: at},
			{Field: "Birthdate", In: "21.11.2026 00:30", Want: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)},
			{Field: "Best_Time__c", In: "14:30", Want: "14:30:00.000Z"},
			{Field: "Score__c", In: 12.345, Want: 12.35},
			{Field: "Interests__c", In: []any{"Solar", "heat"}, Want: []any{"solar", "heat"}},
			{Field: "OwnerId", In: "Owner.Two@example.com", Want: "0055g0000000002AAA"},
			{Field: "DoNotCall", In: "yes", Want: true},
			{Field: "Notes_Html__c", In: "a < b\nc", Want: "a &lt; b<br>c"},
			{Field: "Title", In: 7, Want: "7"},
		},
		// Each composite request asks up to five queries.
		FindMost: 8, WriteMost: 14, Read10000: 60,
		Merge: func(t *testing.T, url, from, into string) {
			connectortest.Ask(t, "PUT", url+"/_/records/salesforce/Contact/"+from, map[string]any{"MasterRecordId": into}, nil)
		},
		LongText: "Description", Longest: 32000,
		Missing: "003000000000000AAA",
	})
}
