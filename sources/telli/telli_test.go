package telli_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/sourcetest"
	"github.com/crmsyncd/crmsyncd/sources/telli"
)

const secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

var at = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func source(t testing.TB) *telli.Source {
	t.Helper()
	s, err := telli.New("calls", telli.Config{SigningSecret: []config.Secret{secret}}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSource(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, sourcetest.Fixture{Source: source(t), Samples: "testdata", At: at, ChangedBody: true, Fresh: true})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]telli.Config{
		"no secret":             {},
		"an empty secret":       {SigningSecret: []config.Secret{""}},
		"a bare prefix":         {SigningSecret: []config.Secret{"whsec_"}},
		"a well-known secret":   {SigningSecret: []config.Secret{"changeme"}},
		"one bad secret of two": {SigningSecret: []config.Secret{secret, "whsec_x!"}},
		"an odd base_url":       {SigningSecret: []config.Secret{secret}, BaseURL: "file:///etc/passwd"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := telli.New("calls", cfg, "DE")
			if err == nil {
				t.Fatal("it was taken")
			}
			if strings.Contains(err.Error(), "changeme") || strings.Contains(err.Error(), "x!") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

func parse(t testing.TB, body string) sources.Parsed {
	t.Helper()
	return source(t).Parse(&sources.Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(body), At: at})
}

func TestParse(t *testing.T) {
	t.Parallel()
	call := func(fields string) string { return `{"event":"call_ended","call":{"call_id":"c1",` + fields + `}}` }
	status := func(fields string) string {
		return `{"event":"contact_status_changed","contact":{"contact_id":"k1",` + fields + `}}`
	}
	for _, c := range []struct {
		name string
		body string
		got  func(sources.Parsed) any
		want any
	}{
		{"completed", call(`"call_status":"COMPLETED"`), callStatus, "completed "},
		{"answered stays apart from completed", call(`"call_status":"ANSWERED"`), callStatus, "answered "},
		{"not reached", call(`"call_status":"NOT_REACHED"`), callStatus, "not_reached "},
		{"voicemail", call(`"call_status":"VOICEMAIL"`), callStatus, "voicemail "},
		{"an error is a failed call", call(`"call_status":"ERROR"`), callStatus, "failed "},
		{"an unknown status is the reason", call(`"call_status":"LINE_DEAD"`), callStatus, "unknown line_dead"},
		{"a missing status", call(`"x":1`), callStatus, "unknown "},
		{"the newer shape's reason tells the status", call(`"status":"ended","ended_reason":"contact-did-not-answer"`), callStatus, "not_reached contact-did-not-answer"},
		{"the newer shape connected", call(`"status":"connected","ended_reason":"agent-ended-call"`), callStatus, "completed agent-ended-call"},
		{"the documented status goes before the newer one", call(`"status":"connected","call_status":"VOICEMAIL"`), callStatus, "voicemail "},

		{"a number as id", `{"event":"call_ended","call":{"call_id":10000000000000000000001}}`, contentKey, "telli:call:10000000000000000000001:ended"},
		{"the call's fields at the top", `{"event":"call_ended","call_id":"c9","call_status":"COMPLETED"}`, contentKey, "telli:call:c9:ended"},
		{"an empty call beside the call's fields at the top", `{"event":"call_ended","call":{},"call_id":"c9"}`, contentKey, "telli:call:c9:ended"},
		{"a status change with a fraction", status(`"status":"REACHED","status_updated_at":"2026-03-04T10:32:12.000+01:00"`), contentKey, "telli:status:k1:reached:2026-03-04T09:32:12Z"},
		{"a status change in milliseconds", status(`"status":"reached","status_updated_at":1772616732000`), contentKey, "telli:status:k1:reached:2026-03-04T09:32:12Z"},
		{"a status change without time has no key", status(`"status":"reached"`), contentKey, ""},
		{"an unknown status is kept", status(`"status":"Snoozed"`), contactStatus, "snoozed"},

		{"milliseconds", call(`"ended_at":1772616732078`), occurred, "2026-03-04T09:32:12.078Z"},
		{"milliseconds as text", call(`"ended_at":"1772616732078"`), occurred, "2026-03-04T09:32:12.078Z"},
		{"seconds", call(`"ended_at":1772616732`), occurred, "2026-03-04T09:32:12Z"},
		{"seconds with a fraction", call(`"ended_at":1772616732.078`), occurred, "2026-03-04T09:32:12.078Z"},
		{"microseconds", call(`"ended_at":1772616732078000`), occurred, "2026-03-04T09:32:12.078Z"},
		{"ISO without fraction", call(`"ended_at":"2026-03-04T09:32:12Z"`), occurred, "2026-03-04T09:32:12Z"},
		{"the ISO twin", call(`"ended_at":null,"ended_at_iso":"2026-03-04T09:32:12.078Z"`), occurred, "2026-03-04T09:32:12.078Z"},
		{"no end but a start", call(`"ended_at":null,"started_at":1772616612264`), occurred, "2026-03-04T09:30:12.264Z"},
		{"only triggered", call(`"triggered_at":1772616604302`), occurred, "2026-03-04T09:30:04.302Z"},

		{"length by the times", call(`"started_at":1772616612000,"ended_at":1772616732000,"call_length_min":5`), duration, 120.0},
		{"length in minutes as text", call(`"call_length_min":"0.6"`), duration, 36.0},
		{"an end before the start", call(`"started_at":1772616732000,"ended_at":1772616612000,"call_length_min":1`), duration, 60.0},

		{"an outbound call's contact", call(`"direction":"outbound","from_number":"+493023125900","to_number":"0171 3920018"`), phone, "+491713920018"},
		{"an inbound call's contact", call(`"direction":"INBOUND","from_number":"+49 (0)171 3920018","to_number":"+493023125900"`), phone, "+491713920018"},
		{"no direction", call(`"x":1`), func(p sources.Parsed) any { return p.Event.Call.Direction }, "unknown"},
		{"a direction that is null", call(`"direction":null`), func(p sources.Parsed) any { return p.Event.Call.Direction }, "unknown"},
		{"a withheld number", call(`"direction":"inbound","from_number":"anonymous"`), phone, nil},
		{"nulls everywhere", `{"event":"call_ended","call":{"call_id":"c1","call_analysis":null,"call_outcome":null,"collected_data":null,"transcript":null,"attempt":null,"ended_at":null},"contact":null}`, problem, ""},
		{"an array where an object was", call(`"call_analysis":[1],"call_outcome":"x","collected_data":[],"appointments":{}`), problem, ""},
		{"a transcript only as turns", call(`"transcript":"","transcriptObject":[{"role":"agent","content":"Hi"},{"role":"agent","toolActivity":"x"},{"role":"user","content":"Ja"}]`), transcript, "Agent: Hi\nUser: Ja"},
		{"NUL is taken out", call(`"transcript":"a\u0000b"`), transcript, "ab"},
		{"an appointment only in the analysis", call(`"call_analysis":{"appointment":{"value":true,"details":"2026-03-10T15:30:00+01:00"}}`), appointment, "2026-03-10T14:30:00Z"},
		{"an appointment that was not made", call(`"call_analysis":{"appointment":{"value":false,"details":"2026-03-10T15:30:00+01:00"}}`), appointment, "0001-01-01T00:00:00Z"},
		{"a script as recording", call(`"recording_url":"javascript:alert(1)"`), recording, ""},

		{"an unknown event", `{"event":"agent_changed","agent":{}}`, typeAndProblem, "unknown "},
		{"no event at all", `{}`, typeAndProblem, "unknown "},
		{"a look-up", `{"event":"contact_lookup","phone_number":"+4917604069019"}`, typeAndProblem, "unknown "},
		{"a call without id", `{"event":"call_ended","call":{}}`, typeAndProblem, "call.ended call_ended without the id of a call"},
		{"a status without contact", `{"event":"contact_status_changed","contact":{}}`, typeAndProblem, "contact.status_changed contact_status_changed without a contact"},
		{"1970", call(`"ended_at":0`), problem, "ended_at is before 2010"},
		{"the year 9999", status(`"status":"reached","status_updated_at":"9999-12-31T23:59:59Z"`), problem, "status_updated_at is more than 24 hours ahead"},
		{"25 hours ahead", status(`"status":"reached","status_updated_at":"2026-03-11T13:00:00Z"`), problem, "status_updated_at is more than 24 hours ahead"},
		{"23 hours ahead", status(`"status":"reached","status_updated_at":"2026-03-11T11:00:00Z"`), problem, ""},
		{"399 days ago", call(`"ended_at":"2025-02-04T12:00:00Z"`), problem, ""},
		{"a minute 60", status(`"status":"reached","status_updated_at":"2026-03-04T24:60:00Z"`), problem, "status_updated_at is no time"},
		{"twenty years ago", call(`"ended_at":1256911132000`), problem, "ended_at is before 2010"},

		{"not JSON", `hello`, typeAndProblem, "unknown not JSON: no value stands at byte 0"},
		{"empty", ``, typeAndProblem, "unknown the body is empty"},
		{"null", `null`, typeAndProblem, "unknown the payload is no JSON object"},
		{"an array", `[{}]`, typeAndProblem, "unknown the payload is no JSON object"},
		{"two documents", `{}{}`, typeAndProblem, "unknown not JSON: something follows the document at byte 2"},
		{"a byte order mark", "\xef\xbb\xbf{}", typeAndProblem, "unknown the body begins with a byte order mark"},
		{"invalid UTF-8", "{\"event\":\"call_ended\xff\"}", typeAndProblem, "unknown the body is not valid UTF-8"},
		{"a duplicate key", call(`"call_status":"COMPLETED","call_status":"ERROR"`), typeAndProblem, "unknown ambiguous: a key occurs twice in one object, at byte 72"},
		{"a duplicate key in another case", call(`"status":"a","STATUS":"b"`), typeAndProblem, "unknown ambiguous: a key occurs twice in one object, at byte 59"},
		{"deep nesting", strings.Repeat("[", 1<<20), typeAndProblem, "unknown nested deeper than 64 levels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.got(parse(t, c.body)); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func callStatus(p sources.Parsed) any     { return p.Event.Call.Status + " " + p.Event.Call.Reason }
func contactStatus(p sources.Parsed) any  { return p.Event.Contact.Status }
func contentKey(p sources.Parsed) any     { return p.ContentKey }
func problem(p sources.Parsed) any        { return p.Problem }
func typeAndProblem(p sources.Parsed) any { return string(p.Event.Type) + " " + p.Problem }
func occurred(p sources.Parsed) any       { return p.Event.OccurredAt.Format(time.RFC3339Nano) }
func duration(p sources.Parsed) any       { return float64(*p.Event.Call.Duration) }
func transcript(p sources.Parsed) any     { return p.Event.Call.Transcript }
func recording(p sources.Parsed) any      { return p.Event.Call.RecordingURL }
func appointment(p sources.Parsed) any    { return p.Event.Call.AppointmentAt.Format(time.RFC3339) }
func phone(p sources.Parsed) any {
	if p.Event.Contact == nil {
		return nil
	}
	return p.Event.Contact.Phone
}

func TestTwoSecretsAreAcceptedWhileRotating(t *testing.T) {
	t.Parallel()
	const other = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	both, err := telli.New("calls", telli.Config{SigningSecret: []config.Secret{other, secret}}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"event":"call_ended"}`)
	r := &sources.Request{Method: http.MethodPost, Header: http.Header{}, Body: body, At: at}
	if err := source(t).Sign(r, "msg_1", at); err != nil {
		t.Fatal(err)
	}
	if err := both.Authenticate(r); err != nil {
		t.Errorf("refused: %v", err)
	}
	if id := both.Parse(r).DeliveryID; id != "msg_1" {
		t.Errorf("delivery id %q, want msg_1", id)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	s := source(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		p := s.Parse(&sources.Request{Header: http.Header{}, Body: body, At: at})
		if p.Event == nil {
			t.Fatal("Event is nil")
		}
		if p.Problem != "" && p.ContentKey != "" {
			t.Error("a problem and a content key")
		}
		if o := p.Event.OccurredAt; !o.IsZero() && (o.Year() < 2009 || o.After(at.Add(25*time.Hour))) {
			t.Errorf("an event of %v would freeze its contact", o)
		}
		if p.Event.Type == event.CallEnded && p.Problem == "" && p.ContentKey == "" {
			t.Error("a call that is understood has no content key")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	body, err := os.ReadFile("testdata/call_ended_completed_appointment.json")
	if err != nil {
		b.Fatal(err)
	}
	text := strings.Replace(string(body), "User: Hallo.", strings.Repeat(`User: Ja, gern.\n`, 120)+"User: Hallo.", 1)
	s := source(b)
	r := &sources.Request{Header: http.Header{}, Body: []byte(text), At: at}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if s.Parse(r).Problem != "" {
			b.Fatal("not understood")
		}
	}
}

func TestSamplesAreUnderstoodAndRepeat(t *testing.T) {
	t.Parallel()
	s := source(t)
	keys := map[string]string{}
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
			p := parse(t, string(body))
			if p.Problem != "" || p.Event.Type == event.Unknown || p.Event.Contact.Phone == "" || p.Event.Contact.Email == "" || !p.Event.OccurredAt.Equal(at) {
				t.Errorf("%s %d: problem %q, %+v", kind, n, p.Problem, p.Event)
			}
			if p.Event.Call != nil && p.Event.Call.Status == "unknown" {
				t.Errorf("%s %d: the call's status is unknown", kind, n)
			}
			if other := keys[p.ContentKey]; other != "" {
				t.Errorf("%s %d has the content key of %s", kind, n, other)
			}
			keys[p.ContentKey] = kind
		}
	}
	if _, err := s.Sample("nonsense", 0, at); err == nil {
		t.Error("an unknown kind was made")
	}
}
