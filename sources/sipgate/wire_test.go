package sipgate_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// TestDelivery/reads what the AI products may send.
func TestDelivery(t *testing.T) {
	t.Parallel()
	call := func(fields string) string {
		return `{"version":"1","call":{"id":"c1",` + fields + `},"assist":{"summary":{}}}`
	}
	older := func(fields string) string {
		return `{"call":{"id":"c1","caller":"+493023125042",` + fields + `},"summary":"x"}`
	}
	assist := func(fields string) string { return `{"version":"1","call":{"id":"c1"},"assist":{` + fields + `}}` }
	answers := func(items string) string {
		return assist(`"callScenarios":[{"smartAnswers":[{"setItems":[` + items + `]}]}]`)
	}
	for _, c := range []struct {
		name string
		body string
		got  func(sources.Parsed) any
		want any
	}{
		{"a delivered call is completed", call(`"x":1`), typeAndStatus, "call.ended completed"},
		{"a version that is a number", `{"version":1,"call":{"id":"c1"}}`, typeAndStatus, "call.ended completed"},
		{"a version with a point", `{"version":"1.2","call":{"id":"c1"}}`, typeAndStatus, "call.ended completed"},
		{"an id that is a number", `{"call":{"id":10000000000000000000001}}`, contentKey, "sipgate:call:10000000000000000000001:ended"},
		{"a long id", `{"call":{"id":"` + strings.Repeat("x", 65) + `"}}`, contentKey, "sipgate:call:9537c5fdf120482f7d58d25e9ed583f5:ended"},

		{"in", call(`"direction":"in"`), callDirection, "inbound"},
		{"IN", call(`"direction":"IN"`), callDirection, "inbound"},
		{"incoming", call(`"direction":"INCOMING"`), callDirection, "inbound"},
		{"OUT", call(`"direction":"OUT"`), callDirection, "outbound"},
		{"outbound", call(`"direction":"outbound"`), callDirection, "outbound"},
		{"another direction", call(`"direction":"sideways"`), callDirection, "unknown"},
		{"no direction", call(`"direction":null`), callDirection, "unknown"},

		{"the caller of a call that comes in", call(`"direction":"in","from":"493023125042","to":"493023125900"`), phone, "+493023125042"},
		{"the callee of a call that goes out", call(`"direction":"out","from":"493023125900","to":"493023125042"`), phone, "+493023125042"},
		{"a number with plus", call(`"direction":"in","from":"+493023125042"`), phone, "+493023125042"},
		{"a number that is a number", call(`"direction":"in","from":493023125042`), phone, "+493023125042"},
		{"a national number", call(`"direction":"in","from":"03023125042"`), phone, "+493023125042"},
		{"an international prefix", call(`"direction":"in","from":"00493023125042"`), phone, "+493023125042"},
		{"an extension", call(`"direction":"in","from":"12"`), phone, nil},
		{"seven digits", call(`"direction":"in","from":"2312504"`), phone, nil},
		{"anonymous", call(`"direction":"in","from":"anonymous"`), phone, nil},
		{"unknown", call(`"direction":"in","from":"unknown"`), phone, nil},
		{"an empty number", call(`"direction":"in","from":""`), phone, nil},
		{"a SIP address", call(`"direction":"in","from":"sip:4930@example.com"`), phone, nil},
		{"nobody knows which of the two is external", call(`"from":"493023125042"`), phone, nil},

		{"milliseconds", call(`"startTime":"2026-03-04T09:30:12.264Z","endTime":"2026-03-04T09:31:34.930Z","duration":1`), times, "09:30:12.264 09:31:34.930 82.666"},
		{"a length without end", call(`"startTime":"2026-03-04T09:30:00Z","duration":82666`), times, "09:30:00.000 09:31:22.666 82.666"},
		{"a length without start", call(`"endTime":"2026-03-04T09:31:22.666Z","duration":"82666"`), times, "09:30:00.000 09:31:22.666 82.666"},
		{"a length alone", call(`"duration":82666`), times, "- - 82.666"},
		{"an end before the start", call(`"startTime":"2026-03-04T09:31:00Z","endTime":"2026-03-04T09:30:00Z","duration":5000`), times, "09:31:00.000 09:30:00.000 5"},
		{"a length below nothing", call(`"duration":-5`), times, "- - -"},
		{"a length beyond reason", call(`"startTime":"2026-03-04T09:31:00Z","duration":1e300`), times, "09:31:00.000 - -"},
		{"seconds since 1970", call(`"startTime":1772616612,"endTime":1772616912`), times, "09:30:12.000 09:35:12.000 300"},
		{"a zone", call(`"startTime":"2026-03-04T10:30:00+01:00","endTime":"2026-03-04T10:30:09+01:00"`), times, "09:30:00.000 09:30:09.000 9"},
		{"the older product counts in seconds", older(`"startTime":1772616612264,"duration":300`), times, "09:30:12.264 09:35:12.264 300"},
		{"the order is by the end", call(`"startTime":"2026-03-04T09:30:00Z","endTime":"2026-03-04T09:31:00Z"`), occurred, "2026-03-04T09:31:00Z"},
		{"or by the start", call(`"startTime":"2026-03-04T09:30:00Z"`), occurred, "2026-03-04T09:30:00Z"},

		{"a user", call(`"users":[{},{"fullUserId":"9w0","fullName":"Vera Vertrieb"},{"fullName":"x"}]`), agent, event.Person{ID: "9w0", Name: "Vera Vertrieb"}},
		{"a user's parts", call(`"users":[{"userId":"w0","firstName":"Vera","lastName":"Vertrieb","email":"Vera@Example.com"}]`), agent, event.Person{ID: "w0", Name: "Vera Vertrieb", Email: "vera@example.com"}},
		{"no users", call(`"users":null`), agent, event.Person{}},

		{"a watermark", assist(`"summary":{"content":"Ein Satz.\n\n[Erstellt mit sipgate AI](https://example.com/ai)\n"}`), summary, "Ein Satz."},
		{"a watermark in English", assist(`"summary":{"content":"One. [Created with Sipgate AI](https://example.com/ai)"}`), summary, "One."},
		{"a link of the caller's", assist(`"summary":{"content":"Siehe [Seite](https://example.com)"}`), summary, "Siehe [Seite](https://example.com)"},
		{"a name in brackets", assist(`"summary":{"content":"Rief an wegen [sipgate] (dringend)"}`), summary, "Rief an wegen [sipgate] (dringend)"},
		{"a watermark alone", assist(`"summary":{"content":"[Erstellt mit sipgate AI](https://example.com)"}`), summary, ""},
		{"a summary as text", assist(`"summary":"Ein Satz."`), summary, "Ein Satz."},
		{"topics as objects", assist(`"summary":{"topics":[{"name":"Dach"},"",null,"Angebot"]}`), topics, "Dach|Angebot"},
		{"key points", assist(`"summary":{"keyPoints":["Dach","120 m²"]}`), keyPoints, []any{"Dach", "120 m²"}},
		{"action items of either kind", assist(`"actionItems":[{"content":"a"},{"text":"b"},{"id":1},"c"]`), actions, "a|b|c"},
		{"turns", assist(`"transcription":{"content":"x","chunks":[{"speaker":"CALLER","content":"Tag."},{"speaker":"CALLEE","content":""},{"speaker":"CALLEE","content":"Hallo."},{"content":"Ja."}]}`), transcript, "Caller: Tag.\nCallee: Hallo.\nJa."},
		{"no turns", assist(`"transcription":{"content":"Caller: Tag.","chunks":[]}`), transcript, "Caller: Tag."},
		{"turns of the older product", `{"call":{"id":"c1"},"transcriptions":[{"speaker":"1","text":"Tag."},{"speaker":2,"text":"Hallo."}]}`, transcript, "Speaker 1: Tag.\nSpeaker 2: Hallo."},

		{"answers keep their type", answers(`{"question":"a","answer":true},{"question":"b","answer":120},{"question":"c","answer":1.5},{"question":" d ","answer":" x "}`), answered, map[string]any{"a": true, "b": 120, "c": 1.5, "d": "x"}},
		{"answers that are none", answers(`{"question":"a","answer":null},{"question":"b","answer":""},{"question":"c"},{"question":"","answer":"x"},{"answer":"x"},null`), answered, map[string]any(nil)},
		{"the later answer counts", answers(`{"question":"a","answer":"x"},{"question":"a","answer":"y"},{"question":"a","answer":null}`), answered, map[string]any{"a": "y"}},
		{"an answer in an object", answers(`{"question":"a","answer":{"value":"x"}}`), answered, map[string]any{"a": "x"}},
		{"an answer of several", answers(`{"question":"a","answer":["x","y"]}`), answered, map[string]any{"a": []any{"x", "y"}}},
		{"answers without groups", assist(`"callScenarios":[{"setItems":[{"question":"a","answer":"x"}]},{"question":"b","answer":"y"}]`), answered, map[string]any{"a": "x", "b": "y"}},
		{"scenarios that are no list", assist(`"callScenarios":{"a":1}`), answered, map[string]any(nil)},
		{"an answer never names the contact", `{"call":{"id":"c1","direction":"in","from":"493023125042"},"assist":{"callScenarios":[{"setItems":[{"question":"Name","answer":"Max"},{"question":"E-Mail","answer":"max@example.com"}]}]}}`, contact, event.Contact{Phone: "+493023125042"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := parse(t, jsonType, c.body)
			if p.Problem != "" {
				t.Fatalf("problem %q", p.Problem)
			}
			if d := cmp.Diff(c.want, c.got(p)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			if len(p.Calls) > 0 {
				t.Errorf("one event tells it all, but it names calls %q", p.Calls)
			}
		})
	}
}

func typeAndStatus(p sources.Parsed) any { return string(p.Event.Type) + " " + p.Event.Call.Status }
func contentKey(p sources.Parsed) any    { return p.ContentKey }
func callDirection(p sources.Parsed) any { return p.Event.Call.Direction }
func occurred(p sources.Parsed) any      { return p.Event.OccurredAt.Format(time.RFC3339Nano) }
func summary(p sources.Parsed) any       { return p.Event.Call.Summary }
func topics(p sources.Parsed) any        { return strings.Join(p.Event.Call.Topics, "|") }
func keyPoints(p sources.Parsed) any     { return p.Event.Call.Analysis["key_points"] }
func actions(p sources.Parsed) any       { return strings.Join(p.Event.Call.ActionItems, "|") }
func transcript(p sources.Parsed) any    { return p.Event.Call.Transcript }
func answered(p sources.Parsed) any      { return p.Event.Call.Answers }
func contact(p sources.Parsed) any       { return *p.Event.Contact }
func agent(p sources.Parsed) any {
	if p.Event.Call.Agent == nil {
		return event.Person{}
	}
	return *p.Event.Call.Agent
}
func phone(p sources.Parsed) any {
	if p.Event.Contact == nil {
		return nil
	}
	return p.Event.Contact.Phone
}
func times(p sources.Parsed) any {
	clock := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Format("15:04:05.000")
	}
	length := "-"
	if d := p.Event.Call.Duration; d != nil {
		length = fmt.Sprint(float64(*d))
	}
	return clock(p.Event.Call.StartedAt) + " " + clock(p.Event.Call.EndedAt) + " " + length
}
