package voipgrid_test

import (
	"bytes"
	"encoding/json"
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
	"github.com/crmsyncd/crmsyncd/sources/voipgrid"
)

func readable(t *testing.T, calls ...string) *voipgrid.Source {
	t.Helper()
	srv := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
	t.Cleanup(srv.Close)
	for _, c := range calls {
		resp, err := http.Post(srv.URL+"/_/records/voipgrid/calls", "application/json", strings.NewReader(c))
		if err != nil {
			t.Fatal(err)
		}
		if resp.Body.Close(); resp.StatusCode != 201 {
			t.Fatalf("%s: %s", c, resp.Status)
		}
	}
	s, err := voipgrid.New("phones", voipgrid.Config{APIUser: "admin@example.com", APIToken: "t", BaseURL: srv.URL + "/voipgrid", RequestsPerSecond: 1000}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var readAt = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// told is one record as it reads.
func told(t *testing.T, s *voipgrid.Source, record string) sources.Parsed {
	t.Helper()
	item, err := sources.Told{Record: []byte(record)}.Item(voipgrid.Vendor)
	if err != nil {
		t.Fatal(err)
	}
	return s.Parse(item.Request(readAt))
}

func TestHistory(t *testing.T) {
	t.Parallel()
	var calls []string
	for i := range 230 {
		calls = append(calls, fmt.Sprintf(`{"call_date":"2026-03-04T%02d:%02d:00","src_number":"+493023125042"}`, 10+i/60, i%60))
	}
	s := readable(t, calls...)
	from := time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC) // 10:30 there
	q := sources.Query{From: from, Until: from.Add(2*time.Hour + 30*time.Minute)}
	n, pages := 0, 0
	for {
		page, err := s.History(t.Context(), q)
		if err != nil || page.Part <= 0 {
			t.Fatalf("part %v, %v", page.Part, err)
		}
		for _, item := range page.Items {
			if p := s.Parse(item.Request(readAt)); p.Problem != "" || !q.Holds(p.Event.Call.StartedAt) {
				t.Fatalf("it reads as %+v", p)
			}
		}
		n, pages = n+len(page.Items), pages+1
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	if n != 150 || pages != 3 {
		t.Errorf("%d calls in %d pages, want 150 in 3", n, pages)
	}
	if _, err := s.History(t.Context(), sources.Query{From: from, Until: from.Add(1), Cursor: "x"}); err == nil {
		t.Error("an odd cursor was taken")
	}
}

func TestHistorySample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/rest/cdr_record_list.json")
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Objects []json.RawMessage }
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	s := readable(t)
	p := told(t, s, string(list.Objects[0]))
	c := p.Event.Call
	if p.Problem != "" || p.Event.Type != event.CallEnded || c.Status != event.Completed || *c.Duration != 292 || c.ID != "cdr-900000001" || p.ContentKey != "voipgrid:cdr:900000001" ||
		!c.StartedAt.Equal(time.Date(2026, 3, 4, 9, 30, 1, 0, time.UTC)) || c.Direction != "inbound" || p.Event.Contact.Phone != "+493023125042" || c.To != "+493023125900" {
		t.Errorf("it reads as %+v %+v", p, c)
	}
	if missed := told(t, s, string(list.Objects[1])).Event.Call; missed.Status != event.NotReached || *missed.Duration != 0 {
		t.Errorf("a missed call reads as %+v", missed)
	}
}

func TestTold(t *testing.T) {
	t.Parallel()
	s := readable(t)
	for _, c := range []struct {
		name, record, want string // direction, contact, agent, from, to, problem
	}{
		{"outbound", `{"id":1,"call_date":"2026-03-04T10:30:01","direction":"outbound","src_number":"201","callerid":"+493023125900","dialed_number":"030 23125042"}`, "outbound +493023125042 201 201 +493023125042 "},
		{"between colleagues", `{"id":1,"call_date":"2026-03-04T10:30:01","direction":"outbound","src_number":"201","dialed_number":"202"}`, "internal   201 202 "},
		{"a withheld number", `{"id":1,"call_date":"2026-03-04T10:30:01","direction":"inbound","src_number":"anonymous","dialed_number":"+493023125900"}`, "inbound    +493023125900 "},
		{"without its time", `{"id":1,"call_date":"soon"}`, "     a record of the list of calls without its time"},
		{"without an id", `{"call_date":"2026-03-04T10:30:01"}`, "     a record of the list of calls without an id"},
		{"in 1970", `{"id":1,"call_date":"1970-01-01T00:00:00"}`, "     call_date is before 2010"},
		{"no record", `null`, "     a record of the list of calls without an id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := told(t, s, c.record)
			contact, agent, call := "", "", p.Event.Call
			if call == nil {
				call = &event.Call{}
			}
			if p.Event.Contact != nil {
				contact = p.Event.Contact.Phone
			}
			if call.Agent != nil {
				agent = call.Agent.Number
			}
			if got := strings.Join([]string{call.Direction, contact, agent, call.From, call.To, p.Problem}, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			if p.Problem != "" && (p.ContentKey != "" || p.Alike != nil) {
				t.Errorf("what is not understood has the identity %q", p.ContentKey)
			}
		})
	}
}

// TestToldClock/the hour that the clocks show twice leaves both open.
func TestToldClock(t *testing.T) {
	t.Parallel()
	s := readable(t)
	record := `{"id":1,"call_date":"2026-10-25T02:30:00","src_number":"+493023125042","direction":"inbound"}`
	p := told(t, s, record)
	if p.Problem != "" || len(p.Alike.Starts) != 2 || p.Alike.Starts[0].Sub(p.Alike.Starts[1]).Abs() != time.Hour {
		t.Fatalf("it began at %v (%s)", p.Alike.Starts, p.Problem)
	}
	if p := told(t, s, strings.Replace(record, "02:30", "04:30", 1)); len(p.Alike.Starts) != 1 {
		t.Errorf("another hour: %v", p.Alike.Starts)
	}
	for _, start := range p.Alike.Starts {
		if !p.Alike.Is(&event.Event{Call: &event.Call{StartedAt: start.Add(3 * time.Second)}}) {
			t.Errorf("a call of %v is not found", start)
		}
	}
}

// TestToldADayThatBeginsAtOne/where clocks are put forward at midnight, nothing
// was called the day before.
func TestToldADayThatBeginsAtOne(t *testing.T) {
	t.Parallel()
	s, err := voipgrid.New("phones", voipgrid.Config{Timezone: "America/Santiago"}, "CL")
	if err != nil {
		t.Fatal(err)
	}
	p := told(t, s, `{"id":1,"call_date":"2024-09-08T00:00:00","src_number":"+493023125042","direction":"inbound"}`)
	if want := time.Date(2024, 9, 8, 4, 0, 0, 0, time.UTC); p.Problem != "" || !p.Event.Call.StartedAt.Equal(want) {
		t.Errorf("it began at %v, want %v (%s)", p.Event.Call.StartedAt, want, p.Problem)
	}
}

// TestToldAs/as part of a call that notifications told it is what their end is.
func TestToldAs(t *testing.T) {
	t.Parallel()
	s := readable(t)
	item, err := sources.Told{Record: []byte(`{"id":1,"atime":60,"call_date":"2026-03-04T10:30:01","src_number":"+493023125042","direction":"inbound"}`)}.Item(voipgrid.Vendor)
	if err != nil {
		t.Fatal(err)
	}
	ended := time.Date(2026, 3, 4, 9, 32, 0, 0, time.UTC)
	if item, err = item.As("ua0-1", ended); err != nil {
		t.Fatal(err)
	}
	p := s.Parse(item.Request(readAt))
	hook := s.Parse(&sources.Request{Body: []byte(`{"call_id":"ua0-1","timestamp":"2026-03-04T09:32:01Z","status":"ended","reason":"completed","version":"v2","direction":"inbound","caller":{"number":"+493023125042"},"destination":{"number":"1"}}`), At: readAt})
	if p.Problem != "" || p.ContentKey != hook.ContentKey || p.Event.Call.ID != "ua0-1" || !p.Event.OccurredAt.Equal(ended) || len(p.Calls) != 1 || p.Calls[0] != "ua0-1" {
		t.Errorf("it reads as %+v, the notification as %s", p, hook.ContentKey)
	}
	if !bytes.Contains(item.Body, []byte(`"atime":60`)) {
		t.Error("the record is not kept")
	}
}

func TestReadable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  voipgrid.Config
		want string
	}{
		"nothing":       {voipgrid.Config{}, ""},
		"half of it":    {voipgrid.Config{APIUser: "a@example.com"}, "api_user: wants api_token"},
		"another half":  {voipgrid.Config{APIToken: "t"}, "api_token: wants api_user"},
		"both in one":   {voipgrid.Config{APIUser: "a@example.com:t", APIToken: "t"}, "api_user: neither"},
		"an odd zone":   {voipgrid.Config{Timezone: config.Timezone("Mars/Base")}, "timezone: "},
		"a broken line": {voipgrid.Config{APIUser: "a@example.com", APIToken: "t\r\nX: y"}, "api_user: neither"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := voipgrid.New("phones", c.cfg, "DE")
			switch {
			case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), c.want)):
				t.Errorf("got %v, want %q", err, c.want)
			case c.want == "" && (err != nil || s.Readable() == nil):
				t.Errorf("got %v, or it can be read without credentials", err)
			}
		})
	}
}
