package sandbox

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestABodyThatIsNotCalledJSONIsRefused(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	for _, c := range []struct {
		path, body string
		status     int
		want       string
	}{
		{hsContacts, `{"properties":{"lastname":"M"}}`, 415, "Unsupported Media Type"},
		{hsContacts + "/search", `{"filterGroups":[]}`, 415, "Unsupported Media Type"},
		{atContactsURL, `{"fields":{"Name":"A"}}`, 422, "INVALID_REQUEST_MISSING_FIELDS"},
		{pdPersonsPath, `{"name":"A"}`, 415, "Unsupported Media Type"},
	} {
		for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"} {
			req := httptest.NewRequest("POST", c.path, strings.NewReader(c.body))
			req.Header.Set("Authorization", "Bearer t")
			if kind != "" {
				req.Header.Set("Content-Type", kind)
			}
			if got := r.send(req).ok(c.status); !strings.Contains(got.text, c.want) {
				t.Errorf("%s as %q: got %s, want %q", c.path, kind, got.text, c.want)
			}
		}
	}
	for _, kind := range []string{"application/json", "Application/JSON; charset=utf-8"} {
		req := httptest.NewRequest("POST", hsContacts, strings.NewReader(`{"properties":{"lastname":"M"}}`))
		req.Header.Set("Authorization", "Bearer t")
		req.Header.Set("Content-Type", kind)
		r.send(req).ok(201)
	}
	if n := len(r.s.Records("airtable", "Contacts")) + len(r.s.Records("pipedrive", "persons")); n != 0 {
		t.Errorf("%d records were made", n)
	}
}

func TestOneAddressTwiceInABatchNamesNoRecord(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	got := r.do("POST", hsContacts+"/batch/create", `{"inputs":[{"properties":{"email":"a@example.com"}},{"properties":{"email":"A@example.com"}}]}`).ok(409)
	if strings.Contains(got.text, "Existing ID") || !strings.Contains(got.text, "Contact already exists.") {
		t.Errorf("got %s, want an error without an id: there is none", got.text)
	}
}

func TestPipedriveRefusesWrongVerbs(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	for _, c := range [][2]string{
		{"POST", "/pipedrive/v1/activityTypes"}, {"PUT", "/pipedrive/v1/leadLabels"}, {"POST", pdPersonsPath + "/search"}, {"PATCH", pdPersonsPath + "/search"},
		{"PUT", pdPersonsPath + "/99"}, {"POST", pdPersonsPath + "/99"}, {"PUT", pdPersonsPath}, {"GET", "/pipedrive/v1/callLogs/1/recordings"},
		{"POST", "/pipedrive/v1/users"}, {"PATCH", "/pipedrive/v1/notes/1"}, {"DELETE", "/pipedrive/api/v2/personFields"},
		{"POST", "/pipedrive/api/v2/itemSearch"},
	} {
		if got := r.pd(c[0], c[1], "{}"); got.status != 405 {
			t.Errorf("%s %s: got %d, want 405", c[0], c[1], got.status)
		}
	}
}
