package telli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/sources"
)

const (
	// perSecond is how many requests telli is sent in a second. telli publishes
	// no limit (docs.telli.com, read 2026-11).
	perSecond = 4
	// pageCalls is the most that list-calls gives at once.
	pageCalls = 100
	// overlap is for how long before a range calls are looked at that may have
	// ended within it: they are listed by when they were triggered.
	overlap = 2 * time.Hour
	// credentials are the settings that reading needs.
	credentials = "api_key"
)

var _ sources.StatusReader = (*Source)(nil)

// newClient returns how telli's API is asked; nil without a key. telli's own
// node for n8n sends the key bare, so keys with and without Bearer are known.
func newClient(cfg Config) (*httpx.Client, error) {
	key := strings.TrimSpace(cfg.APIKey.Reveal())
	if key == "" {
		return nil, nil
	}
	key = strings.TrimSpace(strings.TrimPrefix(key, "Bearer "))
	return httpx.Reading{
		BaseURL: cfg.BaseURL, DefaultBaseURL: DefaultBaseURL, PerSecond: cfg.RequestsPerSecond, DefaultPerSecond: perSecond,
		Header: http.Header{"Authorization": {"Bearer " + key}},
	}.Client()
}

// Readable implements sources.Reader.
func (s *Source) Readable() error {
	if s.client == nil {
		return errors.New("api_key is not set")
	}
	return nil
}

// get asks for a path of telli's API.
func (s *Source) get(ctx context.Context, turn sources.Turn, what, path string, query url.Values) (sources.Value, error) {
	what = "telli: " + what
	if err := s.Readable(); err != nil {
		return sources.Value{}, &sources.ReadError{What: what + ": " + err.Error()}
	}
	if err := turn.Ask(ctx); err != nil {
		return sources.Value{}, err
	}
	answer, err := s.client.Do(ctx, httpx.Request{Method: http.MethodGet, Path: path, Query: query, Repeatable: true})
	if err != nil {
		return sources.Value{}, sources.NoAnswer(ctx, what, err)
	}
	return sources.ReadAnswer(what, answer.Status, answer.Body, answer.RetryAfter(), credentials)
}

// History implements sources.Reader: calls, each with its contact, as
// call_ended would have told them. telli lists calls newest first and has no
// filter by time, so a range in the past begins with what came after it.
func (s *Source) History(ctx context.Context, q sources.Query) (sources.Page, error) {
	query := url.Values{"limit": {strconv.Itoa(pageCalls)}}
	if q.Cursor != "" {
		query.Set("cursor", q.Cursor)
	}
	list, err := s.get(ctx, q.Turn, "list calls", "/v1/list-calls", query)
	if err != nil {
		return sources.Page{}, err
	}
	page := sources.Page{Next: list.Get("next_cursor").Text()}
	var calls []sources.Value
	for call := range list.Get("calls").Items() {
		triggered := sources.ReadMoment(call, "triggered_at", "triggered_at_iso").Time
		if !triggered.IsZero() {
			page.Part = part(q, triggered)
			if triggered.Before(q.From.Add(-overlap)) {
				page.Next, page.Part = "", 1
				break
			}
		}
		if q.Holds(when(call)) && !running(call) {
			calls = append(calls, call)
		}
	}
	page.Items, page.Known, err = s.whole(ctx, q, calls)
	return page, err
}

// whole puts calls together with their contacts, but for those that are known:
// each contact costs a request, once a page.
func (s *Source) whole(ctx context.Context, q sources.Query, calls []sources.Value) (items []sources.Item, known int, err error) {
	bare := make([]sources.Item, len(calls))
	for i, call := range calls {
		if bare[i], err = item("call_ended", call.JSON(), nil); err != nil {
			return nil, 0, err
		}
	}
	skip := make([]bool, len(calls))
	if q.Known != nil && len(calls) > 0 {
		if skip, err = q.Known(ctx, bare); err != nil {
			return nil, 0, err
		}
	}
	contacts := map[string]json.RawMessage{}
	for i, call := range calls {
		if skip[i] {
			known++
			continue
		}
		contact, err := s.contactOf(ctx, q.Turn, call.Get("contact_id").Text(), contacts)
		if err != nil {
			return nil, 0, err
		}
		one, err := item("call_ended", call.JSON(), contact)
		if err != nil {
			return nil, 0, err
		}
		items = append(items, one)
	}
	return items, known, nil
}

// when is what counts as the time of a call; see callEnded.
func when(call sources.Value) time.Time {
	for _, name := range []string{"ended_at", "started_at", "triggered_at"} {
		if t := sources.ReadMoment(call, name, name+"_iso").Time; !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// part is how much of the range lies after a time.
func part(q sources.Query, at time.Time) float64 {
	whole := q.Until.Sub(q.From)
	if whole <= 0 {
		return 0
	}
	return min(1, max(0, float64(q.Until.Sub(at))/float64(whole)))
}

// running reports whether a call has not ended, so that its webhook is still to come.
func running(call sources.Value) bool {
	if !sources.ReadMoment(call, "ended_at", "ended_at_iso").Time.IsZero() {
		return false
	}
	s, _ := status(call)
	return s == "unknown"
}

// contactOf is a contact as call_ended holds it; nil where telli has it no
// more. The contacts of a page are asked for once.
func (s *Source) contactOf(ctx context.Context, turn sources.Turn, id string, known map[string]json.RawMessage) (json.RawMessage, error) {
	if id == "" {
		return nil, nil
	}
	if c, ok := known[id]; ok {
		return c, nil
	}
	v, err := s.contact(ctx, turn, id)
	switch {
	case errors.Is(err, sources.ErrGone):
		v = nil
	case err != nil:
		return nil, err
	}
	known[id] = v
	return v, nil
}

// contact reads a contact, by version 2 of the API where version 1, which is
// marked as deprecated, has it no more. Version 2 gives no status.
func (s *Source) contact(ctx context.Context, turn sources.Turn, id string) (json.RawMessage, error) {
	v, err := s.get(ctx, turn, "get a contact", "/v1/get-contact/"+url.PathEscape(id), nil)
	if err == nil {
		return v.JSON(), nil
	}
	if !errors.Is(err, sources.ErrGone) {
		return nil, err
	}
	if v, err = s.get(ctx, turn, "get a contact (version 2)", "/v2/contacts/"+url.PathEscape(id), nil); err != nil {
		return nil, err
	}
	return json.Marshal(older(v))
}

// older is a contact of version 2 in the shape of version 1.
func older(v sources.Value) map[string]any {
	out := map[string]any{}
	for to, from := range map[string]string{
		"contact_id": "id", "external_contact_id": "externalId", "external_url": "externalUrl", "salutation": "salutation", "email": "email",
		"first_name": "firstName", "last_name": "lastName", "phone_number": "phoneNumber", "timezone": "timezoneIana", "created_at": "createdAt",
	} {
		if p := v.Get(from).Plain(); p != nil {
			out[to] = p
		}
	}
	details := map[string]any{}
	for p := range v.Get("properties").Items() {
		if key, value := p.Get("key").Text(), p.Get("value").Plain(); key != "" && value != nil {
			details[key] = value
		}
	}
	out["contact_details"] = details
	return out
}

// item is a payload in the shape of telli's webhooks.
func item(name string, call, contact json.RawMessage) (sources.Item, error) {
	body, err := json.Marshal(struct {
		Event   string          `json:"event"`
		Call    json.RawMessage `json:"call,omitempty"`
		Contact json.RawMessage `json:"contact,omitempty"`
	}{name, call, contact})
	return sources.Item{ContentType: sources.ReadType(Vendor), Body: body}, err
}

// Statuses implements sources.StatusReader. Each contact costs a request.
func (s *Source) Statuses(ctx context.Context, ids []string, turn sources.Turn) ([]sources.Status, error) {
	var out []sources.Status
	for _, id := range ids {
		one, err := s.status(ctx, turn, id)
		if err != nil {
			return out, err
		}
		out = append(out, one)
	}
	return out, nil
}

// status is that of one contact. telli does not say since when; the time
// before the request is sure not to be later than a webhook that comes after.
func (s *Source) status(ctx context.Context, turn sources.Turn, id string) (sources.Status, error) {
	out := sources.Status{ID: id, At: time.Now().UTC().Truncate(time.Second)}
	raw, err := s.contact(ctx, turn, id)
	switch {
	case errors.Is(err, sources.ErrGone):
		out.Gone = true
		return out, nil
	case err != nil:
		return out, err
	}
	contact := map[string]any{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // a float holds no long ones
	if err := dec.Decode(&contact); err != nil {
		return out, &sources.ReadError{What: "telli: get a contact: the answer cannot be read"}
	}
	word, _ := contact["status"].(string)
	if out.Status = strings.ToLower(strings.TrimSpace(word)); out.Status == "" {
		if out.Status, err = s.derived(ctx, turn, id, contact); err != nil || out.Status == "" {
			return out, err
		}
		out.Derived, contact["status"] = true, out.Status
	}
	contact["status_updated_at"] = out.At.Format(time.RFC3339)
	if raw, err = json.Marshal(contact); err != nil {
		return out, err
	}
	out.Item, err = item("contact_status_changed", nil, raw)
	return out, err
}

// derived is what the status is likely to be by the contact's calls, where
// telli gives none; "" where they do not tell.
func (s *Source) derived(ctx context.Context, turn sources.Turn, id string, contact map[string]any) (string, error) {
	var more sources.Value // when it was reached and is called next
	if external, _ := contact["external_contact_id"].(string); external != "" {
		var err error
		more, err = s.get(ctx, turn, "get a contact by external id", "/v1/get-contact-by-external-id/"+url.PathEscape(external), nil)
		if err != nil && !errors.Is(err, sources.ErrGone) {
			return "", err
		}
	}
	list, err := s.get(ctx, turn, "list calls of a contact", "/v1/list-calls", url.Values{"contact_id": {id}, "limit": {strconv.Itoa(pageCalls)}})
	if err != nil {
		return "", err
	}
	calls, completed := 0, false
	for call := range list.Get("calls").Items() {
		calls++
		if word, _ := status(call); word == event.Completed {
			completed = true
		}
	}
	switch {
	case completed || more.Get("reached_at").Known():
		return "reached", nil
	case more.Get("next_call_at").Known() || more.Get("in_call_since").Known():
		return "pending", nil
	case calls == 0:
		return "new", nil
	case more.Known():
		return "closed", nil // no call is planned any more
	}
	return "", nil
}
