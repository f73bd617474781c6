package airtable_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/airtable"
	"github.com/crmsyncd/crmsyncd/connectors/connectortest"
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
	c, err := airtable.New(airtable.Config{
		AccessToken: config.Secret(connectortest.Secret), Base: "appTest0000000000", BaseURL: url + "/airtable",
		RequestsPerSecond: 100_000, Timeout: time.Minute,
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
		CRM:     "airtable",
		Sandbox: start,
		New:     connect,
		People:  connectortest.Shape{Object: "Contacts", Key: "telli_contact_id", Name: "Name", Email: "Email", Phone: "Phone"},
		Calls:   connectortest.Shape{Object: "Calls", Key: "Call ID", Name: "Agent", Needed: map[string]connectors.Value{"Started at": at}},
		Values: []connectortest.Value{
			{Field: "Notes", In: "Ünïcode <b> & \"\n", Want: "Ünïcode <b> & \"\n"},
			{Field: "Status", In: "REACHED", Want: "reached"},
			{Field: "Reached at", In: "2026-11-21 11:00", Want: at},
			{Field: "Do not call", In: "yes", Want: true},
			{Field: "Company", In: 7, Want: "7"},
		},
		FindMost: 15, WriteMost: 206, Read10000: 1050,
		LongText: "Summary", Longest: 100_000,
		Missing: "recAAAAAAAAAAAAAA",
	})
}
