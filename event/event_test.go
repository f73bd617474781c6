package event_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

func paths(fields []event.Field, out *[]string) {
	for _, f := range fields {
		*out = append(*out, f.Path)
		paths(f.Fields, out)
	}
}

func TestModel(t *testing.T) {
	t.Parallel()
	var all []string
	paths(event.Model(), &all)
	for _, want := range []string{"event.id", "event.occurred_at", "call.status", "call.agent.email", "contact.owner.email", "conversation.assignee.name", "message.text", "raw"} {
		if !slices.Contains(all, want) {
			t.Errorf("the model lacks %s", want)
		}
	}
	for _, p := range all {
		if strings.HasSuffix(p, ".") {
			t.Errorf("path %q has no name", p)
		}
	}
}

// TestValues/holds every path of the model keeps Values and Model in step.
func TestValues(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 9, 32, 12, 0, time.UTC)
	d := event.Seconds(0)
	p := &event.Person{ID: "1", Name: "n", Email: "e", Number: "2"}
	m := map[string]any{"x": 1}
	e := event.Event{
		ID: "evt_1", Type: event.CallEnded, Source: "s", Vendor: "v", OccurredAt: now, ReceivedAt: now, Origin: event.Webhook,
		Call: &event.Call{ID: "c", Status: "completed", Direction: "inbound", From: "f", To: "t", StartedAt: now, AnsweredAt: now, EndedAt: now, Duration: &d, Attempt: 1, Reason: "r",
			Summary: "s", Headline: "h", Transcript: "t", RecordingURL: "u", AppointmentAt: now, Topics: []string{"a"}, ActionItems: []string{"b"},
			Outcome: m, Analysis: m, Collected: m, Answers: m, MergedID: "m", Transfer: "warm", Agent: p},
		Contact: &event.Contact{ID: "c", ExternalID: "e", FirstName: "f", LastName: "l", FullName: "f l", Email: "e", Phone: "p", Company: "c", Language: "de", Timezone: "z",
			Status: "reached", StatusChangedAt: now, ReachedAt: now, Lifecycle: "l", Tags: []string{"t"}, Owner: p, Details: m},
		Conversation: &event.Conversation{ID: "c", Status: "open", Channel: "c", Category: "c", Summary: "s", OpenedAt: now, ClosedAt: now, Assignee: p},
		Message:      &event.Message{ID: "m", Direction: "inbound", Type: "text", Text: "t", Channel: "c", SentAt: now},
	}
	var walk func(fields []event.Field, at map[string]any)
	walk = func(fields []event.Field, at map[string]any) {
		for _, f := range fields {
			v, ok := at[f.Name]
			if f.Kind == event.Any {
				continue
			}
			if !ok {
				t.Errorf("Values lacks %s", f.Path)
				continue
			}
			if f.Kind == event.Object {
				walk(f.Fields, v.(map[string]any))
			}
		}
	}
	walk(event.Model(), e.Values())
	if v := (&event.Event{}).Values(); len(v["event"].(map[string]any)) != 0 {
		t.Errorf("Values of an empty event = %v, want nothing known", v)
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	got := event.Decode(json.RawMessage(`{"a":1,"b":1.5,"c":12345678901234567890,"d":[null,"x"]}`)).(map[string]any)
	if got["a"] != 1 || got["b"] != 1.5 || got["c"] != "12345678901234567890" {
		t.Errorf("Decode = %v, want 1, 1.5 and the digits that fit no number as text", got)
	}
}

func TestRank(t *testing.T) {
	t.Parallel()
	last := uint8(0)
	for _, status := range []string{"surprise", "new", "pending", "reached", "closed"} {
		e := event.Event{Type: event.ContactStatusChanged, Contact: &event.Contact{Status: status}}
		if e.Rank() <= last {
			t.Errorf("status %s has rank %d, want more than %d", status, e.Rank(), last)
		}
		last = e.Rank()
	}
	last = 0
	for _, typ := range []event.Type{event.Unknown, event.CallCreated, event.CallRinging, event.CallAnswered, event.CallTransferred, event.CallEnded} {
		e := event.Event{Type: typ, Call: &event.Call{Status: "completed"}}
		if typ != event.Unknown && e.Rank() <= last {
			t.Errorf("%s has rank %d, want more than %d", typ, e.Rank(), last)
		}
		last = e.Rank()
	}
}

func TestLane(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		e    event.Event
		want string
	}{
		{"contact id first", event.Event{Source: "telli", Contact: &event.Contact{ID: "7", Phone: "+49"}}, "telli:contact:7"},
		{"then phone", event.Event{Source: "a", Contact: &event.Contact{Phone: "+49"}, Call: &event.Call{ID: "c"}}, "phone:+49"},
		{"then call", event.Event{Source: "a", Contact: &event.Contact{}, Call: &event.Call{ID: "c"}}, "a:call:c"},
		{"nothing", event.Event{Source: "a"}, ""},
	} {
		if got := c.e.Lane(); got != c.want {
			t.Errorf("%s: Lane() = %q, want %q", c.name, got, c.want)
		}
	}
}
