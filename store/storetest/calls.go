package storetest

import (
	"fmt"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// part is an event of the calls named.
func part(n int, kind event.Type, calls ...string) store.Event {
	e := sample(n)
	e.Type, e.Calls, e.Ended = kind, calls, kind == event.CallEnded
	return e
}

func (s *suite) story(source string, limit int, calls ...string) string {
	s.Helper()
	events, err := s.Story(s.ctx(), source, calls, limit)
	s.ok(err)
	var seqs []uint64
	for _, e := range events {
		seqs = append(seqs, e.Seq)
		if want := s.view(e.Seq).Event; string(want.Body) != string(e.Body) || want.Type != e.Type {
			s.Errorf("event %d of the story is not the one kept", e.Seq)
		}
	}
	return fmt.Sprint(seqs)
}

func storyOfCalls(s *suite) {
	s.add(part(1, event.CallRinging, "a"))
	s.add(part(2, event.CallRinging, "b"))
	s.add(part(3, event.CallTransferred, "a", "b"))
	s.add(part(4, event.CallEnded, "a"))
	s.add(part(5, event.CallEnded, "ab"))
	s.add(sample(6))
	other := part(7, event.CallEnded, "a")
	other.Source = "another"
	s.add(other)
	equal(s, "story of a", s.story("telli", 100, "a"), "[1 3 4]")
	equal(s, "story of a and b", s.story("telli", 100, "a", "b"), "[1 2 3 4]")
	equal(s, "the newest of the story", s.story("telli", 2, "b", "a"), "[3 4]")
	equal(s, "story of another source", s.story("another", 100, "a"), "[7]")
	equal(s, "story of an unknown call", s.story("telli", 100, "c", ""), "[]")
	broken := part(8, event.CallEnded, "a")
	broken.Problem = "it was cut off"
	s.add(broken)
	equal(s, "story of a beside a quarantined event", s.story("telli", 100, "a"), "[1 3 4]")
}

func runningCalls(s *suite) {
	running := func(until time.Time, limit int) string {
		s.Helper()
		calls, err := s.Running(s.ctx(), "telli", until, limit)
		s.ok(err)
		return fmt.Sprint(calls)
	}
	entry := func(call string, n int) string {
		return fmt.Sprint(store.Running{Call: call, Last: at(n).Add(time.Second)})
	}
	s.add(part(3, event.CallRinging, "late"))
	s.add(part(1, event.CallRinging, "early"))
	s.add(part(2, event.CallRinging, "done"))
	s.add(part(4, event.CallEnded, "done"))
	equal(s, "running", running(at(9), 10), "["+entry("early", 1)+" "+entry("late", 3)+"]")
	equal(s, "running before the last came", running(at(3), 10), "["+entry("early", 1)+"]")
	equal(s, "the one that waits longest", running(at(9), 1), "["+entry("early", 1)+"]")
	s.add(part(5, event.CallAnswered, "early"))
	equal(s, "running on", running(at(4), 10), "["+entry("late", 3)+"]")
	s.ok(s.StopRunning(s.ctx(), "telli", "late"))
	s.ok(s.StopRunning(s.ctx(), "telli", "unknown"))
	equal(s, "running after a stop", running(at(9), 10), "["+entry("early", 5)+"]")
	s.reopen()
	equal(s, "running after reopening", running(at(9), 10), "["+entry("early", 5)+"]")
	equal(s, "story after reopening", s.story("telli", 100, "done"), "[3 4]")
}
