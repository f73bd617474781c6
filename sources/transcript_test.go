package sources

import (
	"net/http"
	"strings"
	"testing"
)

func TestWithoutTranscript(t *testing.T) {
	t.Parallel()
	const form = FormType + "; charset=utf-8"
	for _, c := range []struct{ name, media, body, more, want string }{
		{"a text", "", `{"id":1,"transcript":"Guten \"Tag\"","end":2}`, "", `{"id":1,"transcript":null,"end":2}`},
		{"lists and objects, at any depth, however it is written", "", `{"a":[{"transcriptObject":[{"x":1}],"Transcription":{"content":"hi"}}]}`, "", `{"a":[{"transcriptObject":null,"Transcription":null}]}`},
		{"names with escapes", "", `{"tr\u0061nscript":"hi"}`, "", `{"tr\u0061nscript":null}`},
		{"summaries, switches and what only mentions it stay", "", `{"transcript_summary":"s","transcription":true,"type":"transcript"}`, "", `{"transcript_summary":"s","transcription":true,"type":"transcript"}`},
		{"further names", "", `{"messages":["hi"],"call":{"messages":[]}}`, "messages", `{"messages":null,"call":{"messages":null}}`},
		{"further paths", "", `{"text":"stays","talk":{"text":"hi"}}`, "talk.text", `{"text":"stays","talk":{"text":null}}`},
		{"what is no JSON stays as it came", "", `{"transcript":"hi"`, "", `{"transcript":"hi"`},
		{"a key that stands twice is not read", "", `{"transcript":"hi","transcript":"ho"}`, "", `{"transcript":"hi","transcript":"ho"}`},
		{"fields of a form", form, "CallSid=CA1&TranscriptionText=hi+there&x=1", "", "CallSid=CA1&x=1"},
		{"JSON that is sent as a form", form, `{"id":1,"transcript":"hi","at":"x=1&y=2"}`, "", `{"id":1,"transcript":null,"at":"x=1&y=2"}`},
		{"a list of JSON that is sent as a form", form, ` [{"transcript":"hi"}]`, "", ` [{"transcript":null}]`},
		{"JSON in a field of a form", form, `x=1&AddOns=%7B%22id%22%3A1%2C%22transcript%22%3A%22hi+there%22%7D&y=2`, "", `x=1&AddOns=%7B%22id%22%3A1%2C%22transcript%22%3Anull%7D&y=2`},
		{"JSON without it in a field of a form", form, `payload={"id":+1}&y=2`, "", `payload={"id":+1}&y=2`},
		{"JSON in a text", "", `{"payload":"{\"id\":1,\"call\":\"{\\\"transcript\\\":\\\"<hi>\\\"}\",\"a\":\"<b>\"}","x":"{1}"}`, "", `{"payload":"{\"id\":1,\"call\":\"{\\\"transcript\\\":null}\",\"a\":\"<b>\"}","x":"{1}"}`},
		{"a list in a text", "", `{"a":[" [{\"transcript\":\"hi\"}]"]}`, "", `{"a":[" [{\"transcript\":null}]"]}`},
		{"further names in a text", "", `{"body":"{\"messages\":[1]}"}`, "messages", `{"body":"{\"messages\":null}"}`},
		{"escaped names of a form", form, "Transcription%54ext=hi&x=1", "", "x=1"},
	} {
		r := &Request{Header: http.Header{"Content-Type": {c.media}}, Body: []byte(c.body)}
		more := strings.Fields(c.more)
		got := string(WithoutTranscript(r, more...))
		if got != c.want {
			t.Errorf("%s: want %s, got %s", c.name, c.want, got)
		}
		if string(r.Body) != c.body {
			t.Errorf("%s: the body was changed", c.name)
		}
		r.Body = []byte(got)
		if again := string(WithoutTranscript(r, more...)); again != got {
			t.Errorf("%s: a second time gives %s", c.name, again)
		}
	}
}

func FuzzWithoutTranscript(f *testing.F) {
	for _, s := range []string{`{"transcript":"x"}`, `[{"a":{"transcription":[1,"\u0022"]}}]`, `{"\u0074ranscript":{}}`, `"transcript"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		valid := CheckJSON(body) == nil
		got := WithoutTranscript(&Request{Header: http.Header{}, Body: body})
		if now := CheckJSON(got) == nil; now != valid {
			t.Errorf("%q became %q: read before %v, now %v", body, got, valid, now)
		}
	})
}
