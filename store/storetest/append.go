package storetest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/store"
)

var sameEvent = cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })

func appendKeepsAll(s *suite) {
	e := sample(1)
	e.Seq = s.add(e)
	if d := cmp.Diff(e, s.view(e.Seq).Event, sameEvent); d != "" {
		s.Fatal("the event came back changed (-want +got):\n" + d)
	}
	odd := store.Event{Source: "s", Lane: "ü\x00\xff", Body: []byte{0, 0xff}, OccurredAt: time.Unix(-1e10, 999999999)}
	odd.Seq = s.add(odd)
	if d := cmp.Diff(odd, s.view(odd.Seq).Event, sameEvent); d != "" {
		s.Fatal("the odd event came back changed (-want +got):\n" + d)
	}
	if _, err := s.Event(s.ctx(), 99); !errors.Is(err, store.ErrNotFound) {
		s.Fatalf("an unknown event: got %v, want ErrNotFound", err)
	}
}

func seqsCountUp(s *suite) {
	for n := 1; n <= 5; n++ {
		equal(s, "seq", s.add(sample(n)), uint64(n))
	}
}

func sameDeliveryID(s *suite) {
	first := s.add(sample(1))
	again := sample(1)
	again.ReceivedAt = again.ReceivedAt.Add(28 * time.Hour) // Svix' last retry
	again.ContentKey = ""
	r, err := s.Append(s.ctx(), again)
	s.ok(err)
	equal(s, "receipt", r, store.Receipt{Seq: first, Duplicate: true})
	other := sample(2)
	other.DeliveryID, other.Source = sample(1).DeliveryID, "another source"
	equal(s, "seq of another source's", s.add(other), 2)
}

func sameContentKey(s *suite) {
	first := s.add(sample(1))
	for _, e := range []store.Event{
		{DeliveryID: "other", OccurredAt: at(1), ReceivedAt: at(900)},
		{Source: "second endpoint", OccurredAt: at(1), ReceivedAt: at(1)},
		{Origin: "backfill", DeliveryID: "", OccurredAt: at(1), ReceivedAt: at(50000), Body: []byte("as the API says it")},
	} {
		again := sample(1)
		again.DeliveryID, again.OccurredAt, again.ReceivedAt, again.Body = e.DeliveryID, e.OccurredAt, e.ReceivedAt, append(again.Body, e.Body...)
		if e.Source != "" {
			again.Source = e.Source
		}
		r, err := s.Append(s.ctx(), again)
		s.ok(err)
		equal(s, "receipt", r, store.Receipt{Seq: first, Duplicate: true})
	}
	other := sample(1)
	other.DeliveryID, other.Vendor = "m", "sipgate"
	s.add(other)

	// Where the vendor gives no time, the same occurrence comes with another one each time.
	timeless := sample(7)
	timeless.OccurredAt = timeless.ReceivedAt
	first = s.add(timeless)
	timeless.DeliveryID, timeless.ReceivedAt = "m2", at(10000)
	timeless.OccurredAt = timeless.ReceivedAt
	r, err := s.Append(s.ctx(), timeless)
	s.ok(err)
	equal(s, "receipt of a timeless one", r, store.Receipt{Seq: first, Duplicate: true})
}

func conflictKeptOnce(s *suite) {
	first := s.add(sample(1))
	other := sample(1)
	other.Body = []byte(`{"call":"forged"}`)
	r, err := s.Append(s.ctx(), other)
	s.ok(err)
	equal(s, "receipt", r, store.Receipt{Seq: 2, Conflict: true})
	v := s.view(2)
	equal(s, "state", v.State, store.Quarantined)
	if !strings.Contains(v.Event.Problem, "same delivery id (evt_1)") {
		s.Fatalf("the problem does not name the first event: %q", v.Event.Problem)
	}
	r, err = s.Append(s.ctx(), other)
	s.ok(err)
	equal(s, "receipt of the second time", r, store.Receipt{Seq: 2, Duplicate: true})
	r, err = s.Append(s.ctx(), sample(1))
	s.ok(err)
	equal(s, "receipt of the first body", r, store.Receipt{Seq: first, Duplicate: true})
	equal(s, "body of the first", string(s.view(first).Event.Body), `{"call":1}`)
}

func quarantineKeptOnce(s *suite) {
	e := sample(1)
	e.Problem, e.ContentKey, e.DeliveryID = "not JSON", "", ""
	first := s.add(e)
	r, err := s.Append(s.ctx(), e)
	s.ok(err)
	equal(s, "receipt", r, store.Receipt{Seq: first, Duplicate: true})
	e.Body = []byte("other")
	equal(s, "seq of another body", s.add(e), 2)
	events, err := s.Unplanned(s.ctx(), 10, 1<<20)
	s.ok(err)
	equal(s, "unplanned events", len(events), 0)
	st, err := s.Stats(s.ctx())
	s.ok(err)
	equal(s, "quarantined", st.Quarantined, 2)
}

func parallelAppends(s *suite) {
	const n = 64
	var wg sync.WaitGroup
	receipts := make([]store.Receipt, n)
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() { receipts[i], errs[i] = s.Append(s.ctx(), sample(1)) })
	}
	wg.Wait()
	kept := 0
	for i := range n {
		s.ok(errs[i])
		equal(s, "seq", receipts[i].Seq, 1)
		if !receipts[i].Duplicate {
			kept++
		}
	}
	equal(s, "kept", kept, 1)
}

func refuseIncomplete(s *suite) {
	for _, change := range []func(*store.Event){
		func(e *store.Event) { e.Source = "" },
		func(e *store.Event) { e.Lane = "" },
	} {
		e := sample(1)
		change(&e)
		if _, err := s.Append(s.ctx(), e); err == nil {
			s.Fatalf("kept an event with source %q and lane %q", e.Source, e.Lane)
		}
	}
	equal(s, "seq of the next", s.add(sample(1)), 1)
}

func obeyContext(s *suite) {
	ctx, cancel := context.WithCancel(s.ctx())
	cancel()
	if _, err := s.Append(ctx, sample(1)); !errors.Is(err, context.Canceled) {
		s.Fatalf("got %v, want context.Canceled", err)
	}
	if _, err := s.Stats(ctx); !errors.Is(err, context.Canceled) {
		s.Fatalf("got %v, want context.Canceled", err)
	}
	equal(s, "seq of the next", s.add(sample(1)), 1)
}

func closedLedger(s *suite) {
	s.add(sample(1))
	s.ok(s.Close())
	s.ok(s.Close())
	_, err := s.Append(s.ctx(), sample(2))
	_, err2 := s.Event(s.ctx(), 1)
	for _, err := range []error{err, err2, s.Plan(s.ctx(), []store.Plan{{Seq: 1}})} {
		if !errors.Is(err, store.ErrClosed) {
			s.Fatalf("got %v, want ErrClosed", err)
		}
	}
}

func verifySound(s *suite) {
	s.planned([]string{"hubspot", "airtable"}, sample(1), sample(2), sample(3))
	s.settle(1, "hubspot", done)
	s.settle(2, "hubspot", dead)
	calls := 0
	damage, err := s.Verify(s.ctx(), func(done, total int) {
		calls++
		if done > total {
			s.Errorf("progress says %d of %d", done, total)
		}
	})
	s.ok(err)
	if len(damage) > 0 {
		s.Fatalf("damage in a sound ledger: %v", damage)
	}
	if calls == 0 {
		s.Fatal("there was no progress")
	}
}
