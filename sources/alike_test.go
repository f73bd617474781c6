package sources

import (
	"slices"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func after(seconds float64) time.Time {
	return noon.Add(time.Duration(seconds * float64(time.Second)))
}

func TestAlike(t *testing.T) {
	t.Parallel()
	inbound := &event.Event{Call: &event.Call{To: "+493023125900"}, Contact: &event.Contact{Phone: "+493023125042"}}
	read := AlikeRead(inbound, 60*time.Second, noon)
	twice := AlikeRead(inbound, 60*time.Second, noon, noon.Add(time.Hour))
	silent := AlikeRead(inbound, 0, noon)
	none := time.Time{}
	for _, c := range []struct {
		name                     string
		read                     *Alike
		started, answered, ended time.Time
		want                     bool
	}{
		{"the same beginning", read, after(0), none, none, true},
		{"ten seconds later", read, after(10), after(15), after(75), true},
		{"ten seconds before", read, after(-10), none, after(50), true},
		{"eleven seconds later", read, after(10.001), none, none, false},
		{"the next call of the same number", read, after(90), after(95), after(155), false},
		{"an hour that the clock showed twice", twice, after(3600), none, none, true},
		{"the hour after", read, after(3600), none, none, false},
		{"only its answer was told, and its end", read, after(20), after(20), after(80), true},
		{"only an answer and an end of another length", read, after(20), after(20), after(200), false},
		{"only its answer was told", read, none, after(20), none, true},
		{"only an answer, of a call in which nobody talked", silent, none, after(20), none, false},
		{"only an answer long after", read, none, after(150), none, false},
		{"only its end was told", read, none, none, after(75), true},
		{"only an end long after", read, none, none, after(300), false},
		{"nothing was told of when", read, none, none, none, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			told := &event.Event{Call: &event.Call{StartedAt: c.started, AnsweredAt: c.answered, EndedAt: c.ended}}
			if got := c.read.Is(told); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestAlikeKeys(t *testing.T) {
	t.Parallel()
	call := func(phone, to string) *event.Event {
		e := &event.Event{Call: &event.Call{To: to}, OccurredAt: noon.Add(59 * time.Minute)}
		if phone != "" {
			e.Contact = &event.Contact{Phone: phone}
		}
		return e
	}
	told := AlikeTold(call("+493023125042", "+493023125900"), noon)
	read := AlikeRead(call("+493023125042", "+493023125901"), 10*time.Minute, noon.Add(58*time.Minute))
	if len(told.Keys()) != 1 || len(read.Keys()) != 2 {
		t.Fatalf("got %v and %v, want one hour and two", told.Keys(), read.Keys())
	}
	if !slices.Contains(read.Others(), told.Keys()[0]) || !slices.Contains(read.Keys(), told.Others()[0]) {
		t.Error("they do not find each other")
	}
	if slices.Contains(read.Keys(), told.Keys()[0]) {
		t.Error("what was read is kept among what was told")
	}
	withheld := AlikeRead(call("", "+493023125900"), 0, noon.Add(58*time.Minute))
	if slices.ContainsFunc(withheld.Others(), func(k string) bool { return slices.Contains(told.Keys(), k) }) {
		t.Error("a withheld number finds another caller")
	}
	if a := AlikeTold(call("", ""), noon); a != nil || a.Keys() != nil || a.Others() != nil {
		t.Errorf("a call without numbers: %+v", a)
	}
	if a := AlikeRead(call("", "+493023125900"), 400*24*time.Hour, noon); len(a.Keys()) > 25 {
		t.Errorf("a call of a year has %d keys", len(a.Keys()))
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	read := AlikeRead(&event.Event{Call: &event.Call{To: "+493023125900"}}, 60*time.Second, noon)
	for _, c := range []struct {
		name           string
		answered, last time.Time
		want           time.Time
	}{
		{"from its answer on", after(30), after(30), after(90)},
		{"from its beginning where no answer was told", time.Time{}, after(5), after(60)},
		{"never before the last thing told", time.Time{}, after(75), after(75)},
	} {
		if got := read.Ended(&event.Event{Call: &event.Call{AnsweredAt: c.answered}}, c.last); !got.Equal(c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
