package sandbox

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

// as does a request with a header Authorization of its own.
func (r *rig) as(authorization, method, path, body string) reply {
	r.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	return r.send(req)
}

func TestRespondio(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	for i := range 3 {
		r.do("POST", "/_/records/respondio/contacts", fmt.Sprintf(`{"id":%d,"firstName":"Zoë","email":"z%d@example.com","phone":"+4917604069017","created_at":%d}`, 10+i, i, 1772600000+3600*i)).ok(201)
	}
	r.do("POST", "/_/records/respondio/contacts", `{"id":10}`).ok(422)
	r.do("GET", "/respondio/v2/contact/id:11", "").ok(200).want("firstName", "Zoë").want("status", "open").want("tags.0", nil)
	r.do("GET", "/respondio/contact/email:z1%40example.com", "").ok(200).want("id", 11)
	r.do("GET", "/respondio/contact/phone:%2B4917604069017", "").ok(200).want("id", 10)
	r.do("GET", "/respondio/contact/id:99", "").ok(404)
	r.do("GET", "/respondio/contact/99", "").ok(400)
	r.do("GET", "/respondio/space/user?limit=1", "").ok(200)
	r.do("GET", "/respondio/nosuch", "").ok(404)
	r.as("", "GET", "/respondio/contact/id:11", "").ok(401)

	filter := func(from, to string) string {
		return `{"search":"","timezone":"Europe/Berlin","filter":{"$and":[{"category":"contactField","field":"createdAt","operator":"isTimestampBetween","value":{"from":"` + from + `","to":"` + to + `"}}]}}`
	}
	all := filter("2026-03-04 00:00", "2026-03-04 23:59")
	page := r.do("POST", "/respondio/contact/list?limit=2", all).ok(200).want("items.0.id", 10).want("items.1.id", 11).want("items.2", nil).want("items.0.tags", nil)
	next := page.str("pagination.next")
	if !strings.HasPrefix(next, "https://api.respond.io/v2/contact/list?") || !strings.Contains(next, "cursorId=11") {
		t.Errorf("next is %q", next)
	}
	r.do("POST", "/respondio/contact/list?limit=2&cursorId=11", all).ok(200).want("items.0.id", 12).want("pagination.next", nil)
	r.do("POST", "/respondio/contact/list?limit=9", filter("2026-03-04 05:53", "2026-03-04 05:54")).ok(200).want("items.0.id", 10).want("items.1", nil)
	for _, bad := range []string{`{}`, `{"search":"","timezone":"Europe/Berlin"}`, filter("yesterday", "2026-03-04 23:59"), `[]`} {
		r.do("POST", "/respondio/contact/list", bad).ok(400)
	}
	r.do("POST", "/respondio/contact/list?limit=101", all).ok(400)
	r.do("PUT", "/_/records/respondio/contacts/11", `{"status":"closed"}`).ok(200)
	r.do("GET", "/respondio/contact/id:11", "").ok(200).want("status", "closed")
	r.do("DELETE", "/_/records/respondio/contacts/11", "").ok(204)
	r.do("GET", "/respondio/contact/id:11", "").ok(404)

	limited := newRig(t, Options{})
	for range respondioPerMinute {
		limited.do("GET", "/respondio/space/user", "").ok(200)
	}
	if got := limited.do("GET", "/respondio/space/user", "").ok(429); got.header.Get("Retry-After") == "" {
		t.Error("a 429 without Retry-After")
	}
}

func TestVoipgrid(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Tokens: map[string]string{"voipgrid": "good"}})
	for i := range 3 {
		r.do("POST", "/_/records/voipgrid/calls", fmt.Sprintf(`{"atime":%d,"call_date":"2026-03-04T10:3%d:00","src_number":"+493023125042"}`, i, i)).ok(201)
	}
	ask := func(query string) reply {
		t.Helper()
		return r.as("Token admin@example.com:good", "GET", "/voipgrid/api/cdr/record/"+query, "")
	}
	ask("?limit=2").ok(200).want("objects.0.call_date", "2026-03-04T10:32:00").want("objects.2", nil).want("meta.total_count", 3).want("meta.previous", nil)
	if next := ask("?limit=2").str("meta.next"); !strings.Contains(next, "offset=2") {
		t.Errorf("next is %q", next)
	}
	ask("?limit=2&offset=2").ok(200).want("objects.0.atime", 0).want("objects.0.direction", "inbound").want("meta.next", nil)
	ask("?call_date__gt=2026-03-04T10:30:00&call_date__lt=2026-03-04T10:32:00").ok(200).want("objects.0.atime", 1).want("meta.total_count", 1)
	ask("?call_date__gt=2026-03-05").ok(200).want("meta.total_count", 0)
	ask("?call_date__gt=yesterday").ok(400)
	ask("?limit=0").ok(400)
	for _, bad := range []string{"", "Bearer good", "Token good", "Token admin@example.com:", "Token admin@example.com:bad", "Token admin:good"} {
		r.as(bad, "GET", "/voipgrid/api/cdr/record/", "").ok(401)
	}
	r.as("Token admin@example.com:good", "GET", "/voipgrid/api/nosuch/", "").ok(404)
	r.do("POST", "/_/faults", `[{"crm":"voipgrid","status":429,"retry_after":2,"times":1}]`).ok(200)
	if got := ask("").ok(429); got.header.Get("Retry-After") != "2" {
		t.Errorf("429: got %v", got.header)
	}
}

func TestSipgate(t *testing.T) {
	t.Parallel()
	r := newRig(t, Options{Tokens: map[string]string{"sipgate": "good"}})
	for i, direction := range []string{"INCOMING", "OUTGOING", "MISSED_INCOMING"} {
		r.do("POST", "/_/records/sipgate/history", fmt.Sprintf(`{"source":"+493023125042","created":"2026-03-04T09:3%d:00Z","direction":%q}`, i, direction)).ok(201)
	}
	r.do("POST", "/_/records/sipgate/history", `{"type":"FAX"}`).ok(201)
	basic := "Basic dG9rZW4tQUJDOmdvb2Q=" // token-ABC:good
	ask := func(query string) reply {
		t.Helper()
		return r.as(basic, "GET", "/sipgate/v2/history"+query, "")
	}
	ask("?types=CALL&limit=2").ok(200).want("items.0.direction", "MISSED_INCOMING").want("items.0.id", "800000003").want("items.2", nil).want("totalCount", 3)
	ask("?types=CALL&limit=2&offset=2").ok(200).want("items.0.direction", "INCOMING").want("items.1", nil)
	ask("?types=CALL&directions=INCOMING&directions=OUTGOING").ok(200).want("totalCount", 2)
	ask("?types=CALL&from=2026-03-04T09:31:00Z&to=2026-03-04T09:31:30Z").ok(200).want("totalCount", 1)
	ask("?phonenumber=%2B490").ok(200).want("totalCount", 0)
	ask("?from=yesterday").ok(400)
	ask("?limit=0").ok(400)
	ask("/800000001").ok(200).want("direction", "INCOMING")
	ask("/nosuch").ok(404)
	for _, bad := range []string{"", "Basic !", "Basic Z29vZA==", "Basic dG9rZW4tQUJDOmJhZA==", "Bearer bad"} {
		r.as(bad, "GET", "/sipgate/v2/history", "").ok(401)
	}
	r.as("Bearer good", "GET", "/sipgate/v2/history", "").ok(200)
	r.as(basic, "GET", "/sipgate/v2/nosuch", "").ok(404)
}
