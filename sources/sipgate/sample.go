package sipgate

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
)

var _ sources.Sampler = (*Source)(nil)

// sampleKinds are the payloads that Sample makes: deliveries of the AI
// products, and events of the push API, which are forms.
var sampleKinds = []string{
	"agent_call", "agent_anonymous", "intelligence_call", "assistant_call",
	"push_new_call", "push_answer", "push_hangup", "push_missed", "push_forwarded", "push_forwarded_call", "push_forwarded_hangup",
	"flow_start",
}

// Samples names the kinds of payload.
func (*Source) Samples() []string { return slices.Clone(sampleKinds) }

// Sample makes a payload. The push samples of one n within five minutes are of
// one call, so that they can be sent one after the other.
func (*Source) Sample(kind string, n int, at time.Time) ([]byte, error) {
	n = max(n, -n)
	if n < 0 { // the least int
		n = 0
	}
	who, i := sources.Invent(n), slices.Index(sampleKinds, kind)
	push, isPush := strings.CutPrefix(kind, "push_")
	switch {
	case i < 0:
		return nil, fmt.Errorf("no sample %q; there are %s", kind, strings.Join(sampleKinds, ", "))
	case isPush:
		return []byte(samplePush(push, n, who, at)), nil
	case kind == "flow_start":
		return json.Marshal(map[string]any{"type": "session_start", "session": map[string]any{
			"id": fmt.Sprintf("22bb0000-0000-4000-8000-%012x", at.Unix()+int64(n)), "account_id": "9000001", "direction": "inbound",
			"phone_number": digits(sources.OurNumber), "from_phone_number": digits(who.Number), "to_phone_number": digits(sources.OurNumber),
		}})
	}
	length := time.Duration(30+n%240) * time.Second
	end := at.UTC().Truncate(time.Millisecond)
	start := end.Add(-length)
	channel := map[string]any{"id": "11aa0000-0000-4000-8000-000000000401", "name": "Vertrieb"}
	summary := "Anruf von " + who.First + " " + who.Last + " (" + who.Company + ") zu einem Angebot."
	if kind == "assistant_call" {
		return json.Marshal(map[string]any{
			"callHeadline": "Anfrage zu einem Angebot", "summary": summary, "channel": channel,
			"call": map[string]any{
				"id": fmt.Sprintf("labs-%d%06d", end.Unix(), n), "caller": who.Number, "callee": sources.OurNumber, "direction": "inbound",
				"startTime": start.UnixMilli(), "endTime": end.UnixMilli(), "duration": int(length.Seconds()),
			},
			"transcriptions": []any{map[string]any{"speaker": "1", "text": "Guten Tag, ich hätte gern ein Angebot."}, map[string]any{"speaker": "2", "text": "Gern, worum geht es?"}},
			"actionItems":    []any{map[string]any{"id": "1", "text": "Angebot senden"}},
		})
	}
	call := map[string]any{
		"id": fmt.Sprintf("pbx-0aa00000-%04d-4000-8000-%05d%07x", i, n%100000, end.Unix()&0xfffffff), "from": digits(who.Number), "to": digits(sources.OurNumber), "direction": "in",
		"startTime": start.Format(isoMillis), "endTime": end.Format(isoMillis), "duration": length.Milliseconds(), "users": []any{}, "channel": channel,
	}
	assist := map[string]any{"summary": map[string]any{"content": summary, "keyPoints": []any{"Angebot", who.Company}, "topics": []any{"Angebot"}}}
	switch kind {
	case "agent_call":
		assist["callScenarios"] = answered("Name des Anrufers", who.First+" "+who.Last, "Firma", who.Company, "E-Mail", who.Email, "Anliegen", "Angebot", "Rückruf erwünscht", n%2 == 0)
	case "agent_anonymous":
		call["from"], call["users"] = "anonymous", nil
		assist["summary"] = map[string]any{"content": "", "keyPoints": []any{}, "topics": []any{}}
		assist["callScenarios"] = answered("Name des Anrufers", nil)
	case "intelligence_call":
		call["direction"], call["users"] = "IN", []any{map[string]any{"userId": "w0", "accountId": "9000001", "fullUserId": "9000001w0", "firstName": "Vera", "lastName": "Vertrieb", "fullName": "Vera Vertrieb"}}
		assist["provider"], assist["callScenarios"] = map[string]any{"llm": "AZURE"}, nil
		assist["callHeadline"] = map[string]any{"content": "Anfrage zu einem Angebot"}
		assist["actionItems"] = []any{map[string]any{"content": "Angebot senden"}}
		assist["transcription"] = map[string]any{"content": "Caller: Guten Tag.\nCallee: Hallo, was kann ich tun?", "chunks": []any{
			map[string]any{"speaker": "CALLER", "startTime": 420, "endTime": 1900, "content": "Guten Tag."},
			map[string]any{"speaker": "CALLEE", "startTime": 2050, "endTime": 4100, "content": "Hallo, was kann ich tun?"},
		}}
	}
	return json.Marshal(map[string]any{"version": "1", "call": call, "assist": assist})
}

const isoMillis = "2006-01-02T15:04:05.000Z"

// answered is a scenario with questions and their answers in turn.
func answered(pairs ...any) []any {
	items := []any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		items = append(items, map[string]any{"question": pairs[i], "answer": pairs[i+1]})
	}
	return []any{map[string]any{"smartAnswers": []any{map[string]any{"setItems": items}}}}
}

// samplePush makes an event of a call that comes in. After push_forwarded the
// same call goes on by those of push_forwarded_…, under another id.
func samplePush(kind string, n int, who sources.Invented, at time.Time) string {
	first := fmt.Sprintf("%012d", at.Unix()/300%1e6*1e6+int64(n%1e6))
	f := url.Values{
		"from": {digits(who.Number)}, "to": {digits(sources.OurNumber)}, "direction": {"in"},
		"callId": {first}, "origCallId": {first}, "xcid": {"xc" + first},
	}
	set := func(pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			f.Add(pairs[i], pairs[i+1])
		}
	}
	switch kind {
	case "new_call":
		set("event", "newCall", "user[]", "Vera Vertrieb", "user[]", "Sven Support", "userId[]", "w0", "userId[]", "w2", "fullUserId[]", "9000001w0", "fullUserId[]", "9000001w2")
	case "answer":
		set("event", "answer", "user", "Vera Vertrieb", "userId", "w0", "fullUserId", "9000001w0", "answeringNumber", "493023125901")
	case "hangup":
		set("event", "hangup", "cause", "normalClearing", "answeringNumber", "493023125901")
	case "missed":
		set("event", "hangup", "cause", "noAnswer")
	case "forwarded":
		set("event", "hangup", "cause", "forwarded")
	case "forwarded_call":
		set("event", "newCall", "user[]", "Sven Support", "userId[]", "w2", "fullUserId[]", "9000001w2")
	case "forwarded_hangup":
		set("event", "hangup", "cause", "normalClearing", "answeringNumber", "493023125902")
	}
	if strings.HasPrefix(kind, "forwarded_") {
		set("diversion", digits(sources.OurNumber))
		f.Set("callId", first+"2")
		f.Set("to", "493023125902")
	}
	return f.Encode()
}

// digits are a number as sipgate writes it.
func digits(number string) string { return strings.TrimPrefix(number, "+") }
