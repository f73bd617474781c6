package sandbox

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	pdPersonsPath    = "/pipedrive/api/v2/persons"
	pdActivitiesPath = "/pipedrive/api/v2/activities"
)

// pd sends JSON, as v2 wants it said.
func (r *rig) pd(method, path, body string) reply {
	r.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	req.Header.Set("X-Api-Token", "t")
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	return r.send(req)
}

func (r *rig) pdPerson(body string) string {
	r.t.Helper()
	return pdID(r.pd("POST", pdPersonsPath, body).ok(200))
}

func pdID(r reply) string { return strconv.Itoa(int(r.at("data.id").(float64))) }

// pdKey is the key of a custom field.
func (r *rig) pdKey(path, name string) string {
	r.t.Helper()
	for _, x := range r.pd("GET", "/pipedrive/api/v2/"+path, "").ok(200).at("data").([]any) {
		if f := x.(map[string]any); f["field_name"] == name {
			return f["field_code"].(string)
		}
	}
	r.t.Fatalf("no field %q", name)
	return ""
}

func TestPipedrivePersons(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	id := r.pdPerson(`{"name":"Erika Muster","emails":[{"value":"Erika@example.com"}],"phones":[{"value":"+49 30 1","primary":true,"label":"work"},{"value":"2"}]}`)
	path := pdPersonsPath + "/" + id
	r.pd("GET", path, "").ok(200).want("data.first_name", "Erika").want("data.emails.0.primary", true).want("data.phones.1.label", "work").
		want("data.owner_id", 90001.0).want("data.is_deleted", false).want("success", true)
	r.pd("PATCH", path, `{"phones":[{"value":"3","primary":true}],"owner_id":90002,"org_id":null}`).ok(200).want("data.phones.0.value", "3").want("data.phones.1", nil)
	r.pd("PUT", path, `{"name":"x"}`).ok(405)
	r.pd("PATCH", pdPersonsPath+"/99", `{"name":"x"}`).ok(404).want("error", "Person not found").want("success", false).want("data", nil)
	r.pd("DELETE", path, "").ok(200)
	r.pd("GET", path, "").ok(200).want("data.is_deleted", true)
	r.pd("PATCH", path, `{"name":"x"}`).ok(410)
	r.pd("GET", pdPersonsPath, "").ok(200).want("data.0", nil)
	r.pd("GET", "/pipedrive/v1/persons", "").ok(404).want("error", "Unknown method .")
}

func TestPipedriveRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ path, body, want string }{
		"no name":                               {pdPersonsPath, `{"emails":[]}`, "required"},
		"a field that is not there":             {pdPersonsPath, `{"name":"x","email":"x@example.com"}`, "'email' is not allowed"},
		"text for a number":                     {pdPersonsPath, `{"name":"x","owner_id":"90001"}`, "owner_id"},
		"a number for a truth":                  {pdActivitiesPath, `{"done":1}`, "boolean"},
		"a user who left":                       {pdPersonsPath, `{"name":"x","owner_id":90003}`, "active user"},
		"an organization that is not there":     {pdPersonsPath, `{"name":"x","org_id":7}`, "Organization 7 not found"},
		"a custom field without its group":      {pdPersonsPath, `{"name":"x","` + pdHash(1) + `":"1"}`, "not allowed"},
		"a custom field that is not there":      {pdPersonsPath, `{"name":"x","custom_fields":{"` + pdHash(77) + `":"1"}}`, "does not exist"},
		"an option by its label":                {pdPersonsPath, `{"name":"x","custom_fields":{"` + pdHash(2) + `":"new"}}`, "option"},
		"a day as a time":                       {pdPersonsPath, `{"name":"x","birthday":"2026-11-21T00:00:00Z"}`, "birthday"},
		"two primary numbers":                   {pdPersonsPath, `{"name":"x","phones":[{"value":"1","primary":true},{"value":"2","primary":true}]}`, "one primary"},
		"a name of 256 characters":              {pdPersonsPath, `{"name":"` + strings.Repeat("ä", 256) + `"}`, "255"},
		"an activity type that is not there":    {pdActivitiesPath, `{"type":"Call"}`, "key_string"},
		"a participant who is not there":        {pdActivitiesPath, `{"participants":[{"person_id":9,"primary":true}]}`, "Person 9 not found"},
		"a note of more than 100 kB":            {pdActivitiesPath, `{"note":"` + strings.Repeat("x", pdMaxNote+1) + `"}`, "100 kB"},
		"a note that belongs to nobody":         {"/pipedrive/v1/notes", `{"content":"x"}`, "required"},
		"a lead that belongs to nobody":         {"/pipedrive/v1/leads", `{"title":"x"}`, "linked"},
		"a call log without outcome":            {"/pipedrive/v1/callLogs", `{"to_phone_number":"1","start_time":"2026-11-21 10:00:00","end_time":"2026-11-21 10:00:00"}`, `\"outcome\" is required`},
		"a call log's time with zone":           {"/pipedrive/v1/callLogs", `{"to_phone_number":"1","outcome":"busy","start_time":"2026-11-21T10:00:00Z","end_time":"2026-11-21 10:00:00"}`, "start_time"},
		"an outcome that is none":               {"/pipedrive/v1/callLogs", `{"to_phone_number":"1","outcome":"great","start_time":"2026-11-21 10:00:00","end_time":"2026-11-21 10:00:00"}`, "outcome"},
		"a body that is not JSON":               {pdPersonsPath, `{"name":`, "JSON"},
		"a select field without options":        {"/pipedrive/api/v2/personFields", `{"field_name":"x","field_type":"enum"}`, "options"},
		"a monetary value without its currency": {"/pipedrive/v1/leads", `{"title":"x","value":{"amount":1}}`, "value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			unlimited(t).pd("POST", c.path, c.body).ok(400).want("success", false).contains(c.want)
		})
	}
	t.Run("another kind of body", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		req := httptest.NewRequest("POST", pdPersonsPath, strings.NewReader("name=x"))
		req.Header.Set("X-Api-Token", "t")
		r.send(req).ok(415)
	})
}

func TestPipedriveToken(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Unlimited: true, Tokens: map[string]string{"pipedrive": "secret"}})
	for header, value := range map[string]string{"X-Api-Token": "secret", "Authorization": "Bearer secret"} {
		req := httptest.NewRequest("GET", pdPersonsPath, nil)
		req.Header.Set(header, value)
		r.send(req).ok(200)
	}
	r.send(httptest.NewRequest("GET", "/pipedrive/v1/notes?api_token=secret", nil)).ok(200)
	r.pd("GET", pdPersonsPath, "").ok(401).want("success", false)
	r.send(httptest.NewRequest("GET", pdPersonsPath, nil)).ok(401)
}

func TestPipedriveActivities(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	a, b := r.pdPerson(`{"name":"A"}`), r.pdPerson(`{"name":"B"}`)
	// person_id is taken without a word and lost: participants say who it is.
	id := pdID(r.pd("POST", pdActivitiesPath, `{"subject":"x","type":"call","person_id":`+a+`,"due_time":"10:00","duration":"00:05"}`).ok(200).
		want("data.person_id", nil).want("data.due_time", "10:00:00").want("data.duration", "00:05:00"))
	r.pd("PATCH", pdActivitiesPath+"/"+id, `{"participants":[{"person_id":`+a+`},{"person_id":`+b+`,"primary":true}],"done":true}`).ok(200).want("data.done", true)
	if got := r.pd("GET", pdActivitiesPath+"/"+id, ""); pdText(int(got.at("data.person_id").(float64))) != b {
		t.Errorf("the primary participant is %v, want %s", got.at("data.person_id"), b)
	}
	r.pd("GET", pdActivitiesPath+"?person_id="+b, "").ok(200).want("data.0.subject", "x")
	r.pd("GET", pdActivitiesPath+"?person_id="+a, "").ok(200).want("data.0", nil)
	r.pd("GET", pdActivitiesPath+"?who="+a, "").ok(400)
}

func TestPipedriveLists(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	var ids []string
	for n := range 5 {
		ids = append(ids, r.pdPerson(`{"name":"N`+strconv.Itoa(n)+`"}`))
		r.clock.advance(time.Minute)
	}
	page := r.pd("GET", pdPersonsPath+"?limit=3", "").ok(200).want("data.2.name", "N2").want("data.3", nil)
	r.pd("GET", pdPersonsPath+"?limit=3&cursor="+page.str("additional_data.next_cursor"), "").ok(200).
		want("data.0.name", "N3").want("data.2", nil).want("additional_data.next_cursor", nil)
	r.pd("GET", pdPersonsPath+"?ids="+ids[1]+","+ids[4]+",999", "").ok(200).want("data.1.name", "N4").want("data.2", nil)
	r.pd("GET", pdPersonsPath+"?updated_since=2026-11-21T10:03:00Z", "").ok(200).want("data.0.name", "N3")
	r.pd("GET", pdPersonsPath+"?sort_by=add_time&sort_direction=desc&limit=1", "").ok(200).want("data.0.name", "N4")
	key := r.pdKey("personFields", "Score")
	r.pd("GET", pdPersonsPath+"?limit=1&custom_fields="+key, "").ok(200).contains(`"custom_fields":{"` + key + `":null}`)
	for _, bad := range []string{"limit=501", "limit=x", "cursor=!", "updated_since=today", "filter_id=1", "custom_fields=" + strings.Repeat("a,", 15) + "a"} {
		r.pd("GET", pdPersonsPath+"?"+bad, "").ok(400)
	}
	for n := range 3 {
		r.pd("POST", "/pipedrive/v1/notes", `{"content":"`+strconv.Itoa(n)+`","person_id":`+ids[0]+`}`).ok(200).want("data.person.name", "N0")
	}
	r.pd("GET", "/pipedrive/v1/notes?limit=2", "").ok(200).want("additional_data.pagination.more_items_in_collection", true).want("data.1.content", "1")
	r.pd("GET", "/pipedrive/v1/notes?limit=2&start=2", "").ok(200).want("data.0.content", "2").want("additional_data.pagination.more_items_in_collection", false)
}

func TestPipedriveSearch(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Unlimited: true, SearchDelay: 10 * time.Second})
	key := r.pdKey("personFields", "Telli contact id")
	r.pdPerson(`{"name":"Erika","emails":[{"value":"Erika@example.com"}],"phones":[{"value":"+49 30 901820"}],"custom_fields":{"` + key + `":"abc-1"}}`)
	search := func(query string) reply { return r.pd("GET", pdPersonsPath+"/search?"+query, "") }
	search("term=erika&fields=name&exact_match=true").ok(200).want("data.items.0", nil) // not in the index yet
	r.clock.advance(10 * time.Second)
	for query, found := range map[string]bool{
		"term=ERIKA&fields=name&exact_match=true":              true,
		"term=rik&fields=name":                                 true,
		"term=rik&fields=name&exact_match=true":                false,
		"term=erika@example.com&fields=email&exact_match=true": true,
		"term=%2B4930901820&fields=phone":                      false, // it was typed with spaces
		"term=901820&fields=phone":                             true,
		"term=ABC-1&fields=custom_fields&exact_match=true":     true,
		"term=abc-1&fields=email,phone":                        false,
		"term=abc-1":                                           true,
	} {
		if got := search(query).ok(200).at("data.items.0.item.name"); (got == "Erika") != found {
			t.Errorf("%s: got %v, want found %v", query, got, found)
		}
	}
	search("term=x").ok(400)
	search("term=xx&fields=title").ok(400)
	search("fields=name").ok(400)
	r.pd("GET", "/pipedrive/api/v2/itemSearch?term=erika&item_types=person,deal", "").ok(200).want("data.items.0.item.type", "person")
	field := "/pipedrive/api/v2/itemSearch/field?entity_type=person&field=" + key
	r.pd("GET", field+"&term=abc-1", "").ok(200).want("data.0.item.id", 1.0)
	r.pd("GET", field+"&term=ABC-1", "").ok(200).want("data.0", nil)
	r.pd("GET", field+"&term=bc&match=middle", "").ok(200).want("data.0.item.id", 1.0)
}

func TestPipedriveFields(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	key := r.pd("POST", "/pipedrive/api/v2/dealFields", `{"field_name":"Reason","field_type":"enum","options":[{"label":"A"},{"label":"B"}]}`).ok(200).
		want("data.is_custom_field", true).want("data.options.1.label", "B").str("data.field_code")
	if len(key) != 40 {
		t.Errorf("key %q, want 40 characters", key)
	}
	r.pd("GET", "/pipedrive/api/v2/dealFields/"+key, "").ok(200).want("data.field_name", "Reason")
	r.pd("POST", "/pipedrive/api/v2/dealFields/"+key+"/options", `[{"label":"C"}]`).ok(200).want("data.0.label", "C").want("data.1", nil)
	r.pd("GET", "/pipedrive/api/v2/dealFields/"+key, "").ok(200).want("data.options.2.label", "C")
	r.pd("POST", "/pipedrive/api/v2/dealFields/"+key+"/options", `[{}]`).ok(400)
	r.pd("GET", "/pipedrive/v1/leadFields", "").ok(200).contains(key) // leads have the deals' fields
	r.pd("GET", "/pipedrive/v1/activityTypes", "").ok(200).want("data.0.key_string", "call")
	r.pd("GET", "/pipedrive/v1/users", "").ok(200).want("data.1.email", "owner.two@example.com")
	r.pd("GET", "/pipedrive/v1/users/me", "").ok(200).want("data.is_you", true)
	r.pd("GET", "/pipedrive/v1/users/find?term=owner.two&search_by_email=1", "").ok(200).want("data.0.id", 90002.0)
}

func TestPipedriveCallLogs(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	body := `{"to_phone_number":"1","outcome":"busy","start_time":"2026-11-21 10:00:00","end_time":"2026-11-21 10:00:00"`
	id := r.pd("POST", "/pipedrive/v1/callLogs", body+`}`).ok(200).want("data.has_recording", false).str("data.id")
	r.pd("POST", "/pipedrive/v1/callLogs", body+`,"user_id":90002}`).ok(200)
	// Only the caller's own are listed.
	r.pd("GET", "/pipedrive/v1/callLogs", "").ok(200).want("data.0.id", id).want("data.1", nil)
	r.pd("PATCH", "/pipedrive/v1/callLogs/"+id, `{"outcome":"connected"}`).ok(405)
	attach := func(form string) reply {
		req := httptest.NewRequest("POST", "/pipedrive/v1/callLogs/"+id+"/recordings", strings.NewReader(strings.ReplaceAll(form, "\n", "\r\n")))
		req.Header.Set("X-Api-Token", "t")
		req.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		return r.send(req)
	}
	file := "--x\nContent-Disposition: form-data; name=\"file\"; filename=\"a.mp3\"\nContent-Type: audio/mpeg\n\nabc\n"
	for what, form := range map[string]string{
		"no file":       "--x--",
		"an empty file": strings.Replace(file, "abc", "", 1) + "--x--\n",
		"another name":  strings.Replace(file, `"file"`, `"audio"`, 1) + "--x--\n",
		"no audio":      strings.Replace(file, "audio/mpeg", "text/html", 1) + "--x--\n",
		"two files":     file + file + "--x--\n",
		"a cut form":    file,
	} {
		if a := attach(form); a.status != 400 {
			t.Errorf("%s: answered %d, want 400", what, a.status)
		}
	}
	attach(file + "--x--\n").ok(200)
	attach(file + "--x--\n").ok(409)
	r.pd("GET", "/pipedrive/v1/callLogs/"+id, "").ok(200).want("data.has_recording", true)
}

func TestPipedriveLimits(t *testing.T) {
	t.Parallel()
	t.Run("twenty calls in two seconds", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Options{})
		for range 20 {
			r.pd("GET", pdPersonsPath, "").ok(200)
		}
		refused := r.pd("GET", pdPersonsPath, "").ok(429).want("success", false)
		if refused.header.Get("X-Ratelimit-Remaining") != "0" || refused.header.Get("Retry-After") != "" {
			t.Errorf("headers %v, want none left and no wait", refused.header)
		}
		r.clock.advance(2 * time.Second)
		r.pd("GET", pdPersonsPath, "").ok(200)
	})
	t.Run("ten searches in two seconds", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Options{PipedrivePer2s: 100})
		for range 10 {
			r.pd("GET", pdPersonsPath+"/search?term=xx", "").ok(200)
		}
		r.pd("GET", pdPersonsPath+"/search?term=xx", "").ok(429)
		r.pd("GET", pdPersonsPath, "").ok(200)
	})
	t.Run("the tokens of a day", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, Options{PipedriveTokens: 36})
		r.pd("GET", pdPersonsPath+"/search?term=xx", "").ok(200) // 20
		r.pdPerson(`{"name":"N"}`)                               // 5
		r.pd("GET", pdPersonsPath, "").ok(200)                   // 10
		r.pd("GET", pdPersonsPath+"/1", "").ok(200)              // 1
		if left := r.pd("GET", pdPersonsPath+"/1", "").ok(429).header.Get("X-Ratelimit-Remaining"); left == "0" {
			t.Error("a used-up day looks like a burst")
		}
		r.clock.advance(24 * time.Hour)
		r.pd("GET", pdPersonsPath+"/1", "").ok(200)
	})
}

func TestPipedriveInPeoplesHands(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	id := r.do("POST", "/_/records/pipedrive/persons", `{"name":"N","email":"n@example.com","phone":"1","telli status":"Reached"}`).ok(201).
		want("fields.email", "n@example.com").want("fields.Telli status", "reached").str("id")
	r.do("PUT", "/_/records/pipedrive/persons/"+id, `{"phone":"2","Telli status":null}`).ok(200).want("fields.phone", "2").want("fields.Telli status", nil).want("fields.name", "N")
	r.do("PUT", "/_/records/pipedrive/persons/"+id, `{"phone":""}`).ok(200).want("fields.phone", nil)
	r.do("POST", "/_/records/pipedrive/persons", `{"nick":"N"}`).ok(422)
	r.do("POST", "/_/records/pipedrive/cats", `{"nick":"N"}`).ok(404)
	r.do("DELETE", "/_/records/pipedrive/persons/"+id, "").ok(204)
	r.do("POST", "/_/faults", `[{"crm":"pipedrive","status":403,"body":"edge","times":1}]`).ok(200)
	if got := r.pd("GET", pdPersonsPath, "").ok(http.StatusForbidden).header.Get("Content-Type"); !strings.HasPrefix(got, "text/html") {
		t.Errorf("the edge answers %q, want a page", got)
	}
}
