package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

const day = 24 * time.Hour

// received is an event that came in, and occurred, n days after start.
func received(n int) store.Event {
	e := sample(n)
	e.ReceivedAt = start.Add(time.Duration(n) * day)
	e.OccurredAt = e.ReceivedAt.Add(-time.Minute)
	return e
}

// expire goes round once, in small steps.
func (s *suite) expire(now time.Time, r store.Retention) (sum store.Expired) {
	s.Helper()
	for range 1000 {
		got, err := s.Expire(s.ctx(), now, r, 2)
		s.ok(err)
		sum.Events, sum.Payloads, sum.IDs = sum.Events+got.Events, sum.Payloads+got.Payloads, sum.IDs+got.IDs
		if got.Over {
			return sum
		}
	}
	s.Fatal("a round of Expire does not end")
	return sum
}

func (s *suite) sound() {
	s.Helper()
	damage, err := s.Verify(s.ctx(), nil)
	s.ok(err)
	if len(damage) > 0 {
		s.Fatalf("damage: %v", damage)
	}
}

// there names the events that the ledger still has.
func (s *suite) there() (seqs []uint64) {
	s.Helper()
	views, err := s.Events(s.ctx(), store.EventFilter{})
	s.ok(err)
	for _, v := range views {
		seqs = append(seqs, v.Event.Seq)
	}
	slices.Sort(seqs)
	return seqs
}

// ended settles a delivery at the time at which its event came in.
func (s *suite) ended(seq uint64, state store.State) {
	s.Helper()
	at := s.view(seq).Event.ReceivedAt
	s.settle(seq, "hubspot", func(d *store.Delivery) { d.State, d.UpdatedAt = state, at })
}

var allRetained = store.Retention{Done: 30 * day, Unmatched: 30 * day, Discarded: 30 * day, Dead: 30 * day, Quarantined: 30 * day, Identity: 400 * day}

// expireBehindAWrongClock: what came in while the clock was years ahead holds
// back nothing that came after it.
func expireBehindAWrongClock(s *suite) {
	var want []uint64
	for n := range 40 { // more than one call looks at
		s.planned(nil, received(1000+n))
		want = append(want, uint64(n+1))
	}
	s.planned(nil, received(1), received(50))
	s.planned([]string{"hubspot"}, received(2))
	s.ended(43, store.Done)
	s.expire(start.Add(60*day), allRetained)
	sameSeqs(s, "left", s.there(), append(want, 42)...)
	s.sound()
}

func expireByState(s *suite) {
	to := []string{"hubspot"}
	s.planned(to, received(1), received(2), received(3), received(4))
	s.planned(nil, received(5))
	for _, n := range []int{6, 7} {
		e := received(n)
		e.Problem = "odd"
		s.add(e)
	}
	s.add(received(8)) // not planned
	s.planned(to, received(50))
	s.ended(1, store.Done)
	s.ended(2, store.Dead)
	s.ended(3, store.Discarded)
	s.ended(9, store.Done)
	s.did(s.DiscardEvents(s.ctx(), []uint64{7}, "a test"))
	now := start.Add(60 * day)

	sum := s.expire(now, store.Retention{Identity: 400 * day})
	equal(s, "deleted where all is for ever", sum.Events, 0)
	for _, c := range []struct {
		r    store.Retention
		gone uint64
	}{
		{store.Retention{Done: 30 * day}, 1},
		{store.Retention{Dead: 30 * day}, 2},
		{store.Retention{Discarded: 30 * day}, 3},
		{store.Retention{Unmatched: 30 * day}, 5},
		{store.Retention{Quarantined: 30 * day}, 6},
	} {
		before := s.there()
		s.expire(now, c.r)
		want := slices.DeleteFunc(before, func(seq uint64) bool { return seq == c.gone || c.gone == 3 && seq == 7 })
		sameSeqs(s, fmt.Sprintf("left of %+v", c.r), s.there(), want...)
	}
	// What waits stays however old it is, and what is young.
	s.expire(now.Add(20*day-time.Hour), allRetained)
	sameSeqs(s, "left", s.there(), 4, 8, 9)
	s.expire(now.Add(20*day+time.Hour), allRetained)
	sameSeqs(s, "left a day later", s.there(), 4, 8)
	s.sound()
	st, err := s.Stats(s.ctx())
	s.ok(err)
	equal(s, "events", st.Events, 2)
	equal(s, "quarantined", st.Quarantined, 0)
	equal(s, "unplanned", st.Unplanned, 1)
	equal(s, "deliveries", fmt.Sprintf("%+v", st.Connectors["hubspot"].Waiting+10*st.Connectors["hubspot"].Done+100*st.Connectors["hubspot"].Dead), "1")
	for range 2 {
		for _, n := range []int{1, 2, 5, 50} {
			e := received(n)
			e.DeliveryID = fmt.Sprint("again ", n)
			r, err := s.Append(s.ctx(), e)
			s.ok(err)
			equal(s, "the same occurrence is known", r.Duplicate, true)
		}
		s.reopen()
	}
}

func expireSince(s *suite) {
	seqs := s.planned([]string{"hubspot", "airtable"}, received(1))
	s.ended(seqs[0], store.Done)
	s.settle(seqs[0], "airtable", func(d *store.Delivery) { d.State, d.UpdatedAt = store.Done, start.Add(20*day) })
	s.expire(start.Add(49*day), allRetained)
	sameSeqs(s, "left before the time of the last delivery", s.there(), 1)
	s.expire(start.Add(51*day), allRetained)
	sameSeqs(s, "left after it", s.there())
}

func expireCalls(s *suite) {
	a, b := received(1), received(60)
	a.Type, a.Calls = event.CallRinging, []string{"a"}
	b.Type, b.Calls = event.CallRinging, []string{"b", "a"}
	s.planned(nil, a, b)
	s.expire(start.Add(62*day), allRetained)
	equal(s, "story of a", s.story("telli", 10, "a"), "[2]")
	s.sound()
	s.expire(start.Add(100*day), allRetained)
	equal(s, "story of a", s.story("telli", 10, "a", "b"), "[]")
	running, err := s.Running(s.ctx(), "telli", start.Add(365*day), 10)
	s.ok(err)
	equal(s, "running calls of which there is no event", len(running), 0)
	s.sound()
}

func expirePayloads(s *suite) {
	s.planned([]string{"hubspot"}, received(1), received(2), received(3))
	s.ended(1, store.Done)
	s.ended(2, store.Dead)
	keep := store.Retention{Payloads: 10 * day}
	sum := s.expire(start.Add(20*day), keep)
	equal(s, "payloads", sum.Payloads, 1)
	for seq, stripped := range map[uint64]bool{1: true, 2: false, 3: false} {
		e := s.view(seq).Event
		if e.Stripped != stripped || (len(e.Body) == 0) != stripped {
			s.Errorf("event %d: stripped %v, %d bytes", seq, e.Stripped, len(e.Body))
		}
	}
	equal(s, "payloads of the next round", s.expire(start.Add(21*day), keep).Payloads, 0)
	s.sound()
	s.reopen()
	again := received(1)
	again.ReceivedAt = start.Add(2 * day)
	r, err := s.Append(s.ctx(), again)
	s.ok(err)
	equal(s, "a redelivery is known", r, store.Receipt{Seq: 1, Duplicate: true})
}

func expireIdentity(s *suite) {
	s.planned([]string{"hubspot"}, received(1), received(300))
	s.ended(1, store.Dead)
	s.ended(2, store.Done)
	r := store.Retention{Identity: 100 * day}
	s.expire(start.Add(350*day), r)
	sameSeqs(s, "left", s.there(), 1, 2)
	s.sound()
	s.reopen()
	for n, known := range map[int]bool{1: false, 300: true} {
		e := received(n)
		e.DeliveryID = fmt.Sprint("again ", n)
		r, err := s.Append(s.ctx(), e)
		s.ok(err)
		// An id that is in memory only may be known for longer.
		if known && !r.Duplicate {
			s.Errorf("what occurred on day %d is not known", n)
		}
	}
	s.sound()
}

func eraseReasons(s *suite) {
	odd := received(3)
	odd.Problem = "odd"
	s.planned([]string{"hubspot"}, sample(1), sample(2))
	s.add(odd)
	dropped, waiting := s.delivery(1, "hubspot"), s.delivery(2, "hubspot")
	s.did(s.Discard(s.ctx(), []store.DeliveryID{dropped.ID}, "see anna"))
	s.did(s.DiscardEvents(s.ctx(), []uint64{3}, "see anna"))
	before := s.delivery(1, "hubspot").UpdatedAt

	unknown := store.DeliveryID{Seq: 9, Connector: "hubspot"}
	got, err := s.Erase(s.ctx(), store.Erasure{Deliveries: []store.DeliveryID{dropped.ID, waiting.ID, unknown}, Discards: []uint64{1, 3, 9}})
	s.ok(err)
	equal(s, "erased", got, store.Erased{Reasons: 2})
	s.reopen()
	d := s.delivery(1, "hubspot")
	if d.State != store.Discarded || d.Reason == "" || strings.Contains(d.Reason, "anna") || !d.UpdatedAt.Equal(before) {
		s.Errorf("the delivery that was discarded: %+v", d)
	}
	equal(s, "reason of the one that waits", s.delivery(2, "hubspot").Reason, "")
	v := s.view(3)
	if v.State != store.Discarded || strings.Contains(v.Event.Discarded, "anna") {
		s.Errorf("the event that was set aside: %s, %q", v.State, v.Event.Discarded)
	}
	due, _ := s.due("hubspot", at(1e6))
	sameSeqs(s, "due", due, 2)
	s.sound()
}

func eraseAll(s *suite) {
	e := received(1)
	e.Calls = []string{"a"}
	s.planned([]string{"hubspot"}, e, received(2))
	s.add(received(3)) // not planned
	odd := received(4)
	odd.Problem = "odd"
	s.add(odd)
	link := store.LinkKey{Connector: "hubspot", Object: "contacts", Field: "email", Value: "anna@example.com"}
	rec := store.RecordKey{Connector: "hubspot", Object: "contacts", ID: "17"}
	d := s.delivery(1, "hubspot")
	s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: d, Links: map[store.LinkKey]string{link: "17"}, Heads: map[store.RecordKey]store.Head{rec: {"email": {Seq: 1}}}}}))
	s.ok(s.KeepAudit(s.ctx(), store.Audit{Who: "root", What: "test", Reason: "anna asked for it"}))

	got, err := s.Erase(store.WithAudit(s.ctx(), store.Audit{Who: "root", What: "erase"}), store.Erasure{
		Events: []uint64{1, 3, 4, 99}, Links: []store.LinkKey{link, {Connector: "x"}}, Heads: []store.RecordKey{rec}, Audits: []uint64{1, 9},
	})
	s.ok(err)
	equal(s, "erased", got, store.Erased{Events: 3, Deliveries: 1, Links: 1, Heads: 1, Audits: 1})
	sameSeqs(s, "left", s.there(), 2)
	due, _ := s.due("hubspot", at(1e6))
	sameSeqs(s, "due", due, 2)
	links, err := s.Links(s.ctx(), []store.LinkKey{link})
	s.ok(err)
	equal(s, "link", links[0], "")
	audits, err := s.Audits(s.ctx(), store.AuditFilter{})
	s.ok(err)
	if len(audits) != 2 || audits[0].What != "erase" || audits[1].Reason == "anna asked for it" {
		s.Errorf("audit trail: %+v", audits)
	}
	if err := s.Settle(s.ctx(), []store.Update{{Delivery: d}}); !errors.Is(err, store.ErrNotFound) {
		s.Errorf("settling an erased delivery: got %v, want ErrNotFound", err)
	}
	st, err := s.Stats(s.ctx())
	s.ok(err)
	equal(s, "events, quarantined, unplanned", fmt.Sprint(st.Events, st.Quarantined, st.Unplanned), "1 0 0")
	s.sound()
	for range 2 {
		for _, n := range []int{1, 3, 4} {
			e := received(n)
			if n == 4 {
				e = odd
			}
			r, err := s.Append(s.ctx(), e)
			s.ok(err)
			equal(s, fmt.Sprintf("a redelivery of %d is known", n), r.Duplicate, true)
		}
		s.reopen()
	}
	equal(s, "story", s.story("telli", 10, "a"), "[]")
}

func discardEvents(s *suite) {
	odd := received(1)
	odd.Problem = "odd"
	s.add(odd)
	s.planned(nil, received(2))
	s.planned([]string{"hubspot"}, received(3))
	s.add(received(4))
	n, err := s.DiscardEvents(s.ctx(), []uint64{1, 2, 3, 4}, "a test call")
	s.ok(err)
	equal(s, "set aside", n, 2)
	for seq, want := range map[uint64]store.State{1: store.Discarded, 2: store.Discarded, 3: store.Waiting, 4: store.Waiting} {
		v := s.view(seq)
		equal(s, fmt.Sprintf("state of %d", seq), v.State, want)
		equal(s, "reason", v.Event.Discarded == "a test call", want == store.Discarded)
	}
	views, err := s.Events(s.ctx(), store.EventFilter{State: store.Discarded})
	s.ok(err)
	equal(s, "discarded events", len(views), 2)
	for _, state := range []store.State{store.Quarantined, store.Unmatched} {
		views, err := s.Events(s.ctx(), store.EventFilter{State: state})
		s.ok(err)
		equal(s, string(state)+" events", len(views), 0)
	}
	s.sound()
	st, err := s.Stats(s.ctx())
	s.ok(err)
	equal(s, "quarantined", st.Quarantined, 0)
	if _, err := s.DiscardEvents(s.ctx(), []uint64{2, 77}, "x"); !errors.Is(err, store.ErrNotFound) {
		s.Errorf("discarding an unknown event: got %v, want ErrNotFound", err)
	}
	still := requeue(s.view(1).Event)
	still.Problem = "odd"
	s.ok(s.Replay(s.ctx(), []store.Requeue{still, requeue(s.view(2).Event)}))
	s.ok(s.Plan(s.ctx(), []store.Plan{{Seq: 2}}))
	equal(s, "state of 1 once replayed", s.view(1).State, store.Quarantined)
	equal(s, "state of 2 once replayed", s.view(2).State, store.Unmatched)
	s.sound()
}

func auditTrail(s *suite) {
	seqs := s.planned([]string{"hubspot"}, received(1))
	id := store.DeliveryID{Seq: seqs[0], Connector: "hubspot"}
	by := func(what string) store.Audit {
		return store.Audit{At: at(5), Who: "anna", What: what, On: []string{id.String()}, Reason: "why"}
	}
	s.did(s.Retry(store.WithAudit(s.ctx(), by("retry")), []store.DeliveryID{id}))
	s.did(s.Discard(store.WithAudit(s.ctx(), by("discard")), []store.DeliveryID{id}, "why"))
	s.ok(s.Replay(store.WithAudit(s.ctx(), by("replay")), []store.Requeue{requeue(s.view(1).Event)}))
	if _, err := s.Retry(store.WithAudit(s.ctx(), by("in vain")), []store.DeliveryID{{Seq: 9, Connector: "x"}}); err == nil {
		s.Error("an unknown delivery was retried")
	}
	s.ok(s.KeepAudit(s.ctx(), store.Audit{Who: "anna", What: "backup"}))
	s.reopen()
	list, err := s.Audits(s.ctx(), store.AuditFilter{})
	s.ok(err)
	var what []string
	for _, a := range list {
		what = append(what, fmt.Sprint(a.ID, " ", a.What))
	}
	equal(s, "audit trail", fmt.Sprint(what), "[4 backup 3 replay 2 discard 1 retry]")
	if got := list[3]; got.Who != "anna" || got.Reason != "why" || len(got.On) != 1 || !got.At.Equal(at(5)) || list[0].At.IsZero() {
		s.Errorf("an entry came back as %+v", got)
	}
	list, err = s.Audits(s.ctx(), store.AuditFilter{Before: 3, Limit: 1})
	s.ok(err)
	equal(s, "a page", len(list) == 1 && list[0].ID == 2, true)
	s.sound()
}
