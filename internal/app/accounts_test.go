package app_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/app"
)

// TestEveryConnectorTellsOfItsAccount holds all connectors to what status,
// metrics and doctor show.
func TestEveryConnectorTellsOfItsAccount(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "config.yaml")
	for name, text := range map[string]string{
		"config.yaml": `sources:
  telli: {type: telli, signing_secret: whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=, api_key: k}
connectors:
  hubspot: {type: hubspot, access_token: t}
  airtable: {type: airtable, access_token: t, base: appXXXXXXXXXXXXXX}
  pipedrive: {type: pipedrive, api_token: t, tokens_per_day: 30000}
  salesforce: {type: salesforce, login_url: https://example.my.salesforce.com, client_id: c, client_secret: s}
  webhook: {type: webhook, url: https://hooks.example.com/secret, unsigned: true}
`,
		"mapping.yaml": "version: 1\nrules: []\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	setup, problems := app.BuildOffline(path, "test")
	if setup == nil {
		t.Fatal(problems)
	}
	want := map[string]struct {
		address string
		limits  []string
	}{
		"hubspot":    {"https://api.hubapi.com", []string{"window", "search"}},
		"airtable":   {"https://api.airtable.com", []string{"window"}},
		"pipedrive":  {"https://api.pipedrive.com", []string{"window", "search", "day"}},
		"salesforce": {"https://example.my.salesforce.com", nil}, // known with the first answer
		"webhook":    {"https://hooks.example.com", []string{"window"}},
	}
	for kind := range app.ConnectorTypes() {
		w, ok := want[kind]
		if !ok {
			t.Errorf("this test does not know connectors of type %s", kind)
			continue
		}
		a, ok := setup.Connectors[kind].(connectors.Account)
		if !ok {
			t.Errorf("%s is no connectors.Account: %v", kind, problems)
			continue
		}
		if got := a.Address(); got != w.address {
			t.Errorf("%s is asked at %s, want %s", kind, got, w.address)
		}
		var names []string
		for _, l := range a.Limits() {
			names = append(names, l.Name)
			if l.Left != l.Most || l.Most <= 0 {
				t.Errorf("%s: before any request %+v", kind, l)
			}
		}
		if len(names) != len(w.limits) {
			t.Errorf("%s has the limits %v, want %v", kind, names, w.limits)
		}
	}
}
