package storetest

import (
	"errors"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

func unplannedInOrder(s *suite) {
	for n := 1; n <= 5; n++ {
		e := sample(n)
		e.Body = make([]byte, 1000)
		e.Body[0] = byte(n)
		s.add(e)
	}
	list := func(limit, maxBytes int) []uint64 {
		events, err := s.Unplanned(s.ctx(), limit, maxBytes)
		s.ok(err)
		var seqs []uint64
		for _, e := range events {
			seqs = append(seqs, e.Seq)
		}
		return seqs
	}
	sameSeqs(s, "all", list(10, 1<<20), 1, 2, 3, 4, 5)
	sameSeqs(s, "at most two", list(2, 1<<20), 1, 2)
	sameSeqs(s, "few bytes", list(10, 10), 1)
	sameSeqs(s, "bytes for two", list(10, 2900), 1, 2)
	s.ok(s.Plan(s.ctx(), []store.Plan{{Seq: 3, Connectors: []string{"hubspot"}}, {Seq: 1}}))
	sameSeqs(s, "after two are planned", list(10, 1<<20), 2, 4, 5)
	equal(s, "state before planning", s.view(2).State, store.Waiting)
}

func unmatched(s *suite) {
	seq := s.planned(nil, sample(1))[0]
	equal(s, "state", s.view(seq).State, store.Unmatched)
}

func planTwice(s *suite) {
	seq := s.planned([]string{"hubspot"}, sample(1))[0]
	s.settle(seq, "hubspot", done)
	s.ok(s.Plan(s.ctx(), []store.Plan{{Seq: seq, Connectors: []string{"hubspot", "airtable", "airtable"}}}))
	equal(s, "state of the old delivery", s.delivery(seq, "hubspot").State, store.Done)
	equal(s, "state of the new delivery", s.delivery(seq, "airtable").State, store.Waiting)
	equal(s, "deliveries", len(s.view(seq).Deliveries), 2)
}

func planUnknown(s *suite) {
	seq := s.add(sample(1))
	err := s.Plan(s.ctx(), []store.Plan{{Seq: seq, Connectors: []string{"hubspot"}}, {Seq: 9, Connectors: []string{"hubspot"}}})
	if !errors.Is(err, store.ErrNotFound) {
		s.Fatalf("got %v, want ErrNotFound", err)
	}
	equal(s, "deliveries", len(s.view(seq).Deliveries), 0)
}

// inLane is an event of the lane "one".
func inLane(n int, occurred time.Time, rank uint8) store.Event {
	e := sample(n)
	e.Lane, e.OccurredAt, e.Rank = "one", occurred, rank
	return e
}

func laneOrder(s *suite) {
	s.planned([]string{"hubspot", "hub"},
		inLane(1, at(5), 2), inLane(2, at(5), 1), inLane(3, at(1), 9), inLane(4, at(5), 2), inLane(5, at(5).Add(time.Nanosecond), 0))
	for _, connector := range []string{"hubspot", "hub"} {
		got, next := s.due(connector, at(10))
		sameSeqs(s, connector, got, 3, 2, 1, 4, 5)
		equal(s, "next", next, time.Time{})
	}
	got, _ := s.due("nobody", at(10))
	sameSeqs(s, "of an unknown connector", got)
}

func laneOrderOddTimes(s *suite) {
	s.planned([]string{"hubspot"},
		inLane(1, time.Unix(5, 0), 0), inLane(2, time.Unix(-5, 0), 0), inLane(3, time.Time{}, 0), inLane(4, time.Unix(-5, 1), 0), inLane(5, time.Unix(1e11, 0), 0))
	got, _ := s.due("hubspot", at(0))
	sameSeqs(s, "order", got, 3, 2, 4, 1, 5)
}

func olderBecomesHead(s *suite) {
	s.planned([]string{"hubspot"}, inLane(1, at(10), 0))
	s.settle(1, "hubspot", waitUntil(at(60)))
	got, next := s.due("hubspot", at(30))
	sameSeqs(s, "while the first waits", got)
	equal(s, "next", next.Equal(at(60)), true)
	s.planned([]string{"hubspot"}, inLane(2, at(5), 0))
	got, _ = s.due("hubspot", at(30))
	sameSeqs(s, "the older one", got, 2)
	s.settle(2, "hubspot", done)
	got, next = s.due("hubspot", at(30))
	sameSeqs(s, "after it is done", got)
	equal(s, "next", next.Equal(at(60)), true)
	got, _ = s.due("hubspot", at(60))
	sameSeqs(s, "at its time", got, 1)
}

func backoffBlocksLane(s *suite) {
	s.planned([]string{"hubspot"}, inLane(1, at(1), 0), inLane(2, at(2), 0), sample(3))
	s.settle(1, "hubspot", waitUntil(at(60)))
	got, next := s.due("hubspot", at(30))
	sameSeqs(s, "other lanes", got, 3)
	equal(s, "next", next.Equal(at(60)), true)
	s.settle(3, "hubspot", done)
	got, _ = s.due("hubspot", at(60))
	sameSeqs(s, "after the wait", got, 1, 2)
}

func dueInYears(s *suite) {
	s.planned([]string{"hubspot"}, sample(1), sample(2), sample(3), sample(4))
	s.settle(1, "hubspot", waitUntil(at(30).Add(store.LongestWait+time.Second)))
	s.settle(2, "hubspot", waitUntil(at(30).Add(store.LongestWait)))
	s.settle(3, "hubspot", waitUntil(at(60)))
	s.settle(4, "hubspot", waitUntil(at(30).AddDate(3, 0, 0)))
	got, next := s.due("hubspot", at(30))
	sameSeqs(s, "due", got, 1, 4)
	equal(s, "next", next.Equal(at(60)), true)
	s.settle(2, "hubspot", done)
	s.settle(3, "hubspot", done)
	got, next = s.due("hubspot", at(30))
	sameSeqs(s, "due where nothing waits", got, 1, 4)
	equal(s, "next then", next, time.Time{})
}

func busyLanes(s *suite) {
	s.planned([]string{"hubspot"}, inLane(1, at(1), 0), inLane(2, at(2), 0), sample(3))
	work, next, err := s.Due(s.ctx(), "hubspot", at(30), func(lane string) bool { return lane == "one" }, 100, 1<<20)
	s.ok(err)
	sameSeqs(s, "lanes that are not busy", seqsOf(work), 3)
	equal(s, "next", next, time.Time{})
	equal(s, "event of the work", string(work[0].Event.Body), `{"call":3}`)
}

func dueLimits(s *suite) {
	for n := 1; n <= 4; n++ {
		e := inLane(n, at(n), 0)
		if n > 2 {
			e.Lane = "two"
		}
		e.Body = make([]byte, 1000)
		e.Body[0] = byte(n)
		s.planned([]string{"hubspot"}, e)
	}
	for _, c := range []struct {
		name            string
		limit, maxBytes int
		want            int
		cut             bool
	}{
		{"within a lane", 1, 1 << 20, 1, true},
		{"between lanes", 2, 1 << 20, 2, true},
		{"by bytes", 100, 10, 1, true},
		{"by bytes for two", 100, 2900, 2, true},
		{"just enough", 4, 1 << 20, 4, false},
	} {
		work, next, err := s.Due(s.ctx(), "hubspot", at(30), nil, c.limit, c.maxBytes)
		s.ok(err)
		equal(s, c.name+": deliveries", len(work), c.want)
		if c.cut != (!next.IsZero() && !next.After(at(30))) {
			s.Fatalf("%s: next is %v, but cut is %v", c.name, next, c.cut)
		}
	}
}

func dueNext(s *suite) {
	s.planned([]string{"hubspot"}, sample(1), sample(2), sample(3))
	s.settle(1, "hubspot", waitUntil(at(90)))
	s.settle(2, "hubspot", waitUntil(at(60).Add(time.Nanosecond)))
	got, next := s.due("hubspot", at(60))
	sameSeqs(s, "due", got, 3)
	equal(s, "next", next.Equal(at(60).Add(time.Nanosecond)), true)
	busy := func(lane string) bool { return lane == "contact-2" }
	_, next, err := s.Due(s.ctx(), "hubspot", at(60), busy, 100, 1<<20)
	s.ok(err)
	equal(s, "next without the busy lane", next.Equal(at(90)), true)
}

func deadLetsLaneGoOn(s *suite) {
	s.planned([]string{"hubspot"}, inLane(1, at(1), 0), inLane(2, at(2), 0))
	s.settle(1, "hubspot", dead)
	got, _ := s.due("hubspot", at(30))
	sameSeqs(s, "behind the dead one", got, 2)
	equal(s, "state of the event", s.view(1).State, store.Dead)
}
