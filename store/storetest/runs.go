package storetest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/crmsyncd/crmsyncd/store"
)

func runs(s *suite) {
	put := func(r store.Run, found ...store.Finding) store.Run {
		s.Helper()
		kept, err := s.PutRun(s.ctx(), r, found)
		s.ok(err)
		return kept
	}
	first := put(store.Run{Connector: "hubspot", Trigger: "hand", State: store.RunGoing, BeganAt: at(1)})
	equal(s, "id", first.ID, uint64(1))
	first.Cursor, first.Compared = "contacts/7", 7
	first = put(first, store.Finding{Kind: "edited", Record: "7", Field: "phone"}, store.Finding{Kind: "missing", Record: "8"})
	equal(s, "findings", first.Findings, 2)
	put(store.Run{Source: "telli", State: store.RunDone, BeganAt: at(2)})
	first.State = store.RunDone
	first = put(first, store.Finding{Kind: "edited", Record: "9"})
	s.reopen()
	got, err := s.Ledger.Run(s.ctx(), 1)
	s.ok(err)
	equal(s, "the run", fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", first))
	equal(s, "its findings", foundBy(s, 1, 0, 0), "7 8 9")
	equal(s, "a page of them", foundBy(s, 1, 1, 1), "8")
	list, err := s.Runs(s.ctx(), store.RunFilter{})
	s.ok(err)
	equal(s, "newest first", idsOf(list), "2 1")
	list, err = s.Runs(s.ctx(), store.RunFilter{Connector: "hubspot", Limit: 5})
	s.ok(err)
	equal(s, "of a connector", idsOf(list), "1")
	list, err = s.Runs(s.ctx(), store.RunFilter{Before: 2})
	s.ok(err)
	equal(s, "before the second", idsOf(list), "1")
	if _, err := s.Ledger.Run(s.ctx(), 3); !errors.Is(err, store.ErrNotFound) {
		s.Errorf("a run that never was: %v", err)
	}
	if _, err := s.PutRun(s.ctx(), store.Run{ID: 9}, nil); !errors.Is(err, store.ErrNotFound) {
		s.Errorf("a run under an id that never was: %v", err)
	}
	many := make([]store.Finding, store.MaxFindings)
	first = put(first, many...)
	equal(s, "findings at most, and those beyond", fmt.Sprint(first.Findings, first.Dropped), fmt.Sprint(store.MaxFindings, 3))
	damage, err := s.Verify(s.ctx(), nil)
	s.ok(err)
	equal(s, "damage", fmt.Sprint(damage), "[]")
}

func oldRunsGo(s *suite) {
	for range store.MaxRuns + 3 {
		_, err := s.PutRun(s.ctx(), store.Run{Source: "telli", State: store.RunDone}, []store.Finding{{Kind: "status"}})
		s.ok(err)
	}
	list, err := s.Runs(s.ctx(), store.RunFilter{Limit: 2 * store.MaxRuns})
	s.ok(err)
	equal(s, "runs", len(list), store.MaxRuns)
	equal(s, "the oldest", list[len(list)-1].ID, uint64(4))
	found, err := s.Findings(s.ctx(), 3, 0, 0)
	s.ok(err)
	equal(s, "findings of one that went", len(found), 0)
}

func foundBy(s *suite, run uint64, skip, limit int) string {
	s.Helper()
	found, err := s.Findings(s.ctx(), run, skip, limit)
	s.ok(err)
	var out []string
	for _, f := range found {
		out = append(out, f.Record)
	}
	return strings.Join(out, " ")
}

func idsOf(list []store.Run) string {
	var out []string
	for _, r := range list {
		out = append(out, fmt.Sprint(r.ID))
	}
	return strings.Join(out, " ")
}

func followRecords(s *suite) {
	email := store.LinkKey{Connector: "hubspot", Object: "contacts", Field: "email", Value: "anna@example.com"}
	phone := store.LinkKey{Connector: "hubspot", Object: "contacts", Field: "phone", Value: "+4930123456"}
	record := func(id string) store.RecordKey {
		return store.RecordKey{Connector: "hubspot", Object: "contacts", ID: id}
	}
	seq := s.add(sample(1))
	s.ok(s.Plan(s.ctx(), []store.Plan{{Seq: seq, Connectors: []string{"hubspot"}}}))
	v, err := s.Event(s.ctx(), seq)
	s.ok(err)
	s.ok(s.Settle(s.ctx(), []store.Update{{
		Delivery: v.Deliveries[0],
		Links:    map[store.LinkKey]string{email: "7", phone: "9"},
		Heads: map[store.RecordKey]store.Head{
			record("7"): {"status": {Seq: 1, Hash: 1}, "name": {Seq: 1, Hash: 2}},
			record("8"): {"status": {Seq: 2, Hash: 3}},
		},
	}}))
	s.ok(s.Follow(s.ctx(), record("7"), "8", []store.LinkKey{email, phone}))
	s.reopen()
	ids, err := s.Links(s.ctx(), []store.LinkKey{email, phone})
	s.ok(err)
	equal(s, "links: that of the record moved, another one's stays", fmt.Sprint(ids), "[8 9]")
	heads, err := s.Heads(s.ctx(), []store.RecordKey{record("7"), record("8")})
	s.ok(err)
	equal(s, "the record that went", len(heads[0]), 0)
	equal(s, "what was written to the one that is left stays", heads[1]["status"].Hash, uint64(3))
	equal(s, "what was written to the other counts for it", heads[1]["name"].Hash, uint64(2))

	s.ok(s.Follow(s.ctx(), record("8"), "", []store.LinkKey{email, phone}))
	ids, err = s.Links(s.ctx(), []store.LinkKey{email, phone})
	s.ok(err)
	equal(s, "links after forgetting", fmt.Sprint(ids), "[ 9]")
	heads, err = s.Heads(s.ctx(), []store.RecordKey{record("8")})
	s.ok(err)
	equal(s, "heads after forgetting", len(heads[0]), 0)
}

func eraseFindings(s *suite) {
	run, err := s.PutRun(s.ctx(), store.Run{Connector: "hubspot"}, []store.Finding{
		{Kind: "edited", Object: "contacts", Record: "7"}, {Kind: "edited", Object: "contacts", Record: "8"}, {Kind: "edited", Object: "companies", Record: "7"}, {Kind: "status", Contact: "k-1", Event: "evt_5"},
	})
	s.ok(err)
	_, err = s.Erase(s.ctx(), store.Erasure{Events: []uint64{5}, Heads: []store.RecordKey{{Connector: "hubspot", Object: "contacts", ID: "7"}}})
	s.ok(err)
	found, err := s.Findings(s.ctx(), run.ID, 0, 0)
	s.ok(err)
	equal(s, "findings about others", len(found), 2)
	equal(s, "the first of them", found[0].Record, "8")
}
