package respondio_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/respondio"
	"github.com/crmsyncd/crmsyncd/sources/sourcetest"
)

const key = "respondio-example-signing-key-01"

var at = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

func source(t testing.TB, keys ...config.Secret) *respondio.Source {
	t.Helper()
	if keys == nil {
		keys = []config.Secret{key}
	}
	s, err := respondio.New("chat", respondio.Config{SigningKeys: keys}, "DE")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSource(t *testing.T) {
	t.Parallel()
	sourcetest.Run(t, sourcetest.Fixture{Source: source(t), Samples: "testdata", At: at, ChangedBody: true})
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  respondio.Config
		want string
	}{
		"no keys":         {respondio.Config{}, "signing_keys: wants 1 to 64 keys"},
		"too many keys":   {respondio.Config{SigningKeys: make([]config.Secret, 65)}, "signing_keys: wants 1 to 64 keys"},
		"an empty key":    {respondio.Config{SigningKeys: []config.Secret{key, " "}}, "signing_keys: number 2 of 2 is empty"},
		"an odd base_url": {respondio.Config{SigningKeys: []config.Secret{key}, BaseURL: "respond.io"}, "base_url: not an http or https address"},
	} {
		if _, err := respondio.New("chat", c.cfg, "DE"); err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func request(body []byte, signatures ...string) *sources.Request {
	return &sources.Request{Method: http.MethodPost, Header: http.Header{"X-Webhook-Signature": signatures}, Body: body, At: at}
}

func refusal(err error) string {
	var r *sources.Refusal
	if errors.As(err, &r) {
		return fmt.Sprint(r.Status, " ", r.Reason)
	}
	return fmt.Sprint(err)
}

// TestVectors tries signatures that were computed elsewhere.
func TestVectors(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/signatures/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct{ Key, File, Body, Raw, Compact string }
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) < 3 {
		t.Fatalf("%d vectors, %v", len(vectors), err)
	}
	for _, v := range vectors {
		body := []byte(v.Body)
		if v.File != "" {
			if body, err = os.ReadFile("testdata/" + v.File); err != nil {
				t.Fatal(err)
			}
		}
		s := source(t, "another", config.Secret(v.Key), "a third")
		var compact bytes.Buffer
		if err := json.Compact(&compact, body); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name      string
			body      []byte
			signature string
			want      string
		}{
			{"raw", body, v.Raw, "<nil>"},
			{"compact", body, v.Compact, "<nil>"},
			{"compact, and sent so", compact.Bytes(), v.Compact, "<nil>"},
			{"a changed byte", bytes.Replace(body, []byte("e"), []byte("a"), 1), v.Raw, "401 bad_signature"},
			{"a changed byte, compact", bytes.Replace(body, []byte("e"), []byte("a"), 1), v.Compact, "401 bad_signature"},
			{"hex", body, fmt.Sprintf("%x", v.Raw), "401 bad_signature"},
			{"a cut signature", body, v.Raw[:40], "401 bad_signature"},
			{"without padding", body, strings.TrimRight(v.Raw, "="), "401 bad_signature"},
			{"with a prefix", body, "sha256=" + v.Raw, "401 bad_signature"},
			{"an empty signature", body, "", "401 no_signature"},
		} {
			if got := refusal(s.Authenticate(request(c.body, c.signature))); got != c.want {
				t.Errorf("%s %s: got %s, want %s", v.File, c.name, got, c.want)
			}
		}
		if got := refusal(s.Authenticate(request(body, v.Raw, v.Raw))); got != "401 repeated_header" {
			t.Errorf("two signatures: got %s", got)
		}
		if got := refusal(s.Authenticate(request(body))); got != "401 no_signature" {
			t.Errorf("no signature: got %s", got)
		}
		if got := refusal(source(t, "another").Authenticate(request(body, v.Raw))); got != "401 bad_signature" {
			t.Errorf("the key of another webhook: got %s", got)
		}
	}
}

// TestRawSignatureOfAnything: what cannot be understood must be taken, too, as
// refusals switch off the workspace's webhooks.
func TestRawSignatureOfAnything(t *testing.T) {
	t.Parallel()
	s := source(t)
	for _, body := range []string{"", "null", "[]", "{", "\xff\xfe", "hello", strings.Repeat("[", 10_000), "a=b&c=d", `{"a":1,"a":2}`} {
		r := request([]byte(body))
		if err := s.Sign(r, "", at); err != nil {
			t.Fatal(err)
		}
		if err := s.Authenticate(r); err != nil {
			t.Errorf("%.20q: refused: %v", body, err)
		}
		if p := s.Parse(r); p.Event == nil || p.Problem == "" || p.ContentKey != "" {
			t.Errorf("%.20q: problem %q, content key %q", body, p.Problem, p.ContentKey)
		}
	}
	for _, kind := range []string{"application/json", "text/plain", "application/x-www-form-urlencoded", "image/png"} {
		if !s.Takes(kind) {
			t.Errorf("%s is not taken", kind)
		}
	}
}

func TestWarning(t *testing.T) {
	t.Parallel()
	s := source(t)
	if w := s.Warning("bad_signature"); !strings.Contains(w, "switches off ALL webhooks") || !strings.Contains(w, "signing_keys") || strings.Contains(w, key) {
		t.Errorf("the warning is %q", w)
	}
	for _, reason := range []string{"no_signature", "wrong_token", "too_large"} {
		if w := s.Warning(reason); w != "" {
			t.Errorf("%s: an alarm for what respond.io did not send: %q", reason, w)
		}
	}
}

func parse(t testing.TB, body string) sources.Parsed {
	t.Helper()
	return source(t).Parse(&sources.Request{Method: http.MethodPost, Header: http.Header{}, Body: []byte(body), At: at})
}

func TestParse(t *testing.T) {
	t.Parallel()
	of := func(kind, rest string) string {
		return `{"event_type":"` + kind + `","event_id":"e1","contact":{"id":7,"firstName":"Zoë"}` + rest + `}`
	}
	contact := func(fields string) string {
		return `{"event_type":"contact.updated","event_id":"e1","contact":{"id":7,` + fields + `}}`
	}
	call := func(fields string) string { return of("call.ended", `,"call":{"id":"c1",`+fields+`}`) }
	message := func(fields string) string { return of("message.received", `,"message":{`+fields+`}`) }
	closed := func(fields string) string { return of("conversation.closed", `,"conversation":{`+fields+`}`) }
	for _, c := range []struct {
		name string
		body string
		got  func(sources.Parsed) any
		want any
	}{
		{"contact.created", of("contact.created", ""), typeAndKey, "contact.created respondio:contact:7:created"},
		{"contact.updated", of("contact.updated", ""), typeAndKey, "contact.updated respondio:event:contact.updated:e1"},
		{"contact.assignee.updated", of("contact.assignee.updated", ""), typeAndKey, "contact.owner_changed respondio:event:contact.assignee.updated:e1"},
		{"conversation.assignee.changed", of("conversation.assignee.changed", ""), typeAndKey, "contact.owner_changed respondio:event:conversation.assignee.changed:e1"},
		{"contact.tag.updated", of("contact.tag.updated", ""), typeAndKey, "contact.tag_changed respondio:event:contact.tag.updated:e1"},
		{"contact.lifecycle.updated", of("contact.lifecycle.updated", ""), typeAndKey, "contact.lifecycle_changed respondio:event:contact.lifecycle.updated:e1"},
		{"conversation.opened", of("conversation.opened", `,"conversation":{"conversationOpenedAt":1772616612}`), typeAndKey, "conversation.opened respondio:conversation:7:1772616612:opened"},
		{"conversation.closed", closed(`"openedTime":1772616612,"closedTime":1772620212`), typeAndKey, "conversation.closed respondio:conversation:7:1772616612:closed"},
		{"message.received", message(`"messageId":1772616612264001`), typeAndKey, "message.received respondio:message:7:1772616612264001:received"},
		{"message.sent", of("message.sent", `,"message":{"messageId":1772616612264001}`), typeAndKey, "message.sent respondio:message:7:1772616612264001:sent"},
		{"comment.created", of("comment.created", `,"text":"x"`), typeAndKey, "comment.created respondio:event:comment.created:e1"},
		{"call.ended", call(`"status":"completed"`), typeAndKey, "call.ended respondio:call:c1:ended"},
		{"an event that nobody knows", of("contact.merged", ""), typeAndKey, "unknown "},
		{"no event", `{"contact":{"id":7}}`, typeAndKey, "unknown "},
		{"no event id", `{"event_type":"contact.updated","contact":{"id":7}}`, typeAndKey, "contact.updated "},

		{"event for event_type", `{"event":"message.received","event_id":"e1","contact":{"id":7},"message":{"messageId":1}}`, typeAndKey, "message.received respondio:message:7:1:received"},
		{"underscores and capitals", `{"event_type":"Message_Received","contact":{"id":7},"message":{"messageId":1}}`, typeAndKey, "message.received respondio:message:7:1:received"},
		{"wrapped in data", `{"event_type":"contact.updated","event_id":"e1","data":{"contact":{"id":7}}}`, typeAndKey, "contact.updated respondio:event:contact.updated:e1"},
		{"wrapped in payload as a whole", `{"payload":{"event_type":"call.ended","call":{"id":"c1"}}}`, typeAndKey, "call.ended respondio:call:c1:ended"},
		{"data that is text", `{"event":"message","data":"test"}`, typeAndKey, "unknown "},
		{"ids as text", `{"event_type":"message.sent","contact":{"id":"7"},"message":{"messageId":"1772616612264001"}}`, typeAndKey, "message.sent respondio:message:7:1772616612264001:sent"},

		{"the delivery id", of("contact.updated", ""), deliveryID, "contact.updated:e1"},

		{"a tag added", of("contact.tag.updated", `,"tag":"hot","action":"add"`), details, "tag=hot tag_action=add"},
		{"a tag removed", of("contact.tag.updated", `,"tag":"hot","action":"remove"`), details, "tag=hot tag_action=remove"},
		{"added", of("contact.tag.updated", `,"tag":"hot","action":"added"`), details, "tag=hot tag_action=add"},
		{"the name tells", of("contact.tag.added", `,"tag":"hot"`), details, "tag=hot tag_action=add"},
		{"the name tells of a removal", of("contact.tag.removed", `,"tag":{"id":1,"name":"hot"},"action":"updated"`), details, "tag=hot tag_action=remove"},
		{"the last tag removed", strings.Replace(of("contact.tag.removed", `,"tag":"hot"`), `"contact":{`, `"contact":{"tags":[],`, 1), details, "tag=hot tag_action=remove tags_removed=true"},
		{"a tag removed of which nothing is said but its name", strings.Replace(of("contact.tag.removed", `,"tag":"hot"`), `"contact":{`, `"contact":{"tags":null,`, 1), details, "tag=hot tag_action=remove"},
		{"nothing tells", of("contact.tag.updated", `,"tag":"hot","action":"updated"`), details, "tag=hot"},
		{"all tags", contact(`"tags":["a",{"id":2,"name":"b"},null,""]`), tags, "a b"},

		{"a stage", of("contact.lifecycle.updated", `,"lifecycle":"Customer","oldLifecycle":"New Lead"`), lifecycle, "Customer old_lifecycle=New Lead"},
		{"a stage with id", of("contact.lifecycle.updated", `,"lifecycle":{"id":3,"name":"Customer"},"oldLifecycle":{"id":2,"name":"New Lead"}`), lifecycle, "Customer old_lifecycle=New Lead"},
		{"a stage removed", of("contact.lifecycle.updated", `,"lifecycle":null,"oldLifecycle":"Customer"`), lifecycle, " lifecycle_removed=true old_lifecycle=Customer"},
		{"the first stage", of("contact.lifecycle.updated", `,"lifecycle":"New Lead","oldLifecycle":null`), lifecycle, "New Lead "},

		{"an owner", contact(`"assignee":{"id":41,"firstName":"A","lastName":"B","email":"A.B@Example.com"}`), owner, "41 A B a.b@example.com"},
		{"no owner", contact(`"assignee":null`), owner, "none"},
		{"an empty owner", contact(`"assignee":{}`), owner, "none"},
		{"an owner of nulls", contact(`"assignee":{"id":null,"firstName":null,"lastName":null,"email":null}`), owner, "none"},
		{"custom fields", contact(`"custom_fields":[{"name":"score","value":42},{"name":"vip","value":true},{"name":"ratio","value":1.5},{"name":"x","value":null},{"name":"big","value":12345678901234567890}]`), details, "big=12345678901234567890 ratio=1.5 score=42 vip=true"},
		{"custom fields as an object", contact(`"custom_fields":{"score":42,"Company":"Muster AG"}`), details, "Company=Muster AG score=42"},
		{"the company is a custom field", contact(`"custom_fields":[{"name":"Company","value":"Muster AG"}]`), company, "Muster AG"},
		{"close is closed", contact(`"status":"close"`), status, "closed"},
		{"done is closed", contact(`"status":"Done"`), status, "closed"},
		{"snoozed is open", contact(`"status":"snoozed"`), status, "open"},
		{"a national number by its country", contact(`"phone":"020 7946 0018","countryCode":"GB"`), phone, "+442079460018"},
		{"a national number by ours", contact(`"phone":"030 23125042","countryCode":null`), phone, "+493023125042"},
		{"a number without plus", contact(`"phone":"4917604069017","countryCode":"DE"`), phone, "+4917604069017"},
		{"a number for a country that there is not", contact(`"phone":"+4917604069017","countryCode":"XX"`), phone, "+4917604069017"},
		{"no number", contact(`"phone":null`), phone, ""},

		{"a contact that came just now", of("contact.created", "")[:len(of("contact.created", ""))-2] + `,"created_at":1772616612}}`, occurred, "2026-03-04T09:30:12Z"},
		{"a contact of years ago came just now", of("contact.created", "")[:len(of("contact.created", ""))-2] + `,"created_at":1100000000}}`, occurred, "0001-01-01T00:00:00Z"},
		{"changes of contacts have no time", contact(`"created_at":1772616612`), occurred, "0001-01-01T00:00:00Z"},
		{"no contact", `{"event_type":"contact.updated","event_id":"e1"}`, typeAndProblem, "contact.updated an event without a contact"},
		{"an empty contact", `{"event_type":"contact.updated","event_id":"e1","contact":{}}`, typeAndProblem, "contact.updated an event without a contact"},

		{"a message by its id", message(`"messageId":1772616612264001`), occurred, "2026-03-04T09:30:12.264001Z"},
		{"a message by id and time", message(`"messageId":1772616612264001,"timestamp":1772616613`), sentAt, "2026-03-04T09:30:13Z"},
		{"a message without time", message(`"messageId":1772616612264001`), sentAt, "2026-03-04T09:30:12.264001Z"},
		{"an id that is no time", message(`"messageId":4711,"timestamp":1772616613`), occurred, "2026-03-04T09:30:13Z"},
		{"an id far off", message(`"messageId":9999999999999999,"timestamp":1772616613`), occurred, "2026-03-04T09:30:13Z"},
		{"neither", message(`"messageId":"abc"`), occurred, "0001-01-01T00:00:00Z"},
		{"a time far off", message(`"messageId":1,"timestamp":99999999999`), typeAndProblem, "message.received message.timestamp is more than 24 hours ahead"},
		{"a message without id", message(`"timestamp":1772616613`), typeAndProblem, "message.received a message without its id"},
		{"a message without contact", `{"event_type":"message.received","message":{"messageId":1,"contactId":8}}`, typeAndKey, "message.received respondio:message:8:1:received"},
		{"text", message(`"messageId":1,"message":{"type":"text","text":"Hallo"}`), said, "text: Hallo"},
		{"an image", message(`"messageId":1,"message":{"type":"attachment","attachment":{"type":"image","url":"https://x"}}`), said, "image: "},
		{"an attachment of no kind", message(`"messageId":1,"message":{"type":"attachment","attachment":null}`), said, "attachment: "},
		{"a mail", message(`"messageId":1,"message":{"type":"email","subject":"Angebot","text":"Anbei."}`), said, "email: Angebot\nAnbei."},
		{"a place", message(`"messageId":1,"message":{"type":"location","latitude":1,"address":"Berlin"}`), said, "location: Berlin"},
		{"a quick reply", message(`"messageId":1,"message":{"type":"quick_reply","title":"Passt das?","replies":["ja"]}`), said, "quick_reply: Passt das?"},
		{"text of no message", message(`"messageId":1,"type":"text","text":"Hallo"`), said, "text: Hallo"},
		{"a comment", of("comment.created", `,"text":"Bitte übernehmen"`), said, "comment: Bitte übernehmen"},

		{"a conversation open for years", closed(`"openedTime":1600000000,"closedTime":1772620212`), conversation, "7:1600000000 closed"},
		{"a conversation without opening", closed(`"closedTime":1772620212`), conversation, " closed"},
		{"it is known by its event", closed(`"closedTime":1772620212`), typeAndKey, "conversation.closed respondio:event:conversation.closed:e1"},
		{"a conversation closed in milliseconds", closed(`"openedTime":1772616612000,"closedTime":1772620212000`), conversation, "7:1772616612 closed"},
		{"a conversation without its end", closed(`"openedTime":1772616612`), occurred, "0001-01-01T00:00:00Z"},
		{"a conversation of nobody", `{"event_type":"conversation.opened","conversation":{"conversationOpenedAt":1772616612}}`, typeAndProblem, "conversation.opened a conversation without the id of its contact"},
		{"a conversation closed far ahead", closed(`"openedTime":1772616612,"closedTime":1972620212`), typeAndProblem, "conversation.closed conversation.closedTime is more than 24 hours ahead"},

		{"completed", call(`"status":"completed"`), callStatus, "completed "},
		{"missed", call(`"status":"missed"`), callStatus, "not_reached "},
		{"no-answer", call(`"status":"no-answer"`), callStatus, "not_reached "},
		{"busy", call(`"status":"BUSY"`), callStatus, "busy "},
		{"failed", call(`"status":"failed"`), callStatus, "failed "},
		{"canceled", call(`"status":"canceled"`), callStatus, "cancelled "},
		{"voicemail", call(`"status":"voicemail"`), callStatus, "voicemail "},
		{"a status that nobody knows", call(`"status":"Escalated"`), callStatus, "unknown escalated"},
		{"no status", call(`"x":1`), callStatus, "unknown "},
		{"incoming", call(`"direction":"incoming"`), callDirection, "inbound"},
		{"outbound", call(`"direction":"Outbound"`), callDirection, "outbound"},
		{"no direction", call(`"x":1`), callDirection, "unknown"},
		{"a direction that is null", call(`"direction":null`), callDirection, "unknown"},
		{"another direction", call(`"direction":"both"`), callDirection, "unknown"},
		{"seconds", call(`"start_time":1772620000,"end_time":1772620187,"durationSeconds":180`), times, "2026-03-04T10:26:40Z 2026-03-04T10:29:47Z 180"},
		{"milliseconds, and no duration", call(`"start_time":1772620000000,"end_time":1772620187500`), times, "2026-03-04T10:26:40Z 2026-03-04T10:29:47.5Z 187.5"},
		{"a call ends before it begins", call(`"start_time":1772620187,"end_time":1772620000`), times, "2026-03-04T10:29:47Z 2026-03-04T10:26:40Z unknown"},
		{"a call counts as of its end", call(`"start_time":1772620000,"end_time":1772620187`), occurred, "2026-03-04T10:29:47Z"},
		{"or its start", call(`"start_time":1772620000,"end_time":null`), occurred, "2026-03-04T10:26:40Z"},
		{"a call of years ago", call(`"end_time":1200000000`), typeAndProblem, "call.ended call.end_time is before 2010"},
		{"a call without id", of("call.ended", `,"call":{"status":"completed"}`), typeAndProblem, "call.ended call.ended without the id of a call"},
		{"no call", of("call.ended", ""), typeAndProblem, "call.ended call.ended without the id of a call"},
		{"turns", call(`"transcript":[{"speaker":"agent","text":"Guten Tag."},{"speaker":"contact","text":"Hallo."},{"speaker":"contact"},{"speaker":"Bot","text":"Hm."},{"text":"…"}]`), transcript, "Agent: Guten Tag.\nContact: Hallo.\nBot: Hm.\n…"},
		{"a transcript of text", call(`"transcript":"Hallo."`), transcript, "Hallo."},
		{"a summary of lines", call(`"callSummary":{"summary":["a","b"]}`), summary, "a\nb"},
		{"a summary of text", call(`"callSummary":{"summary":"a"}`), summary, "a"},
		{"a recording that is no address", call(`"recordingURL":"javascript:alert(1)"`), recording, ""},

		{"an array", `[{}]`, typeAndProblem, "unknown the payload is no JSON object"},
		{"a duplicate key", `{"event_type":"x","event_type":"call.ended"}`, typeAndProblem, "unknown ambiguous: a key occurs twice in one object, at byte 19"},
		{"deep nesting", strings.Repeat("[", 1<<20), typeAndProblem, "unknown nested deeper than 64 levels"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.got(parse(t, c.body)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func typeAndKey(p sources.Parsed) any     { return string(p.Event.Type) + " " + p.ContentKey }
func typeAndProblem(p sources.Parsed) any { return string(p.Event.Type) + " " + p.Problem }
func deliveryID(p sources.Parsed) any     { return p.DeliveryID }
func occurred(p sources.Parsed) any       { return p.Event.OccurredAt.Format(time.RFC3339Nano) }
func sentAt(p sources.Parsed) any         { return p.Event.Message.SentAt.Format(time.RFC3339Nano) }
func said(p sources.Parsed) any           { return p.Event.Message.Type + ": " + p.Event.Message.Text }
func tags(p sources.Parsed) any           { return strings.Join(p.Event.Contact.Tags, " ") }
func company(p sources.Parsed) any        { return p.Event.Contact.Company }
func status(p sources.Parsed) any         { return p.Event.Contact.Status }
func phone(p sources.Parsed) any          { return p.Event.Contact.Phone }
func lifecycle(p sources.Parsed) any {
	return p.Event.Contact.Lifecycle + " " + details(p).(string)
}
func conversation(p sources.Parsed) any {
	return p.Event.Conversation.ID + " " + p.Event.Conversation.Status
}
func callStatus(p sources.Parsed) any    { return p.Event.Call.Status + " " + p.Event.Call.Reason }
func callDirection(p sources.Parsed) any { return p.Event.Call.Direction }
func transcript(p sources.Parsed) any    { return p.Event.Call.Transcript }
func summary(p sources.Parsed) any       { return p.Event.Call.Summary }
func recording(p sources.Parsed) any     { return p.Event.Call.RecordingURL }

func details(p sources.Parsed) any {
	text := fmt.Sprint(p.Event.Contact.Details) // keys in order
	return strings.ReplaceAll(strings.Trim(strings.TrimPrefix(text, "map"), "[]"), ":", "=")
}

func owner(p sources.Parsed) any {
	o := p.Event.Contact.Owner
	if o == nil {
		return "none"
	}
	return o.ID + " " + o.Name + " " + o.Email
}

func times(p sources.Parsed) any {
	c, length := p.Event.Call, "unknown"
	if c.Duration != nil {
		length = fmt.Sprint(*c.Duration)
	}
	return c.StartedAt.Format(time.RFC3339Nano) + " " + c.EndedAt.Format(time.RFC3339Nano) + " " + length
}

func TestSamplesAreUnderstoodAndRepeat(t *testing.T) {
	t.Parallel()
	s := source(t)
	keys, types := map[string]string{}, map[event.Type]bool{}
	for _, kind := range s.Samples() {
		for n := range 3 {
			body, err := s.Sample(kind, n, at)
			if err != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			if again, err := s.Sample(kind, n, at); err != nil || string(body) != string(again) {
				t.Errorf("%s %d is another one the second time (%v)", kind, n, err)
			}
			p := parse(t, string(body))
			if o := p.Event.OccurredAt; p.Problem != "" || p.Event.Type == event.Unknown || p.Event.Contact == nil || p.Event.Contact.Phone == "" || !o.IsZero() && o.Sub(at).Abs() > time.Millisecond {
				t.Errorf("%s %d: problem %q, %+v", kind, n, p.Problem, p.Event)
			}
			if p.Event.Call != nil && p.Event.Call.Status == "unknown" {
				t.Errorf("%s %d: the call's status is unknown", kind, n)
			}
			for _, key := range []string{p.ContentKey, p.DeliveryID} {
				if other := keys[key]; key == "" || other != "" {
					t.Errorf("%s %d has the key %q of %s", kind, n, key, other)
				}
				keys[key] = kind
			}
			types[p.Event.Type] = true
		}
	}
	if len(types) != 11 {
		t.Errorf("the samples are of %d types, want all eleven", len(types))
	}
	if _, err := s.Sample("nonsense", 0, at); err == nil {
		t.Error("an unknown kind was made")
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
		if p.Problem != "" {
			return
		}
		e := p.Event
		switch {
		case e.Type == event.CallEnded && (e.Call == nil || e.Call.ID == "" || p.ContentKey == ""):
			t.Error("a call without its id")
		case (e.Type == event.MessageReceived || e.Type == event.MessageSent) && (e.Message == nil || e.Message.ID == "" || p.ContentKey == ""):
			t.Error("a message without its id")
		case strings.HasPrefix(string(e.Type), "con") && e.Contact == nil:
			t.Errorf("%s without a contact", e.Type)
		}
	})
}

func BenchmarkReceive(b *testing.B) {
	body, err := os.ReadFile("testdata/call_ended_with_transcript.json")
	if err != nil {
		b.Fatal(err)
	}
	s := source(b, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", key)
	r := request(body)
	if err := source(b).Sign(r, "", at); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if s.Authenticate(r) != nil || s.Parse(r).Problem != "" {
			b.Fatal("not understood")
		}
	}
}

// Its signature fits every spelling of a payload: another spelling must not be
// another payload.
func TestEverySpellingMakesTheSameSense(t *testing.T) {
	t.Parallel()
	compact := []byte(`{"event_type":"contact.updated","event_id":"e1","contact":{"id":42,"tags":["a"]}}`)
	s := source(t)
	sense := func(body []byte) string {
		p := s.Parse(&sources.Request{Body: body, At: at})
		if p.Sense == nil {
			return string(body)
		}
		return string(p.Sense)
	}
	for _, body := range []string{string(compact) + "  ", strings.ReplaceAll(string(compact), ":", " : "), strings.Replace(string(compact), "42", "42.0", 1)} {
		r := &sources.Request{Header: http.Header{}, Body: compact, At: at}
		if err := s.Sign(r, "", at); err != nil {
			t.Fatal(err)
		}
		r.Body = []byte(body)
		if err := s.Authenticate(r); err != nil {
			t.Fatalf("the signature does not fit %s: %v", body, err)
		}
		if got := sense([]byte(body)); got != sense(compact) {
			t.Errorf("%s has the sense %s", body, got)
		}
	}
}
