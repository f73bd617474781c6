package event_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/crmsyncd/crmsyncd/event"
)

var began = time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)

// said is what one event says by itself; second counts from began.
func said(second int, kind event.Type, call event.Call, contact *event.Contact) *event.Event {
	at := began.Add(time.Duration(second) * time.Second)
	e := &event.Event{ID: fmt.Sprintf("evt_%d_%s", second, call.ID), Type: kind, Source: "phones", OccurredAt: at, ReceivedAt: at, Call: &call, Contact: contact}
	if kind == event.CallEnded {
		e.Call.EndedAt = at
	}
	return e
}

var (
	caller = &event.Contact{Phone: "+493023125042"}
	anna   = &event.Person{Number: "201", Email: "anna@example.com"}
	bert   = &event.Person{Number: "202", Email: "bert@example.com"}
)

func inbound(id, status string) event.Call {
	return event.Call{ID: id, Status: status, Direction: "inbound", From: "+493023125042", To: "+493023125900"}
}

func internal(id, status string) event.Call {
	return event.Call{ID: id, Status: status, Direction: "internal", From: "201", To: "202", Agent: anna}
}

func with(c event.Call, change func(*event.Call)) event.Call { change(&c); return c }

// transfer is a story in which anna has bert take over; the surviving id is
// that of either call, and kind what the vendor says of it.
func transfer(survivor, gone, kind string, answered bool) []*event.Event {
	story := []*event.Event{
		said(1, event.CallCreated, inbound("a", event.Created), &event.Contact{Phone: "+493023125042", FullName: "Erika Beispiel"}),
		said(2, event.CallRinging, inbound("a", event.Ringing), caller),
		said(14, event.CallAnswered, with(inbound("a", event.InProgress), func(c *event.Call) { c.Agent = anna }), caller),
		said(60, event.CallRinging, internal("b", event.Ringing), nil),
	}
	if answered {
		story = append(story, said(66, event.CallAnswered, internal("b", event.InProgress), nil))
	}
	return append(story,
		said(110, event.CallTransferred, with(inbound(survivor, event.Transferred), func(c *event.Call) { c.MergedID, c.Transfer, c.Agent = gone, kind, bert }), caller),
		said(307, event.CallEnded, with(inbound(survivor, event.Completed), func(c *event.Call) { c.To = "202" }), caller),
	)
}

func TestJoin(t *testing.T) {
	t.Parallel()
	seconds := func(s event.Seconds) *event.Seconds { return &s }
	ended := func(agent *event.Person, kind string) *event.Call {
		return &event.Call{
			ID: "a", Status: event.Completed, Direction: "inbound", From: "+493023125042", To: "+493023125900", Agent: agent, Transfer: kind, MergedID: "b",
			StartedAt: began.Add(time.Second), AnsweredAt: began.Add(14 * time.Second), EndedAt: began.Add(307 * time.Second), Duration: seconds(293),
		}
	}
	tests := []struct {
		name  string
		story []*event.Event
		at    int // event of the story; negative counts from the end
		want  *event.Call
	}{
		{"a warm transfer ends as one call of the second agent", transfer("a", "b", "warm", true), -1, ended(bert, "warm")},
		{"the id that survives may be that of the second call", transfer("b", "a", "warm", true), -1, ended(bert, "warm")},
		{"a plain transfer was warm if the second agent had answered", transfer("b", "a", "", true), -1, ended(bert, "warm")},
		{"a plain transfer was cold if it only rang", transfer("a", "b", "", false), -1, ended(anna, "cold")},
		{"a cold transfer that nobody takes leaves the first agent", transfer("a", "b", "cold", false), -1, ended(anna, "cold")},
		{"before the transfer the second call is one of its own", transfer("b", "a", "warm", true), 4, &event.Call{
			ID: "b", Status: event.InProgress, Direction: "internal", From: "201", To: "202", Agent: anna,
			StartedAt: began.Add(60 * time.Second), AnsweredAt: began.Add(66 * time.Second),
		}},
		{"an end alone says nothing of how long they talked", transfer("a", "b", "warm", true)[6:], -1, &event.Call{
			ID: "a", Status: event.Completed, Direction: "inbound", From: "+493023125042", To: "202", EndedAt: began.Add(307 * time.Second),
		}},
		{"a call that a machine took stays voicemail when it ends", []*event.Event{
			said(2, event.CallAnswered, inbound("a", event.Voicemail), caller), said(20, event.CallEnded, inbound("a", event.Completed), caller),
		}, -1, &event.Call{
			ID: "a", Status: event.Voicemail, Direction: "inbound", From: "+493023125042", To: "+493023125900",
			StartedAt: began.Add(2 * time.Second), AnsweredAt: began.Add(2 * time.Second), EndedAt: began.Add(20 * time.Second), Duration: seconds(18),
		}},
		{"a call that nobody took has no talk time", []*event.Event{
			said(2, event.CallRinging, inbound("a", event.Ringing), caller), said(20, event.CallEnded, inbound("a", event.NotReached), caller),
		}, -1, &event.Call{
			ID: "a", Status: event.NotReached, Direction: "inbound", From: "+493023125042", To: "+493023125900",
			StartedAt: began.Add(2 * time.Second), EndedAt: began.Add(20 * time.Second), Duration: seconds(0),
		}},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			at := c.at
			if at < 0 {
				at += len(c.story)
			}
			got := event.Join(c.story[at], c.story)
			if d := cmp.Diff(c.want, got.Call); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestJoinKeepsTheNameThatOnlyTheFirstEventSays(t *testing.T) {
	t.Parallel()
	story := transfer("a", "b", "warm", true)
	got := event.Join(story[len(story)-1], story)
	if want := (&event.Contact{Phone: "+493023125042", FullName: "Erika Beispiel"}); !cmp.Equal(got.Contact, want) {
		t.Errorf("the contact is %+v, want %+v", got.Contact, want)
	}
	if story[2].Contact.FullName != "" {
		t.Error("the story itself was changed")
	}
}

func TestMerges(t *testing.T) {
	t.Parallel()
	for _, survivor := range []string{"a", "b"} {
		gone := map[string]string{"a": "b", "b": "a"}[survivor]
		merged := event.Merges(transfer(survivor, gone, "warm", true))
		if len(merged) != 1 {
			t.Fatalf("%d calls were merged, want 1", len(merged))
		}
		want := &event.Call{
			ID: "b", MergedID: "a", Status: event.Merged, Direction: "internal", From: "201", To: "202", Agent: anna,
			StartedAt: began.Add(60 * time.Second), AnsweredAt: began.Add(66 * time.Second), EndedAt: began.Add(110 * time.Second),
		}
		story := append(transfer(survivor, gone, "warm", true), merged[0])
		if d := cmp.Diff(want, event.Join(merged[0], story).Call); d != "" {
			t.Errorf("survivor %s: (-want +got)\n%s", survivor, d)
		}
	}
	if merged := event.Merges(transfer("a", "b", "warm", true)[:5]); len(merged) != 0 {
		t.Errorf("without a transfer %d calls were merged", len(merged))
	}
}

func TestRunning(t *testing.T) {
	t.Parallel()
	story := transfer("b", "a", "warm", true)
	for _, c := range []struct {
		events int
		id     string
		want   bool
	}{{7, "a", false}, {7, "b", false}, {6, "a", true}, {6, "b", false}, {5, "b", true}, {5, "c", false}} {
		if _, running := event.Running(c.id, story[:c.events]); running != c.want {
			t.Errorf("after %d events call %s runs: %v, want %v", c.events, c.id, running, c.want)
		}
	}
}

func TestTheOrderOfArrivalDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		survivor := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "survivor")
		gone := map[string]string{"a": "b", "b": "a"}[survivor]
		story := transfer(survivor, gone, rapid.SampledFrom([]string{"", "warm", "cold"}).Draw(t, "kind"), rapid.Bool().Draw(t, "answered"))
		var want []*event.Event
		for _, e := range story {
			want = append(want, event.Join(e, story))
		}
		shuffled := rapid.Permutation(story).Draw(t, "arrival")
		for i, e := range story {
			if d := cmp.Diff(want[i], event.Join(e, shuffled)); d != "" {
				t.Fatalf("event %d (-in order +shuffled)\n%s", i, d)
			}
			upTo := slices.Clone(story[:i+1])
			if d := cmp.Diff(event.Join(e, upTo), want[i]); d != "" {
				t.Fatalf("event %d: what happened later changed it (-before +after)\n%s", i, d)
			}
		}
	})
}
