package hubspot_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// account is a connector with the sandbox behind it.
func account(t *testing.T) (connectors.Connector, *sandbox.Sandbox, string) {
	t.Helper()
	s := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return connect(t, server.URL, connectors.Options{Country: "DE"}), s, server.URL
}

func ok(t *testing.T, c connectors.Connector, change connectors.Change) connectors.Result {
	t.Helper()
	r := write(t, c, change)[0]
	if r.Err != nil {
		t.Fatalf("%s: %v", change.Object, r.Err)
	}
	return r
}

// linked lists what a record is linked to, as object, id and type.
func linked(s *sandbox.Sandbox, object, id string) []string {
	var out []string
	for _, r := range s.Records("hubspot", object) {
		if r.ID == id {
			for _, l := range r.Links {
				out = append(out, l.Object+" "+l.ID+" "+l.Type)
			}
		}
	}
	slices.Sort(out)
	return out
}

type fields = map[string]connectors.Value

func TestEveryObjectIsWrittenFoundAndUpdated(t *testing.T) {
	t.Parallel()
	c, s, _ := account(t)
	person := ok(t, c, contact("email", fields{"email": "a@example.com"}))
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		object, key, change string
		fields              fields
	}{
		{"notes", "source_event_id", "hs_note_body", fields{"source_event_id": "e1", "hs_timestamp": at, "hs_note_body": "one"}},
		{"tasks", "source_event_id", "hs_task_subject", fields{"source_event_id": "e1", "hs_timestamp": at, "hs_task_subject": "Call back", "hs_task_status": "Not started", "hs_task_type": "CALL", "hs_task_priority": "high"}},
		{"companies", "domain", "name", fields{"domain": "example.com", "name": "Example", "numberofemployees": 12}},
		{"deals", "dealname", "description", fields{"dealname": "Roof", "dealstage": "appointmentscheduled", "pipeline": "default", "amount": 1200.5}},
		{"leads", "hs_lead_name", "hs_lead_label", fields{"hs_lead_name": "A", "hs_lead_label": "Hot"}},
		{"p4711_roofs", "roof_id", "roof_name", fields{"roof_id": "r1", "roof_name": "Barn", "area_sqm": 80}},
	} {
		change := connectors.Change{Object: x.object, Fields: x.fields, Key: connectors.Key{{Field: x.key, Value: x.fields[x.key]}}, Links: []connectors.Link{{Object: "contacts", ID: person.ID}}}
		made := ok(t, c, change)
		if !made.Created {
			t.Errorf("%s: it was not created", x.object)
		}
		found, err := c.Find(t.Context(), []connectors.Match{{Object: x.object, Keys: []connectors.Key{change.Key}}})
		if err != nil || found[0].Err != nil || len(found[0].Records) != 1 || found[0].Records[0].ID != made.ID {
			t.Errorf("%s: found %+v, %v; want the record", x.object, found, err)
		}
		change.ID, change.Fields = made.ID, fields{x.change: "Cold"}
		if r := ok(t, c, change); r.ID != made.ID || r.Created {
			t.Errorf("%s: got %+v, want it updated", x.object, r)
		}
		if n := len(s.Records("hubspot", x.object)); n != 1 {
			t.Errorf("%s: %d records, want 1", x.object, n)
		}
		if !slices.ContainsFunc(linked(s, x.object, made.ID), func(l string) bool { return strings.HasPrefix(l, "contacts "+person.ID) }) {
			t.Errorf("%s: it is linked to %v, want the contact", x.object, linked(s, x.object, made.ID))
		}
	}
}

func TestACustomObjectByAnyOfItsNames(t *testing.T) {
	t.Parallel()
	c, s, _ := account(t)
	person := ok(t, c, contact("email", fields{"email": "a@example.com"}))
	for _, name := range []string{"p4711_roofs", "2-4711001", "roofs", "Roof", "Roofs"} {
		r := ok(t, c, connectors.Change{Object: name, Fields: fields{"roof_id": "r1", "roof_name": name}, Key: connectors.Key{{Field: "roof_id", Value: "r1"}}, Links: []connectors.Link{{Object: "contacts", ID: person.ID}}})
		call := ok(t, c, connectors.Change{Object: "calls", Fields: fields{"hs_timestamp": time.Now()}, Links: []connectors.Link{{Object: name, ID: r.ID}}})
		if got := linked(s, "calls", call.ID); !slices.Equal(got, []string{"p4711_roofs " + r.ID + " 33"}) {
			t.Errorf("%s: the call is linked to %v, want the roof", name, got)
		}
	}
	if n := len(s.Records("hubspot", "p4711_roofs")); n != 1 {
		t.Errorf("%d roofs, want 1", n)
	}
	r := write(t, c, connectors.Change{Object: "rooves", Fields: fields{"roof_id": "r1"}})[0]
	if r.Err == nil || r.Err.Kind != connectors.Invalid || !strings.Contains(r.Err.Error(), `did you mean "roofs"`) {
		t.Errorf("got %v, want the nearest object named", r.Err)
	}
}

func TestWithoutTheScopeForCustomObjectsAnUnknownObjectIsTheRulesAffair(t *testing.T) {
	t.Parallel()
	c, _, url := account(t)
	post(t, url+"/_/faults", []any{map[string]any{"crm": "hubspot", "path": "crm-object-schemas", "status": 403}})
	r := write(t, c, connectors.Change{Object: "roofs", Fields: fields{"roof_id": "r1"}})[0]
	if r.Err == nil || r.Err.Kind != connectors.Invalid || r.Err.Account || !strings.Contains(r.Err.Error(), "crm.schemas.custom.read") {
		t.Errorf("got %v, want invalid with the scope", r.Err)
	}
}

func TestALeadIsMadeWithItsContact(t *testing.T) {
	t.Parallel()
	c, s, _ := account(t)
	person := ok(t, c, contact("email", fields{"email": "a@example.com"}))
	lead := connectors.Change{Object: "leads", Fields: fields{"hs_lead_name": "A"}, Key: connectors.Key{{Field: "hs_lead_name", Value: "A"}}}
	if r := write(t, c, lead)[0]; r.Err == nil || r.Err.Kind != connectors.Invalid || !strings.Contains(r.Err.Error(), "link: [contacts]") {
		t.Errorf("without a contact: got %v, want invalid and the mend", r.Err)
	}
	lead.Links = []connectors.Link{{Object: "contacts", ID: person.ID}}
	r := ok(t, c, lead)
	if got := linked(s, "leads", r.ID); !slices.Contains(got, "contacts "+person.ID+" 578") {
		t.Errorf("got %v, want the primary contact", got)
	}
}

func TestLabelsOfTheAccountsOwn(t *testing.T) {
	t.Parallel()
	c, s, url := account(t)
	api(t, "POST", url+"/hubspot/crm/associations/2026-09/contacts/companies/labels", map[string]any{"label": "Works at", "name": "works_at", "inverseLabel": "Employs"})
	company := ok(t, c, connectors.Change{Object: "companies", Fields: fields{"name": "Example"}})
	for n, label := range []string{"works AT", "Primary", ""} {
		change := contact("telli_contact_id", fields{"telli_contact_id": label + "x", "lastname": "X"})
		change.Links = []connectors.Link{{Object: "companies", ID: company.ID, Type: label}}
		r := ok(t, c, change)
		got := linked(s, "contacts", r.ID)
		if want := [][]string{{"companies " + company.ID + " 146"}, {"companies " + company.ID + " 1"}, {"companies " + company.ID + " 279"}}[n]; len(got) != 1 || n > 0 && !slices.Equal(got, want) {
			t.Errorf("%q: linked to %v, want %v", label, got, want)
		}
	}
	back := ok(t, c, contact("telli_contact_id", fields{"telli_contact_id": "back", "lastname": "X"}))
	ok(t, c, connectors.Change{Object: "companies", ID: company.ID, Links: []connectors.Link{{Object: "contacts", ID: back.ID, Type: "Employs"}}})
	if got := linked(s, "contacts", back.ID); len(got) != 1 {
		t.Errorf("by the other direction's label: linked to %v, want the company", got)
	}
}

func TestOwnersByAddressInAnyCaseWithAFallback(t *testing.T) {
	t.Parallel()
	c, s, _ := account(t)
	for n, x := range []struct {
		owner connectors.Value
		want  any
		code  string
	}{
		{"Owner.ONE@example.com", "90001", ""},
		{"90002", "90002", ""},
		{[]any{"gone@example.com", "Owner.Two@Example.com"}, "90002", ""},
		{[]any{"90001", "owner.two@example.com"}, "90001", ""},
		{[]any{}, nil, ""},
		{"gone@example.com", nil, "NO_SUCH_OWNER"},
		{[]any{"gone@example.com", "also.gone@example.com"}, nil, "NO_SUCH_OWNER"},
		{"Owner One", nil, connectors.CodeValue},
	} {
		change := contact("telli_contact_id", fields{"telli_contact_id": n, "lastname": "X", "hubspot_owner_id": x.owner})
		r := write(t, c, change)[0]
		if (r.Err == nil) != (x.code == "") || r.Err != nil && (r.Err.Code != x.code || r.Err.Field != "hubspot_owner_id") {
			t.Errorf("%v: got %v, want code %q", x.owner, r.Err, x.code)
			continue
		}
		for _, rec := range s.Records("hubspot", "contacts") {
			if rec.ID == r.ID && rec.Fields["hubspot_owner_id"] != x.want {
				t.Errorf("%v: the owner is %v, want %v", x.owner, rec.Fields["hubspot_owner_id"], x.want)
			}
		}
	}
	n := 0
	for _, r := range s.Requests("hubspot") {
		if strings.Contains(r.Path, "/owners/") {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d requests for owners, want 1", n)
	}
}

func TestALinkLeadsOnToTheCompanyAndTheOpenDeals(t *testing.T) {
	t.Parallel()
	c, s, _ := account(t)
	person := ok(t, c, contact("email", fields{"email": "a@example.com"}))
	alone := ok(t, c, contact("email", fields{"email": "b@example.com"}))
	company := ok(t, c, connectors.Change{Object: "companies", Fields: fields{"name": "First"}})
	other := ok(t, c, connectors.Change{Object: "companies", Fields: fields{"name": "Second"}})
	ok(t, c, connectors.Change{Object: "contacts", ID: person.ID, Links: []connectors.Link{{Object: "companies", ID: other.ID}, {Object: "companies", ID: company.ID, Type: "Primary"}}})
	var deals []string
	for _, stage := range []string{"contractsent", "closedwon", "qualifiedtobuy"} {
		r := ok(t, c, connectors.Change{Object: "deals", Fields: fields{"dealname": stage, "dealstage": stage}, Links: []connectors.Link{{Object: "contacts", ID: person.ID}}})
		deals = append(deals, r.ID)
	}
	call := func(id string) connectors.Change {
		return connectors.Change{Object: "calls", Fields: fields{"hs_timestamp": time.Now()}, Links: []connectors.Link{
			{Object: "contacts", ID: id}, {Object: "contacts", ID: id, Type: "$company"}, {Object: "contacts", ID: id, Type: "$open_deals"},
		}}
	}
	want := []string{"companies " + company.ID + " 182", "contacts " + person.ID + " 194", "deals " + deals[0] + " 206", "deals " + deals[2] + " 206"}
	if got := linked(s, "calls", ok(t, c, call(person.ID)).ID); !slices.Equal(got, want) {
		t.Errorf("linked to %v, want %v", got, want)
	}
	if got := linked(s, "calls", ok(t, c, call(alone.ID)).ID); len(got) != 1 {
		t.Errorf("without company and deals: linked to %v, want the contact", got)
	}
	bad := call(person.ID)
	bad.Links[1].Type = "$firm"
	if r := write(t, c, bad)[0]; r.Err == nil || r.ID == "" || r.Err.Code != "NO_SUCH_LABEL" {
		t.Errorf("got %+v, want the record written and the type named as unknown", r)
	}
}
