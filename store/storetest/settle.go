package storetest

import (
	"errors"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/store"
)

func settleKeepsAll(s *suite) {
	s.planned([]string{"hubspot"}, sample(1))
	d := s.delivery(1, "hubspot")
	if d.Source != "telli" || d.Lane != "contact-1" || !d.OccurredAt.Equal(at(1)) || d.Rank != 3 || d.CreatedAt.IsZero() {
		s.Fatalf("a new delivery lacks what its event says: %+v", d)
	}
	d.Attempts, d.Due, d.Kind, d.Reason, d.UpdatedAt = 4, at(70), "RateLimited", "HubSpot says wait", at(65)
	d.Records = []store.Record{
		{Rule: "Log calls", Object: "contacts", ID: "17", URL: "https://example.com/17", Action: "created", Note: "cut"},
		{Rule: "Log calls", Object: "calls", Attempted: at(64)},
	}
	s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: d}}))
	if diff := cmp.Diff(d, s.delivery(1, "hubspot"), sameEvent); diff != "" {
		s.Fatal("the delivery came back changed (-want +got):\n" + diff)
	}
	moved := d
	moved.Lane, moved.OccurredAt = "elsewhere", at(99)
	s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: moved}}))
	equal(s, "lane, which is the event's affair", s.delivery(1, "hubspot").Lane, "contact-1")
	d.State = "lost"
	if s.Settle(s.ctx(), []store.Update{{Delivery: d}}) == nil {
		s.Fatal("kept a delivery in an unknown state")
	}
}

func settleUnknown(s *suite) {
	s.planned([]string{"hubspot"}, sample(1))
	d := s.delivery(1, "hubspot")
	d.State = store.Done
	ghost := d
	ghost.ID.Connector = "airtable"
	if err := s.Settle(s.ctx(), []store.Update{{Delivery: d}, {Delivery: ghost}}); !errors.Is(err, store.ErrNotFound) {
		s.Fatalf("got %v, want ErrNotFound", err)
	}
	equal(s, "state", s.delivery(1, "hubspot").State, store.Waiting)
}

func links(s *suite) {
	s.planned([]string{"hubspot"}, sample(1))
	email := store.LinkKey{Connector: "hubspot", Object: "contacts", Field: "email", Value: "a@example.com"}
	phone := store.LinkKey{Connector: "hubspot", Object: "contacts", Field: "phone", Value: "+4930123456"}
	d := s.delivery(1, "hubspot")
	set := func(l map[store.LinkKey]string, want ...string) {
		s.Helper()
		s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: d, Links: l}}))
		got, err := s.Links(s.ctx(), []store.LinkKey{phone, email, {Connector: "airtable", Object: "contacts", Field: "email", Value: email.Value}})
		s.ok(err)
		if diff := cmp.Diff(append(want, ""), got); diff != "" {
			s.Fatal("links (-want +got):\n" + diff)
		}
	}
	set(map[store.LinkKey]string{email: "1", phone: "2"}, "2", "1")
	set(map[store.LinkKey]string{email: "3"}, "2", "3")
	set(map[store.LinkKey]string{phone: "", email: "3"}, "", "3")
	set(map[store.LinkKey]string{phone: ""}, "", "3")
}

func heads(s *suite) {
	s.planned([]string{"hubspot"}, sample(1))
	one := store.RecordKey{Connector: "hubspot", Object: "contacts", ID: "1"}
	two := store.RecordKey{Connector: "hubspot", Object: "contacts", ID: "2"}
	d := s.delivery(1, "hubspot")
	set := func(h map[store.RecordKey]store.Head, want ...store.Head) {
		s.Helper()
		s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: d, Heads: h}}))
		got, err := s.Heads(s.ctx(), []store.RecordKey{two, one})
		s.ok(err)
		if diff := cmp.Diff(want, got, sameEvent); diff != "" {
			s.Fatal("heads (-want +got):\n" + diff)
		}
	}
	a := store.FieldHead{At: at(1), Rank: 2, Seq: 3, Hash: 1<<63 + 4}
	b := store.FieldHead{At: at(2), Seq: 9, Hash: 5}
	set(map[store.RecordKey]store.Head{one: {"status": a, "name": a}}, nil, store.Head{"status": a, "name": a})
	set(map[store.RecordKey]store.Head{one: {"status": b}, two: {"x": b}}, store.Head{"x": b}, store.Head{"status": b, "name": a})
	set(map[store.RecordKey]store.Head{one: nil}, store.Head{"x": b}, nil)
}

func retry(s *suite) {
	s.planned([]string{"hubspot"}, inLane(1, at(1), 0), inLane(2, at(2), 0), sample(3))
	s.settle(1, "hubspot", dead)
	s.settle(2, "hubspot", waitUntil(at(99)))
	s.settle(3, "hubspot", done)
	ids := []store.DeliveryID{{Seq: 2, Connector: "hubspot"}, {Seq: 1, Connector: "hubspot"}, {Seq: 3, Connector: "hubspot"}}
	n, err := s.Retry(s.ctx(), ids)
	s.ok(err)
	equal(s, "retried", n, 2)
	got, _ := s.due("hubspot", at(30))
	sameSeqs(s, "due", got, 1, 2)
	d := s.delivery(2, "hubspot")
	if d.Attempts != 0 || d.Kind != "" || d.Reason != "" {
		s.Fatalf("attempts are not counted anew: %+v", d)
	}
	equal(s, "state of the done one", s.delivery(3, "hubspot").State, store.Done)
	if _, err := s.Retry(s.ctx(), []store.DeliveryID{{Seq: 8, Connector: "hubspot"}}); !errors.Is(err, store.ErrNotFound) {
		s.Fatalf("an unknown one: got %v, want ErrNotFound", err)
	}
}

func discard(s *suite) {
	s.planned([]string{"hubspot"}, inLane(1, at(1), 0), inLane(2, at(2), 0), sample(3), sample(4))
	s.settle(3, "hubspot", done)
	s.settle(4, "hubspot", dead)
	var ids []store.DeliveryID
	for _, seq := range []uint64{1, 3, 4} {
		ids = append(ids, store.DeliveryID{Seq: seq, Connector: "hubspot"})
	}
	n, err := s.Discard(s.ctx(), ids, "test calls")
	s.ok(err)
	equal(s, "discarded", n, 2)
	n, err = s.Discard(s.ctx(), ids, "once more")
	s.ok(err)
	equal(s, "discarded again", n, 0)
	d := s.delivery(1, "hubspot")
	equal(s, "state", d.State, store.Discarded)
	equal(s, "reason", d.Reason, "test calls")
	equal(s, "state of the done one", s.delivery(3, "hubspot").State, store.Done)
	equal(s, "state of the dead one", s.delivery(4, "hubspot").State, store.Discarded)
	equal(s, "state of the event", s.view(1).State, store.Done)
	got, _ := s.due("hubspot", at(30))
	sameSeqs(s, "due", got, 2)
}

func discardUnderWay(s *suite) {
	s.planned([]string{"hubspot"}, sample(1))
	d := s.delivery(1, "hubspot")
	s.did(s.Discard(s.ctx(), []store.DeliveryID{d.ID}, "not this one"))
	waitUntil(at(60))(&d)
	s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: d}}))
	equal(s, "state", s.delivery(1, "hubspot").State, store.Discarded)
	equal(s, "reason", s.delivery(1, "hubspot").Reason, "not this one")
	d.State = store.Done
	s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: d}}))
	equal(s, "state of what was written all the same", s.delivery(1, "hubspot").State, store.Done)
}

func replayUnderWay(s *suite) {
	ways := map[string]func(store.DeliveryID){
		"planned again": func(id store.DeliveryID) {
			s.ok(s.Replay(s.ctx(), []store.Requeue{requeue(s.view(id.Seq).Event)}))
			s.ok(s.Plan(s.ctx(), []store.Plan{{Seq: id.Seq, Connectors: []string{"hubspot"}}}))
		},
		"retried": func(id store.DeliveryID) { s.did(s.Retry(s.ctx(), []store.DeliveryID{id})) },
	}
	s.planned([]string{"hubspot"}, sample(1), sample(2))
	for n, way := range []string{"planned again", "retried"} {
		d := s.delivery(uint64(n+1), "hubspot")
		read := d.UpdatedAt
		d.Records = []store.Record{{Rule: "r", Object: "calls", Attempted: at(3)}}
		s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: d, Read: read}}))
		ways[way](d.ID)
		s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: d, Read: read}}))
		d.Records[0].ID, d.State, d.UpdatedAt = "17", store.Done, at(40)
		s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: d, Read: read}}))
		d = s.delivery(d.ID.Seq, "hubspot")
		equal(s, way+": state", d.State, store.Waiting)
		equal(s, way+": id of the record", d.Records[0].ID, "17")
		d.State = store.Done
		s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: d, Read: d.UpdatedAt}}))
		equal(s, way+": state in the end", s.delivery(d.ID.Seq, "hubspot").State, store.Done)
	}
}

func requeue(e store.Event) store.Requeue {
	return store.Requeue{Seq: e.Seq, Type: e.Type, OccurredAt: e.OccurredAt, Rank: e.Rank, Lane: e.Lane}
}

func replay(s *suite) {
	connectors := []string{"airtable", "hubspot"}
	s.planned(connectors, sample(1))
	s.settle(1, "hubspot", done)
	s.settle(1, "airtable", dead)
	s.ok(s.Replay(s.ctx(), []store.Requeue{requeue(s.view(1).Event)}))
	equal(s, "state", s.view(1).State, store.Waiting)
	events, err := s.Unplanned(s.ctx(), 10, 1<<20)
	s.ok(err)
	equal(s, "unplanned events", len(events), 1)
	s.ok(s.Plan(s.ctx(), []store.Plan{{Seq: 1, Connectors: connectors}}))
	for _, c := range connectors {
		got, _ := s.due(c, at(30))
		sameSeqs(s, "due for "+c, got, 1)
		equal(s, "attempts", s.delivery(1, c).Attempts, 0)
	}
	s.settle(1, "hubspot", done)
	s.ok(s.Plan(s.ctx(), []store.Plan{{Seq: 1, Connectors: connectors}}))
	equal(s, "state once the replay is over", s.delivery(1, "hubspot").State, store.Done)
}

func replayKeepsProgress(s *suite) {
	s.planned([]string{"hubspot"}, sample(1))
	s.settle(1, "hubspot", func(d *store.Delivery) {
		d.State = store.Done
		d.Records = []store.Record{{Rule: "r", Object: "contacts", ID: "17", Action: "created"}, {Rule: "r", Object: "calls", Attempted: at(3)}}
	})
	s.ok(s.Replay(s.ctx(), []store.Requeue{requeue(s.view(1).Event)}))
	s.ok(s.Plan(s.ctx(), []store.Plan{{Seq: 1, Connectors: []string{"hubspot"}}}))
	want := []store.Record{{Rule: "r", Object: "contacts", ID: "17"}, {Rule: "r", Object: "calls", Attempted: at(3)}}
	if diff := cmp.Diff(want, s.delivery(1, "hubspot").Records, sameEvent); diff != "" {
		s.Fatal("records (-want +got):\n" + diff)
	}
}

func replayQuarantined(s *suite) {
	e := sample(1)
	e.Problem = "not understood"
	e.Seq = s.add(e)
	q := requeue(e)
	q.Problem = "still not"
	s.ok(s.Replay(s.ctx(), []store.Requeue{q}))
	equal(s, "state", s.view(1).State, store.Quarantined)
	equal(s, "problem", s.view(1).Event.Problem, "still not")
	q.Problem, q.Type, q.Lane, q.Rank, q.OccurredAt = "", "call.ringing", "new lane", 7, at(77)
	s.ok(s.Replay(s.ctx(), []store.Requeue{q}))
	s.ok(s.Plan(s.ctx(), []store.Plan{{Seq: 1, Connectors: []string{"hubspot"}}}))
	got := s.view(1).Event
	if got.Problem != "" || got.Type != q.Type || got.Lane != q.Lane || got.Rank != 7 || !got.OccurredAt.Equal(at(77)) || string(got.Body) != string(e.Body) {
		s.Fatalf("the event is not as it parses now: %+v", got)
	}
	equal(s, "lane of the delivery", s.delivery(1, "hubspot").Lane, "new lane")
	st, err := s.Stats(s.ctx())
	s.ok(err)
	equal(s, "quarantined", st.Quarantined, 0)
}

func replayMovesLane(s *suite) {
	s.planned([]string{"hubspot"}, inLane(1, at(1), 0), inLane(2, at(2), 0))
	q := requeue(s.view(1).Event)
	q.OccurredAt = at(3)
	s.ok(s.Replay(s.ctx(), []store.Requeue{q}))
	got, _ := s.due("hubspot", at(30))
	sameSeqs(s, "order", got, 2, 1)
	q.Lane = "another"
	s.ok(s.Replay(s.ctx(), []store.Requeue{q}))
	s.settle(2, "hubspot", waitUntil(at(60)))
	got, _ = s.due("hubspot", at(30))
	sameSeqs(s, "in a lane of its own", got, 1)
}

func replayUnknown(s *suite) {
	s.planned([]string{"hubspot"}, sample(1))
	s.settle(1, "hubspot", done)
	ghost := requeue(sample(9))
	ghost.Seq = 9
	if err := s.Replay(s.ctx(), []store.Requeue{requeue(s.view(1).Event), ghost}); !errors.Is(err, store.ErrNotFound) {
		s.Fatalf("got %v, want ErrNotFound", err)
	}
	equal(s, "state of the known one", s.view(1).State, store.Done)
}
