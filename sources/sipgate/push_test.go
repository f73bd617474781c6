package sipgate_test

import (
	"encoding/xml"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/sources/sipgate"
)

// TestPush/reads the events of the push API.
func TestPush(t *testing.T) {
	t.Parallel()
	const in = "&callId=7&origCallId=7&direction=in&from=493023125042&to=493023125900"
	const out = "&callId=7&origCallId=7&direction=out&from=493023125900&to=493023125042"
	for _, c := range []struct {
		name string
		body string
		got  func(sources.Parsed) any
		want any
	}{
		{"a new call rings", "event=newCall" + in, typeAndStatus, "call.ringing ringing"},
		{"a call that goes out rings", "event=newCall" + out, typeAndStatus, "call.ringing ringing"},
		{"the name of the event in another case", "event=NEWCALL" + in, typeAndStatus, "call.ringing ringing"},
		{"an answer", "event=answer" + in, typeAndStatus, "call.answered in_progress"},
		{"a machine answers", "event=answer&user=voicemail" + in, typeAndStatus, "call.answered voicemail"},
		{"a call that was held", "event=hangup&cause=normalClearing" + in, statusAndReason, "call.ended completed normalClearing"},
		{"a busy line", "event=hangup&cause=busy" + in, statusAndReason, "call.ended busy busy"},
		{"a caller who gave up", "event=hangup&cause=cancel" + in, statusAndReason, "call.ended cancelled cancel"},
		{"nobody answered", "event=hangup&cause=noAnswer" + in, statusAndReason, "call.ended not_reached noAnswer"},
		{"congestion", "event=hangup&cause=congestion" + in, statusAndReason, "call.ended failed congestion"},
		{"no such number", "event=hangup&cause=notFound" + in, statusAndReason, "call.ended failed notFound"},
		{"a forwarded call goes on", "event=hangup&cause=forwarded" + in, statusAndReason, "call.transferred transferred forwarded"},
		{"another cause", "event=hangup&cause=flood" + in, statusAndReason, "call.ended unknown flood"},
		{"no cause", "event=hangup" + in, statusAndReason, "call.ended unknown "},

		{"no direction", "event=newCall&callId=7", func(p sources.Parsed) any { return p.Event.Call.Direction }, "unknown"},
		{"an id", "event=newCall&callId=7", ids, "7 7 sipgate:push:7:newcall"},
		{"a leg of another call", "event=newCall&callId=9&origCallId=7", ids, "7 7,9 sipgate:push:9:newcall"},
		{"the end of a leg", "event=hangup&callId=9&origCallId=7", ids, "7 7,9 sipgate:push:9:hangup"},
		{"an answer by its user", "event=answer&callId=7&fullUserId=9w0", ids, "7 7 sipgate:push:7:answer:84ea28dd3b228742e7149da9ca2a2e56"},

		{"the caller", "event=newCall" + in, phone, "+493023125042"},
		{"the callee", "event=newCall" + out, phone, "+493023125042"},
		{"a withheld number", "event=newCall&callId=7&direction=in&from=anonymous&to=493023125900", phone, nil},
		{"a number withheld as zeros", "event=newCall&callId=7&direction=in&from=00000000&to=493023125900", phone, nil},
		{"a number withheld as ANONYMOUS on the keys", "event=newCall&callId=7&direction=in&from=49266696687&to=493023125900", phone, nil},
		{"users whose phones ring are no agents", "event=newCall&user[]=Vera&userId[]=w0" + in, agent, event.Person{}},
		{"who calls is the agent", "event=newCall&user[]=Vera&userId[]=w0&fullUserId[]=9w0" + out, agent, event.Person{ID: "9w0", Name: "Vera"}},
		{"a user without brackets", "event=newCall&user=Vera&userId=w0" + out, agent, event.Person{ID: "w0", Name: "Vera"}},
		{"two who call are not known", "event=newCall&user[]=Vera&user[]=Sven&userId[]=w0&userId[]=w1" + out, agent, event.Person{}},
		{"who answers is the agent", "event=answer&user=Vera&userId=w0&fullUserId=9w0&answeringNumber=493023125901" + in, agent, event.Person{ID: "9w0", Name: "Vera", Number: "+493023125901"}},
		{"the callee who answers is none", "event=answer&answeringNumber=493023125042" + out, agent, event.Person{}},
		{"a machine is none", "event=answer&user=voicemail&answeringNumber=493023125901" + in, agent, event.Person{}},

		{"a ring begins the call", "event=newCall" + in, stamps, "12:00:00 - -"},
		{"an answer", "event=answer" + in, stamps, "- 12:00:00 -"},
		{"an end", "event=hangup" + in, stamps, "- - 12:00:00"},
		{"a forwarded leg ends nothing", "event=hangup&cause=forwarded" + in, stamps, "- - -"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := parse(t, formType+"; charset=utf-8", c.body)
			if p.Problem != "" {
				t.Fatalf("problem %q", p.Problem)
			}
			if d := cmp.Diff(c.want, c.got(p)); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func statusAndReason(p sources.Parsed) any {
	return string(p.Event.Type) + " " + p.Event.Call.Status + " " + p.Event.Call.Reason
}
func ids(p sources.Parsed) any {
	return p.Event.Call.ID + " " + strings.Join(p.Calls, ",") + " " + p.ContentKey
}
func stamps(p sources.Parsed) any {
	clock := func(t time.Time) string {
		if t.IsZero() {
			return "-"
		}
		return t.Format("15:04:05")
	}
	c := p.Event.Call
	return clock(c.StartedAt) + " " + clock(c.AnsweredAt) + " " + clock(c.EndedAt)
}

// TestTransfers/end as one completed call, told as sipgate's documents tell them.
func TestTransfers(t *testing.T) {
	t.Parallel()
	const caller = "&direction=in&from=493023125042&origCallId=7"
	for name, events := range map[string][]string{
		"a transfer that is taken": {
			"event=newCall&callId=7&to=493023125900", "event=answer&callId=7&to=493023125900&fullUserId=9w0&user=Vera",
			"event=newCall&callId=9&to=493023125902&diversion=493023125900", "event=answer&callId=9&to=493023125902&fullUserId=9w2&user=Sven",
			"event=hangup&callId=7&cause=normalClearing&to=493023125900", "event=hangup&callId=9&cause=normalClearing&to=493023125902",
		},
		"a call that is forwarded": {
			"event=newCall&callId=7&to=493023125900", "event=hangup&callId=7&cause=forwarded&to=493023125900",
			"event=newCall&callId=9&to=493023125902&diversion=493023125900", "event=answer&callId=9&to=493023125902&fullUserId=9w2&user=Sven",
			"event=hangup&callId=9&cause=normalClearing&to=493023125902",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := source(t, sipgate.Config{})
			var story []*event.Event
			for i, body := range events {
				r := request(formType, body+caller)
				r.At = at.Add(time.Duration(i) * 10 * time.Second)
				p := s.Parse(r)
				if p.Problem != "" || p.Calls[0] != "7" {
					t.Fatalf("%s: problem %q, calls %q", body, p.Problem, p.Calls)
				}
				p.Event.OccurredAt, p.Event.ReceivedAt = r.At, r.At
				story = append(story, p.Event)
			}
			last := event.Join(story[len(story)-1], story)
			c := last.Call
			if last.Type != event.CallEnded || c.ID != "7" || c.Status != event.Completed || c.Agent == nil || c.Agent.Name != "Sven" || !c.StartedAt.Equal(at) || !c.EndedAt.Equal(at.Add(time.Duration(len(events)-1)*10*time.Second)) || c.AnsweredAt.IsZero() {
				t.Errorf("got %s %+v, agent %+v", last.Type, c, c.Agent)
			}
			if last.Contact == nil || last.Contact.Phone != "+493023125042" {
				t.Errorf("contact %+v", last.Contact)
			}
			if _, running := event.Running("7", story); running {
				t.Error("the call still runs")
			}
			if _, running := event.Running("7", story[:2]); !running {
				t.Error("the call is over before it is")
			}
		})
	}
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	s := source(t, sipgate.Config{})
	address, err := url.Parse("https://hooks.example.com/hooks/agents/3f1c9a7e5b2d4860?a=1&b=%22%3C")
	if err != nil {
		t.Fatal(err)
	}
	answer := func(contentType, body string, u *url.URL) (string, string) {
		r := request(contentType, body)
		r.URL = u
		contentType, text := s.Answer(r)
		return contentType, string(text)
	}
	contentType, text := answer(formType, "event=newCall&callId=7", address)
	if contentType != "application/xml" {
		t.Errorf("content type %q, want application/xml", contentType)
	}
	var response struct {
		XMLName  xml.Name `xml:"Response"`
		OnAnswer string   `xml:"onAnswer,attr"`
		OnHangup string   `xml:"onHangup,attr"`
	}
	if err := xml.Unmarshal([]byte(text), &response); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	if response.OnAnswer != address.String() || response.OnHangup != address.String() {
		t.Errorf("got %q and %q, want %q for both", response.OnAnswer, response.OnHangup, address)
	}
	if contentType, text := answer("", "event=newCall&callId=7", address); contentType != "application/xml" || !strings.Contains(text, "onHangup=") {
		t.Errorf("a form whose type was lost: got %s %q", contentType, text)
	}
	for name, c := range map[string]struct {
		contentType, body string
		url               *url.URL
	}{
		"an answered call":        {formType, "event=answer&callId=7", address},
		"a call that ended":       {formType, "event=hangup&callId=7", address},
		"digits":                  {formType, "event=dtmf&callId=7", address},
		"a broken form":           {formType, "event=newCall&x=%", address},
		"a delivery":              {jsonType, `{"call":{"id":"c1"},"event":"newCall"}`, address},
		"an event of AI Flow":     {jsonType, `{"type":"session_start","session":{"id":"s1"}}`, address},
		"an empty body":           {jsonType, "", address},
		"an address not known":    {formType, "event=newCall&callId=7", nil},
		"an address without host": {formType, "event=newCall&callId=7", &url.URL{Path: "/hooks/agents"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if contentType, text := answer(c.contentType, c.body, c.url); contentType != "" || text != "" {
				t.Errorf("got %s %q, want crmsyncd's own answer", contentType, text)
			}
		})
	}
}

func TestAFormWhoseTypeWasLostIsReadAsOne(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ contentType, body, want string }{
		{"", "event=newCall&callId=7&direction=in&from=493023125042&to=493023125900", "call.ringing"},
		{"", "direction=in&from=493023125042&event=hangup&callId=7", "call.ended"},
		{"", "direction=in&from=493023125042", "unknown"},
		{"", `{"event":"newCall&event=x"}`, "unknown"},
		{jsonType, "event=newCall&callId=7", "unknown"},
	} {
		r := request(c.contentType, c.body)
		if c.contentType == "" {
			r.Header.Del("Content-Type")
		}
		if got := source(t, sipgate.Config{}).Parse(r).Event.Type; string(got) != c.want {
			t.Errorf("%q %s: got %s, want %s", c.contentType, c.body, got, c.want)
		}
	}
}
