package telli_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/telli"
)

// api answers paths with files or text, and notes what was asked.
type api struct {
	mu      sync.Mutex
	answers map[string]string // by path with query; @ before the name of a file
	asked   []string
	header  http.Header
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.header = r.Header
	a.asked = append(a.asked, r.URL.RequestURI())
	text, ok := a.answers[r.URL.RequestURI()]
	if file, is := strings.CutPrefix(text, "@"); is {
		b, err := os.ReadFile("testdata/rest/" + file + ".json")
		if err != nil {
			panic(err)
		}
		text = string(b)
	}
	switch {
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	case text == "410" || text == "403":
		w.WriteHeader(map[string]int{"410": 410, "403": 403}[text])
	default:
		_, _ = w.Write([]byte(text))
	}
}

func reader(t *testing.T, key string, answers map[string]string) (*telli.Source, *api) {
	t.Helper()
	a := &api{answers: answers}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.Close)
	s, err := telli.New("calls", telli.Config{SigningSecret: []config.Secret{secret}, APIKey: config.Secret(key), BaseURL: srv.URL, RequestsPerSecond: 1000}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	return s, a
}

const (
	person  = "/v1/get-contact/0f9a6b2e-2222-4d11-8a31-000000000017"
	person2 = "/v2/contacts/0f9a6b2e-2222-4d11-8a31-000000000017"
)

func march(day int) time.Time { return time.Date(2026, 3, day, 0, 0, 0, 0, time.UTC) }

func TestHistory(t *testing.T) {
	t.Parallel()
	s, a := reader(t, "Bearer k", map[string]string{
		"/v1/list-calls?limit=100":                                   "@list_calls_page1",
		"/v1/list-calls?cursor=eyJ0IjoxNzcyNjIwMjA0MzAyfQ&limit=100": "@list_calls_page2_last",
		person: "@get_contact",
	})
	q := sources.Query{From: march(4), Until: march(6)}
	page, err := s.History(t.Context(), q)
	if err != nil || len(page.Items) != 2 || page.Next != "eyJ0IjoxNzcyNjIwMjA0MzAyfQ" || page.Part < 0.7 || page.Part > 0.9 {
		t.Fatalf("first page: %d items, next %q, part %v, %v", len(page.Items), page.Next, page.Part, err)
	}
	if got := a.header.Get("Authorization"); got != "Bearer k" {
		t.Errorf("it is asked with %q", got)
	}
	if n := len(a.asked); n != 2 {
		t.Errorf("two calls of one contact took %d requests: %v", n, a.asked)
	}
	p := s.Parse(page.Items[1].Request(at))
	if p.Problem != "" || p.Event.Type != event.CallEnded || p.ContentKey != "telli:call:c1a7e0aa-3333-4e6f-b0c1-000000000109:ended" || p.Event.Call.Status != event.NotReached || p.Event.Contact.Email != "erika.mustermann@example.com" || p.Event.Contact.Status != "reached" {
		t.Errorf("a call reads as %+v, %+v, %+v", p, p.Event.Call, p.Event.Contact)
	}
	// The webhook of that call has the same identity.
	hook := parse(t, `{"event":"call_ended","call":{"call_id":"c1a7e0aa-3333-4e6f-b0c1-000000000109","call_status":"NOT_REACHED","ended_at":1772620332302}}`)
	if hook.ContentKey != p.ContentKey || !hook.Event.OccurredAt.Equal(p.Event.OccurredAt) {
		t.Errorf("the webhook is %s at %v, what was read %s at %v", hook.ContentKey, hook.Event.OccurredAt, p.ContentKey, p.Event.OccurredAt)
	}
	q.Cursor = page.Next
	if page, err = s.History(t.Context(), q); err != nil || len(page.Items) != 1 || page.Next != "" {
		t.Errorf("last page: %d items, next %q, %v", len(page.Items), page.Next, err)
	}
}

func TestHistoryRange(t *testing.T) {
	t.Parallel()
	call := func(id string, more string) string {
		return fmt.Sprintf(`{"call_id":%q,"triggered_at":"2026-03-04T10:00:00Z",%s}`, id, more)
	}
	for _, c := range []struct {
		name  string
		calls []string
		items int
		next  string
	}{
		{"in it", []string{call("a", `"ended_at":"2026-03-04T10:05:00Z"`)}, 1, "more"},
		{"triggered before, ended in it", []string{call("a", `"ended_at":"2026-03-04T10:05:00Z","triggered_at_iso":"x"`)}, 1, "more"},
		{"after it", []string{call("a", `"ended_at":"2026-03-05T10:05:00Z"`)}, 0, "more"},
		{"before it: the last page", []string{call("a", `"ended_at":"2026-03-04T10:05:00Z"`), `{"call_id":"b","triggered_at":"2026-03-03T09:00:00Z","ended_at":"2026-03-04T09:30:00Z"}`, call("c", `"ended_at":"2026-03-04T10:05:00Z"`)}, 1, ""},
		{"running: its webhook is to come", []string{call("a", `"call_status":"IN_PROGRESS"`), call("b", `"ended_at":null,"call_status":null`)}, 0, "more"},
		{"ended without a time", []string{call("a", `"call_status":"ERROR"`)}, 1, "more"},
		{"no call at all", nil, 0, "more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := reader(t, "k", map[string]string{"/v1/list-calls?limit=100": `{"calls":[` + strings.Join(c.calls, ",") + `],"next_cursor":"more"}`})
			page, err := s.History(t.Context(), sources.Query{From: march(4), Until: march(5)})
			if err != nil || len(page.Items) != c.items || page.Next != c.next {
				t.Errorf("%d items, next %q, %v; want %d, %q", len(page.Items), page.Next, err, c.items, c.next)
			}
		})
	}
}

func TestHistoryKnown(t *testing.T) {
	t.Parallel()
	s, a := reader(t, "k", map[string]string{"/v1/list-calls?limit=100": "@list_calls_page1", person: "@get_contact"})
	page, err := s.History(t.Context(), sources.Query{From: march(1), Until: march(9), Known: func(_ context.Context, items []sources.Item) ([]bool, error) {
		if key := s.Parse(items[0].Request(at)).ContentKey; key != "telli:call:c1a7e0aa-3333-4e6f-b0c1-000000000110:ended" {
			t.Errorf("it asks for %s", key)
		}
		return []bool{true, true}, nil
	}})
	if err != nil || len(page.Items) != 0 || page.Known != 2 || len(a.asked) != 1 {
		t.Errorf("%d items, %d known, asked %v, %v", len(page.Items), page.Known, a.asked, err)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	calls := "/v1/list-calls?contact_id=0f9a6b2e-2222-4d11-8a31-000000000017&limit=100"
	external := "/v1/get-contact-by-external-id/crm-100017"
	for _, c := range []struct {
		name    string
		answers map[string]string
		want    string // status, derived or gone
		err     string
	}{
		{"by version 1", map[string]string{person: "@get_contact"}, "reached", ""},
		{"version 1 is gone, somebody talked", map[string]string{person: "410", person2: "@v2_contact", calls: "@list_calls_page1"}, "reached derived", ""},
		{"version 1 is gone, a call is planned", map[string]string{person2: "@v2_contact", calls: `{"calls":[{"call_status":"ANSWERED"}]}`, external: `{"reached_at":null,"next_call_at":"2026-03-05T10:00:00Z"}`}, "pending derived", ""},
		{"version 1 is gone, no call yet", map[string]string{person2: "@v2_contact", calls: `{"calls":[]}`}, "new derived", ""},
		{"version 1 is gone, no call is planned any more", map[string]string{person2: "@v2_contact", calls: `{"calls":[{"call_status":"NOT_REACHED"}]}`, external: `{"contact_id":"x","reached_at":null,"next_call_at":null}`}, "closed derived", ""},
		{"version 1 is gone, and nothing tells", map[string]string{person2: "@v2_contact", calls: `{"calls":[{"call_status":"NOT_REACHED"}]}`}, "", ""},
		{"deleted", nil, "gone", ""},
		{"refused", map[string]string{person: "403"}, "", "check api_key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, _ := reader(t, "k", c.answers)
			before := time.Now().Add(-time.Second)
			list, err := s.Statuses(t.Context(), []string{"0f9a6b2e-2222-4d11-8a31-000000000017"}, nil)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || len(list) != 0 {
					t.Errorf("got %v, want %q", err, c.err)
				}
				return
			}
			if err != nil || len(list) != 1 {
				t.Fatalf("got %v, %v", list, err)
			}
			one := list[0]
			got := one.Status
			if one.Derived {
				got += " derived"
			}
			if one.Gone {
				got += "gone"
			}
			if got != c.want || one.At.Before(before.Truncate(time.Second)) {
				t.Errorf("got %q at %v, want %q", got, one.At, c.want)
			}
			if one.Status == "" {
				return
			}
			p := s.Parse(one.Item.Request(one.At.Add(time.Minute)))
			if p.Problem != "" || p.Event.Type != event.ContactStatusChanged || p.Event.Contact.Status != one.Status || !p.Event.OccurredAt.Equal(one.At) || p.Event.Contact.ExternalID != "crm-100017" || p.Event.Contact.Details["company"] != "Beispiel Solar GmbH" && p.Event.Contact.Company != "Beispiel Solar GmbH" {
				t.Errorf("it reads as %+v %+v", p, p.Event.Contact)
			}
		})
	}
}

// TestStatusesKeepNumbersAsTheyAre/customers' own numbers may be longer than a
// float holds.
func TestStatusesKeepNumbersAsTheyAre(t *testing.T) {
	t.Parallel()
	s, _ := reader(t, "k", map[string]string{person: `{"contact_id":"0f9a6b2e-2222-4d11-8a31-000000000017","status":"reached","contact_details":{"customer":12345678901234567}}`})
	list, err := s.Statuses(t.Context(), []string{"0f9a6b2e-2222-4d11-8a31-000000000017"}, nil)
	if err != nil || len(list) != 1 {
		t.Fatalf("got %v, %v", list, err)
	}
	if p := s.Parse(list[0].Item.Request(time.Now())); fmt.Sprint(p.Event.Contact.Details["customer"]) != "12345678901234567" {
		t.Errorf("the number became %v", p.Event.Contact.Details["customer"])
	}
}

func TestReadable(t *testing.T) {
	t.Parallel()
	s := source(t)
	if err := s.Readable(); err == nil || err.Error() != "api_key is not set" {
		t.Errorf("got %v", err)
	}
	if _, err := s.History(t.Context(), sources.Query{}); err == nil {
		t.Error("it was asked without a key")
	}
	s, a := reader(t, "k", nil)
	stopped := errors.New("stopped")
	if _, err := s.History(t.Context(), sources.Query{Turn: func(context.Context) error { return stopped }}); !errors.Is(err, stopped) || len(a.asked) != 0 {
		t.Errorf("without a turn: %v, asked %v", err, a.asked)
	}
}
