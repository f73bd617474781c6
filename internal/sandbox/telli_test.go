package sandbox

import (
	"fmt"
	"testing"
)

func TestTelli(t *testing.T) {
	t.Parallel()
	r := unlimited(t)
	id := r.do("POST", "/_/records/telli/contacts", `{"contact_id":"c-1","external_contact_id":"crm-1","first_name":"Erika","status":"reached","contact_details":{"company":"X"}}`).ok(201).str("id")
	if id != "c-1" {
		t.Errorf("id: want c-1, got %q", id)
	}
	r.do("POST", "/_/records/telli/contacts", `{"contact_id":"c-1"}`).ok(422)
	r.do("GET", "/telli/v1/get-contact/c-1", "").ok(200).want("status", "reached").want("call_attempts", 0).want("contact_details.company", "X")
	r.do("GET", "/telli/v1/get-contact/nosuch", "").ok(404).want("code", "NOT_FOUND")
	r.do("GET", "/telli/v1/get-contact-by-external-id/crm-1", "").ok(200).want("contact_id", "c-1").want("status", nil).want("first_name", nil)
	r.do("POST", "/telli/v1/get-contacts-batch", `{"contact_ids":["c-1","c-9"]}`).ok(200).
		want("0.status", "success").want("0.contact.status", nil).want("0.contact.first_name", "Erika").want("1.status", "error")
	r.do("GET", "/telli/v2/contacts/c-1", "").ok(200).want("firstName", "Erika").want("externalId", "crm-1").want("properties.0.key", "company").want("status", nil)
	r.do("GET", "/telli/v2/external/contacts/crm-1", "").ok(200).want("id", "c-1")
	r.do("PUT", "/_/records/telli/contacts/c-1", `{"status":"closed"}`).ok(200)
	r.do("GET", "/telli/v1/get-contact/c-1", "").ok(200).want("status", "closed")

	for i := range 3 {
		r.do("POST", "/_/records/telli/calls", fmt.Sprintf(`{"call_id":"k-%d","contact_id":"c-1","triggered_at":17726%d1604302}`, i, i)).ok(201)
	}
	r.do("POST", "/_/records/telli/calls", `{"call_id":"k-x","contact_id":"c-2"}`).ok(201)
	page := r.do("GET", "/telli/v1/list-calls?contact_id=c-1&limit=2", "").ok(200).want("calls.0.call_id", "k-2").want("calls.1.call_id", "k-1").want("calls.2", nil)
	r.do("GET", "/telli/v1/list-calls?contact_id=c-1&limit=2&cursor="+page.str("next_cursor"), "").ok(200).want("calls.0.call_id", "k-0").want("next_cursor", nil)
	r.do("GET", "/telli/v1/list-calls?limit=101", "").ok(400)
	r.do("GET", "/telli/v1/list-calls?cursor=!", "").ok(400)
	r.do("GET", "/telli/v1/get-call/k-1", "").ok(200).want("triggered_at", 1772611604302).want("triggered_at_iso", "2026-03-04T08:06:44.302Z").want("call_status", "COMPLETED")
	r.do("GET", "/telli/v2/contacts?limit=1", "").ok(200).want("data.0.id", "c-1").want("pageInfo.hasNextPage", false)
	r.do("DELETE", "/_/records/telli/contacts/c-1", "").ok(204)
	r.do("GET", "/telli/v1/get-contact/c-1", "").ok(404)
	r.do("POST", "/_/faults", `[{"crm":"telli","status":429,"retry_after":3,"times":1}]`).ok(200)
	if got := r.do("GET", "/telli/v1/verify-api-key", "").ok(429); got.header.Get("Retry-After") != "3" || got.str("code") != "TOO_MANY_REQUESTS" {
		t.Errorf("429: got %v %s", got.header, got.text)
	}
}
