package sandbox

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const sfBase = "/salesforce/services/data/v68.0"

func (r *rig) sf(method, path, body string) reply {
	r.t.Helper()
	return r.do(method, sfBase+path, body)
}

func (r *rig) soql(q string) reply {
	r.t.Helper()
	return r.sf("GET", "/query?q="+url.QueryEscape(q), "")
}

func (r *rig) sfContact(fields string) string {
	r.t.Helper()
	return r.sf("POST", "/sobjects/Contact", fields).ok(201).want("success", true).str("id")
}

func TestSalesforceRecords(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	id := r.sfContact(`{"LastName":" Meier ","FirstName":"Erika","Email":"Erika@Example.com","Phone":"+49 30 901820","Score__c":1.239,"Telli_Reached_At__c":"2026-11-21T10:00:00+01:00"}`)
	r.sf("GET", "/sobjects/Contact/"+id, "").ok(200).want("LastName", "Meier").want("Name", "Erika Meier").want("Email", "erika@example.com").want("Score__c", 1.24).
		want("Telli_Reached_At__c", "2026-11-21T09:00:00.000+0000").want("attributes.type", "Contact").want("Title", nil)
	r.sf("GET", "/sobjects/Contact/"+id[:15]+"?fields=LastName", "").ok(200).want("LastName", "Meier").want("Email", nil)
	r.sf("PATCH", "/sobjects/Contact/"+id, `{"Title":"Cook","Phone":null}`).ok(204)
	r.sf("GET", "/sobjects/contact/"+id, "").ok(200).want("Title", "Cook").want("Phone", nil)
	r.sf("DELETE", "/sobjects/Contact/"+id, "").ok(204)
	r.sf("GET", "/sobjects/Contact/"+id, "").ok(404).want("0.errorCode", "ENTITY_IS_DELETED")
	r.sf("GET", "/sobjects/Contact/003000000000000AAA", "").ok(404).want("0.errorCode", "NOT_FOUND")
	r.sf("GET", "/sobjects/Nothing/describe", "").ok(404).want("0.errorCode", "NOT_FOUND")
	r.do("GET", "/salesforce/services/data/v12.0/sobjects", "").ok(404)
	r.do("GET", "/salesforce/services/data", "").ok(200)
}

func TestSalesforceRefusesWhatTheRealOneRefuses(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	person := r.sfContact(`{"LastName":"A","Telli_Contact_Id__c":"taken"}`)
	lead := r.sf("POST", "/sobjects/Lead", `{"LastName":"L","Company":"C"}`).ok(201).str("id")
	for _, c := range []struct{ object, body, code, field string }{
		{"Contact", `{}`, "REQUIRED_FIELD_MISSING", "LastName"},
		{"Lead", `{"LastName":"x"}`, "REQUIRED_FIELD_MISSING", "Company"},
		{"Contact", `{"LastName":"x","Foo__c":"1"}`, "INVALID_FIELD", ""},
		{"Contact", `{"LastName":"` + strings.Repeat("ä", 81) + `"}`, "STRING_TOO_LONG", "LastName"},
		{"Contact", `{"LastName":"x","Email":"nonsense"}`, "INVALID_EMAIL_ADDRESS", "Email"},
		{"Contact", `{"LastName":"x","Telli_Status__c":"Reached it"}`, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Telli_Status__c"},
		{"Contact", `{"LastName":"x","Interests__c":"solar;gold"}`, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Interests__c"},
		{"Contact", `{"LastName":7}`, "JSON_PARSER_ERROR", ""},
		{"Contact", `{"LastName":"x","DoNotCall":"true"}`, "JSON_PARSER_ERROR", ""},
		{"Contact", `{"LastName":"x","Score__c":"12"}`, "JSON_PARSER_ERROR", ""},
		{"Contact", `{"LastName":"x","Telli_Reached_At__c":"2026-11-21 10:00"}`, "JSON_PARSER_ERROR", ""},
		{"Contact", `{"LastName":"x","Name":"y"}`, "INVALID_FIELD_FOR_INSERT_UPDATE", "Name"},
		{"Contact", `{"LastName":"x","OwnerId":"` + person + `"}`, "MALFORMED_ID", "OwnerId"},
		{"Contact", `{"LastName":"x","AccountId":"001000000000000AAA"}`, "INVALID_CROSS_REFERENCE_KEY", ""},
		{"Contact", `{"LastName":"x","Telli_Contact_Id__c":"TAKEN"}`, "DUPLICATE_VALUE", ""},
		{"Contact", `{"LastName":"x"`, "JSON_PARSER_ERROR", ""},
		{"Task", `{"CallDurationInSeconds":1.5}`, "JSON_PARSER_ERROR", ""},
		{"Task", `{"CallDurationInSeconds":123456789}`, "NUMBER_OUTSIDE_VALID_RANGE", "CallDurationInSeconds"},
		{"Task", `{"CallType":"outbound call"}`, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "CallType"},
	} {
		got := r.sf("POST", "/sobjects/"+c.object, c.body).ok(400).want("0.errorCode", c.code)
		if c.field != "" {
			got.want("0.fields.0", c.field)
		}
	}
	account := r.sf("POST", "/sobjects/Account", `{"Name":"X"}`).ok(201).str("id")
	r.sf("POST", "/sobjects/Task", `{"WhoId":"`+lead+`","WhatId":"`+account+`"}`).ok(400).want("0.errorCode", "FIELD_INTEGRITY_EXCEPTION")
	task := r.sf("POST", "/sobjects/Task", `{"TaskSubtype":"Call"}`).ok(201).str("id")
	r.sf("PATCH", "/sobjects/Task/"+task, `{"TaskSubtype":"Email"}`).ok(400).want("0.errorCode", "INVALID_FIELD_FOR_INSERT_UPDATE")
	gone := r.s.Records("salesforce", "User")[2].ID
	r.sf("POST", "/sobjects/Task", `{"OwnerId":"`+gone+`"}`).ok(400).want("0.errorCode", "INACTIVE_OWNER_OR_USER")
}

func TestSalesforceUpsertByExternalID(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	path := "/sobjects/Contact/Telli_Contact_Id__c/a%2Fb"
	r.sf("PATCH", path+"?updateOnly=true", `{"LastName":"A"}`).ok(404)
	id := r.sf("PATCH", path, `{"LastName":"A"}`).ok(201).want("created", true).str("id")
	r.sf("PATCH", path, `{"LastName":"B"}`).ok(200).want("created", false).want("id", id)
	r.sf("PATCH", path, `{"Telli_Contact_Id__c":"a/b"}`).ok(400).want("0.errorCode", "INVALID_FIELD")
	r.sf("GET", path, "").ok(200).want("LastName", "B")
	r.sf("GET", "/sobjects/Contact/LastName/B", "").ok(404)
	r.sfContact(`{"LastName":"1","Email":"twice@example.com"}`)
	r.sfContact(`{"LastName":"2","Email":"twice@example.com"}`)
	r.sf("GET", "/sobjects/Contact/Email/twice@example.com", "").ok(300)
}

func TestSalesforceCollections(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	made := r.sf("POST", "/composite/sobjects", `{"allOrNone":false,"records":[{"attributes":{"type":"Contact"},"LastName":"A"},{"attributes":{"type":"Contact"}},{"attributes":{"type":"Account"},"Name":"X"}]}`).ok(200).
		want("0.success", true).want("1.success", false).want("1.errors.0.statusCode", "REQUIRED_FIELD_MISSING").want("2.success", true)
	a := made.str("0.id")
	r.sf("PATCH", "/composite/sobjects", `{"records":[{"attributes":{"type":"Contact"},"id":"`+a+`","Title":"Cook"},{"attributes":{"type":"Contact"},"id":"003000000000000AAA","Title":"x"}]}`).ok(200).
		want("0.id", a).want("1.errors.0.statusCode", "INVALID_CROSS_REFERENCE_KEY")
	r.sf("GET", "/composite/sobjects/Contact?fields=Title&ids="+a+",003000000000000AAA", "").ok(200).want("0.Title", "Cook").want("1", nil)
	r.sf("POST", "/composite/sobjects/Contact", `{"ids":["`+a+`"],"fields":["LastName"]}`).ok(200).want("0.LastName", "A")
	r.sf("PATCH", "/composite/sobjects", `{"allOrNone":true,"records":[{"attributes":{"type":"Contact"},"id":"`+a+`","Title":"Baker"},{"attributes":{"type":"Contact"},"id":"`+a[:17]+`Z","Title":"x"}]}`).ok(200).
		want("0.errors.0.statusCode", "ALL_OR_NONE_OPERATION_ROLLED_BACK").want("1.success", false)
	r.sf("GET", "/sobjects/Contact/"+a, "").ok(200).want("Title", "Cook")
	up := func(keys ...string) reply {
		var records []string
		for _, k := range keys {
			records = append(records, fmt.Sprintf(`{"attributes":{"type":"Task"},"Call_Id__c":%q,"Subject":"x"}`, k))
		}
		return r.sf("PATCH", "/composite/sobjects/Task/Call_Id__c", `{"records":[`+strings.Join(records, ",")+`]}`)
	}
	first := up("1", "2").ok(200).want("0.created", true)
	up("1", "3").ok(200).want("0.created", false).want("0.id", first.str("0.id")).want("1.created", true)
	up("4", "4", "5").ok(200).want("0.errors.0.statusCode", "DUPLICATE_EXTERNAL_ID").want("1.success", false).want("2.success", true)
	up(strings.Split(strings.Repeat("x,", 201), ",")...).ok(400)
	r.sf("PATCH", "/composite/sobjects/Task/Subject", `{"records":[]}`).ok(200)
	r.sf("PATCH", "/composite/sobjects/Task/Subject", `{"records":[{"attributes":{"type":"Task"},"Subject":"x"}]}`).ok(404)
	r.sf("POST", "/composite/sobjects", `{"records":[{"attributes":{"type":"Contact"},"LastName":"A","Foo":1}]}`).ok(400).want("0.errorCode", "INVALID_FIELD")
	r.sf("DELETE", "/composite/sobjects?ids="+a+","+a, "").ok(200).want("0.success", true).want("1.errors.0.statusCode", "ENTITY_IS_DELETED")
}

func TestSalesforceComposite(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	r.sf("POST", "/composite", `{"compositeRequest":[
		{"method":"POST","url":"/services/data/v68.0/sobjects/Contact","referenceId":"c","body":{"LastName":"A"}},
		{"method":"POST","url":"/services/data/v68.0/sobjects/Task","referenceId":"t","body":{"Subject":"x","WhoId":"@{c.id}"}},
		{"method":"GET","url":"/services/data/v68.0/query?q=SELECT+Id,Who.Name+FROM+Task","referenceId":"q"},
		{"method":"GET","url":"/services/data/v68.0/sobjects/Task/@{x.id}","referenceId":"bad"}]}`).ok(200).
		want("compositeResponse.0.httpStatusCode", 201).want("compositeResponse.2.body.records.0.Who.Name", "A").
		want("compositeResponse.3.body.0.errorCode", "PROCESSING_HALTED")
	var many []string
	for n := range 6 {
		many = append(many, fmt.Sprintf(`{"method":"GET","url":"/services/data/v68.0/query?q=SELECT+Id+FROM+Task","referenceId":"q%d"}`, n))
	}
	r.sf("POST", "/composite", `{"compositeRequest":[`+strings.Join(many, ",")+`]}`).ok(400)
	r.sf("POST", "/composite", `{"compositeRequest":[`+strings.Join(many[:5], ",")+`]}`).ok(200)
	r.sf("POST", "/composite", `{"allOrNone":true,"compositeRequest":[
		{"method":"POST","url":"/services/data/v68.0/sobjects/Contact","referenceId":"c","body":{"LastName":"B"}},
		{"method":"POST","url":"/services/data/v68.0/sobjects/Contact","referenceId":"d","body":{}}]}`).ok(200).want("compositeResponse.0.httpStatusCode", 400)
	r.soql("SELECT COUNT() FROM Contact").ok(200).want("totalSize", 1)
}

func TestSOQL(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	for n := range 5 {
		r.sfContact(fmt.Sprintf(`{"LastName":"N%d","Department":"a_b","Phone":"030 / 90 18 2%d","Score__c":%d,"DoNotCall":%t,"Interests__c":"solar;heat"}`, n, n, n, n%2 == 0))
	}
	r.sfContact(`{"LastName":"O'Neill \\ \"x\"","Birthdate":"2026-11-21","Telli_Reached_At__c":"2026-11-21T10:00:00Z"}`)
	for q, want := range map[string]int{
		"":                               6,
		"LastName = 'n1'":                1,
		"LastName IN ('N1','N2','x')":    2,
		"LastName NOT IN ('N1','N2')":    4,
		"LastName != 'N1'":               5,
		"NOT LastName = 'N1'":            5,
		"LastName LIKE 'N%'":             5,
		"Department LIKE 'a\\_b'":        5,
		"Department LIKE 'a\\%b'":        0,
		"Department LIKE 'a_b'":          5,
		"Phone LIKE '%3%0%9%0%1%8%2%3%'": 1,
		"Phone = null":                   1,
		"Phone != null AND Score__c > 2": 2,
		"Score__c >= 1 AND (LastName = 'N1' OR LastName = 'N2' OR Score__c = 4)": 3,
		"DoNotCall = TRUE": 3,
		"Interests__c INCLUDES ('solar;heat','storage')":  5,
		"Interests__c EXCLUDES ('solar')":                 1,
		`LastName = 'O\'Neill \\ \"x\"'`:                  1,
		"Birthdate = 2026-11-21":                          1,
		"Telli_Reached_At__c < 2026-11-21T11:30:00+01:00": 1,
		"Telli_Reached_At__c < 2026-11-21T10:00:00Z":      0,
		"Owner.Email = 'owner.one@example.com'":           6,
	} {
		if q != "" {
			q = " WHERE " + q
		}
		r.soql("SELECT Id FROM Contact"+q).ok(200).want("totalSize", want)
	}
	r.soql("SELECT LastName, Owner.Name FROM Contact WHERE Score__c != null ORDER BY Score__c DESC NULLS LAST LIMIT 2 OFFSET 1").ok(200).
		want("records.0.LastName", "N3").want("records.1.LastName", "N2").want("records.2", nil).want("records.0.Owner.Name", "Owner One")
	for q, code := range map[string]string{
		"SELECT Id FROM Nothing":                                               "INVALID_TYPE",
		"SELECT Foo FROM Contact":                                              "INVALID_FIELD",
		"SELECT * FROM Contact":                                                "MALFORMED_QUERY",
		"SELECT Id FROM Contact WHERE LastName = 'x":                           "MALFORMED_QUERY",
		`SELECT Id FROM Contact WHERE LastName = '\x'`:                         "MALFORMED_QUERY",
		"SELECT Id FROM Contact WHERE LastName = x":                            "MALFORMED_QUERY",
		"SELECT Id FROM Contact WHERE Id = 'foreign'":                          "INVALID_QUERY_FILTER_OPERATOR",
		"SELECT Id FROM Contact WHERE Description = 'x'":                       "INVALID_FIELD",
		"SELECT Id FROM Contact WHERE Score__c = '1'":                          "INVALID_FIELD",
		"SELECT Id FROM Contact WHERE Birthdate = '2026-11-21'":                "INVALID_FIELD",
		"SELECT Id FROM Contact WHERE A = 1 OR":                                "MALFORMED_QUERY",
		"SELECT Id FROM Contact WHERE (LastName = 'x'":                         "MALFORMED_QUERY",
		"SELECT Id FROM Contact WHERE LastName='a' AND Title='b' OR Title='c'": "MALFORMED_QUERY",
		"SELECT Id FROM Contact LIMIT x":                                       "MALFORMED_QUERY",
		"SELECT Id FROM Contact GARBAGE":                                       "MALFORMED_QUERY",
	} {
		r.soql(q).ok(400).want("0.errorCode", code)
	}
	r.soql("SELECT Id FROM Contact WHERE LastName = '" + strings.Repeat("x", 17000) + "'").ok(414)
}

func TestSalesforcePages(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	for n := range 2100 {
		if _, err := r.s.vendor("salesforce").create("Account", map[string]any{"Name": fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
	}
	first := r.soql("SELECT Id FROM Account").ok(200).want("totalSize", 2100).want("done", false)
	rest := r.do("GET", "/salesforce"+first.str("nextRecordsUrl"), "").ok(200).want("done", true)
	if n := len(rest.at("records").([]any)); n != 100 {
		t.Errorf("the second page has %d records, want 100", n)
	}
	r.sf("GET", "/query/nonsense", "").ok(400).want("0.errorCode", "INVALID_QUERY_LOCATOR")
}

func TestSalesforceDescribeAnswers304(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	first := r.sf("GET", "/sobjects/Task/describe", "").ok(200).want("keyPrefix", "00T")
	req := httptest.NewRequest("GET", sfBase+"/sobjects/Task/describe", nil)
	req.Header.Set("Authorization", "Bearer t")
	req.Header.Set("If-Modified-Since", first.header.Get("Last-Modified"))
	r.send(req).ok(304)
}

func TestSalesforceLeadsAreConverted(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	lead := r.sf("POST", "/sobjects/Lead", `{"LastName":"L","Company":"C","Email":"l@example.com"}`).ok(201).str("id")
	task := r.sf("POST", "/sobjects/Task", `{"WhoId":"`+lead+`"}`).ok(201).str("id")
	r.do("PUT", "/_/records/salesforce/Lead/"+lead, `{"IsConverted":true}`).ok(200)
	contact := r.sf("GET", "/sobjects/Lead/"+lead, "").ok(200).want("IsConverted", true).str("ConvertedContactId")
	r.sf("GET", "/sobjects/Contact/"+contact, "").ok(200).want("Email", "l@example.com")
	r.sf("GET", "/sobjects/Task/"+task, "").ok(200).want("WhoId", contact)
	r.sf("PATCH", "/sobjects/Lead/"+lead, `{"LastName":"M"}`).ok(400).want("0.errorCode", "CANNOT_UPDATE_CONVERTED_LEAD")
	r.sf("POST", "/sobjects/Task", `{"WhoId":"`+lead+`"}`).ok(400).want("0.errorCode", "CANNOT_UPDATE_CONVERTED_LEAD")
}

func TestSalesforceSharedActivities(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	a, b := r.sfContact(`{"LastName":"A"}`), r.sfContact(`{"LastName":"B"}`)
	task := r.sf("POST", "/sobjects/Task", `{"WhoId":"`+a+`"}`).ok(201).str("id")
	r.sf("POST", "/sobjects/TaskRelation", `{"TaskId":"`+task+`","RelationId":"`+b+`"}`).ok(201)
	r.sf("POST", "/sobjects/TaskRelation", `{"TaskId":"`+task+`","RelationId":"`+a+`"}`).ok(400).want("0.errorCode", "DUPLICATE_VALUE")
	r.soql("SELECT RelationId FROM TaskRelation WHERE TaskId = '"+task+"'").ok(200).want("totalSize", 2)
	if links := r.s.Records("salesforce", "Task")[0].Links; len(links) != 2 {
		t.Errorf("links are %v, want both contacts", links)
	}
}

func TestSalesforceDuplicateRules(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	id := r.sfContact(`{"LastName":"A","Email":"a@example.com"}`)
	r.sf("POST", "/sobjects/Contact", `{"LastName":"a","Email":"A@example.com"}`).ok(400).want("0.errorCode", "DUPLICATES_DETECTED").
		want("0.duplicateResult.matchResults.0.matchRecords.0.record.Id", id)
	req := httptest.NewRequest("POST", sfBase+"/sobjects/Contact", strings.NewReader(`{"LastName":"a","Email":"A@example.com"}`))
	req.Header.Set("Authorization", "Bearer t")
	req.Header.Set("Sforce-Duplicate-Rule-Header", "allowSave=true")
	r.send(req).ok(201)
}

func TestSalesforceSessions(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	token := func(form url.Values) reply {
		req := httptest.NewRequest("POST", "/salesforce/services/oauth2/token", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r.send(req)
	}
	with := func(session string) reply {
		req := httptest.NewRequest("GET", sfBase+"/limits", nil)
		req.Header.Set("Authorization", "Bearer "+session)
		return r.send(req)
	}
	session := token(url.Values{"grant_type": {"client_credentials"}, "client_id": {"a"}, "client_secret": {"b"}}).ok(200).want("expires_in", nil).str("access_token")
	if got := with(session).ok(200).header.Get("Sforce-Limit-Info"); !strings.HasPrefix(got, "api-usage=1/") {
		t.Errorf("Sforce-Limit-Info is %q", got)
	}
	r.do("POST", "/_/faults", `{"crm":"salesforce","status":401,"times":1}`).ok(200)
	with(session).ok(401).want("0.errorCode", "INVALID_SESSION_ID")
	with(session).ok(401) // it is over
	with("another").ok(200)
	assertion := func(change func(map[string]any)) url.Values {
		claims := map[string]any{"iss": "a", "sub": "u@example.com", "aud": "https://login.salesforce.com", "exp": r.s.opts.Now().Add(time.Minute).Unix()}
		change(claims)
		part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		body := string(jsonAnswer(200, claims).body)
		return url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {part(`{"alg":"RS256"}`) + "." + part(body) + ".c2ln"}}
	}
	token(assertion(func(map[string]any) {})).ok(200)
	for name, change := range map[string]func(map[string]any){
		"over":     func(c map[string]any) { c["exp"] = r.s.opts.Now().Add(-time.Minute).Unix() },
		"too long": func(c map[string]any) { c["exp"] = r.s.opts.Now().Add(time.Hour).Unix() },
		"audience": func(c map[string]any) { c["aud"] = "https://example.com" },
		"user":     func(c map[string]any) { delete(c, "sub") },
	} {
		if got := token(assertion(change)); got.status != 400 {
			t.Errorf("%s: got %d, want it refused", name, got.status)
		}
	}
	token(url.Values{"grant_type": {"client_credentials"}, "client_id": {"a"}}).ok(400).want("error", "invalid_client")
	token(url.Values{"grant_type": {"x"}}).ok(400).want("error", "unsupported_grant_type")
}

func TestSalesforceDay(t *testing.T) {
	t.Parallel()
	r := &rig{t: t, s: New(Options{SalesforceDaily: 2})}
	r.sf("GET", "/limits", "").ok(200).want("DailyApiRequests.Remaining", 1)
	r.sf("GET", "/limits", "").ok(200)
	got := r.sf("GET", "/limits", "").ok(http.StatusForbidden).want("0.errorCode", "REQUEST_LIMIT_EXCEEDED")
	if got.header.Get("Sforce-Limit-Info") != "api-usage=3/2" {
		t.Errorf("Sforce-Limit-Info is %q", got.header.Get("Sforce-Limit-Info"))
	}
}

func FuzzSOQL(f *testing.F) {
	f.Add("SELECT Id, Owner.Name FROM Contact WHERE (LastName LIKE 'x%' OR Id IN ('003000000000000AAA')) AND NOT Score__c > 2 ORDER BY Name DESC NULLS LAST LIMIT 3 OFFSET 1")
	f.Add(`SELECT COUNT() FROM Task WHERE Subject = 'a\'b\u0041'`)
	s := newSalesforce(Options{Now: time.Now, Unlimited: true})
	f.Fuzz(func(t *testing.T, text string) {
		q, e := parseSOQL(text)
		if e != nil {
			return
		}
		if q == nil || q.from == "" {
			t.Fatalf("%q: no query and no error", text)
		}
		_, _ = s.query(q, true) // must not panic
	})
}
