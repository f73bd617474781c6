package sandbox

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// errTelliID is a person giving an id that is taken, empty or not text.
var errTelliID = errors.New("the id must be text that no other record has, and it cannot change")

// telli emulates telli's read API: what reconcile and backfill ask. It is filled
// through POST /_/records/telli/{contacts|calls}. telli documents no rate limit.
type telli struct {
	opts     Options
	contacts []map[string]any
	calls    []map[string]any
}

func newTelli(o Options) *telli { return &telli{opts: o} }

func (t *telli) reset()             { t.contacts, t.calls = nil, nil }
func (t *telli) isBatch(*call) bool { return false }

func telliError(status int, code, message string) answer {
	return jsonAnswer(status, map[string]string{"code": code, "message": message})
}

func (t *telli) fault(_ *call, status int, word string) answer {
	if status == http.StatusBadGateway || status == http.StatusGatewayTimeout {
		return htmlAnswer(status)
	}
	code := strings.ToUpper(strings.ReplaceAll(http.StatusText(status), " ", "_"))
	return telliError(status, orElse(word, code), orElse(http.StatusText(status), "error"))
}

func (t *telli) answer(c *call) answer {
	// telli's own n8n node sends the bare key, so both forms are taken.
	if !authorized(c, t.opts.Tokens["telli"], true) {
		return telliError(http.StatusUnauthorized, "UNAUTHORIZED", "Invalid API key")
	}
	if len(c.segments) < 2 {
		return telliError(http.StatusNotFound, "NOT_FOUND", "Not found")
	}
	id := c.segments[len(c.segments)-1]
	switch route := c.method + " " + strings.Join(c.segments[:2], "/"); {
	case route == "GET v1/verify-api-key" && len(c.segments) == 2:
		return jsonAnswer(http.StatusOK, map[string]any{"valid": true})
	case route == "GET v1/get-contact" && len(c.segments) == 3:
		return telliOne(t.contact("contact_id", id))
	case route == "GET v1/get-contact-by-external-id" && len(c.segments) == 3:
		return telliOne(only(t.contact("external_contact_id", id), "contact_id", "external_contact_id", "external_url",
			"created_at", "in_call_since", "reached_at", "call_attempts", "next_call_at"))
	case route == "POST v1/get-contacts-batch" && len(c.segments) == 2:
		return t.contactsBatch(c)
	case route == "GET v1/list-calls" && len(c.segments) == 2:
		return t.listCalls(c)
	case route == "GET v1/get-call" && len(c.segments) == 3:
		return telliOne(find(t.calls, "call_id", id))
	case route == "GET v2/contacts" && len(c.segments) == 2:
		return t.listContacts(c)
	case route == "GET v2/contacts" && len(c.segments) == 3:
		return telliOne(telliV2(t.contact("contact_id", id)))
	case route == "GET v2/external" && len(c.segments) == 4 && c.segments[2] == "contacts":
		return telliOne(telliV2(t.contact("external_contact_id", id)))
	default:
		return telliError(http.StatusNotFound, "NOT_FOUND", "Not found")
	}
}

func telliOne(found map[string]any) answer {
	if found == nil {
		return telliError(http.StatusNotFound, "NOT_FOUND", "Not found")
	}
	return jsonAnswer(http.StatusOK, found)
}

func find(all []map[string]any, key, value string) map[string]any {
	for _, one := range all {
		if text, _ := one[key].(string); text == value && value != "" {
			return one
		}
	}
	return nil
}

func (t *telli) contact(key, value string) map[string]any { return find(t.contacts, key, value) }

func only(from map[string]any, keys ...string) map[string]any {
	if from == nil {
		return nil
	}
	out := map[string]any{}
	for _, k := range keys {
		out[k] = from[k]
	}
	return out
}

// contactsBatch answers without status: only get-contact documents one.
func (t *telli) contactsBatch(c *call) answer {
	var in struct {
		IDs []string `json:"contact_ids"`
	}
	if err := json.Unmarshal(c.body, &in); err != nil || len(in.IDs) == 0 || len(in.IDs) > 1000 {
		return telliError(http.StatusBadRequest, "BAD_REQUEST", "contact_ids: 1 to 1000 ids are wanted")
	}
	out := make([]map[string]any, 0, len(in.IDs))
	for _, id := range in.IDs {
		one := map[string]any{"contactId": id, "status": "success", "error": nil, "contact": nil}
		if found := t.contact("contact_id", id); found == nil {
			one["status"], one["error"] = "error", "Contact not found"
		} else {
			without := maps.Clone(found)
			delete(without, "status")
			one["contact"] = without
		}
		out = append(out, one)
	}
	return jsonAnswer(http.StatusOK, out)
}

// limit reads ?limit= of 1 to 100.
func telliLimit(c *call) (int, bool) {
	text := c.query.Get("limit")
	if text == "" {
		return 50, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1 && n <= 100
}

// telliCursor is opaque to clients; inside it is the number of entries passed.
func telliCursor(n int) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"n":` + itoa(n) + `}`))
}

func telliPassed(cursor string) (int, bool) {
	if cursor == "" {
		return 0, true
	}
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	var at struct{ N int }
	ok := err == nil && json.Unmarshal(raw, &at) == nil && at.N >= 0
	return at.N, ok
}

func (t *telli) listCalls(c *call) answer {
	limit, ok := telliLimit(c)
	passed, ok2 := telliPassed(c.query.Get("cursor"))
	if !ok || !ok2 {
		return telliError(http.StatusBadRequest, "BAD_REQUEST", "limit or cursor is not valid")
	}
	found := []map[string]any{}
	for _, one := range t.calls {
		if want := c.query.Get("contact_id"); want == "" || one["contact_id"] == want {
			found = append(found, one)
		}
	}
	slices.SortStableFunc(found, func(a, b map[string]any) int {
		return cmp.Compare(number(b["triggered_at"]), number(a["triggered_at"]))
	})
	page := found[min(passed, len(found)):min(passed+limit, len(found))]
	body := map[string]any{"calls": page, "next_cursor": nil}
	if passed+limit < len(found) {
		body["next_cursor"] = telliCursor(passed + limit)
	}
	return jsonAnswer(http.StatusOK, body)
}

func (t *telli) listContacts(c *call) answer {
	limit, ok := telliLimit(c)
	passed, ok2 := telliPassed(c.query.Get("cursor"))
	if !ok || !ok2 {
		return telliError(http.StatusBadRequest, "BAD_REQUEST", "limit or cursor is not valid")
	}
	data := []map[string]any{}
	for _, one := range t.contacts[min(passed, len(t.contacts)):min(passed+limit, len(t.contacts))] {
		data = append(data, telliV2(one))
	}
	info := map[string]any{"hasNextPage": passed+limit < len(t.contacts), "nextCursor": nil}
	if info["hasNextPage"] == true {
		info["nextCursor"] = telliCursor(passed + limit)
	}
	return jsonAnswer(http.StatusOK, map[string]any{"type": "list", "data": data, "pageInfo": info,
		"meta": map[string]int{"limit": limit, "count": len(data)}})
}

// telliV2 is a contact in the newer shape, which has no status.
func telliV2(v1 map[string]any) map[string]any {
	if v1 == nil {
		return nil
	}
	out := map[string]any{"type": "contact"}
	for to, from := range map[string]string{
		"id": "contact_id", "externalId": "external_contact_id", "externalUrl": "external_url", "salutation": "salutation",
		"firstName": "first_name", "lastName": "last_name", "phoneNumber": "phone_number", "timezoneIana": "timezone",
		"email": "email", "createdAt": "created_at", "updatedAt": "updated_at",
	} {
		out[to] = v1[from]
	}
	properties := []map[string]any{}
	if details, ok := v1["contact_details"].(map[string]any); ok {
		for _, key := range slices.Sorted(maps.Keys(details)) {
			properties = append(properties, map[string]any{"key": key, "dataType": "string", "value": details[key], "label": key, "options": nil})
		}
	}
	out["properties"] = properties
	return out
}

func number(v any) float64 {
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64()
		return f
	case float64:
		return v
	default:
		return 0
	}
}
