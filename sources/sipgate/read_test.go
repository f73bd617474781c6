package sipgate_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/sipgate"
)

func readable(t *testing.T, entries ...string) *sipgate.Source {
	t.Helper()
	srv := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
	t.Cleanup(srv.Close)
	for _, c := range entries {
		resp, err := http.Post(srv.URL+"/_/records/sipgate/history", "application/json", strings.NewReader(c))
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != 201 {
			t.Fatalf("%s: %s", c, resp.Status)
		}
	}
	s, err := sipgate.New("agents", sipgate.Config{APITokenID: "token-ABCDEF", APIToken: "t", BaseURL: srv.URL + "/sipgate", RequestsPerSecond: 1000}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var readAt = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

func told(t *testing.T, s *sipgate.Source, record string) sources.Parsed {
	t.Helper()
	item, err := sources.Told{Record: []byte(record)}.Item(sipgate.Vendor)
	if err != nil {
		t.Fatal(err)
	}
	return s.Parse(item.Request(readAt))
}

func TestHistory(t *testing.T) {
	t.Parallel()
	entries := []string{`{"type":"FAX","created":"2026-03-04T10:00:00Z"}`, `{"created":"2026-03-03T23:59:59Z"}`}
	for i := range 230 {
		entries = append(entries, fmt.Sprintf(`{"created":"2026-03-04T%02d:%02d:00Z"}`, 10+i/60, i%60))
	}
	s := readable(t, entries...)
	from := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	q := sources.Query{From: from, Until: from.Add(24 * time.Hour)}
	n, pages := 0, 0
	for {
		page, err := s.History(t.Context(), q)
		if err != nil || page.Part <= 0 {
			t.Fatalf("part %v, %v", page.Part, err)
		}
		n, pages = n+len(page.Items), pages+1
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if n != 230 || pages != 3 {
		t.Errorf("%d calls in %d pages, want 230 in 3", n, pages)
	}
	if _, err := s.History(t.Context(), sources.Query{From: from, Until: from.Add(1), Cursor: "x"}); err == nil {
		t.Error("an odd cursor was taken")
	}
}

func TestTold(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/rest/history_calls.json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Items []json.RawMessage }
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	s := readable(t)
	for _, c := range []struct {
		name, record, want string // id, direction, status, reason, from, to, key, problem
	}{
		{"picked up", string(list.Items[0]), "000000000701 inbound completed SUCCESS +493023125042 +493023125900 sipgate:history:800000001 "},
		{"missed, of a withheld number", string(list.Items[1]), "000000000702 inbound not_reached MISSED  +493023125900 sipgate:history:800000002 "},
		{"outgoing and missed", `{"id":"1","created":"2026-03-04T09:30:12Z","direction":"MISSED_OUTGOING","source":"+493023125900","target":"+493023125042"}`, "history-1 outbound not_reached  +493023125900 +493023125042 sipgate:history:1 "},
		{"an entry of before callStatus", `{"id":"1","created":"2026-03-04T09:30:12Z","direction":"INCOMING","status":"PICKUP"}`, "history-1 inbound completed PICKUP   sipgate:history:1 "},
		{"a word that is new", `{"id":"1","created":"2026-03-04T09:30:12Z","direction":"INCOMING","callStatus":"ODD"}`, "history-1 inbound unknown ODD   sipgate:history:1 "},
		{"without an id", `{"created":"2026-03-04T09:30:12Z"}`, "       an entry of the history without an id"},
		{"without its time", `{"id":"1"}`, "       an entry of the history without its time"},
		{"a time that is none", `{"id":"1","created":"soon"}`, "       created is no time"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := told(t, s, c.record)
			call := p.Event.Call
			if call == nil {
				call = &event.Call{}
			}
			got := strings.Join([]string{call.ID, call.Direction, call.Status, call.Reason, call.From, call.To, p.ContentKey, p.Problem}, " ")
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	p := told(t, s, string(list.Items[0]))
	if *p.Event.Call.Duration != 82 || !p.Event.OccurredAt.Equal(time.Date(2026, 3, 4, 9, 31, 34, 0, time.UTC)) || p.Alike == nil || p.Alike.Number != "+493023125042" {
		t.Errorf("it reads as %+v", p)
	}
}

func TestReadable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  sipgate.Config
		want string
	}{
		"nothing":      {sipgate.Config{}, ""},
		"half of it":   {sipgate.Config{APITokenID: "token-A"}, "api_token_id: wants api_token"},
		"another half": {sipgate.Config{APIToken: "t"}, "api_token: wants api_token_id"},
		"both in one":  {sipgate.Config{APITokenID: "token-A:t", APIToken: "t"}, "api_token_id: holds a colon"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := sipgate.New("agents", c.cfg, "DE")
			switch {
			case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			case c.want == "" && (err != nil || s.Readable() == nil):
				t.Errorf("got %v, or it can be read without credentials", err)
			}
		})
	}
}
