package hubspot_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/connectortest"
	"github.com/crmsyncd/crmsyncd/connectors/hubspot"
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
	c, err := hubspot.New(hubspot.Config{
		AccessToken: config.Secret(connectortest.Secret), BaseURL: url + "/hubspot",
		RequestsPer10s: 100_000, Timeout: time.Minute, SearchLag: time.Millisecond,
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
		CRM:     "hubspot",
		Sandbox: start,
		New:     connect,
		People:  connectortest.Shape{Object: "contacts", Key: "telli_contact_id", Name: "firstname", Email: "email", Phone: "phone"},
		Calls:   connectortest.Shape{Object: "calls", Key: "telli_call_id", Name: "hs_call_title", Needed: map[string]connectors.Value{"hs_timestamp": at}},
		Values: []connectortest.Value{
			{Field: "lastname", In: "Ünïcode <b> & \"", Want: "Ünïcode <b> & \""},
			{Field: "telli_status", In: "REACHED", Want: "reached"},
			{Field: "telli_reached_at", In: at, Want: at},
			{Field: "closedate", In: "2026-11-21 11:00", Want: at},
			{Field: "followercount", In: 12.5, Want: 12.5},
			{Field: "hs_buying_role", In: []any{"champion", "OTHER"}, Want: []any{"CHAMPION", "OTHER"}},
			{Field: "hs_language", In: "German", Want: "de"},
			{Field: "hubspot_owner_id", In: "Owner.Two@example.com", Want: "90002"},
			{Field: "company", In: 7, Want: "7"},
		},
		FindMost: 35, WriteMost: 25, Read10000: 110,
		Merge: func(t *testing.T, url, from, into string) {
			connectortest.Ask(t, "POST", url+"/hubspot/crm/v3/objects/contacts/merge", map[string]any{"primaryObjectId": into, "objectIdToMerge": from}, nil)
		},
		LongText: "hs_call_body", Longest: 65536,
		Missing: "999999",
	})
}
