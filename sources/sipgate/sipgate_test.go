package sipgate_test

import (
	"encoding/json"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/sipgate"
	"github.com/crmsyncd/crmsyncd/sources/sourcetest"
)

var at = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func source(t testing.TB, cfg sipgate.Config) *sipgate.Source {
	t.Helper()
	s, err := sipgate.New("agents", cfg, "DE")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSource(t *testing.T) {
	t.Parallel()
	g, err := sources.NewGuard([]string{"3f1c9a7e5b2d4860"}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	sourcetest.Run(t, sourcetest.Fixture{Source: source(t, sipgate.Config{}), Guard: g, Samples: "testdata", At: at, EmptyBody: true})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	short := time.Millisecond
	for name, c := range map[string]struct {
		cfg  sipgate.Config
		want string
	}{
		"an unknown way to take signatures": {sipgate.Config{PushSignature: "maybe"}, "push_signature: "},
		"a key that is no PEM":              {sipgate.Config{PushPublicKey: "MIICIjAN"}, "push_public_key: "},
		"a key that is none":                {sipgate.Config{PushPublicKey: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"}, "push_public_key: "},
		"too short a wait for the end":      {sipgate.Config{CloseAfter: &short}, "close_after: "},
		"an odd base_url":                   {sipgate.Config{BaseURL: "file:///etc/passwd"}, "base_url: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := sipgate.New("agents", c.cfg, "DE"); err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v, want an error that begins with %q", err, c.want)
			}
		})
	}
}

func TestUnsigned(t *testing.T) {
	t.Parallel()
	unsigned, from := source(t, sipgate.Config{}).Unsigned()
	if !unsigned || len(from) != 2 || !from[0].Contains(netip.MustParseAddr("217.116.118.254")) || !from[1].Contains(netip.MustParseAddr("212.9.46.32")) {
		t.Errorf("got %t from %v, want both of sipgate's addresses", unsigned, from)
	}
	g, err := sources.NewGuard(nil, "", from)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{"217.116.118.254": true, "212.9.46.32": true, "217.116.118.253": false, "::ffff:212.9.46.32": false, "192.0.2.1": false} {
		if err := g.Check(&sources.Request{Remote: netip.MustParseAddr(address)}); (err == nil) != want {
			t.Errorf("%s: %v, want it admitted: %t", address, err, want)
		}
	}
	if unsigned, from := source(t, sipgate.Config{PushSignature: "required"}).Unsigned(); unsigned || from != nil {
		t.Errorf("a source that wants signatures: got %t from %v, want them alone to count", unsigned, from)
	}
}

func TestCloseAfter(t *testing.T) {
	t.Parallel()
	never := time.Duration(0)
	if got := source(t, sipgate.Config{}).CloseAfter(); got != 4*time.Hour {
		t.Errorf("got %v, want 4h", got)
	}
	if got := source(t, sipgate.Config{CloseAfter: &never}).CloseAfter(); got != 0 {
		t.Errorf("got %v, want never", got)
	}
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

func request(contentType, body string) *sources.Request {
	return &sources.Request{Method: http.MethodPost, Header: http.Header{"Content-Type": {contentType}}, Body: []byte(body), At: at}
}

func parse(t testing.TB, contentType, body string) sources.Parsed {
	t.Helper()
	return source(t, sipgate.Config{}).Parse(request(contentType, body))
}

// TestWhatIsNoCall/is kept as unknown.
func TestWhatIsNoCall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		contentType string
		body        string
		problem     string
		raw         string
	}{
		{"an empty body", jsonType, "", "", "null"},
		{"a blank body", jsonType, " \r\n", "", "null"},
		{"an empty body without type", "", "", "", "null"},
		{"null", jsonType, " null\n", "", "null"},
		{"an empty object", jsonType, "{}", "", ""},
		{"an empty form", formType, "", "", "{}"},
		{"null as a form", formType, "null", "", `{"null":""}`},
		{"an object of something else", jsonType, `{"vcon":"0.0.1","uuid":"x"}`, "", ""},
		{"a call that is null", jsonType, `{"version":"1","call":null,"assist":null}`, "", ""},
		{"a version that is not known", jsonType, `{"version":"2","call":{"id":"c1"},"assist":{}}`, "", ""},
		{"an event that is not known", formType, "event=hold&callId=7", "", `{"event":"hold","callId":"7"}`},
		{"digits that a caller typed", formType, "event=dtmf&callId=7&dtmf=12", "", `{"event":"dtmf","callId":"7","dtmf":"12"}`},
		{"a form without an event", formType, "callId=7", "", `{"callId":"7"}`},
		{"what a caller says to AI Flow", jsonType, `{"type":"user_speak","session":{"id":"s1"},"text":"Hallo"}`, "", ""},
		{"a list", jsonType, "[]", "the payload is no JSON object", ""},
		{"no JSON", jsonType, "{", "not JSON: a key is missing at byte 1", ""},
		{"a list under the type of forms", formType, "[]", "the payload is no JSON object", ""},
		{"a broken form", formType, "event=newCall&callId=%4", "not a form: field 2 is not percent-encoded UTF-8", ""},
		{"a delivery without the id of its call", jsonType, `{"version":"1","call":{"from":"493023125042"},"assist":{}}`, "a delivery without the id of its call", ""},
		{"a new call without id", formType, "event=newCall&from=493023125042", "an event of the push API without the id of its call", `{"event":"newCall","from":"493023125042"}`},
		{"a leg without id", formType, "event=hangup&origCallId=7", "an event of the push API without the id of its call", `{"event":"hangup","origCallId":"7"}`},
		{"a start long ago", jsonType, `{"call":{"id":"c1","startTime":"2001-01-01T00:00:00Z"}}`, "startTime is before 2010", ""},
		{"an end to come", jsonType, `{"call":{"id":"c1","endTime":"2026-03-12T00:00:00Z"}}`, "endTime is more than 24 hours ahead", ""},
		{"a length into the time to come", jsonType, `{"call":{"id":"c1","startTime":"2026-03-10T00:00:00Z","duration":2500000},"summary":"x"}`, "startTime with duration is more than 24 hours ahead", ""},
		{"an end that is no time", jsonType, `{"call":{"id":"c1","endTime":"gestern"}}`, "endTime is no time", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := parse(t, c.contentType, c.body)
			if p.Event.Type != event.Unknown || p.Problem != c.problem || string(p.Event.Raw) != c.raw {
				t.Errorf("got %s, problem %q, raw %s; want unknown, %q, %s", p.Event.Type, p.Problem, p.Event.Raw, c.problem, c.raw)
			}
			if p.ContentKey != "" || len(p.Calls) > 0 {
				t.Errorf("it has the content key %q and the calls %q", p.ContentKey, p.Calls)
			}
		})
	}
}

func TestFlowNamesItsCall(t *testing.T) {
	t.Parallel()
	p := parse(t, jsonType, `{"type":"session_end","session":{"id":"s1","direction":"outbound","from_phone_number":"493023125900","to_phone_number":"4917604069019"}}`)
	if p.Event.Type != event.Unknown || p.Event.Call.ID != "s1" || p.Event.Contact.Phone != "+4917604069019" || p.ContentKey != "sipgate:flow:s1:session_end" {
		t.Errorf("got %s, %+v, %+v, key %q", p.Event.Type, p.Event.Call, p.Event.Contact, p.ContentKey)
	}
}

func TestDeliveriesUnderTheTypeOfForms(t *testing.T) {
	t.Parallel()
	// As curl -d posts a sample.
	if p := parse(t, formType, ` {"call":{"id":"c1"}}`); p.Event.Type != event.CallEnded || p.Event.Call.ID != "c1" {
		t.Errorf("got %s, %+v", p.Event.Type, p.Event.Call)
	}
}

func TestSamplesAreUnderstoodAndRepeat(t *testing.T) {
	t.Parallel()
	s := source(t, sipgate.Config{})
	for _, kind := range s.Samples() {
		for n := range 3 {
			body, err := s.Sample(kind, n, at)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			again, err := s.Sample(kind, n, at)
			if err != nil || string(body) != string(again) {
				t.Errorf("%s %d is another one the second time (%v)", kind, n, err)
			}
			contentType := jsonType
			if strings.HasPrefix(kind, "push_") {
				contentType = formType
			} else if !json.Valid(body) {
				t.Errorf("%s %d is no JSON", kind, n)
			}
			p := parse(t, contentType, string(body))
			if p.Problem != "" || p.ContentKey == "" || (p.Event.Type == event.Unknown) != (kind == "flow_start") {
				t.Errorf("%s %d: %s, problem %q, key %q", kind, n, p.Event.Type, p.Problem, p.ContentKey)
			}
			if (p.Event.Contact == nil) != (kind == "agent_anonymous") {
				t.Errorf("%s %d: contact %+v", kind, n, p.Event.Contact)
			}
			if contentType == jsonType && p.Event.Type == event.CallEnded && !p.Event.OccurredAt.Equal(at) {
				t.Errorf("%s %d: occurred at %v, want %v", kind, n, p.Event.OccurredAt, at)
			}
			other, err := s.Sample(kind, n+1, at)
			if err != nil || parse(t, contentType, string(other)).ContentKey == p.ContentKey {
				t.Errorf("%s %d has the content key of the next (%v)", kind, n, err)
			}
		}
	}
	if _, err := s.Sample("nonsense", 0, at); err == nil {
		t.Error("an unknown kind was made")
	}
	if _, err := s.Sample("agent_call", -1<<63, at); err != nil {
		t.Errorf("the least person: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.*")
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(strings.HasSuffix(file, ".form"), body)
	}
	s := source(f, sipgate.Config{})
	f.Fuzz(func(t *testing.T, form bool, body []byte) {
		contentType := jsonType
		if form {
			contentType = formType
		}
		r := request(contentType, string(body))
		p := s.Parse(r)
		s.Answer(r)
		switch {
		case p.Event == nil:
			t.Fatal("Event is nil")
		case p.Problem != "" && p.ContentKey != "":
			t.Error("a problem and a content key")
		case p.Event.Type != event.Unknown && (p.Event.Call == nil || p.Event.Call.ID == "" || p.ContentKey == "" || p.Problem != ""):
			t.Errorf("%s without the id of its call, without key or with problem %q", p.Event.Type, p.Problem)
		case len(p.Calls) > 0 && p.Calls[0] != p.Event.Call.ID:
			t.Errorf("its own call is %q, not the first of %q", p.Event.Call.ID, p.Calls)
		}
		if o := p.Event.OccurredAt; !o.IsZero() && p.Problem == "" && (o.Year() < 2009 || o.After(at.Add(60*24*time.Hour))) {
			t.Errorf("an event of %v would freeze its contact", o)
		}
		if c := p.Event.Call; p.Event.Type == event.CallEnded && p.Event.OccurredAt.Before(c.StartedAt) {
			t.Errorf("it ended at %v, before it began at %v", p.Event.OccurredAt, c.StartedAt)
		}
		if raw := p.Event.Raw; raw != nil && !json.Valid(raw) {
			t.Errorf("raw is no JSON: %s", raw)
		}
	})
}
