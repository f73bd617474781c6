package pipedrive_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/connectortest"
	"github.com/crmsyncd/crmsyncd/connectors/pipedrive"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// start serves a sandbox without limits, and holds every request and answer
// against the vendor's document.
func start(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(documented(t, sandbox.New(sandbox.Options{Unlimited: true})))
	t.Cleanup(s.Close)
	return s.URL
}

func settings(url string) pipedrive.Config {
	return pipedrive.Config{
		APIToken: config.Secret(connectortest.Secret), BaseURL: url + "/pipedrive",
		RequestsPer2s: 100_000, Timeout: time.Minute, SearchLag: time.Millisecond,
	}
}

func connect(t *testing.T, url string, o connectors.Options) connectors.Connector {
	t.Helper()
	return open(t, settings(url), o)
}

func open(t *testing.T, cfg pipedrive.Config, o connectors.Options) connectors.Connector {
	t.Helper()
	c, err := pipedrive.New(cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	connectortest.Test(t, connectortest.Harness{
		CRM:      "pipedrive",
		Sandbox:  start,
		New:      connect,
		NoUpsert: true,
		Creates:  "/api/v2/activities",
		People:   connectortest.Shape{Object: "persons", Key: "Telli contact id", Name: "name", Email: "email", Phone: "phone"},
		Calls:    connectortest.Shape{Object: "activities", Key: "public_description", Name: "subject", Needed: map[string]connectors.Value{"type": "Call", "done": true}},
		Values: []connectortest.Value{
			{Field: "job_title", In: "Ünïcode <b> & \"", Want: "Ünïcode <b> & \""},
			{Field: "telli STATUS", In: "REACHED", Want: "reached"},
			{Field: "Telli reached at", In: "2026-11-21 11:00", Want: at},
			{Field: "Score", In: 12.5, Want: 12.5},
			{Field: "Interests", In: []any{"solar", "Heat Pump"}, Want: []any{"Solar", "Heat pump"}},
			{Field: "owner_id", In: "Owner.Two@example.com", Want: "90002"},
			{Field: "Budget", In: "1200 eur", Want: 1200},
			{Field: "Second phone", In: "030 1", Want: "030 1"},
			{Field: "Call window", In: "14:30:00", Want: "14:30:00"},
			{Field: "Remarks", In: 7, Want: "7"},
		},
		FindMost: 4, WriteMost: 2006, Read10000: 110,
		Merge: func(t *testing.T, url, from, into string) {
			connectortest.Ask(t, "PUT", url+"/pipedrive/v1/persons/"+from+"/merge", map[string]any{"merge_with_id": json.Number(into)}, nil)
		},
		MergeHides: true,
		LongText:   "subject", Longest: 255,
		Missing: "999999",
	})
}
