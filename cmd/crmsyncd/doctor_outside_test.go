package main

import (
	"fmt"
	"strings"
	"testing"
)

// aCRM is a connector of each type with what a rule writes to it.
var aCRM = map[string]struct{ settings, object, match, field string }{
	"hubspot":    {"{type: hubspot, access_token: pat-eu1-secret-token, base_url: $SANDBOX/hubspot, requests_per_10s: 100000}", "contacts", "email", "firstname"},
	"airtable":   {"{type: airtable, access_token: pat-secret-token, base: appCrmsyncdDemo00, base_url: $SANDBOX/airtable, requests_per_second: 10000}", "Contacts", "Email", "Name"},
	"pipedrive":  {"{type: pipedrive, api_token: secret-token, base_url: $SANDBOX/pipedrive, requests_per_2s: 10000}", "persons", "email", "name"},
	"salesforce": {"{type: salesforce, client_id: app-1, client_secret: hunter2, base_url: $SANDBOX/salesforce, login_url: $SANDBOX/salesforce}", "Contact", "Email", "LastName"},
}

func oneCRM(t *testing.T, name string) *ward {
	t.Helper()
	c := aCRM[name]
	rules := fmt.Sprintf("version: 1\nrules:\n  - name: a rule\n    on: call.ended\n    to: %s\n    records:\n      - object: %s\n        match: %s\n        fields:\n          %s: =contact.email\n          %s: =contact.full_name\n", name, c.object, c.match, c.match, c.field)
	return newWard(t, plainSettings("connectors:\n  "+name+": "+c.settings+"\n"), rules)
}

// refusals are what each CRM says to credentials that it does not know, and to
// those that are not enough.
func refusals() (out []ailment) {
	for name := range aCRM {
		out = append(out, ailment{"credentials of " + name, []string{"account-mistake"}, func(t *testing.T, s *stage) {
			w := oneCRM(t, name)
			good := w.look(false)
			s.saw(good...)
			if good := s.seen["account"].What + s.seen["account-doubt"].What; good == "" || s.seen["account-mistake"].What != "" {
				t.Errorf("of good credentials: %+v", s.seen)
			}
			told := map[string]bool{}
			for _, c := range []string{`"status": 401`, `"status": 403` + lacking[name]} {
				w.faults(`[{"crm": "` + name + `", ` + c + `, "times": 1000}]`)
				s.has(w.look(false), "account-mistake", "(docs/"+name+".md says which are needed)")
				told[s.seen["account-mistake"].What] = true
				w.faults("")
			}
			if len(told) != 2 {
				t.Errorf("both are told alike: %v", told)
			}
		}})
	}
	return out
}

// lacking says what else tells that rights are lacking: most of Salesforce's 403
// are of a limit.
var lacking = map[string]string{"salesforce": `, "path": "/services/data", "body": [{"errorCode": "INSUFFICIENT_ACCESS", "message": "insufficient access rights"}]`}

var outsideAilments = append(refusals(), []ailment{
	{"a vendor that can be asked for what was missed", []string{"vendor", "vendor-later", "vendor-refused", "vendor-untried"}, func(t *testing.T, s *stage) {
		settings := strings.Replace(plainSettings(""), "type: telli,", "type: telli, api_key: key, base_url: $SANDBOX/telli, requests_per_second: 1000,", 1)
		w := newWard(t, settings, "version: 1\nrules: []\n")
		s.saw(w.look(false)...)
		w.faults(`[{"crm": "telli", "path": "", "status": 503, "times": 1000}]`)
		s.has(w.look(false), "vendor-later", "try again later")
		w.faults("")
		w.faults(`[{"crm": "telli", "path": "", "status": 401, "times": 1000}]`)
		s.has(w.look(false), "vendor-refused", "compare the credentials")
		w.edit("config.yaml", "api_key: key", `api_key: "${NOT_IN_THIS_SHELL}"`)
		s.has(w.look(false), "vendor-untried", "secrets.env")
	}},
	{"accounts and rules that do not fit", []string{"account", "account-more", "account-doubt", "account-idle", "account-untried", "account-unasked"}, func(t *testing.T, s *stage) {
		w := oneCRM(t, "hubspot")
		s.saw(w.look(false)...)
		w.edit("mapping.yaml", "          firstname:", "          one: =call.id\n          two: =call.id\n          three: =call.id\n          four: =call.id\n          firstname:")
		found := w.look(false)
		s.has(found, "account-more", "check --live --connector hubspot shows all")
		s.has(found, "account-mistake", `"one"`)

		w = oneCRM(t, "airtable")
		s.has(w.look(false), "account-doubt", "may stand twice")
		w.edit("mapping.yaml", "to: airtable", "to: other")
		w.edit("config.yaml", "connectors:\n", "connectors:\n  other: "+strings.ReplaceAll(aCRM["airtable"].settings, "$SANDBOX", w.crm.URL)+"\n")
		s.has(w.look(false), "account-idle", "add a rule")
		w.edit("config.yaml", "  other: {type: airtable, access_token: pat-secret-token", `  other: {type: airtable, access_token: "${NOT_IN_THIS_SHELL}"`)
		s.has(w.look(false), "account-untried", "secrets.env")

		w = oneCRM(t, "hubspot")
		w.up()
		w.edit("config.yaml", "  hubspot:", "  renamed:")
		w.edit("mapping.yaml", "to: hubspot", "to: renamed")
		s.has(w.look(false), "account-unasked", "systemctl reload crmsyncd")
	}},
	{"access that nobody granted", []string{"connectors-unusable"}, func(t *testing.T, s *stage) {
		w := oneCRM(t, "hubspot")
		w.edit("config.yaml", "access_token: pat-eu1-secret-token", "client_id: app-1, client_secret: hunter2")
		s.has(w.look(false), "connectors-unusable", "crmsyncd auth hubspot")
	}},
}...)
