package sandbox

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	hsContacts = "/hubspot/crm/objects/2026-09/contacts"
	hsCalls    = "/hubspot/crm/objects/2026-09/calls"
)

func (r *rig) contact(body string) string {
	r.t.Helper()
	return r.do("POST", hsContacts, `{"properties":`+body+`}`).ok(201).str("id")
}

func TestHubSpotRecords(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	id := r.contact(`{"email":"Erika@Example.com","firstname":"Erika","phone":"+49 (0)30 23125 017"}`)
	for _, path := range []string{hsContacts + "/" + id, "/hubspot/crm/v3/objects/contacts/" + id, "/hubspot/crm/v3/objects/0-1/" + id,
		hsContacts + "/erika@example.com?idProperty=email"} {
		r.do("GET", path, "").ok(200).want("id", id).want("properties.email", "erika@example.com").want("archived", false).want("properties.hs_object_id", id)
	}
	r.do("GET", hsContacts+"/"+id+"?properties=phone,jobtitle&properties=hs_searchable_calculated_phone_number", "").ok(200).
		want("properties.jobtitle", nil).want("properties.hs_searchable_calculated_phone_number", "3023125017").want("properties.email", nil)
	r.do("PATCH", hsContacts+"/erika@example.com?idProperty=email", `{"properties":{"lastname":"M","lifecyclestage":"customer"}}`).ok(200).want("properties.lastname", "M")
	r.do("PATCH", hsContacts+"/"+id, `{"properties":{"lifecyclestage":"lead","lastname":null}}`).ok(200).want("properties.lifecyclestage", "customer").want("properties.lastname", nil)
	r.do("PATCH", hsContacts+"/999", `{"properties":{"lastname":"M"}}`).ok(404).want("category", "OBJECT_NOT_FOUND")
	r.do("POST", hsContacts, `{"properties":{"email":"ERIKA@example.com"}}`).ok(409).want("message", "Contact already exists. Existing ID: "+id).want("category", "CONFLICT")
	r.do("DELETE", hsContacts+"/"+id, "").ok(204)
	r.do("GET", hsContacts+"/"+id, "").ok(404)
	r.do("GET", hsContacts+"/"+id+"?archived=true", "").ok(200).want("archived", true)
	r.contact(`{"email":"erika@example.com"}`)
	for range 3 {
		r.contact(`{"firstname":"x"}`)
	}
	page := r.do("GET", hsContacts+"?limit=3", "").ok(200)
	if n := len(page.at("results").([]any)); n != 3 {
		t.Errorf("page: want 3, got %d", n)
	}
	rest := r.do("GET", hsContacts+"?limit=3&after="+page.str("paging.next.after"), "").ok(200)
	if n := len(rest.at("results").([]any)); n != 1 || rest.at("paging") != nil {
		t.Errorf("last page: want 1 and no next, got %s", rest.text)
	}
}

func TestHubSpotMerge(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	a := r.contact(`{"email":"a@example.com"}`)
	b := r.contact(`{"email":"b@example.com","jobtitle":"Cook"}`)
	r.do("POST", hsContacts+"/merge", `{"primaryObjectId":"`+a+`","objectIdToMerge":"`+b+`"}`).ok(200).want("id", a).want("properties.jobtitle", "Cook")
	r.do("GET", hsContacts+"/"+b, "").ok(200).want("id", a)
	r.do("POST", hsContacts, `{"properties":{"email":"b@example.com"}}`).ok(409).want("message", "Contact already exists. Existing ID: "+a)
	r.do("GET", hsContacts+"/b@example.com?idProperty=email", "").ok(200).want("id", a)
}

func TestHubSpotRefuses(t *testing.T) {
	t.Parallel()
	const stamp = `"hs_timestamp":"2026-11-21T10:00:00Z",`
	for name, tc := range map[string]struct{ object, props, want string }{
		"an unknown property":                   {"contacts", `{"firstname":"x","missing":"y"}`, `Property values were not valid: [{\"isValid\":false,\"message\":\"Property \\\"missing\\\" does not exist\",\"error\":\"PROPERTY_DOESNT_EXIST\",\"name\":\"missing\"`},
		"a read-only property":                  {"contacts", `{"firstname":"x","createdate":"1"}`, "READ_ONLY_VALUE"},
		"a number with a thousands separator":   {"calls", `{` + stamp + `"hs_call_duration":"1,000"}`, "was not a valid number"},
		"a date that is not midnight":           {"contacts", `{"firstname":"x","telli_reached_at":"2026-11-21"}`, "INVALID_LONG"},
		"an unknown option":                     {"contacts", `{"firstname":"x","telli_status":"Reached"}`, "INVALID_OPTION"},
		"an option of a multi-value property":   {"contacts", `{"firstname":"x","hs_buying_role":"CHAMPION;BOSS"}`, "INVALID_OPTION"},
		"an e-mail that is none":                {"contacts", `{"email":"nope"}`, "INVALID_EMAIL"},
		"an owner who does not exist":           {"contacts", `{"firstname":"x","hubspot_owner_id":"1"}`, "INVALID_OWNER_ID"},
		"a contact with a phone number only":    {"contacts", `{"phone":"+49301234567"}`, "At least one of"},
		"a call without hs_timestamp":           {"calls", `{"hs_call_title":"x"}`, "Some required properties were not set."},
		"a recording that is not https":         {"calls", `{` + stamp + `"hs_call_recording_url":"http://example.com/x"}`, "INVALID_URL"},
		"a direction in lower case":             {"calls", `{` + stamp + `"hs_call_direction":"inbound"}`, "INVALID_OPTION"},
		"a disposition that is not a GUID":      {"calls", `{` + stamp + `"hs_call_disposition":"Connected"}`, "INVALID_OPTION"},
		"a note body that is too long":          {"notes", `{` + stamp + `"hs_note_body":"` + strings.Repeat("x", hsMaxText+1) + `"}`, "VALUE_TOO_LONG"},
		"a list as a value":                     {"contacts", `{"firstname":["x"]}`, "Invalid input JSON"},
		"a lead that belongs to nobody":         {"leads", `{"hs_lead_name":"x"}`, "must be associated"},
		"an object that HubSpot does not have":  {"p_cats", `{}`, "Unable to infer object type"},
		"a unique value of the same record set": {"calls", `{` + stamp + `"telli_call_id":"taken"}`, "CONFLICTING_UNIQUE_VALUE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := unlimited(t)
			r.do("POST", hsCalls, `{"properties":{`+stamp+`"telli_call_id":"TAKEN"}}`).ok(201)
			got := r.do("POST", "/hubspot/crm/objects/2026-09/"+tc.object, `{"properties":`+tc.props+`}`).ok(400).contains(tc.want).want("category", "VALIDATION_ERROR")
			if len(got.str("correlationId")) != 36 {
				t.Errorf("correlationId: got %q", got.str("correlationId"))
			}
		})
	}
	t.Run("an unknown key beside properties", func(t *testing.T) {
		t.Parallel()
		unlimited(t).do("POST", hsContacts, `{"properties":{"firstname":"x"},"fields":{}}`).ok(400).contains("Invalid input JSON")
	})
	t.Run("a date with a time", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.do("POST", "/hubspot/crm/properties/2026-09/contacts", `{"name":"born","label":"Born","type":"date","fieldType":"date","groupName":"crmsync"}`).ok(201)
		r.do("POST", hsContacts, `{"properties":{"firstname":"x","born":"1763719200001"}}`).ok(400).contains("not midnight")
		r.do("POST", hsContacts, `{"properties":{"firstname":"x","born":"1763683200000"}}`).ok(201).want("properties.born", "2025-11-21")
	})
}

func TestHubSpotValues(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	r.do("POST", hsCalls, `{"properties":{"hs_timestamp":1772703012302,"hs_call_duration":63000,"hubspot_owner_id":"90001","hs_call_status":"COMPLETED"}}`).ok(201).
		want("properties.hs_timestamp", "2026-03-05T09:30:12.302Z").want("properties.hs_call_duration", "63000")
	r.do("POST", hsCalls, `{"properties":{"hs_timestamp":"2026-03-05T10:30:12+01:00"}}`).ok(201).want("properties.hs_timestamp", "2026-03-05T09:30:12.000Z")
}

func TestHubSpotBatch(t *testing.T) {
	t.Parallel()
	t.Run("upsert by a unique property creates and then updates", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		body := `{"inputs":[{"id":"c-1","idProperty":"telli_contact_id","properties":{"firstname":"A"}},{"id":"c-2","idProperty":"telli_contact_id","properties":{"firstname":"B","telli_contact_id":"c-2"}}]}`
		r.do("POST", hsContacts+"/batch/upsert", body).ok(200).want("results.0.new", true).want("status", "COMPLETE")
		got := r.do("POST", hsContacts+"/batch/upsert", body).ok(200).want("results.1.new", false)
		got.want("results.1.properties.telli_contact_id", "c-1") // results come in an order of their own
		if n := len(r.s.Records("hubspot", "contacts")); n != 2 {
			t.Errorf("records: want 2, got %d", n)
		}
	})
	t.Run("upsert by e-mail clears what was not sent", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.contact(`{"email":"a@example.com","firstname":"A","jobtitle":"Cook"}`)
		r.do("POST", hsContacts+"/batch/upsert", `{"inputs":[{"id":"a@example.com","idProperty":"email","properties":{"firstname":"B"}}]}`).ok(200).
			want("results.0.new", false).want("results.0.properties.firstname", "B").want("results.0.properties.jobtitle", nil).want("results.0.properties.email", "a@example.com")
	})
	t.Run("without trace ids one bad input refuses the batch", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.do("POST", hsContacts+"/batch/create", `{"inputs":[{"properties":{"firstname":"A"}},{"properties":{"nosuch":"B"}}]}`).ok(400)
		if n := len(r.s.Records("hubspot", "contacts")); n != 0 {
			t.Errorf("records: want none, got %d", n)
		}
	})
	t.Run("with trace ids the answer is multi-status", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		id := r.contact(`{"email":"a@example.com"}`)
		got := r.do("POST", hsContacts+"/batch/create", `{"inputs":[{"objectWriteTraceId":"x","properties":{"email":"a@example.com"}},
			{"objectWriteTraceId":"y","properties":{"email":"b@example.com"}},{"objectWriteTraceId":"z","properties":{"email":"b@example.com"}}]}`).ok(207)
		got.want("numErrors", 2).want("errors.0.category", "CONFLICT").want("errors.0.message", "Contact already exists. Existing ID: "+id)
		got.want("errors.1.context.objectWriteTraceId.0", "z").want("results.0.objectWriteTraceId", "y")
	})
	t.Run("the same record twice is refused", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		id := r.contact(`{"email":"a@example.com"}`)
		r.do("POST", hsContacts+"/batch/update", `{"inputs":[{"id":"`+id+`","properties":{"firstname":"A"}},{"id":"`+id+`","properties":{"firstname":"B"}}]}`).ok(400).contains("Duplicate IDs")
	})
	t.Run("more than a hundred inputs are refused", func(t *testing.T) {
		t.Parallel()
		inputs := strings.Repeat(`{"properties":{"firstname":"x"}},`, 101)
		unlimited(t).do("POST", hsContacts+"/batch/create", `{"inputs":[`+strings.TrimSuffix(inputs, ",")+`]}`).ok(400).contains("100")
	})
	t.Run("upsert needs a unique property", func(t *testing.T) {
		t.Parallel()
		unlimited(t).do("POST", hsContacts+"/batch/upsert", `{"inputs":[{"id":"x","idProperty":"phone","properties":{}}]}`).ok(400).contains("not a unique property")
	})
	t.Run("read reports what is not there", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		id := r.contact(`{"email":"a@example.com","telli_contact_id":"c-1"}`)
		r.do("POST", hsContacts+"/batch/read", `{"inputs":[{"id":"c-1"},{"id":"c-9"}],"idProperty":"telli_contact_id","properties":["email"]}`).ok(207).
			want("results.0.id", id).want("errors.0.category", "OBJECT_NOT_FOUND").want("errors.0.context.ids.0", "c-9")
		r.do("POST", hsContacts+"/batch/read", `{"inputs":[{"id":"`+id+`"}],"properties":["email"]}`).ok(200).want("results.0.properties.email", "a@example.com")
		r.do("POST", hsContacts+"/batch/archive", `{"inputs":[{"id":"`+id+`"}]}`).ok(204)
		r.do("GET", hsContacts+"/"+id, "").ok(404)
	})
}

func TestHubSpotSearch(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	id := r.contact(`{"email":"Erika@example.com","firstname":"Erika","lastname":"M","phone":"+493023125017","telli_status":"reached","telli_reached_at":"2026-03-04T09:32:12Z","telli_contact_id":"Ab-1"}`)
	r.contact(`{"email":"max@example.com","firstname":"Max"}`)
	for filter, want := range map[string]int{
		`{"propertyName":"email","operator":"EQ","value":"ERIKA@example.com"}`:                                             1,
		`{"propertyName":"phone","operator":"EQ","value":"+493023125017"}`:                                                 0,
		`{"propertyName":"phone","operator":"EQ","value":"3023125017"}`:                                                    1,
		`{"propertyName":"hs_searchable_calculated_phone_number","operator":"EQ","value":"3023125017"}`:                    1,
		`{"propertyName":"hs_searchable_calculated_phone_number","operator":"IN","values":["3023125017"]}`:                 1,
		`{"propertyName":"hs_searchable_calculated_phone_number","operator":"CONTAINS_TOKEN","value":"*23125017"}`:         1,
		`{"propertyName":"telli_contact_id","operator":"IN","values":["Ab-1"]}`:                                            0,
		`{"propertyName":"telli_contact_id","operator":"IN","values":["ab-1"]}`:                                            1,
		`{"propertyName":"telli_contact_id","operator":"EQ","value":"Ab-1"}`:                                               1,
		`{"propertyName":"telli_status","operator":"IN","values":["reached","new"]}`:                                       1,
		`{"propertyName":"telli_status","operator":"NOT_HAS_PROPERTY"}`:                                                    1,
		`{"propertyName":"telli_status","operator":"HAS_PROPERTY"}`:                                                        1,
		`{"propertyName":"telli_reached_at","operator":"GTE","value":"1772616732000"}`:                                     1,
		`{"propertyName":"telli_reached_at","operator":"BETWEEN","value":"1772616732001","highValue":"1772616733000"}`:     0,
		`{"propertyName":"email","operator":"CONTAINS_TOKEN","value":"example"}`:                                           2,
		`{"propertyName":"hs_object_id","operator":"EQ","value":"` + id + `"}`:                                             1,
		`{"propertyName":"firstname","operator":"NEQ","value":"Max"}`:                                                      1,
		`{"propertyName":"firstname","operator":"EQ","value":"Max"},{"propertyName":"lastname","operator":"HAS_PROPERTY"}`: 0,
	} {
		r.do("POST", hsContacts+"/search", `{"filterGroups":[{"filters":[`+filter+`]}],"properties":["email"],"limit":1}`).ok(200).want("total", want)
	}
	r.do("POST", hsContacts+"/search", `{"limit":1,"sorts":[{"propertyName":"firstname","direction":"DESCENDING"}]}`).ok(200).
		want("results.0.properties.firstname", "Max").want("paging.next.after", "1")
	r.do("POST", hsContacts+"/search", `{"limit":1,"after":"1","sorts":["-firstname"],"query":""}`).ok(200).want("results.0.id", id)
	f := `{"propertyName":"email","operator":"HAS_PROPERTY"}`
	many := strings.TrimSuffix(strings.Repeat(f+",", 7), ",")
	for name, body := range map[string]string{
		"unknown property":    `{"filterGroups":[{"filters":[{"propertyName":"nosuch","operator":"EQ","value":"x"}]}]}`,
		"unknown operator":    `{"filterGroups":[{"filters":[{"propertyName":"email","operator":"LIKE","value":"x"}]}]}`,
		"value is missing":    `{"filterGroups":[{"filters":[{"propertyName":"email","operator":"EQ"}]}]}`,
		"too many filters":    `{"filterGroups":[{"filters":[` + many + `]}]}`,
		"too many groups":     `{"filterGroups":[` + strings.TrimSuffix(strings.Repeat(`{"filters":[`+f+`]},`, 6), ",") + `]}`,
		"page too long":       `{"limit":201}`,
		"body too long":       `{"query":"` + strings.Repeat("x", 3000) + `"}`,
		"unknown key":         `{"filters":[]}`,
		"beyond ten thousand": `{"after":"10000","limit":1}`,
	} {
		if got := r.do("POST", hsContacts+"/search", body); got.status != 400 {
			t.Errorf("%s: want 400, got %d", name, got.status)
		}
	}
}

func TestHubSpotSearchIsLate(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Unlimited: true, SearchDelay: 2 * time.Second})
	id := r.contact(`{"email":"a@example.com"}`)
	total := func(email string) any {
		return r.do("POST", hsContacts+"/search", `{"filterGroups":[{"filters":[{"propertyName":"email","operator":"EQ","value":"`+email+`"}]}]}`).ok(200).at("total")
	}
	if got := total("a@example.com"); got != 0.0 {
		t.Errorf("at once: want 0, got %v", got)
	}
	r.clock.advance(2 * time.Second)
	if got := total("a@example.com"); got != 1.0 {
		t.Errorf("after two seconds: want 1, got %v", got)
	}
	r.do("PATCH", hsContacts+"/"+id, `{"properties":{"email":"b@example.com"}}`).ok(200)
	if a, b := total("a@example.com"), total("b@example.com"); a != 1.0 || b != 0.0 {
		t.Errorf("after a change: want the old value still, got %v and %v", a, b)
	}
	r.clock.advance(2 * time.Second)
	if a, b := total("a@example.com"), total("b@example.com"); a != 0.0 || b != 1.0 {
		t.Errorf("later: want the new value, got %v and %v", a, b)
	}
}

func TestHubSpotLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{HubSpotPer10s: 3})
	for i := range 3 {
		got := r.do("GET", hsContacts, "").ok(200)
		if left := got.header.Get("X-HubSpot-RateLimit-Remaining"); left != fmt.Sprint(2-i) {
			t.Errorf("remaining: want %d, got %s", 2-i, left)
		}
	}
	got := r.do("GET", hsContacts, "").ok(429).want("policyName", "TEN_SECONDLY_ROLLING").want("errorType", "RATE_LIMIT").
		want("message", "You have reached your ten_secondly_rolling limit.")
	if got.header.Get("Retry-After") != "" || got.header.Get("X-HubSpot-RateLimit-Max") != "3" {
		t.Errorf("headers: got %v", got.header)
	}
	r.clock.advance(10 * time.Second)
	r.do("GET", hsContacts, "").ok(200)
	for range 5 {
		if h := r.do("POST", hsContacts+"/search", `{}`).ok(200).header.Get("X-HubSpot-RateLimit-Max"); h != "" {
			t.Errorf("search has no limit headers, got %q", h)
		}
	}
	r.do("POST", hsContacts+"/search", `{}`).ok(429).want("policyName", "SECONDLY").want("message", "You have reached your secondly limit.")
	r.clock.advance(time.Second)
	r.do("POST", hsContacts+"/search", `{}`).ok(200)
}

func TestHubSpotAssociations(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	contact := r.contact(`{"email":"a@example.com"}`)
	stamp := `"properties":{"hs_timestamp":"2026-11-21T10:00:00Z"}`
	assoc := func(typeID int) string {
		return fmt.Sprintf(`"associations":[{"to":{"id":"%s"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":%d}]}]`, contact, typeID)
	}
	call := r.do("POST", hsCalls, `{`+stamp+`,`+assoc(194)+`}`).ok(201).str("id")
	r.do("POST", hsCalls, `{`+stamp+`,`+assoc(202)+`}`).ok(400).contains("INVALID_OBJECT_IDS")
	links := r.s.Records("hubspot", "calls")[0].Links
	if want := []Link{{Object: "contacts", ID: contact, Type: "194"}}; !slices.Equal(links, want) {
		t.Errorf("links: want %v, got %v", want, links)
	}
	r.do("GET", hsCalls+"/"+call+"?associations=contacts", "").ok(200).want("associations.contacts.results.0.id", contact)
	note := r.do("POST", "/hubspot/crm/objects/2026-09/notes", `{`+stamp+`}`).ok(201).str("id")
	r.do("PUT", "/hubspot/crm/objects/2026-09/notes/"+note+"/associations/default/contacts/"+contact, "").ok(200).
		want("results.0.associationSpec.associationTypeId", 202)
	r.do("PUT", "/hubspot/crm/objects/2026-09/notes/"+note+"/associations/contacts/999", `[]`).ok(404)
	r.do("PUT", "/hubspot/crm/objects/2026-09/notes/"+note+"/associations/contacts/"+contact, `[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":202}]`).ok(201).want("fromObjectTypeId", "0-46")
	r.do("GET", "/hubspot/crm/v4/objects/contacts/"+contact+"/associations/notes", "").ok(200).want("results.0.toObjectId", note)
	pair := `{"inputs":[{"from":{"id":"` + call + `"},"to":{"id":"` + contact + `"}},{"from":{"id":"1"},"to":{"id":"` + contact + `"}}]}`
	r.do("POST", "/hubspot/crm/associations/2026-09/calls/contacts/batch/associate/default", pair).ok(207).want("numErrors", 1)
	r.do("POST", "/hubspot/crm/v4/associations/calls/contacts/batch/create", `{"inputs":[{"from":{"id":"`+call+`"},"to":{"id":"`+contact+`"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":194}]}]}`).ok(201)
	r.do("POST", "/hubspot/crm/associations/2026-09/contacts/calls/batch/read", `{"inputs":[{"id":"`+contact+`"}]}`).ok(200).
		want("results.0.to.0.toObjectId", call).want("results.0.to.0.associationTypes.0.typeId", 193)
	r.do("GET", "/hubspot/crm/associations/2026-09/calls/contacts/labels", "").ok(200).want("results.0.typeId", 194)
	r.do("POST", hsCalls+"/search", `{"filterGroups":[{"filters":[{"propertyName":"associations.contact","operator":"EQ","value":"`+contact+`"}]}]}`).ok(200).want("total", 1)
	r.do("DELETE", "/hubspot/crm/objects/2026-09/calls/"+call+"/associations/contacts/"+contact, "").ok(204)
	r.do("POST", "/hubspot/crm/associations/2026-09/contacts/calls/batch/read", `{"inputs":[{"id":"`+contact+`"}]}`).ok(207).contains("NO_ASSOCIATIONS_FOUND")
}

func TestHubSpotProperties(t *testing.T) {
	t.Parallel()
	const path = "/hubspot/crm/properties/2026-09/calls"
	r := unlimited(t)
	r.do("GET", path+"/hs_call_disposition", "").ok(200).want("type", "enumeration").want("options.0.label", "Busy")
	r.do("GET", path+"/telli_call_id", "").ok(200).want("hasUniqueValue", true).want("modificationMetadata.readOnlyValue", false)
	r.do("GET", path+"/nosuch", "").ok(404)
	if n := len(r.do("GET", "/hubspot/crm/v3/properties/contacts", "").ok(200).at("results").([]any)); n < 70 {
		t.Errorf("contact properties: want at least 70, got %d", n)
	}
	make := func(name string) string {
		return `{"name":"` + name + `","label":"X","type":"string","fieldType":"text","groupName":"crmsync","hasUniqueValue":true}`
	}
	r.do("POST", path, make("mine")).ok(201).want("name", "mine")
	r.do("POST", path, make("mine")).ok(409)
	r.do("POST", path, make("Mine")).ok(400)
	r.do("PATCH", path+"/mine", `{"label":"Y"}`).ok(200).want("label", "Y")
	for i := range 7 {
		r.do("POST", path, make(fmt.Sprintf("more%d", i))).ok(201)
	}
	r.do("POST", path, make("toomany")).ok(400).contains("10")
	r.do("POST", path, `{"name":"x","label":"X","type":"string","fieldType":"number","groupName":"crmsync"}`).ok(400)
	r.do("POST", path, `{"name":"x","label":"X","type":"string","fieldType":"text","groupName":"nosuch"}`).ok(400)
	r.do("POST", path+"/groups", `{"name":"g","label":"G"}`).ok(201)
	r.do("GET", path+"/groups", "").ok(200).want("results.2.name", "g")
	r.do("DELETE", path+"/mine", "").ok(204)
	r.do("DELETE", path+"/hs_call_body", "").ok(400)
	r.do("GET", "/hubspot/crm/owners/2026-09?email=owner.two@example.com", "").ok(200).want("results.0.id", "90002")
	r.do("GET", "/hubspot/crm/v3/owners/90001", "").ok(200).want("email", "owner.one@example.com")
}

func TestNationalDigits(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"+49 30 23125017": "3023125017", "0049 30 23125017": "3023125017", "030 23125017": "3023125017", "+49 (0)30 23125017": "3023125017",
		"+31612345678": "612345678", "+1 (415) 555-0100": "4155550100", "+43 1 5880": "15880", "+352 26 12": "2612", "": "", "anonymous": "",
	} {
		if got := nationalDigits(in); got != want {
			t.Errorf("%q: want %q, got %q", in, want, got)
		}
	}
}

// TestHubSpotFacts holds the served paths against HubSpot's published endpoint list.
func TestHubSpotFacts(t *testing.T) {
	t.Parallel()
	const file = "../../../shared/specs/hubspot/hubspot-endpoint-facts.json"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Skip("the list of HubSpot's endpoints is not beside this checkout: ", err)
	}
	var facts map[string][]struct {
		Method   string   `json:"method"`
		Path     string   `json:"path"`
		Statuses []string `json:"documentedStatuses"`
	}
	if err := json.Unmarshal(raw, &facts); err != nil {
		t.Fatal(err)
	}
	served := 0
	stamp := `{"properties":{"hs_timestamp":"2026-11-21T10:00:00Z","email":"%d@example.com"}}`
	for _, area := range []string{"contacts", "calls", "notes", "associations", "associationsSchema", "properties", "owners"} {
		for i, fact := range facts[area+"@"+hsVersion] {
			r := unlimited(t)
			object := area
			if area == "associations" || area == "associationsSchema" || area == "properties" || area == "owners" {
				object = "contacts"
			}
			props := strings.ReplaceAll(fmt.Sprintf(stamp, i), `"hs_timestamp":"2026-11-21T10:00:00Z",`, "")
			if object != "contacts" {
				props = `{"properties":{"hs_timestamp":"2026-11-21T10:00:00Z"}}`
			}
			id := r.do("POST", "/hubspot/crm/objects/"+hsVersion+"/"+object, strings.ReplaceAll(props, "@", "@"+area+".")).ok(201).str("id")
			other := r.contact(`{"firstname":"Other"}`)
			path, body, ok := hsExample(fact.Method, fact.Path, object, id, other, area+fmt.Sprint(i))
			if !ok {
				continue // not served: an administrator's endpoint
			}
			served++
			got := r.do(fact.Method, "/hubspot"+path, body)
			if !slices.Contains(fact.Statuses, fmt.Sprint(got.status)) {
				t.Errorf("%s %s: want one of %v, got %d: %s", fact.Method, fact.Path, fact.Statuses, got.status, got.text)
			}
		}
	}
	if served < 45 {
		t.Errorf("served paths found in the list: want at least 45, got %d", served)
	}
}

// hsExample is a good request for an endpoint of the list.
func hsExample(method, path, object, id, other, unique string) (string, string, bool) {
	full := strings.NewReplacer("{objectType}/{objectId}/associations/{toObjectType}/{toObjectId}", "contacts/"+id+"/associations/contacts/"+other,
		"{fromObjectType}", "contacts", "{toObjectType}", "contacts", "{fromObjectId}", id, "{toObjectId}", other,
		"{objectType}", object, "{objectId}", id, "{propertyName}", "telli_status", "{groupName}", "crmsync", "{ownerId}", "90001").Replace(path)
	input := `{"inputs":[{"id":"` + id + `"}]}`
	pair := `{"inputs":[{"from":{"id":"` + id + `"},"to":{"id":"` + other + `"},"types":[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":449}]}]}`
	props := `"properties":{"firstname":"x"}`
	key := "telli_contact_id"
	switch object {
	case "calls":
		props, key = `"properties":{"hs_timestamp":"1772703012302"}`, "telli_call_id"
	case "notes":
		props, key = `"properties":{"hs_timestamp":"1772703012302"}`, "source_event_id"
	}
	suffix := path[strings.LastIndex(path, "}")+1:]
	area := strings.Split(path, "/")[2]
	switch {
	case strings.Contains(path, "definitions") || strings.Contains(path, "usage") || strings.Contains(path, "labels/") || strings.HasSuffix(path, "labels") && method != "GET":
		return "", "", false
	case area == "properties" && (strings.Contains(path, "/batch/") || strings.Contains(path, "{groupName}") && method != "GET"):
		return "", "", false
	case area == "properties" && suffix == "/groups" && method == "POST":
		return full, `{"name":"` + strings.ToLower(unique) + `","label":"L"}`, true
	case area == "properties" && method == "POST":
		return full, `{"name":"` + strings.ToLower(unique) + `","label":"L","type":"string","fieldType":"text","groupName":"crmsync"}`, true
	case area == "properties" && method == "PATCH":
		return full, `{"label":"L"}`, true
	case strings.HasSuffix(path, "batch/archive") && area == "associations":
		return full, `{"inputs":[{"from":{"id":"` + id + `"},"to":[{"id":"` + other + `"}]}]}`, true
	case strings.HasSuffix(path, "batch/read") && area == "associations":
		return full, `{"inputs":[]}`, false // needs an association of its own: TestHubSpotAssociations
	case area == "associations" && method == "POST":
		return full, pair, true
	case strings.Contains(path, "/associations/") && method == "PUT":
		return full, `[{"associationCategory":"HUBSPOT_DEFINED","associationTypeId":449}]`, true
	case suffix == "/merge":
		if object != "contacts" {
			return "", "", false
		}
		return full, `{"primaryObjectId":"` + id + `","objectIdToMerge":"` + other + `"}`, true
	case suffix == "/gdpr-delete":
		return full, `{"objectId":"` + id + `"}`, true
	case suffix == "/search":
		return full, `{"filterGroups":[],"limit":1}`, true
	case suffix == "/batch/read":
		return full, `{"inputs":[{"id":"` + id + `"}],"properties":[]}`, true
	case suffix == "/batch/archive":
		return full, input, true
	case suffix == "/batch/create":
		return full, `{"inputs":[{` + props + `}]}`, true
	case suffix == "/batch/update":
		return full, `{"inputs":[{"id":"` + id + `",` + props + `}]}`, true
	case suffix == "/batch/upsert":
		return full, `{"inputs":[{"id":"` + unique + `","idProperty":"` + key + `",` + props + `}]}`, true
	case method == "POST" || method == "PATCH":
		return full, `{` + props + `}`, true
	default:
		return full, "", true
	}
}
