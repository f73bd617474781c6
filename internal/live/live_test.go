package live_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/connectors/airtable"
	"github.com/crmsyncd/crmsyncd/connectors/hubspot"
	"github.com/crmsyncd/crmsyncd/connectors/pipedrive"
	"github.com/crmsyncd/crmsyncd/connectors/salesforce"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/live"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/mapping"
)

func start(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
	t.Cleanup(s.Close)
	return s.URL
}

// account opens a connector on the sandbox by its CRM's name.
func account(t *testing.T, crm, url string) live.Account {
	t.Helper()
	var c connectors.Connector
	var err error
	o := connectors.Options{Name: crm, Country: "DE", Zone: time.UTC}
	switch crm {
	case "hubspot":
		c, err = hubspot.New(hubspot.Config{AccessToken: "t", BaseURL: url + "/hubspot", RequestsPer10s: 100_000}, o)
	case "airtable":
		c, err = airtable.New(airtable.Config{AccessToken: "t", Base: "appTest0000000000", BaseURL: url + "/airtable", RequestsPerSecond: 100_000}, o)
	case "typecast":
		c, err = airtable.New(airtable.Config{AccessToken: "t", Base: "appTest0000000000", BaseURL: url + "/airtable", RequestsPerSecond: 100_000, Typecast: true}, o)
	case "pipedrive":
		c, err = pipedrive.New(pipedrive.Config{APIToken: "t", BaseURL: url + "/pipedrive", RequestsPer2s: 100_000}, o)
	case "salesforce":
		c, err = salesforce.New(salesforce.Config{ClientID: "app", ClientSecret: "s", BaseURL: url + "/salesforce"}, o)
	default:
		t.Fatalf("no CRM %q", crm)
	}
	if err != nil {
		t.Fatal(err)
	}
	root, _ := diag.ReadYAML("config.yaml", []byte("type: "+crm+"\ntoken: secret\n"))
	return live.Account{Name: crm, Connector: c, At: root}
}

// rules reads one rule with these records.
func rules(t *testing.T, crm, on, records string) []mapping.Write {
	t.Helper()
	text := "version: 1\ntables:\n  word: {a: Reached, b: Nope}\nrules:\n  - name: r\n    on: " + on + "\n    to: " + crm + "\n    records:\n" + records
	r, ps := mapping.Read([]mapping.File{{Name: "m", Text: []byte(text)}}, mapping.Options{Connectors: map[string]string{crm: crm}})
	if ps.Has(diag.Error) {
		t.Fatal(ps)
	}
	return r.Writes()
}

// record writes a record with one more field.
func record(object, match, more string) string {
	return fmt.Sprintf("      - {object: %s, match: '%s', fields: {'%s': =contact.id, %s}}\n", object, match, match, more)
}

func TestCheck(t *testing.T) {
	t.Parallel()
	contact := func(more string) string { return record("contacts", "telli_contact_id", more) }
	row := func(more string) string { return record("Contacts", "telli_contact_id", more) }
	person := func(more string) string { return record("persons", "Telli contact id", more) }
	people := func(more string) string { return record("Contact", "Telli_Contact_Id__c", more) }
	for _, c := range []struct {
		name, crm, records string
		want               []string // parts of the problems, in order; none: all is well
	}{
		{"fields that are there", "hubspot", contact("firstname: =contact.first_name, telli_status: =contact.status"), nil},
		{"a field by its label", "hubspot", contact("First name: x"), []string{`has no field "First name"`}},
		{"a computed field", "hubspot", contact("hubspotscore: 1"), []string{"hubspotscore of contacts cannot be written"}},
		{"a time for a number", "hubspot", contact("followercount: =call.started_at"), []string{"is a time, but this field wants a number"}},
		{"a time or a number for a number", "hubspot", contact("followercount: '=call.id == nil ? call.started_at : 3'"), nil},
		{"a length of time for a day", "hubspot", contact("closedate: =call.duration"), []string{"is a duration, but this field wants a time"}},
		{"truth for a number", "hubspot", contact("followercount: =call.id == nil"), []string{"is true or false, but"}},
		{"a list for several options", "hubspot", contact("hs_buying_role: =contact.tags"), nil},
		{"a list for one option", "hubspot", contact("telli_status: =contact.tags"), nil},
		{"a table for one option", "hubspot", contact(`telli_status: '=table("word", contact.id)'`), []string{`m:3:25: "Nope" is no option of telli_status of contacts, which has values of the table word`}},
		{"an owner with a fallback", "hubspot", contact(`hubspot_owner_id: '=[contact.owner.email, "owner.one@example.com"]'`), nil},
		{"an owner who is none", "hubspot", contact(`hubspot_owner_id: '=contact.owner.email ?? "who@example.com"'`), []string{"no user of this HubSpot account"}},
		{"a match by e-mail, which HubSpot keeps unique", "hubspot", record("contacts", "email", "firstname: x"), nil},
		{"a match by nothing unique", "hubspot", record("contacts", "phone", "firstname: x"), []string{"warning: contacts may stand twice"}},
		{"an object in the singular", "hubspot", record("notez", "id", "x: y"), []string{`no object "notez" (did you mean notes?)`}},
		{"a link through a field", "hubspot", contact("firstname: x") + "      - {object: calls, match: telli_call_id, fields: {telli_call_id: =call.id}, link: {to: contacts, field: Contact}}\n", []string{"HubSpot links by associations"}},
		{"a link that leads on", "hubspot", contact("firstname: x") + "      - {object: calls, match: telli_call_id, fields: {telli_call_id: =call.id}, link: {to: contacts, type: $company}}\n", nil},
		{"a link that leads nowhere", "hubspot", contact("firstname: x") + "      - {object: calls, match: telli_call_id, fields: {telli_call_id: =call.id}, link: {to: contacts, type: $boss}}\n", []string{"there is no type $boss"}},

		{"a word that is no option", "airtable", row("Status: rang"), []string{`"rang" is no option of Status of Contacts (it has new, pending, reached, closed)`}},
		{"a word that is made an option", "typecast", row("Status: rang"), nil},
		{"words that events bring", "airtable", row("Status: =call.direction"), []string{"call.direction can be inbound, outbound, internal, unknown, for which Status"}},
		{"some words that events bring", "airtable", record("Calls", "Call ID", `Direction: '=call.id == nil ? "inbound" : upper(call.status)'`), []string{"warning: call.status can be COMPLETED"}},
		{"a match by a link", "airtable", record("Calls", "Contact", "Attempt: 1"), []string{"records cannot be matched by a link field"}},
		{"a table that is not there", "airtable", record("Contact", "id", "x: y"), []string{`has no object "Contact" (did you mean Contacts?)`}},
		{"a link field that is none", "airtable", row("Name: x") + "      - {object: Calls, match: Call ID, fields: {Call ID: =call.id}, link: {to: Contacts, field: Agent}}\n", []string{"does not hold links"}},

		{"fields by name, key and label", "pipedrive", person("telli STATUS: Reached, JOB_TITLE: x"), nil},
		{"a field that search does not know", "pipedrive", record("persons", "Telli status", "name: x"), []string{"cannot search persons by this field"}},
		{"a link that Pipedrive does not have", "pipedrive", record("leads", "title", "origin_id: x") + "      - {object: organizations, match: name, fields: {name: =contact.company}, link: leads}\n", []string{"organizations cannot be linked to leads"}},
		{"an activity on a person and a lead", "pipedrive", person("name: x") + record("leads", "title", "origin_id: x") + "      - {object: activities, match: public_description, fields: {public_description: =call.id}, link: [persons, leads]}\n", nil},

		{"a restricted picklist", "salesforce", people("LastName: x, Telli_Status__c: rang"), []string{`"rang" is no option of Telli_Status__c`}},
		{"an open picklist", "salesforce", people("LastName: x, LeadSource: Word of mouth"), nil},
		{"a field in the wrong case", "salesforce", people("lastname: x"), []string{`has no field "lastname" (did you mean LastName`}},
		{"a match that cannot be searched", "salesforce", record("Contact", "Description", "LastName: x"), []string{"Salesforce cannot search this field"}},
		{"a lookup that is not there", "salesforce", people("LastName: x") + "      - {object: Account, match: External_Id__c, fields: {External_Id__c: =call.id, Name: x}, link: Contact}\n", []string{"Account has no lookup to Contact"}},
		{"the contact of a task", "salesforce", people("LastName: x") + "      - {object: Task, match: Call_Id__c, fields: {Call_Id__c: =call.id}, link: Contact}\n", nil},
	} {
		t.Run(c.crm+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			ps := live.Check(t.Context(), rules(t, c.crm, "call.ended", c.records), []live.Account{account(t, c.crm, start(t))})
			if len(ps) != len(c.want) {
				t.Fatalf("got %d problems, want %d:\n%v", len(ps), len(c.want), ps)
			}
			for i, part := range c.want {
				if !strings.Contains(ps[i].Error(), part) || (ps[i].Severity == diag.Warning) != strings.HasPrefix(part, "warning:") {
					t.Errorf("got %s\nwant %s in it", ps[i].Error(), part)
				}
			}
		})
	}
}

func TestAnAccountThatCannotBeAskedIsOneProblem(t *testing.T) {
	t.Parallel()
	writes := rules(t, "hubspot", "call.ended", record("contacts", "telli_contact_id", "firstname: x")+record("calls", "telli_call_id", "hs_timestamp: =call.started_at"))
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"status":"error","category":"INVALID_AUTHENTICATION","message":"for a@example.com"}`)
	}))
	t.Cleanup(refusing.Close)
	gone := httptest.NewServer(nil)
	gone.Close()
	for _, c := range []struct{ name, url, want string }{
		{"a wrong token", refusing.URL, "cannot be asked: HubSpot does not accept the access token (mend the credentials"},
		{"nobody there", gone.URL, "is the CRM reachable from here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for what, ps := range map[string]diag.Problems{
				"Check": live.Check(t.Context(), writes, []live.Account{account(t, "hubspot", c.url)}),
				"Find": func() diag.Problems {
					_, ps := live.Find(t.Context(), writes, []live.Account{account(t, "hubspot", c.url)})
					return ps
				}(),
			} {
				if len(ps) != 1 || !strings.Contains(ps[0].Error(), c.want) || ps[0].Line != "" || ps[0].Pos.File != "config.yaml" {
					t.Errorf("%s gave %v with the line %q; want one problem with %q", what, ps, ps[0].Line, c.want)
				}
			}
		})
	}
}

// busy is an account that answers its first questions with a refusal.
type busy struct {
	connectors.Connector
	connectors.Checker
	refusals []*connectors.Error
}

func (b *busy) Describe(context.Context, []string) (connectors.Schema, error) {
	if len(b.refusals) > 0 {
		err := b.refusals[0]
		b.refusals = b.refusals[1:]
		return nil, err
	}
	return connectors.Schema{"contacts": {}}, nil
}

func (b *busy) CheckField(context.Context, string, string) (connectors.Field, *connectors.Error) {
	return connectors.Field{}, nil
}

func (b *busy) CheckValue(context.Context, string, connectors.Field, connectors.Value) *connectors.Error {
	return nil
}

func (b *busy) CheckKey(context.Context, string, []connectors.Field) *connectors.Error { return nil }

func TestALimitIsWaitedForAndNoFault(t *testing.T) {
	t.Parallel()
	limit := func(wait time.Duration) *connectors.Error {
		return &connectors.Error{Kind: connectors.RateLimited, Wait: wait, Message: "too fast"}
	}
	writes := rules(t, "hubspot", "call.ended", record("contacts", "email", "firstname: =contact.first_name"))
	for _, c := range []struct {
		name     string
		refusals []*connectors.Error
		problems int
		waited   time.Duration
	}{
		{"twice for a moment", []*connectors.Error{limit(30 * time.Second), limit(0)}, 0, 31 * time.Second},
		{"for longer than anybody waits", []*connectors.Error{limit(time.Hour)}, 1, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			begun := time.Now()
			root, _ := diag.ReadYAML("config.yaml", []byte("type: hubspot\n"))
			ps := live.Check(t.Context(), writes, []live.Account{{Name: "hubspot", Connector: &busy{refusals: c.refusals}, At: root}})
			if len(ps) != c.problems || time.Since(begun) != c.waited {
				t.Errorf("%s: got %v after %s; want %d problems after %s", c.name, ps, time.Since(begun), c.problems, c.waited)
			}
		})
	}
}

// deaf is an account without fields to compare.
type deaf struct{ connectors.Connector }

func (deaf) Describe(context.Context, []string) (connectors.Schema, error) { panic("asked") }

func TestWhatTakesAnythingIsNotAsked(t *testing.T) {
	t.Parallel()
	a := live.Account{Name: "hubspot", Connector: deaf{}}
	writes := rules(t, "hubspot", "call.ended", record("contacts", "email", "firstname: x"))
	if ps := live.Check(t.Context(), writes, []live.Account{a}); len(ps) > 0 || a.Comparable() {
		t.Errorf("got %v", ps)
	}
	schemas, ps := live.Schemas(t.Context(), writes, []live.Account{a})
	if len(schemas) > 0 || len(ps) > 0 {
		t.Errorf("got %v, %v", schemas, ps)
	}
}

func TestFindChoosesTypesByTheFormulas(t *testing.T) {
	t.Parallel()
	writes := rules(t, "hubspot", "[call.ended, call.created]", `      - object: contacts
        match: [new_key, new_second]
        fields:
          new_key: =contact.id
          new_second: =contact.external_id
          new_mail: =contact.email
          new_phone: =phone(contact.phone)
          new_time: =call.started_at ?? event.occurred_at
          new_length: =call.duration
          new_number: =call.attempt + 1
          new_mixed: '=call.id == nil ? call.attempt : call.started_at'
          new_truth: =call.attempt > 1
          new_word: '=table("word", contact.status)'
          new_words: =upper(call.direction)
          new_choice: '=call.attempt > 1 ? "again" : "first"'
          new_constant: telli
          new_text: Call {{ call.id }}
          new_list: =contact.tags
          new_set: '=["a", "b"]'
          new_link: =call.recording_url
          new_summary: =call.summary
          new_lines: |
            {{ call.id }}
            {{ call.status }}
`)
	missing, ps := live.Find(t.Context(), writes, []live.Account{account(t, "hubspot", start(t))})
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	var got []string
	for _, m := range missing {
		s := fmt.Sprintf("%s %s", m.Field.Name, m.Field.Type)
		if m.Field.Unique {
			s += " unique"
		}
		for _, o := range m.Field.Options {
			s += " " + o.Value + "=" + o.Label
		}
		got = append(got, s)
	}
	want := []string{
		"new_key text unique", "new_second text", "new_mail e-mail", "new_phone phone", "new_time date and time", "new_length duration", "new_number number",
		"new_mixed text", "new_truth true/false true=Yes false=No", "new_word one option Reached=Reached Nope=Nope",
		"new_words one option INBOUND=INBOUND OUTBOUND=OUTBOUND INTERNAL=INTERNAL UNKNOWN=UNKNOWN", "new_choice one option again=Again first=First",
		"new_constant text", "new_text text", "new_list long text", "new_set several options a=A b=B", "new_link link", "new_summary long text", "new_lines long text",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFindJoinsWhatSeveralRulesWrite(t *testing.T) {
	t.Parallel()
	one := rules(t, "airtable", "call.ended", record("Contacts", "telli_contact_id", "Result: new"))
	two := rules(t, "airtable", "call.ended", record("Contacts", "telli_contact_id", "Result: old"))
	missing, ps := live.Find(t.Context(), append(one, two...), []live.Account{account(t, "airtable", start(t))})
	if len(ps) > 0 || len(missing) != 1 {
		t.Fatalf("got %+v, %v", missing, ps)
	}
	if m := missing[0]; m.Field.Type != connectors.Text || m.Manual != "" || m.Field.Native == "" {
		t.Errorf("got %+v", m)
	}
}

func TestSchemasHoldWhatRulesAreMostlyWrittenFor(t *testing.T) {
	t.Parallel()
	for crm, want := range map[string][]string{
		"hubspot": {"contacts", "calls", "deals"}, "airtable": {"Contacts", "Calls"}, "pipedrive": {"persons", "callLogs"}, "salesforce": {"Lead", "Task"},
	} {
		t.Run(crm, func(t *testing.T) {
			t.Parallel()
			schemas, ps := live.Schemas(t.Context(), nil, []live.Account{account(t, crm, start(t))})
			if len(ps) > 0 {
				t.Fatal(ps)
			}
			for _, object := range want {
				if len(schemas[crm][object].Fields) == 0 {
					t.Errorf("%s has no fields of %s", crm, object)
				}
			}
		})
	}
}

func TestAnObjectThatIsNotOpenHidesNoOther(t *testing.T) {
	t.Parallel()
	inner := sandbox.New(sandbox.Options{Unlimited: true})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/calls") || strings.Contains(r.URL.Path, "/owners") {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"status":"error","category":"MISSING_SCOPES","message":"no"}`)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	writes := rules(t, "hubspot", "call.ended", record("contacts", "telli_contact_id", "nope: x, hubspot_owner_id: a@example.com")+record("calls", "telli_call_id", "hs_timestamp: =call.started_at"))
	ps := live.Check(t.Context(), writes, []live.Account{account(t, "hubspot", s.URL)})
	want := []string{"lacks a scope for this, which a value of hubspot_owner_id takes", `contacts of hubspot has no field "nope"`, "does not let crmsyncd see its calls: the access token lacks a scope"}
	if len(ps) != len(want) {
		t.Fatalf("got %v", ps)
	}
	for i := range want {
		if !strings.Contains(ps[i].Error(), want[i]) {
			t.Errorf("got %s\nwant %s in it", ps[i].Error(), want[i])
		}
	}
	missing, ps := live.Find(t.Context(), writes, []live.Account{account(t, "hubspot", s.URL)})
	if len(missing) != 1 || missing[0].Field.Name != "nope" || len(ps) != 1 {
		t.Errorf("Find gave %+v, %v", missing, ps)
	}
}

func TestExamplesFitTheSandbox(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("../../examples/*/mapping.yaml")
	if err != nil || len(paths) < 2 {
		t.Fatalf("found %v, %v", paths, err)
	}
	crms := map[string]string{"hubspot": "hubspot", "airtable": "airtable", "pipedrive": "pipedrive", "salesforce": "salesforce", "automation": "webhook"}
	for _, path := range paths {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r, ps := mapping.Read([]mapping.File{{Name: "m", Text: text}}, mapping.Options{Connectors: crms})
			if ps.Has(diag.Error) {
				t.Fatal(ps)
			}
			url := start(t)
			var accounts []live.Account
			for name, crm := range crms {
				if crm != "webhook" {
					accounts = append(accounts, account(t, name, url))
				}
			}
			for _, p := range live.Check(t.Context(), r.Writes(), accounts) {
				// Who is known by a number only is found by it; no CRM keeps those unique.
				if !strings.Contains(p.Message, "may stand twice") {
					t.Errorf("%v", p)
				}
			}
		})
	}
}
