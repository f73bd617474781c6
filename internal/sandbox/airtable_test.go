package sandbox

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	atBaseURL     = "/airtable/v0/appAAAAAAAAAAAAAA"
	atContactsURL = atBaseURL + "/Contacts"
	atCallsURL    = atBaseURL + "/Calls"
)

func TestAirtableRecords(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	got := r.do("POST", atContactsURL, `{"records":[{"fields":{"Name":"A","Do not call":true,"Tags":[],"Notes":""}},{"fields":{"Name":"B","Do not call":false,"Reached at":"2026-03-04T10:32:12+01:00"}}]}`).ok(200)
	a, b := got.str("records.0.id"), got.str("records.1.id")
	if !atRecordID.MatchString(a) {
		t.Errorf("record id: got %q", a)
	}
	got.want("records.0.fields.Do not call", true).want("records.0.fields.Tags", nil).want("records.1.fields.Do not call", nil)
	got.want("records.1.fields.Reached at", "2026-03-04T09:32:12.000Z")
	r.do("POST", atContactsURL, `{"fields":{"Name":"C"}}`).ok(200).want("fields.Name", "C")
	r.do("GET", atContactsURL+"/"+a, "").ok(200).want("fields.Name", "A")
	r.do("GET", atContactsURL+"/recAAAAAAAAAAAAAA", "").ok(404).want("error", "NOT_FOUND")
	r.do("PATCH", atContactsURL+"/"+a, `{"fields":{"Company":"X"}}`).ok(200).want("fields.Name", "A")
	r.do("PUT", atContactsURL+"/"+a, `{"fields":{"Company":"Y"}}`).ok(200).want("fields.Name", nil)
	r.do("PATCH", atContactsURL, `{"records":[{"id":"`+a+`","fields":{"Company":null}},{"id":"`+b+`","fields":{"Name":"B2"}}]}`).ok(200).
		want("records.0.fields.Company", nil).want("records.1.fields.Name", "B2")
	r.do("DELETE", atContactsURL+"/"+a, "").ok(200).want("deleted", true)
	r.do("DELETE", atContactsURL+"?records[]="+b, "").ok(200).want("records.0.id", b)
	if n := len(r.s.Records("airtable", "Contacts")); n != 1 {
		t.Errorf("records: want 1, got %d", n)
	}
}

func TestAirtableLinks(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	contact := r.do("POST", atContactsURL, `{"fields":{"Name":"A"}}`).ok(200).str("id")
	call := r.do("POST", atCallsURL, `{"fields":{"Call ID":"c-1","Contact":["`+contact+`"],"Duration":63,"Attempt":1,"Status":"completed"}}`).ok(200).str("id")
	r.do("GET", atContactsURL+"/"+contact, "").ok(200).want("fields.Calls.0", call)
	records := r.s.Records("airtable", "Calls")
	if want := []Link{{Object: "Contacts", ID: contact, Type: "Contact"}}; !slices.Equal(records[0].Links, want) {
		t.Errorf("links: want %v, got %v", want, records[0].Links)
	}
	r.do("GET", atCallsURL+"?filterByFormula="+url.QueryEscape("{Contact}='A'"), "").ok(200).want("records.0.id", call)
	r.do("PATCH", atCallsURL+"/"+call, `{"fields":{"Contact":null}}`).ok(200)
	r.do("GET", atContactsURL+"/"+contact, "").ok(200).want("fields.Calls", nil)
	r.do("PATCH", atCallsURL+"/"+call, `{"fields":{"Contact":["Someone new"]},"typecast":true}`).ok(200)
	if n := len(r.s.Records("airtable", "Contacts")); n != 2 {
		t.Errorf("typecast links by name and creates: want 2 contacts, got %d", n)
	}
	r.do("DELETE", atCallsURL+"/"+call, "").ok(200)
	if c := r.s.Records("airtable", "Contacts")[1]; c.Fields["Calls"] != nil {
		t.Errorf("a deleted call is still linked: %v", c.Fields)
	}
}

func TestAirtableRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		table, body string
		status      int
		want        string
	}{
		"an unknown field":               {"Contacts", `{"records":[{"fields":{"Nosuch":1}}]}`, 422, "UNKNOWN_FIELD_NAME"},
		"a number for text":              {"Contacts", `{"fields":{"Name":1}}`, 422, "INVALID_VALUE_FOR_COLUMN"},
		"text for a number":              {"Calls", `{"fields":{"Attempt":"1"}}`, 422, "INVALID_VALUE_FOR_COLUMN"},
		"text for a duration":            {"Calls", `{"fields":{"Duration":"1:03"}}`, 422, "INVALID_VALUE_FOR_COLUMN"},
		"an unknown option":              {"Contacts", `{"fields":{"Status":"Reached"}}`, 422, "INVALID_MULTIPLE_CHOICE_OPTIONS"},
		"text for a multiple select":     {"Contacts", `{"fields":{"Tags":"x"}}`, 422, "INVALID_VALUE_FOR_COLUMN"},
		"text for a checkbox":            {"Contacts", `{"fields":{"Do not call":"true"}}`, 422, "INVALID_VALUE_FOR_COLUMN"},
		"a time that is none":            {"Contacts", `{"fields":{"Reached at":"yesterday"}}`, 422, "INVALID_VALUE_FOR_COLUMN"},
		"a link that is no record id":    {"Calls", `{"fields":{"Contact":["A"]}}`, 422, "INVALID_RECORD_ID"},
		"a link to nothing":              {"Calls", `{"fields":{"Contact":["recAAAAAAAAAAAAAA"]}}`, 422, "ROW_DOES_NOT_EXIST"},
		"text that is too long":          {"Contacts", `{"fields":{"Notes":"` + strings.Repeat("x", atMaxText+1) + `"}}`, 422, "INVALID_VALUE_FOR_COLUMN"},
		"more than ten records":          {"Contacts", `{"records":[` + strings.TrimSuffix(strings.Repeat(`{"fields":{}},`, 11), ",") + `]}`, 422, "INVALID_RECORDS"},
		"an unknown key":                 {"Contacts", `{"fields":{},"nosuch":1}`, 422, "INVALID_REQUEST_UNKNOWN"},
		"a body that is not JSON":        {"Contacts", `{`, 422, "INVALID_REQUEST_BODY"},
		"a table that is not there":      {"Nosuch", `{"fields":{}}`, 403, "INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND"},
		"a record id on create":          {"Contacts", `{"records":[{"id":"x","fields":{}}]}`, 422, "INVALID_REQUEST_UNKNOWN"},
		"a good record beside a bad one": {"Contacts", `{"records":[{"fields":{"Name":"A"}},{"fields":{"Name":1}}]}`, 422, "INVALID_VALUE_FOR_COLUMN"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := unlimited(t)
			r.do("POST", atBaseURL+"/"+tc.table, tc.body).ok(tc.status).want("error.type", tc.want)
			if n := len(r.s.Records("airtable", "Contacts")); n != 0 {
				t.Errorf("records: want none, got %d", n)
			}
		})
	}
	t.Run("a base id of another form", func(t *testing.T) {
		t.Parallel()
		unlimited(t).do("GET", "/airtable/v0/base/Contacts", "").ok(403)
	})
	t.Run("a URL that is too long", func(t *testing.T) {
		t.Parallel()
		unlimited(t).do("GET", atContactsURL+"?filterByFormula="+strings.Repeat("1", atMaxURL), "").ok(414)
	})
	t.Run("a computed field", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.do("GET", atContactsURL, "").ok(200)
		base := r.s.vendor("airtable").vendor.(*airtable).bases[0]
		base.tables[0].fields = append(base.tables[0].fields, &atField{id: "fldCreated", name: "Made", typ: "createdTime"})
		r.do("POST", atContactsURL, `{"fields":{"Made":"2026-11-21T10:00:00Z"}}`).ok(422).want("error.type", "INVALID_VALUE_FOR_COLUMN")
		r.do("POST", atContactsURL, `{"fields":{"Name":"A"}}`).ok(200).want("fields.Made", "2026-11-21T10:00:00.000Z")
	})
}

func TestAirtableTypecast(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	r.do("POST", atCallsURL, `{"typecast":true,"fields":{"Attempt":"2","Duration":"1:02:03","Status":"brand new","Call ID":7}}`).ok(200).
		want("fields.Attempt", 2).want("fields.Duration", 3723).want("fields.Status", "brand new").want("fields.Call ID", "7")
	r.do("POST", atCallsURL, `{"fields":{"Status":"brand new"}}`).ok(200)
	r.do("POST", atContactsURL, `{"typecast":true,"fields":{"Tags":"a, b","Do not call":"yes"}}`).ok(200).want("fields.Tags.1", "b").want("fields.Do not call", true)
}

func TestAirtableUpsert(t *testing.T) {
	t.Parallel()
	body := func(merge, fields string) string {
		return `{"performUpsert":{"fieldsToMergeOn":[` + merge + `]},"records":[` + fields + `]}`
	}
	one := `{"fields":{"telli_contact_id":"c-1","Name":"A"}}`
	t.Run("creates, then updates", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		id := r.do("PATCH", atContactsURL, body(`"telli_contact_id"`, one)).ok(200).str("createdRecords.0")
		r.do("PATCH", atContactsURL+"/?", body(`"telli_contact_id"`, `{"fields":{"telli_contact_id":"c-1","Company":"X"}}`)).ok(200).
			want("updatedRecords.0", id).want("records.0.id", id).want("records.0.fields.Name", "A").want("createdRecords.0", nil)
	})
	t.Run("fails where two records match", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.do("POST", atContactsURL, `{"records":[`+one+`,`+one+`]}`).ok(200)
		r.do("PATCH", atContactsURL, body(`"telli_contact_id"`, `{"fields":{"telli_contact_id":"new"}},`+one)).ok(422).want("error.type", "INVALID_RECORDS")
		if n := len(r.s.Records("airtable", "Contacts")); n != 2 {
			t.Errorf("all or nothing: want 2 records, got %d", n)
		}
	})
	t.Run("merges on one to three fields of the types that Airtable names", func(t *testing.T) {
		t.Parallel()
		r := unlimited(t)
		r.do("PATCH", atContactsURL, body(`"Email"`, `{"fields":{"Email":"a@example.com"}}`)).ok(422)
		r.do("PATCH", atContactsURL, body(``, one)).ok(422)
		r.do("PATCH", atContactsURL, body(`"Name","Company","Language","Notes"`, one)).ok(422)
		r.do("PATCH", atContactsURL, body(`"Nosuch"`, one)).ok(422).want("error.type", "UNKNOWN_FIELD_NAME")
		r.do("PATCH", atContactsURL, body(`"telli_contact_id","Company"`, one)).ok(422)
		r.do("PATCH", atContactsURL, body(`"telli_contact_id"`, one+","+one)).ok(422)
		r.do("PATCH", atContactsURL, `{"records":[{"fields":{"Name":"A"}}]}`).ok(422)
		r.do("PATCH", atContactsURL, `{"records":[{"id":"recAAAAAAAAAAAAAA","fields":{"Name":"A"}}]}`).ok(422).want("error.type", "ROW_DOES_NOT_EXIST")
	})
}

func TestAirtableBases(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	id := r.do("POST", "/_/records/airtable/Contacts", `{"Name":"A"}`).ok(201).str("id")
	r.do("GET", atContactsURL, "").ok(200).want("records.0.id", id)
	r.do("GET", "/airtable/v0/appBBBBBBBBBBBBBB/Contacts", "").ok(200).want("records.0", nil)
	r.do("POST", "/airtable/v0/appBBBBBBBBBBBBBB/Contacts", `{"fields":{"Name":"B"}}`).ok(200)
	r.do("GET", "/_/records/airtable/Contacts", "").ok(200).want("0.fields.Name", "A").want("1.fields.Name", "B")
	r.do("PUT", "/_/records/airtable/Contacts/"+id, `{"Status":"nosuch"}`).ok(422)
	r.do("PUT", "/_/records/airtable/Contacts/"+id, `{"Status":"new"}`).ok(200).want("fields.Status", "new")
	r.do("DELETE", "/_/records/airtable/Contacts/"+id, "").ok(204)
	r.do("DELETE", "/_/records/airtable/Contacts/"+id, "").ok(404)
	r.do("GET", "/_/records/airtable/Nosuch", "").ok(404)
}

func TestAirtableList(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	for i := range 3 {
		r.do("POST", atContactsURL, fmt.Sprintf(`{"fields":{"Name":"N%d","Company":"X"}}`, i)).ok(200)
	}
	page := r.do("GET", atContactsURL+"?pageSize=2&fields[]=Name&sort[0][field]=Name&sort[0][direction]=desc", "").ok(200)
	page.want("records.0.fields.Name", "N2").want("records.0.fields.Company", nil)
	r.do("GET", atContactsURL+"?pageSize=2&sort[0][field]=Name&sort[0][direction]=desc&offset="+page.str("offset"), "").ok(200).want("records.0.fields.Name", "N0").want("offset", nil)
	r.do("POST", atContactsURL+"/listRecords", `{"maxRecords":1,"filterByFormula":"Name='N1'","fields":["Name"]}`).ok(200).want("records.0.fields.Name", "N1").want("records.1", nil)
	field := r.s.vendor("airtable").vendor.(*airtable).bases[0].tables[0].field("Name").id
	r.do("GET", atContactsURL+"?maxRecords=1&returnFieldsByFieldId=true", "").ok(200).want("records.0.fields."+field, "N0")
	for _, bad := range []string{"pageSize=101", "fields[]=Nosuch", "offset=x", "view=Nosuch", "cellFormat=html", "cellFormat=string", "cellFormat=string&timeZone=Nosuch&userLocale=de", "sort[0][field]=Nosuch"} {
		if got := r.do("GET", atContactsURL+"?"+bad, ""); got.status != 422 {
			t.Errorf("%s: want 422, got %d", bad, got.status)
		}
	}
}

func TestAirtableCellsAsTexts(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	who := r.do("POST", atContactsURL, `{"fields":{"Name":"Erika","Do not call":true,"Tags":["x","y"],"Reached at":"2026-07-01T10:00:00Z"},"typecast":true}`).ok(200).str("id")
	r.do("POST", atBaseURL+"/Calls", `{"fields":{"Call ID":"k","Contact":["`+who+`"],"Duration":3663,"Attempt":2}}`).ok(200)
	const zoned = "?cellFormat=string&timeZone=Europe/Berlin&userLocale=de"
	r.do("GET", atContactsURL+zoned, "").ok(200).want("records.0.fields.Do not call", "checked").want("records.0.fields.Tags", "x, y").
		want("records.0.fields.Reached at", "2026-07-01 12:00").want("records.0.fields.Email", nil)
	r.do("GET", atBaseURL+"/Calls"+zoned, "").ok(200).want("records.0.fields.Contact", "Erika").want("records.0.fields.Duration", "1:01:03").want("records.0.fields.Attempt", "2")
	// airtable.js sends the zone beside the body, and its own option within.
	r.do("POST", atBaseURL+"/Calls/listRecords?timeZone=utc&userLocale=en", `{"cellFormat":"string","method":"post"}`).ok(200).want("records.0.fields.Attempt", "2")
}

func TestAirtableFormulas(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	id := r.do("POST", atContactsURL, `{"fields":{"Name":"It's \"A\"","Email":"A@Example.com","Phone":"+49 30 1","Status":"reached","Reached at":"2026-03-04T09:32:12Z","Do not call":true,"Tags":["x","y"]},"typecast":true}`).ok(200).str("id")
	for formula, want := range map[string]bool{
		`LOWER({Email})='a@example.com'`:                       true,
		`{Email}='a@example.com'`:                              false,
		`AND({Status}="reached",NOT({Do not call}=0))`:         true,
		`{Do not call}`:                                        true,
		`{Company}=''`:                                         true,
		`{Company}=BLANK()`:                                    true,
		`OR(Status='new',Status='pending')`:                    false,
		`Status!='new'`:                                        true,
		`{Name}='It\'s "A"'`:                                   true,
		`{Name}="It's \"A\""`:                                  true,
		`RECORD_ID()='` + id + `'`:                             true,
		`IF(LEN(Name)>100,TRUE(),FALSE())`:                     false,
		`FIND('Example',Email)=3`:                              true,
		`SEARCH('nope',Email)`:                                 false,
		`REGEX_REPLACE(Phone,"[^0-9]","")='49301'`:             true,
		`REGEX_MATCH(Phone,"^\\+49")`:                          true,
		`SUBSTITUTE(Phone,' ','')='+49301'`:                    true,
		`IS_AFTER({Reached at},'2026-03-04')`:                  true,
		`IS_BEFORE({Reached at},DATETIME_PARSE('2026-03-04'))`: false,
		`IS_SAME({Reached at},'2026-03-04','day')`:             true,
		`IS_AFTER(CREATED_TIME(),'2020-01-01')`:                true,
		`1+2*3=7`:                                              true,
		`(1+2)*3=9`:                                            true,
		`-1<0`:                                                 true,
		`'a'&1='a1'`:                                           true,
		`{Status}&'-'&{Phone}='reached-+49 30 1'`:              true,
		`VALUE('12')>=12`:                                      true,
		`VALUE('x')`:                                           false,
		`1/0`:                                                  false,
		`Tags='x, y'`:                                          true,
		`TRIM(' a ')=UPPER('a')`:                               false,
		` AND( 1 , 1 ) `:                                       true,
	} {
		got := r.do("GET", atContactsURL+"?filterByFormula="+url.QueryEscape(formula), "").ok(200)
		if n := len(got.at("records").([]any)); (n == 1) != want {
			t.Errorf("%s: want %v, got %d records", formula, want, n)
		}
	}
	for _, bad := range []string{`{Nosuch}=1`, `Nosuch`, `NOSUCH(1)`, `'open`, `{open`, `1+`, `AND(`, `(1`, `1 2`, `LOWER()`, `LOWER('a','b')`, strings.Repeat("(", 200), `;`} {
		r.do("GET", atContactsURL+"?filterByFormula="+url.QueryEscape(bad), "").ok(422).want("error.type", "INVALID_FILTER_BY_FORMULA")
	}
}

func TestAirtableLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{})
	for range 5 {
		r.do("GET", atContactsURL, "").ok(200)
	}
	r.do("GET", atContactsURL, "").ok(429).want("errors.0.error", "RATE_LIMIT_REACHED")
	r.clock.advance(29 * time.Second)
	r.do("GET", atContactsURL, "").ok(429)
	r.do("GET", "/airtable/v0/appBBBBBBBBBBBBBB/Contacts", "").ok(200)
	r.clock.advance(time.Second)
	r.do("GET", atContactsURL, "").ok(200)
}

func TestAirtableMeta(t *testing.T) {
	t.Parallel()
	const tables = "/airtable/v0/meta/bases/appAAAAAAAAAAAAAA/tables"
	r := unlimited(t)
	got := r.do("GET", tables, "").ok(200).want("tables.0.name", "Contacts").want("tables.0.fields.0.name", "Name").want("tables.1.fields.6.type", "duration")
	if got.str("tables.0.primaryFieldId") != got.str("tables.0.fields.0.id") || got.str("tables.1.fields.1.options.linkedTableId") != got.str("tables.0.id") {
		t.Errorf("ids do not fit: %s", got.text)
	}
	contacts := got.str("tables.0.id")
	field := r.do("POST", tables+"/"+contacts+"/fields", `{"name":"Score","type":"number","options":{"precision":0}}`).ok(200).want("type", "number").str("id")
	r.do("POST", tables+"/"+contacts+"/fields", `{"name":"Score","type":"number","options":{"precision":0}}`).ok(422).want("error.type", "DUPLICATE_OR_EMPTY_FIELD_NAME")
	r.do("POST", tables+"/"+contacts+"/fields", `{"name":"F","type":"formula"}`).ok(422).want("error.type", "UNSUPPORTED_FIELD_TYPE_FOR_CREATE")
	r.do("POST", tables+"/"+contacts+"/fields", `{"name":"F","type":"number"}`).ok(422).want("error.type", "INVALID_FIELD_TYPE_OPTIONS_FOR_CREATE")
	r.do("PATCH", tables+"/"+contacts+"/fields/"+field, `{"name":"Points"}`).ok(200).want("name", "Points")
	r.do("POST", atContactsURL, `{"fields":{"Points":1}}`).ok(200)
	r.do("POST", tables, `{"name":"Notes","fields":[{"name":"Text","type":"singleLineText"},{"name":"Who","type":"multipleRecordLinks","options":{"linkedTableId":"`+contacts+`"}}]}`).ok(200)
	r.do("POST", tables, `{"name":"Notes","fields":[{"name":"Text","type":"singleLineText"}]}`).ok(422)
	who := r.s.Records("airtable", "Contacts")[0].ID
	note := r.do("POST", atBaseURL+"/Notes", `{"fields":{"Text":"x","Who":["`+who+`"]}}`).ok(200).str("id")
	r.do("GET", atContactsURL+"/"+who, "").ok(200).want("fields.Notes 2.0", note)
	r.do("GET", "/airtable/v0/meta/bases", "").ok(200).want("bases.0.id", "appAAAAAAAAAAAAAA")
	r.do("GET", "/airtable/v0/meta/whoami", "").ok(200)
}
