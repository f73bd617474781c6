package sandbox

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestSalesforceShowsANewFieldToNobodyUntilItIsGranted(t *testing.T) {
	t.Parallel()
	s := New(Options{Unlimited: true})
	ask := func(method, path, body string) (int, string) {
		req := httptest.NewRequestWithContext(t.Context(), method, "/salesforce/services/"+path, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		if strings.HasPrefix(path, "oauth2") {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		req.Header.Set("Authorization", "Bearer "+sfSession(t, s))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, req)
		return w.Code, w.Body.String()
	}
	const tooling, grant = "data/v68.0/tooling/sobjects/CustomField", "data/v68.0/sobjects/FieldPermissions"
	query := func(where string) string {
		return "data/v68.0/tooling/query?q=" + url.QueryEscape("SELECT Id FROM CustomField WHERE "+where)
	}
	field := func(name, metadata string) string { return `{"FullName":"` + name + `","Metadata":{` + metadata + `}}` }
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		want                     string
	}{
		{"no such object", "POST", tooling, field("Nothing.X__c", `"label":"X","type":"Date"`), 400, "INVALID_CROSS_REFERENCE_KEY"},
		{"tasks have none of their own", "POST", tooling, field("Task.X__c", `"label":"X","type":"Date"`), 400, "INVALID_CROSS_REFERENCE_KEY"},
		{"a name without __c", "POST", tooling, field("Contact.X", `"label":"X","type":"Date"`), 400, "FIELD_INTEGRITY_EXCEPTION"},
		{"a type that is none", "POST", tooling, field("Contact.X__c", `"label":"X","type":"Datum"`), 400, "restricted picklist"},
		{"text without length", "POST", tooling, field("Contact.X__c", `"label":"X","type":"Text"`), 400, "Length"},
		{"a unique link", "POST", tooling, field("Contact.X__c", `"label":"X","type":"Url","unique":true`), 400, "unique"},
		{"a word that is not known", "POST", tooling, field("Contact.X__c", `"label":"X","type":"Date","lenght":3`), 400, "JSON_PARSER_ERROR"},
		{"a field of both tasks and events", "POST", tooling, field("Activity.X__c", `"label":"X","type":"Date"`), 201, `"success":true`},
		{"the same once more", "POST", tooling, field("Activity.X__c", `"label":"X","type":"Date"`), 400, "DUPLICATE_DEVELOPER_NAME"},
		{"it cannot be written yet", "POST", "data/v68.0/sobjects/Task", `{"X__c":"2026-11-21"}`, 400, "INVALID_FIELD"},
		{"a right to what is not there", "POST", grant, `{"ParentId":"0PS","SobjectType":"Task","Field":"Task.Y__c","PermissionsRead":true,"PermissionsEdit":true}`, 400, "bad value"},
		{"the right", "POST", grant, `{"ParentId":"0PS","SobjectType":"Task","Field":"Task.X__c","PermissionsRead":true,"PermissionsEdit":true}`, 201, `"success":true`},
		{"it can be written", "POST", "data/v68.0/sobjects/Task", `{"X__c":"2026-11-21"}`, 201, `"success":true`},
		{"the other object has no right yet", "GET", "data/v68.0/sobjects/Event/describe", "", 200, ""},
		{"the setup shows it", "GET", query("TableEnumOrId = 'Activity' AND DeveloperName = 'X'"), "", 200, `"totalSize":1`},
		{"and no other", "GET", query("TableEnumOrId = 'Activity' AND DeveloperName = 'Y'"), "", 200, `"totalSize":0`},
		{"another query", "GET", query("DeveloperName = 'X'"), "", 400, "MALFORMED_QUERY"},
		{"only new fields are emulated", "GET", tooling, "", 405, ""},
	} {
		status, body := ask(c.method, c.path, c.body)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: got %d %s, want %d with %q", c.name, status, body, c.status, c.want)
		}
		if strings.HasSuffix(c.path, "Event/describe") && strings.Contains(body, "X__c") {
			t.Errorf("%s: it is described", c.name)
		}
	}
}

func sfSession(t *testing.T, s http.Handler) string {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/salesforce/services/oauth2/token", strings.NewReader("grant_type=client_credentials&client_id=a&client_secret=b"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	_, rest, _ := strings.Cut(w.Body.String(), `"access_token":"`)
	token, _, _ := strings.Cut(rest, `"`)
	return token
}
