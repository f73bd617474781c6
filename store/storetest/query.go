package storetest

import (
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

func (s *suite) events(f store.EventFilter) []uint64 {
	s.Helper()
	views, err := s.Events(s.ctx(), f)
	s.ok(err)
	var seqs []uint64
	for _, v := range views {
		seqs = append(seqs, v.Event.Seq)
	}
	return seqs
}

func eventFilters(s *suite) {
	for n := 1; n <= 6; n++ {
		e := sample(n)
		if n%2 == 0 {
			e.Source, e.Type = "phones", event.CallRinging
		}
		if n == 5 {
			e.Origin = event.Backfill
		}
		s.add(e)
	}
	received := func(n int) time.Time { return sample(n).ReceivedAt }
	for _, c := range []struct {
		name string
		f    store.EventFilter
		want []uint64
	}{
		{"all", store.EventFilter{}, []uint64{6, 5, 4, 3, 2, 1}},
		{"source", store.EventFilter{Source: "phones"}, []uint64{6, 4, 2}},
		{"type", store.EventFilter{Type: event.CallEnded}, []uint64{5, 3, 1}},
		{"origin", store.EventFilter{Origin: event.Backfill}, []uint64{5}},
		{"the newest webhook of a source, behind what was backfilled", store.EventFilter{Source: sample(5).Source, Origin: sample(3).Origin, Limit: 1}, []uint64{3}},
		{"since, inclusive", store.EventFilter{Since: received(4)}, []uint64{6, 5, 4}},
		{"until, exclusive", store.EventFilter{Until: received(4)}, []uint64{3, 2, 1}},
		{"limit", store.EventFilter{Limit: 2}, []uint64{6, 5}},
		{"page", store.EventFilter{Limit: 2, Before: 5}, []uint64{4, 3}},
		{"page of one source", store.EventFilter{Limit: 2, Before: 6, Source: "phones"}, []uint64{4, 2}},
		{"before the first", store.EventFilter{Before: 1}, nil},
	} {
		sameSeqs(s, c.name, s.events(c.f), c.want...)
	}
	views, err := s.Events(s.ctx(), store.EventFilter{Limit: 1})
	s.ok(err)
	if diff := cmp.Diff(s.view(6), views[0], sameEvent); diff != "" {
		s.Fatal("a listing says something else than Event (-Event +Events):\n" + diff)
	}
}

func eventStates(s *suite) {
	both := []string{"airtable", "hubspot"}
	s.planned(both, sample(1), sample(2), sample(3), sample(4), sample(5))
	s.planned(nil, sample(6))
	s.add(sample(7))
	bad := sample(8)
	bad.Problem = "not JSON"
	s.add(bad)
	for _, c := range both {
		s.settle(1, c, done)
	}
	s.settle(2, "hubspot", dead)
	s.settle(2, "airtable", done)
	s.settle(3, "hubspot", dead)
	s.did(s.Discard(s.ctx(), []store.DeliveryID{{Seq: 4, Connector: "hubspot"}, {Seq: 4, Connector: "airtable"}}, "no"))
	for state, want := range map[store.State][]uint64{
		store.Done: {4, 1}, store.Dead: {2}, store.Waiting: {7, 5, 3}, store.Unmatched: {6}, store.Quarantined: {8},
	} {
		sameSeqs(s, string(state), s.events(store.EventFilter{State: state}), want...)
		for _, seq := range want {
			equal(s, "state of the event", s.view(seq).State, state)
		}
		sameSeqs(s, string(state)+", paged", s.events(store.EventFilter{State: state, Before: want[0]}), want[1:]...)
	}
}

func deliveryFilters(s *suite) {
	both := []string{"airtable", "hubspot"}
	s.planned(both, sample(1), sample(2), sample(3), sample(4))
	s.settle(1, "hubspot", dead)
	s.settle(3, "hubspot", dead)
	s.settle(3, "airtable", dead)
	s.settle(2, "hubspot", done)
	s.did(s.Discard(s.ctx(), []store.DeliveryID{{Seq: 4, Connector: "hubspot"}}, "no"))
	list := func(f store.DeliveryFilter) (ids []string) {
		all, err := s.Deliveries(s.ctx(), f)
		s.ok(err)
		for _, d := range all {
			ids = append(ids, d.ID.String())
		}
		return ids
	}
	for _, c := range []struct {
		name string
		f    store.DeliveryFilter
		want []string
	}{
		{"connector", store.DeliveryFilter{Connector: "hubspot"}, []string{"evt_4.hubspot", "evt_3.hubspot", "evt_2.hubspot", "evt_1.hubspot"}},
		{"dead", store.DeliveryFilter{State: store.Dead}, []string{"evt_3.airtable", "evt_3.hubspot", "evt_1.hubspot"}},
		{"dead of one connector", store.DeliveryFilter{State: store.Dead, Connector: "hubspot"}, []string{"evt_3.hubspot", "evt_1.hubspot"}},
		{"waiting", store.DeliveryFilter{State: store.Waiting}, []string{"evt_4.airtable", "evt_2.airtable", "evt_1.airtable"}},
		{"done", store.DeliveryFilter{State: store.Done}, []string{"evt_2.hubspot"}},
		{"discarded", store.DeliveryFilter{State: store.Discarded}, []string{"evt_4.hubspot"}},
		{"page", store.DeliveryFilter{State: store.Dead, Before: 3}, []string{"evt_1.hubspot"}},
		{"limit", store.DeliveryFilter{Limit: 3}, []string{"evt_4.airtable", "evt_4.hubspot"}},
	} {
		if diff := cmp.Diff(c.want, list(c.f)); diff != "" {
			s.Fatal(c.name + " (-want +got):\n" + diff)
		}
	}
	var all []string
	for before := uint64(0); ; {
		page, err := s.Deliveries(s.ctx(), store.DeliveryFilter{Limit: 3, Before: before})
		s.ok(err)
		if len(page) == 0 {
			break
		}
		for _, d := range page {
			all = append(all, d.ID.String())
		}
		before = page[len(page)-1].ID.Seq
	}
	equal(s, "deliveries on all pages", len(all), 8)
}

func stats(s *suite) {
	s.planned([]string{"hubspot", "airtable"}, sample(1), sample(2), sample(3))
	s.planned([]string{"airtable"}, sample(4))
	s.add(sample(5))
	s.settle(1, "hubspot", done)
	s.settle(2, "hubspot", dead)
	for _, seq := range []uint64{1, 2, 3, 4} {
		s.settle(seq, "airtable", done)
	}
	st, err := s.Stats(s.ctx())
	s.ok(err)
	if st.Bytes <= 0 {
		s.Errorf("the file has %d bytes", st.Bytes)
	}
	st.Bytes = 0
	want := store.Stats{Events: 5, Unplanned: 1, Connectors: map[string]store.ConnectorStats{
		"hubspot":  {Waiting: 1, Done: 1, Dead: 1, OldestWaiting: sample(3).ReceivedAt},
		"airtable": {Done: 4},
	}}
	if diff := cmp.Diff(want, st, sameEvent); diff != "" {
		s.Fatal("stats (-want +got):\n" + diff)
	}
}

func waitsAgain(s *suite) {
	began := time.Now().Add(-time.Second)
	oldest := func() time.Time {
		s.Helper()
		st, err := s.Stats(s.ctx())
		s.ok(err)
		return st.Connectors["hubspot"].OldestWaiting
	}
	queued := func(seq uint64) time.Time {
		s.Helper()
		work, _, err := s.Due(s.ctx(), "hubspot", time.Now(), nil, 10, 1<<20)
		s.ok(err)
		for _, w := range work {
			if w.Delivery.ID.Seq == seq {
				return w.Queued
			}
		}
		s.Fatalf("evt_%d is not due", seq)
		return time.Time{}
	}
	old := sample(1)
	old.ReceivedAt = began.AddDate(0, 0, -7)
	late := sample(2)
	late.ReceivedAt = began.Add(-3 * time.Hour)
	again := func(e store.Event) {
		s.Helper()
		s.ok(s.Replay(s.ctx(), []store.Requeue{requeue(e)}))
		s.ok(s.Plan(s.ctx(), []store.Plan{{Seq: e.Seq, Connectors: []string{"hubspot"}}}))
	}
	old.Seq = s.planned([]string{"hubspot"}, old)[0]
	if got := oldest(); !got.Equal(old.ReceivedAt) {
		s.Errorf("at first: waits since %v, want its receipt at %v", got, old.ReceivedAt)
	}
	if got, d := queued(1), s.delivery(1, "hubspot"); !got.Equal(d.CreatedAt) {
		s.Errorf("queued at %v, want when it was planned, %v", got, d.CreatedAt)
	}
	s.settle(1, "hubspot", done)
	time.Sleep(time.Millisecond)
	again(old)
	if got := oldest(); got.Before(began) {
		s.Errorf("replayed after it was done: waits since %v, want since the replay", got)
	}
	if got, d := queued(1), s.delivery(1, "hubspot"); !got.After(d.CreatedAt) {
		s.Errorf("replayed: queued at %v, want after %v", got, d.CreatedAt)
	}
	first := oldest()
	time.Sleep(time.Millisecond)
	again(old)
	if got := oldest(); !got.After(first) {
		s.Errorf("replayed while it waits: waits since %v, want after %v", got, first)
	}
	s.settle(1, "hubspot", dead)
	s.did(s.Retry(s.ctx(), []store.DeliveryID{{Seq: 1, Connector: "hubspot"}}))
	if got := oldest(); got.Before(began) {
		s.Errorf("retried: waits since %v, want since the retry", got)
	}
	// A replay of what came earlier does not hide what has waited for long.
	s.planned([]string{"hubspot"}, late)
	if got := oldest(); !got.Equal(late.ReceivedAt) {
		s.Errorf("behind one that was replayed: waits since %v, want %v", got, late.ReceivedAt)
	}
	s.reopen()
	if got := oldest(); !got.Equal(late.ReceivedAt) {
		s.Errorf("after a restart: waits since %v, want %v", got, late.ReceivedAt)
	}
}

func reopen(s *suite) {
	s.planned([]string{"hubspot", "airtable"}, sample(1), sample(2))
	s.add(sample(3))
	link := store.LinkKey{Connector: "hubspot", Object: "contacts", Field: "email", Value: "a@example.com"}
	d := s.delivery(1, "hubspot")
	waitUntil(at(90))(&d)
	s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: d, Links: map[store.LinkKey]string{link: "17"}}}))
	picture := func() any {
		views, err := s.Events(s.ctx(), store.EventFilter{})
		s.ok(err)
		work, next, err := s.Due(s.ctx(), "airtable", at(80), nil, 10, 1<<20)
		s.ok(err)
		ids, err := s.Links(s.ctx(), []store.LinkKey{link})
		s.ok(err)
		st, err := s.Stats(s.ctx())
		s.ok(err)
		st.Bytes = 0
		return []any{views, work, next, ids, st}
	}
	before := picture()
	s.reopen()
	if diff := cmp.Diff(before, picture(), sameEvent); diff != "" {
		s.Fatal("after reopening (-before +after):\n" + diff)
	}
	equal(s, "seq of the next", s.add(sample(4)), 4)
	r, err := s.Append(s.ctx(), sample(1))
	s.ok(err)
	equal(s, "an old event is known", r.Duplicate, true)
}
