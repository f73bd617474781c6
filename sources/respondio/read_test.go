package respondio_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/respondio"
)

// readable is a source whose vendor is the sandbox, with contacts.
func readable(t *testing.T, contacts ...string) (*respondio.Source, *sandbox.Sandbox) {
	t.Helper()
	sb := sandbox.New(sandbox.Options{Unlimited: true})
	srv := httptest.NewServer(sb)
	t.Cleanup(srv.Close)
	for _, c := range contacts {
		post(t, srv.URL+"/_/records/respondio/contacts", c)
	}
	s, err := respondio.New("chat", respondio.Config{SigningKeys: []config.Secret{"k"}, APIToken: "t", BaseURL: srv.URL + "/respondio/v2", RequestsPerSecond: 1000}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	return s, sb
}

func post(t *testing.T, url, body string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 201 {
		t.Fatalf("%s: %s", url, resp.Status)
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 3, 4, 10, 0, 30, 0, time.UTC)
	var contacts []string
	for i := range 150 {
		contacts = append(contacts, fmt.Sprintf(`{"id":%d,"firstName":"Zoë","status":"open","created_at":%d}`, 1000+i, begin.Add(time.Duration(i-1)*time.Second).Unix()))
	}
	s, sb := readable(t, contacts...)
	q := sources.Query{From: begin, Until: begin.Add(time.Hour)}
	var keys []string
	for {
		page, err := s.History(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range page.Items {
			p := s.Parse(item.Request(begin.Add(24 * time.Hour)))
			if p.Problem != "" || p.Event.Type != event.ContactCreated || p.Event.Contact.FirstName != "Zoë" {
				t.Fatalf("a contact reads as %+v", p)
			}
			keys = append(keys, p.ContentKey)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if len(keys) != 149 || keys[0] != "respondio:contact:1001:created" { // one is of a second before
		t.Errorf("%d contacts, first %v", len(keys), keys[:1])
	}
	if n := len(sb.Requests("respondio")); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

// TestHistory/a webhook of a contact is what was read of it.
func TestHistorySameIdentity(t *testing.T) {
	t.Parallel()
	body, err := os.ReadFile("testdata/rest/get_contact.json")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := readable(t, string(body))
	day := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	page, err := s.History(t.Context(), sources.Query{From: day, Until: day.Add(24 * time.Hour)})
	if err != nil || len(page.Items) != 1 {
		t.Fatalf("%d items, %v", len(page.Items), err)
	}
	read := s.Parse(page.Items[0].Request(day.Add(48 * time.Hour)))
	hook := s.Parse(&sources.Request{Body: []byte(`{"event_type":"contact.created","event_id":"e","contact":` + string(body) + `}`), At: day.Add(5 * time.Hour)})
	if read.ContentKey != hook.ContentKey || !read.Event.OccurredAt.Equal(hook.Event.OccurredAt) {
		t.Errorf("read %s at %v, webhook %s at %v", read.ContentKey, read.Event.OccurredAt, hook.ContentKey, hook.Event.OccurredAt)
	}
}

func TestStatuses(t *testing.T) {
	t.Parallel()
	s, _ := readable(t, `{"id":1,"status":"close"}`, `{"id":2,"status":"open","tags":["vip"]}`)
	list, err := s.Statuses(t.Context(), []string{"1", "9", "2"}, nil)
	if err != nil || len(list) != 3 || list[0].Status != "closed" || !list[1].Gone || list[2].Status != "open" {
		t.Fatalf("got %+v, %v", list, err)
	}
	p := s.Parse(list[2].Item.Request(list[2].At.Add(time.Second)))
	if p.Problem != "" || p.Event.Type != event.ContactUpdated || !p.Event.OccurredAt.Equal(list[2].At) || len(p.Event.Contact.Tags) != 1 || !strings.HasPrefix(p.ContentKey, "respondio:contact:2:read:") {
		t.Errorf("it reads as %+v %+v", p, p.Event.Contact)
	}
}

func TestReadable(t *testing.T) {
	t.Parallel()
	s, err := respondio.New("chat", respondio.Config{SigningKeys: []config.Secret{"k"}}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Readable(); err == nil || err.Error() != "api_token is not set" {
		t.Errorf("got %v", err)
	}
	if _, err := s.Statuses(t.Context(), []string{"1"}, nil); err == nil {
		t.Error("it was asked without a token")
	}
}
