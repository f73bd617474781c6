package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/crmsyncd/crmsyncd/store"
)

// modelRuns bounds the random runs: each write of a real ledger is a sync.
const modelRuns = 12

// model runs random operations on the ledger and on maps, and compares.
func model(s *suite) {
	runs, failed := 0, false
	rapid.Check(s.T, func(t *rapid.T) {
		if runs++; runs > modelRuns && !failed {
			return
		}
		defer func() { failed = failed || t.Failed() }()
		dir := s.TempDir()
		m := &machine{T: t, ctx: s.ctx(), l: s.open(s.T, dir), deliveries: map[store.DeliveryID]store.Delivery{}, queued: map[store.DeliveryID]time.Time{}}
		defer func() { _ = m.l.Close() }()
		t.Repeat(map[string]func(*rapid.T){
			"append":    m.append,
			"plan":      m.plan,
			"settle":    m.settle,
			"retry":     m.retry,
			"discard":   m.discard,
			"replay":    m.replay,
			"erase":     m.erase,
			"set aside": m.setAside,
			"expire":    m.expire,
			"reopen": func(*rapid.T) {
				m.ok(m.l.Close())
				m.l = s.open(s.T, dir)
			},
			"due": m.due,
		})
		m.compare()
	})
}

var modelConnectors = []string{"airtable", "hubspot"}

// machine is the model beside the ledger.
type machine struct {
	*rapid.T
	ctx        context.Context
	l          store.Ledger
	events     []modelEvent // by seq, from 1
	deliveries map[store.DeliveryID]store.Delivery
	queued     map[store.DeliveryID]time.Time // since when those wait that do, within seconds; zero: since then or its receipt
	expired    bool                           // then payloads in quarantine may come twice
}

type modelEvent struct {
	store.Event
	unplanned, replayed, erased bool
	planned                     bool // at least once
}

func (m *machine) ok(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

func (m *machine) did(_ int, err error) {
	m.Helper()
	m.ok(err)
}

func (m *machine) pick(t *rapid.T) *modelEvent {
	if len(m.events) == 0 {
		t.Skip("there is no event yet")
	}
	e := &m.events[rapid.IntRange(0, len(m.events)-1).Draw(t, "event")]
	if e.erased {
		t.Skip("it was erased")
	}
	return e
}

func (m *machine) append(t *rapid.T) {
	n := rapid.IntRange(1, 12).Draw(t, "n")
	e := sample(n)
	e.Lane = rapid.SampledFrom([]string{"one", "two", "three"}).Draw(t, "lane")
	e.OccurredAt = at(n % 3) // often the same
	e.Rank = uint8(n % 2)
	if rapid.IntRange(0, 4).Draw(t, "bad") == 0 {
		e.Problem, e.DeliveryID, e.ContentKey = "bad", "", ""
		e.Body = fmt.Appendf(nil, "bad %d", n)
		if m.expired {
			e.Body = fmt.Appendf(nil, "bad after %d", len(m.events))
		}
	}
	var want store.Receipt
	for _, old := range m.events {
		if string(old.Body) == string(e.Body) {
			want = store.Receipt{Seq: old.Seq, Duplicate: true}
			break
		}
	}
	if !want.Duplicate {
		e.Seq = uint64(len(m.events) + 1)
		want = store.Receipt{Seq: e.Seq}
		m.events = append(m.events, modelEvent{Event: e, unplanned: e.Problem == ""})
	}
	got, err := m.l.Append(m.ctx, e)
	m.ok(err)
	if got != want {
		t.Fatalf("receipt: got %+v, want %+v", got, want)
	}
}

func (m *machine) plan(t *rapid.T) {
	e := m.pick(t)
	to := rapid.SampledFrom([][]string{nil, {"hubspot"}, {"airtable"}, modelConnectors}).Draw(t, "to")
	m.ok(m.l.Plan(m.ctx, []store.Plan{{Seq: e.Seq, Connectors: to}}))
	if e.Problem != "" || e.Discarded != "" {
		return
	}
	for _, c := range to {
		id := store.DeliveryID{Seq: e.Seq, Connector: c}
		if _, there := m.deliveries[id]; there && !e.replayed {
			continue
		}
		switch {
		case !e.replayed:
			m.queued[id] = e.ReceivedAt
		case e.planned:
			m.queued[id] = time.Now()
		default: // replayed before it was planned at all
			m.queued[id] = time.Time{}
		}
		m.deliveries[id] = store.Delivery{
			ID: id, State: store.Waiting, Source: e.Source, Type: e.Type, Lane: e.Lane, OccurredAt: e.OccurredAt, Rank: e.Rank,
		}
	}
	e.unplanned, e.replayed, e.planned = false, false, true
}

func (m *machine) pickDelivery(t *rapid.T) store.Delivery {
	ids := slices.SortedFunc(maps.Keys(m.deliveries), compareIDs)
	if len(ids) == 0 {
		t.Skip("there is no delivery yet")
	}
	return m.deliveries[rapid.SampledFrom(ids).Draw(t, "delivery")]
}

func compareIDs(a, b store.DeliveryID) int {
	if a.Seq != b.Seq {
		return int(a.Seq) - int(b.Seq)
	}
	return slices.Compare([]byte(a.Connector), []byte(b.Connector))
}

func (m *machine) settle(t *rapid.T) {
	d := m.pickDelivery(t)
	kept := d
	switch rapid.IntRange(0, 2).Draw(t, "news") {
	case 0:
		done(&d)
	case 1:
		dead(&d)
	case 2:
		waitUntil(at(rapid.IntRange(0, 60).Draw(t, "due")))(&d)
	}
	m.ok(m.l.Settle(m.ctx, []store.Update{{Delivery: d}}))
	if kept.State == store.Discarded && d.State != store.Done {
		d.State, d.Reason = kept.State, kept.Reason
	}
	if kept.State != store.Waiting {
		m.queued[d.ID] = time.Now()
	}
	m.deliveries[d.ID] = d
}

func (m *machine) retry(t *rapid.T) {
	d := m.pickDelivery(t)
	m.did(m.l.Retry(m.ctx, []store.DeliveryID{d.ID}))
	if d.State == store.Dead {
		m.queued[d.ID] = time.Now()
	}
	if d.State == store.Dead || d.State == store.Waiting {
		d.State, d.Attempts, d.Due, d.Kind, d.Reason = store.Waiting, 0, time.Time{}, "", ""
		m.deliveries[d.ID] = d
	}
}

func (m *machine) discard(t *rapid.T) {
	d := m.pickDelivery(t)
	m.did(m.l.Discard(m.ctx, []store.DeliveryID{d.ID}, "why"))
	if d.State != store.Done && d.State != store.Discarded {
		d.State, d.Due, d.Reason = store.Discarded, time.Time{}, "why"
		m.deliveries[d.ID] = d
	}
}

func (m *machine) replay(t *rapid.T) {
	e := m.pick(t)
	q := requeue(e.Event)
	if rapid.IntRange(0, 4).Draw(t, "bad") == 0 {
		q.Problem = "bad"
	}
	q.Lane = rapid.SampledFrom([]string{"one", "two"}).Draw(t, "lane")
	m.ok(m.l.Replay(m.ctx, []store.Requeue{q}))
	e.Problem, e.Discarded = q.Problem, ""
	e.unplanned, e.replayed = q.Problem == "", q.Problem == ""
	if q.Problem == "" {
		e.Lane = q.Lane
	}
	for _, c := range modelConnectors {
		if d, there := m.deliveries[store.DeliveryID{Seq: e.Seq, Connector: c}]; there {
			d.Lane = e.Lane
			m.deliveries[d.ID] = d
		}
	}
}

func (m *machine) erase(t *rapid.T) {
	e := m.pick(t)
	got, err := m.l.Erase(m.ctx, store.Erasure{Events: []uint64{e.Seq, 1 << 40}})
	m.ok(err)
	e.erased, e.unplanned = true, false
	want := store.Erased{Events: 1}
	for _, c := range modelConnectors {
		id := store.DeliveryID{Seq: e.Seq, Connector: c}
		if _, there := m.deliveries[id]; there {
			want.Deliveries++
			delete(m.deliveries, id)
		}
	}
	if got != want {
		t.Fatalf("erased: got %+v, want %+v", got, want)
	}
}

func (m *machine) setAside(t *rapid.T) {
	e := m.pick(t)
	m.did(m.l.DiscardEvents(m.ctx, []uint64{e.Seq}, "why"))
	for id := range m.deliveries {
		if id.Seq == e.Seq && e.Problem == "" {
			return
		}
	}
	if !e.unplanned {
		e.Discarded = "why"
	}
}

// expire lets go of everything that does not wait and is not in quarantine.
func (m *machine) expire(t *rapid.T) {
	r := store.Retention{Done: time.Hour, Unmatched: time.Hour, Discarded: time.Hour, Dead: time.Hour}
	now := time.Now().AddDate(1, 0, 0)
	limit := rapid.IntRange(1, 5).Draw(t, "limit")
	for range 100 {
		done, err := m.l.Expire(m.ctx, now, r, limit)
		m.ok(err)
		if done.Over {
			break
		}
	}
	m.expired = true
	for i := range m.events {
		e := &m.events[i]
		waits := e.unplanned || e.Problem != "" && e.Discarded == ""
		for _, c := range modelConnectors {
			waits = waits || m.deliveries[store.DeliveryID{Seq: e.Seq, Connector: c}].State == store.Waiting && e.Discarded == ""
		}
		if waits {
			continue
		}
		e.erased = true
		for _, c := range modelConnectors {
			delete(m.deliveries, store.DeliveryID{Seq: e.Seq, Connector: c})
		}
	}
}

// due compares what is due with what the deliveries say.
func (m *machine) due(t *rapid.T) {
	connector := rapid.SampledFrom(modelConnectors).Draw(t, "connector")
	now := at(rapid.IntRange(0, 60).Draw(t, "now"))
	lanes := map[string][]store.Delivery{}
	for _, d := range m.deliveries {
		if d.State == store.Waiting && d.ID.Connector == connector {
			lanes[d.Lane] = append(lanes[d.Lane], d)
		}
	}
	want := map[string][]uint64{}
	var next time.Time
	for name, lane := range lanes {
		slices.SortFunc(lane, func(a, b store.Delivery) int {
			if c := a.OccurredAt.Compare(b.OccurredAt); c != 0 {
				return c
			}
			if a.Rank != b.Rank {
				return int(a.Rank) - int(b.Rank)
			}
			return int(a.ID.Seq) - int(b.ID.Seq)
		})
		if due := lane[0].Due; due.After(now) && (next.IsZero() || due.Before(next)) {
			next = due
		}
		for _, d := range lane {
			if d.Due.After(now) {
				break
			}
			want[name] = append(want[name], d.ID.Seq)
		}
	}
	work, gotNext, err := m.l.Due(m.ctx, connector, now, nil, 1000, 1<<20)
	m.ok(err)
	got, last := map[string][]uint64{}, ""
	for _, w := range work {
		lane := w.Delivery.Lane
		if lane != last && got[lane] != nil {
			t.Fatalf("lane %s is torn apart", lane)
		}
		got[lane], last = append(got[lane], w.Delivery.ID.Seq), lane
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Fatal("due (-want +got):\n" + diff)
	}
	if !next.Equal(gotNext) {
		t.Fatalf("next: got %v, want %v", gotNext, next)
	}
}
