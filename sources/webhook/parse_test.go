package webhook_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// pbx are settings that a person might write.
const pbx = `
event: =raw.type
events: {ring: call.ringing, talk: call.answered, hangup: call.ended, moved: call.transferred, lead: contact.status_changed, note: comment.created, sms: message.received}
delivery_id: =raw.delivery
occurred_at: =raw.at
joined: true
statuses: {ok: completed, none: not_reached, "486": busy}
directions: {i: inbound, o: outbound}
timezone: Europe/Berlin
tables:
  agents: {"17": lena.probe@example.com}
fields:
  call.id: =raw.call
  call.merged_id: =raw.other
  call.direction: =raw.dir
  call.from: =raw.from
  call.to: =raw.to
  call.status: =raw.result
  call.started_at: =raw.start
  call.ended_at: =raw.end
  call.duration: =raw.len
  call.attempt: =raw.try
  call.topics: =raw.topics
  call.outcome: =raw.form
  call.outcome.extra: =raw.extra
  call.transcript: =raw.turns
  call.recording_url: =raw.rec
  call.transfer: =raw.how
  call.agent.email: =table("agents", raw.agent)
  call.summary: "Call with {{ raw.name }}"
  contact.id: =raw.contact
  contact.full_name: =raw.name
  contact.email: =raw.mail
  contact.status: =raw.status
  message.id: =raw.msg
  message.direction: =raw.dir
`

func TestParse(t *testing.T) {
	t.Parallel()
	s := source(t, pbx)
	ended := func(fields string) string { return `{"type":"hangup","call":"c1",` + fields + `}` }
	for _, c := range []struct {
		name string
		body string
		got  func(sources.Parsed) any
		want any
	}{
		{"the vendor's word", `{"type":"HANGUP","call":"c1"}`, kind, "call.ended "},
		{"the model's own word", `{"type":"call.answered","call":"c1"}`, kind, "call.answered "},
		{"an unknown word", `{"type":"beep","call":"c1"}`, kind, "unknown "},
		{"no word", `{"call":"c1"}`, kind, "unknown "},
		{"a word that is an object", `{"type":{"a":1},"call":"c1"}`, kind, "unknown "},
		{"a call without id", `{"type":"hangup"}`, kind, "call.ended call.ended without call.id"},
		{"an id that is empty", `{"type":"hangup","call":""}`, kind, "call.ended call.ended without call.id"},
		{"an id that is an object", `{"type":"hangup","call":{}}`, kind, "call.ended call.ended without call.id"},
		{"a status without contact", `{"type":"lead","status":"new"}`, kind, "contact.status_changed contact.status_changed without a contact"},
		{"a status change without status", `{"type":"lead","contact":"7"}`, kind, "contact.status_changed contact.status_changed without contact.status"},
		{"a message without id", `{"type":"sms","contact":"7"}`, kind, "message.received message.received without message.id"},

		{"a key by word and id", `{"type":"hangup","call":17}`, key, "webhook:pbx:call:17:hangup"},
		{"ringing again is another occurrence", `{"type":"ring","call":17,"at":1773144000}`, key, "webhook:pbx:call:17:ring:2026-03-10T12:00:00Z"},
		{"a status change", `{"type":"lead","contact":"7","status":"NEW","at":1773144000}`, key, "webhook:pbx:contact:7:lead:new:2026-03-10T12:00:00Z"},
		{"a status change without time has no key", `{"type":"lead","contact":"7","status":"NEW"}`, key, ""},
		{"a message", `{"type":"sms","msg":"m1"}`, key, "webhook:pbx:message:m1:sms"},
		{"a long id is hashed", `{"type":"hangup","call":"` + strings.Repeat("x", 100) + `"}`, func(p sources.Parsed) any { return len(p.ContentKey) }, 56},
		{"a number that no float holds", `{"type":"hangup","call":10000000000000000000001}`, key, "webhook:pbx:call:10000000000000000000001:hangup"},
		{"an unknown event has no key", `{"type":"beep","call":"c1"}`, key, ""},
		{"calls are joined", `{"type":"moved","call":"c1","other":"c2"}`, func(p sources.Parsed) any { return strings.Join(p.Calls, " ") }, "c1 c2"},
		{"a delivery id", `{"type":"beep","delivery":9}`, func(p sources.Parsed) any { return p.DeliveryID }, "9"},

		{"a status", ended(`"result":"OK"`), status, "completed "},
		{"a status by number", ended(`"result":486`), status, "busy "},
		{"the model's own status", ended(`"result":"voicemail"`), status, "voicemail "},
		{"a status that is not known", ended(`"result":"Weird"`), status, "unknown weird"},
		{"no status", ended(`"x":1`), status, "unknown "},
		{"a running call", `{"type":"talk","call":"c1","result":"OK"}`, status, "in_progress "},

		{"outbound", ended(`"dir":"O","from":"030 23125900","to":"0171 3920018"`), phones, "outbound +493023125900 +491713920018 +491713920018"},
		{"inbound", ended(`"dir":"incoming","from":"+4930-23125017","to":"201"`), phones, "inbound +493023125017  +493023125017"},
		{"withheld", ended(`"dir":"i","from":"anonymous"`), phones, "inbound   "},
		{"internal", ended(`"dir":"internal","from":"201","to":"202"`), phones, "internal   "},
		{"no direction", ended(`"from":"+493023125017"`), phones, "unknown +493023125017  "},
		{"an unknown direction", ended(`"dir":"sideways","from":"+493023125017"`), phones, "unknown +493023125017  "},

		{"seconds", ended(`"end":1773143000`), times, "2026-03-10T11:43:20Z"},
		{"milliseconds as text", ended(`"end":"1773143000000"`), times, "2026-03-10T11:43:20Z"},
		{"a time without zone is in the zone of the settings", ended(`"end":"2026-03-10 12:43:20"`), times, "2026-03-10T11:43:20Z"},
		{"a time without zone and seconds is in the zone of the settings", ended(`"end":"2026-03-10 12:43"`), times, "2026-03-10T11:43:00Z"},
		{"a time with a blank and a zone", ended(`"end":"2026-03-10 12:43:20.5+01:00"`), times, "2026-03-10T11:43:20.5Z"},
		{"a time without hyphens", ended(`"end":"20260310T114320Z"`), times, "2026-03-10T11:43:20Z"},
		{"a time with zone", ended(`"end":"2026-03-10T11:43:20.5+00:00"`), times, "2026-03-10T11:43:20.5Z"},
		{"a time as in mail", ended(`"end":"Tue, 10 Mar 2026 11:43:20 +0000"`), times, "2026-03-10T11:43:20Z"},
		{"a time of its own goes before the call's", ended(`"end":1773143000,"at":1773143001`), times, "2026-03-10T11:43:21Z"},
		{"0 is no time", ended(`"end":0,"start":1773143000`), times, "2026-03-10T11:43:20Z"},
		{"a time that is none", ended(`"end":"yesterday"`), problem, "call.ended_at is no time"},
		{"a time of the settings that is none", ended(`"at":"yesterday"`), problem, "occurred_at is no time"},
		{"decades ago", ended(`"at":957524400`), problem, "occurred_at is before 2010"},
		{"the year 9999", ended(`"start":"9999-12-31T23:59:59Z"`), problem, "call.started_at is more than 24 hours ahead"},
		{"an odd time of an unknown event", `{"type":"beep","at":"yesterday"}`, problem, ""},

		{"a length", ended(`"len":90`), length, 90.0},
		{"a length as text", ended(`"len":"01:02:03"`), length, 3723.0},
		{"a length with units", ended(`"len":"1m30s"`), length, 90.0},
		{"a length of ISO 8601", ended(`"len":"PT1M30S"`), length, 90.0},
		{"a length of ISO 8601 with hours and a fraction", ended(`"len":"PT1H0M2.5S"`), length, 3602.5},
		{"a length of ISO 8601 with days", ended(`"len":"P1DT1S"`), length, 86401.0},
		{"a length of ISO 8601 that holds nothing", ended(`"len":"PT"`), length, nil},
		{"a length in months", ended(`"len":"P1M"`), length, nil},
		{"a negative length", ended(`"len":-1`), length, nil},
		{"a length in another unit", ended(`"len":99999999999`), length, nil},
		{"an attempt as text", ended(`"try":"2"`), func(p sources.Parsed) any { return p.Event.Call.Attempt }, 2},
		{"an attempt that is none", ended(`"try":-2`), func(p sources.Parsed) any { return p.Event.Call.Attempt }, 0},
		{"a list", ended(`"topics":["a",{"name":"b"},null,""]`), func(p sources.Parsed) any { return strings.Join(p.Event.Call.Topics, "|") }, "a|b"},
		{"a list that is one text", ended(`"topics":"a"`), func(p sources.Parsed) any { return strings.Join(p.Event.Call.Topics, "|") }, "a"},
		{"named values", ended(`"form":{"a":1,"b":{"value":"x"},"c":{"d":true},"e":null,"f":{"value":null}}`), outcome, "a=1 b=x c_d=true"},
		{"a named value of its own", ended(`"extra":3,"form":{"a":1}`), outcome, "a=1 extra=3"},
		{"named values that are a list", ended(`"form":[1]`), outcome, ""},
		{"turns", ended(`"turns":[{"role":"bot","message":"Hi"},{"speaker":"caller","text":"Ja"},{"role":"tool","message":"x"},{"role":"bot","message":null}]`), func(p sources.Parsed) any { return p.Event.Call.Transcript }, "Agent: Hi\nUser: Ja"},
		{"NUL is taken out", ended(`"turns":"a\u0000b"`), func(p sources.Parsed) any { return p.Event.Call.Transcript }, "ab"},
		{"a script as recording", ended(`"rec":"javascript:alert(1)"`), func(p sources.Parsed) any { return p.Event.Call.RecordingURL }, ""},
		{"a way of transfer that is none", ended(`"how":"luke"`), func(p sources.Parsed) any { return p.Event.Call.Transfer }, ""},
		{"a table", ended(`"agent":17`), func(p sources.Parsed) any { return p.Event.Call.Agent.Email }, "lena.probe@example.com"},
		{"a text with a formula", ended(`"name":"Erika"`), func(p sources.Parsed) any { return p.Event.Call.Summary }, "Call with Erika"},
		{"a mail address that is none", ended(`"mail":"nobody"`), func(p sources.Parsed) any { return p.Event.Contact == nil }, true},

		{"not JSON", `hello`, kind, "unknown not JSON: no value stands at byte 0"},
		{"null", `null`, kind, "unknown the payload is no JSON object"},
		{"a list of events", `[{"type":"hangup"}]`, kind, "unknown the payload is no JSON object"},
		{"a duplicate key", `{"type":"hangup","TYPE":"x"}`, kind, "unknown ambiguous: a key occurs twice in one object, at byte 18"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.got(s.Parse(request("application/json", c.body))); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func kind(p sources.Parsed) any    { return string(p.Event.Type) + " " + p.Problem }
func key(p sources.Parsed) any     { return p.ContentKey }
func problem(p sources.Parsed) any { return p.Problem }
func status(p sources.Parsed) any  { return p.Event.Call.Status + " " + p.Event.Call.Reason }
func times(p sources.Parsed) any   { return p.Event.OccurredAt.Format(time.RFC3339Nano) }
func phones(p sources.Parsed) any {
	phone := ""
	if p.Event.Contact != nil {
		phone = p.Event.Contact.Phone
	}
	return strings.Join([]string{p.Event.Call.Direction, p.Event.Call.From, p.Event.Call.To, phone}, " ")
}

func length(p sources.Parsed) any {
	if p.Event.Call.Duration == nil {
		return nil
	}
	return float64(*p.Event.Call.Duration)
}

func outcome(p sources.Parsed) any {
	var all []string
	for _, name := range []string{"a", "b", "c_d", "e", "extra", "f"} {
		if v, ok := p.Event.Call.Outcome[name]; ok {
			all = append(all, name+"="+strings.Trim(strings.TrimSpace(text(v)), `"`))
		}
	}
	return strings.Join(all, " ")
}

func TestFormsAreReadAsJSONIs(t *testing.T) {
	t.Parallel()
	s := source(t, pbx)
	p := s.Parse(request("application/x-www-form-urlencoded; charset=utf-8", "type=hangup&call=17&from=%2B493023125017&dir=i&topics%5B%5D=a&topics%5B%5D=b&result=486&len=90"))
	if p.Problem != "" || p.ContentKey != "webhook:pbx:call:17:hangup" || p.Event.Call.Status != "busy" || len(p.Event.Call.Topics) != 2 || float64(*p.Event.Call.Duration) != 90 || p.Event.Contact.Phone != "+493023125017" {
		t.Errorf("problem %q, %+v, %+v", p.Problem, p.Event, p.Event.Call)
	}
	if raw := string(p.Event.Raw); !strings.HasPrefix(raw, `{"type":"hangup","call":"17"`) {
		t.Errorf("raw is %s", raw)
	}
	if p := s.Parse(request("application/x-www-form-urlencoded", "type=%zz")); p.Problem == "" {
		t.Error("a broken escape is no problem")
	}
	if p := s.Parse(request("application/json", "type=hangup&call=17")); p.Problem == "" {
		t.Error("a form in the name of JSON is no problem")
	}
}

func TestDeliveryHeader(t *testing.T) {
	t.Parallel()
	s := source(t, "event: call.ended\ndelivery_header: x-delivery\nfields: {call.id: =raw.id}\nidentity: =raw.id + raw.n")
	r := request("application/json", `{"id":"1","n":2}`)
	if err := s.Sign(r, "d1", at); err != nil {
		t.Fatal(err)
	}
	p := s.Parse(r)
	if p.DeliveryID != "d1" || p.ContentKey != "webhook:pbx:12" || p.Event.Type != event.CallEnded {
		t.Errorf("delivery %q, key %q, type %s", p.DeliveryID, p.ContentKey, p.Event.Type)
	}
}

func TestFormulasThatGrowTooLargeAreAProblem(t *testing.T) {
	t.Parallel()
	s := source(t, "event: call.ended\nfields:\n  call.id: =raw.id\n  call.summary: '=replace(raw.long, \"a\", raw.long)'")
	p := s.Parse(request("application/json", `{"id":"1","long":"`+strings.Repeat("a", 5000)+`"}`))
	if !strings.Contains(p.Problem, "config.yaml:4:19: the text would be longer than") || p.ContentKey != "" {
		t.Errorf("problem %q, key %q", p.Problem, p.ContentKey)
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	contentType, body := presetSource(t, "twilio").Answer(request("application/json", "{}"))
	if contentType != "text/xml" || string(body) != "<Response/>" {
		t.Errorf("Twilio is answered %s %q", contentType, body)
	}
	if _, body := source(t, pbx).Answer(request("application/json", "{}")); body != nil {
		t.Errorf("without answer: %q", body)
	}
	if d := presetSource(t, "twilio").CloseAfter(); d != 4*time.Hour {
		t.Errorf("calls are closed after %v", d)
	}
}

// identified reports whether the event says whom or what it concerns.
func identified(e *event.Event) bool {
	return e.Call != nil && e.Call.ID != "" || e.Message != nil && e.Message.ID != "" || e.Conversation != nil && e.Conversation.ID != "" ||
		e.Contact != nil && (e.Contact.ID != "" || e.Contact.ExternalID != "" || e.Contact.Phone != "" || e.Contact.Email != "")
}

func FuzzParse(f *testing.F) {
	all := []*struct {
		parse func(*sources.Request) sources.Parsed
		auth  func(*sources.Request) error
	}{}
	add := func(s interface {
		Parse(*sources.Request) sources.Parsed
		Authenticate(*sources.Request) error
	}) {
		all = append(all, &struct {
			parse func(*sources.Request) sources.Parsed
			auth  func(*sources.Request) error
		}{s.Parse, s.Authenticate})
	}
	add(source(f, pbx))
	for _, name := range []string{"aircall", "placetel", "twilio", "retell", "vapi", "elevenlabs", "dialpad", "justcall"} {
		add(presetSource(f, name))
	}
	for i, sample := range []string{"aircall/call_ended_inbound.json", "placetel/hung_up_accepted.form", "twilio/completed.form", "retell/call_analyzed.json", "vapi/end_of_call_report.json", "elevenlabs/post_call_transcription.json", "dialpad/hangup.json", "justcall/call_completed.json"} {
		f.Add(byte(i+1), strings.HasSuffix(sample, ".form"), "t=1773144000,v1=00", []byte(read(f, "testdata/"+sample)))
	}
	f.Add(byte(0), false, "v=1,d=ff", []byte(`{"type":"hangup","call":"c1","turns":[{"role":1}],"form":{"a":{"value":[1]}}}`))
	f.Add(byte(7), false, "", []byte(token(secret, `{"alg":"HS256"}`, `{"state":"hangup","call_id":1}`)))
	f.Fuzz(func(t *testing.T, which byte, form bool, signature string, body []byte) {
		s := all[int(which)%len(all)]
		contentType := "application/json"
		if form {
			contentType = sources.FormType
		}
		r := request(contentType, string(body))
		r.Header["X-Retell-Signature"], r.Header["Elevenlabs-Signature"] = []string{signature}, []string{signature}
		r.Header["X-Justcall-Signature"], r.Header["X-Twilio-Signature"] = []string{signature}, []string{signature}
		_ = s.auth(r)
		p := s.parse(r)
		if p.Event == nil {
			t.Fatal("Event is nil")
		}
		if p.Problem != "" && (p.ContentKey != "" || p.Calls != nil) {
			t.Error("a problem with a content key or calls")
		}
		if p.Problem == "" && p.Event.Type != event.Unknown && !identified(p.Event) {
			t.Errorf("%s without an id", p.Event.Type)
		}
		if strings.HasPrefix(string(p.Event.Type), "call.") && p.Problem == "" && p.ContentKey == "" {
			t.Error("a call that is understood has no content key")
		}
		if o := p.Event.OccurredAt; p.Problem == "" && !o.IsZero() && (o.Year() < 2009 || o.After(at.Add(25*time.Hour))) {
			t.Errorf("an event of %v would freeze its contact", o)
		}
		again := s.parse(&sources.Request{Header: http.Header{"Content-Type": {contentType}}, Body: body, At: at})
		if again.ContentKey != p.ContentKey || again.Event.Type != p.Event.Type || again.Problem != p.Problem {
			t.Error("reading it again says something else")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	s := presetSource(b, "retell")
	body := strings.Replace(read(b, "testdata/retell/call_analyzed.json"), `User: Guten Tag.\n`, strings.Repeat(`User: Ja, gern.\n`, 120), 1)
	r := request("application/json", body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if s.Parse(r).Problem != "" {
			b.Fatal("not understood")
		}
	}
}

func TestEventsOfOneCallAreJoined(t *testing.T) {
	t.Parallel()
	s := presetSource(t, "placetel")
	var story []*event.Event
	for i, sample := range []string{"incoming_call", "call_accepted", "hung_up_accepted"} {
		r := request(sources.FormType, read(t, "testdata/placetel/"+sample+".form"))
		r.At = at.Add(time.Duration(10*i) * time.Second)
		p := s.Parse(r)
		if len(p.Calls) != 1 || p.Calls[0] != p.Event.Call.ID {
			t.Errorf("%s belongs to %v", sample, p.Calls)
		}
		p.Event.OccurredAt, p.Event.ReceivedAt = r.At, r.At // as the app fills in
		story = append(story, p.Event)
	}
	c := event.Join(story[2], story).Call
	if !c.StartedAt.Equal(at) || !c.AnsweredAt.Equal(at.Add(10*time.Second)) || !c.EndedAt.Equal(at.Add(20*time.Second)) || *c.Duration != 45 || c.Agent == nil || c.Agent.Number != "7777abcdefg@fpbx.de" {
		t.Errorf("%+v", c)
	}
}

func TestConversationsAreOpenOrClosedAsTheirEventSays(t *testing.T) {
	t.Parallel()
	s := source(t, "event: =raw.event\nfields: {contact.id: =raw.contact, conversation.id: =raw.id, conversation.status: =raw.status}")
	for body, want := range map[string]string{
		`{"event":"conversation.opened","id":"1"}`:                      "open",
		`{"event":"conversation.closed","id":"1"}`:                      "closed",
		`{"event":"conversation.closed","contact":"7"}`:                 "closed",
		`{"event":"conversation.closed","id":"1","status":"Solved"}`:    "solved",
		`{"event":"message.received","id":"1","contact":"7","msg":"1"}`: "",
	} {
		if v := s.Parse(request("application/json", body)).Event.Conversation; v == nil || v.Status != want {
			t.Errorf("%s: got %+v, want %s", body, v, want)
		}
	}
}
