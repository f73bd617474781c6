// Package storetest holds every implementation of store.Ledger to the promises
// that its contract makes. It tests nothing that only one implementation
// promises, such as what happens to a damaged file.
package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// Test runs the suite. open opens the ledger that lives in dir, and makes it if
// dir is empty; the suite closes it.
func Test(t *testing.T, open func(t *testing.T, dir string) store.Ledger) {
	for _, c := range []struct {
		name string
		run  func(*suite)
	}{
		{"an appended event comes back as it was", appendKeepsAll},
		{"the trace of a webhook stays with its event", keepTrace},
		{"seqs count up from 1", seqsCountUp},
		{"the same delivery id is a duplicate", sameDeliveryID},
		{"the same content key is a duplicate across sources of a vendor", sameContentKey},
		{"another body under a delivery id is a conflict, kept once", conflictKeptOnce},
		{"a quarantined event is kept once and not planned", quarantineKeptOnce},
		{"64 parallel appends of one event keep one", parallelAppends},
		{"an event without source or lane is refused", refuseIncomplete},
		{"a context that is over is obeyed", obeyContext},
		{"unplanned events come in order, within limits", unplannedInOrder},
		{"an event that no rule wants is unmatched", unmatched},
		{"planning twice changes nothing", planTwice},
		{"planning an unknown event is an error", planUnknown},
		{"a lane is in order of occurrence, rank and seq", laneOrder},
		{"times before 1970 and none at all are in order", laneOrderOddTimes},
		{"an older event planned later becomes the first of its lane", olderBecomesHead},
		{"a waiting first delivery holds its lane back, not others", backoffBlocksLane},
		{"what is due in years was settled under a wrong clock, and is due", dueInYears},
		{"busy lanes are left out", busyLanes},
		{"limits cut the answer and say so", dueLimits},
		{"next is when the first lane becomes due", dueNext},
		{"a dead delivery lets its lane go on", deadLetsLaneGoOn},
		{"settling keeps everything of a delivery", settleKeepsAll},
		{"settling an unknown delivery keeps nothing of the call", settleUnknown},
		{"links are kept, replaced and forgotten", links},
		{"heads are merged by field and forgotten", heads},
		{"retry makes dead and waiting deliveries due at once", retry},
		{"discard ends what is not done", discard},
		{"what was discarded while under way stays so", discardUnderWay},
		{"what is planned again or retried while under way waits once more", replayUnderWay},
		{"replay makes all deliveries wait again", replay},
		{"replay keeps ids and open attempts", replayKeepsProgress},
		{"replay takes an event out of quarantine", replayQuarantined},
		{"replay moves waiting deliveries to their new lane", replayMovesLane},
		{"replay of an unknown event is an error", replayUnknown},
		{"the story of a call is all its events", storyOfCalls},
		{"calls run until they end", runningCalls},
		{"secrets are kept, replaced and forgotten", secrets},
		{"marks are kept, replaced and forgotten", marks},
		{"what is known is what append would find a duplicate", known},
		{"reconcile runs are kept with what they found", runs},
		{"old reconcile runs go", oldRunsGo},
		{"records that were merged or are gone are followed", followRecords},
		{"erasing takes what reconcile found", eraseFindings},
		{"what is old enough for its state expires", expireByState},
		{"what came in under a wrong clock holds back nothing that came after it", expireBehindAWrongClock},
		{"age counts from the last change of a delivery", expireSince},
		{"the index of calls lets go with the events", expireCalls},
		{"payloads of what is done expire by themselves", expirePayloads},
		{"identity outlives events, and ends too", expireIdentity},
		{"erasing takes everything but the ids", eraseAll},
		{"erasing takes reasons, and leaves what they were given for", eraseReasons},
		{"events that go nowhere are set aside, and come back by a replay", discardEvents},
		{"the audit trail keeps what people did", auditTrail},
		{"events are filtered and paged, newest first", eventFilters},
		{"events are found by state", eventStates},
		{"deliveries are filtered and paged, newest first", deliveryFilters},
		{"stats count", stats},
		{"what is replayed or retried waits from then on", waitsAgain},
		{"everything is there after reopening", reopen},
		{"a closed ledger says so", closedLedger},
		{"a sound ledger has no damage", verifySound},
		{"random operations do what a simple model does", model},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := &suite{T: t, dir: dir, open: open, Ledger: open(t, dir)}
			defer func() { _ = s.Close() }()
			c.run(s)
		})
	}
}

// suite is a test with its ledger. Its methods fail the test on any error.
type suite struct {
	*testing.T
	store.Ledger
	dir  string
	open func(t *testing.T, dir string) store.Ledger
}

// start is the time at which the tests' events are received.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }

// sample is an event that differs from others by n.
func sample(n int) store.Event {
	return store.Event{
		Source: "telli", Vendor: "telli", Type: event.CallEnded, Origin: event.Webhook,
		OccurredAt: at(n), ReceivedAt: at(n).Add(time.Second), Rank: 3, Lane: fmt.Sprintf("contact-%d", n),
		DeliveryID: fmt.Sprintf("msg_%d", n), ContentKey: fmt.Sprintf("call_%d", n),
		ContentType: "application/json", Body: fmt.Appendf(nil, `{"call":%d}`, n),
	}
}

func (s *suite) ctx() context.Context { return s.Context() }

func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// did is ok for what says how many it changed.
func (s *suite) did(_ int, err error) {
	s.Helper()
	s.ok(err)
}

func (s *suite) add(e store.Event) uint64 {
	s.Helper()
	r, err := s.Append(s.ctx(), e)
	s.ok(err)
	if r.Duplicate {
		s.Fatalf("want %s kept, got a duplicate of %d", e.DeliveryID, r.Seq)
	}
	return r.Seq
}

// planned adds events and plans them for connectors.
func (s *suite) planned(connectors []string, events ...store.Event) []uint64 {
	s.Helper()
	var seqs []uint64
	var plans []store.Plan
	for _, e := range events {
		seq := s.add(e)
		seqs = append(seqs, seq)
		plans = append(plans, store.Plan{Seq: seq, Connectors: connectors})
	}
	s.ok(s.Plan(s.ctx(), plans))
	return seqs
}

func (s *suite) due(connector string, now time.Time) ([]uint64, time.Time) {
	s.Helper()
	work, next, err := s.Due(s.ctx(), connector, now, nil, 1000, 1<<20)
	s.ok(err)
	return seqsOf(work), next
}

func seqsOf(work []store.Work) []uint64 {
	var seqs []uint64
	for _, w := range work {
		seqs = append(seqs, w.Delivery.ID.Seq)
	}
	return seqs
}

func (s *suite) view(seq uint64) store.View {
	s.Helper()
	v, err := s.Event(s.ctx(), seq)
	s.ok(err)
	return v
}

func (s *suite) delivery(seq uint64, connector string) store.Delivery {
	s.Helper()
	for _, d := range s.view(seq).Deliveries {
		if d.ID.Connector == connector {
			return d
		}
	}
	s.Fatalf("event %d has no delivery to %s", seq, connector)
	return store.Delivery{}
}

// settle changes a delivery as a deliverer would.
func (s *suite) settle(seq uint64, connector string, change func(*store.Delivery)) {
	s.Helper()
	d := s.delivery(seq, connector)
	change(&d)
	s.ok(s.Settle(s.ctx(), []store.Update{{Delivery: d}}))
}

func (s *suite) reopen() {
	s.Helper()
	s.ok(s.Close())
	s.Ledger = s.open(s.T, s.dir)
}

func done(d *store.Delivery) { d.State = store.Done }

func dead(d *store.Delivery) { d.State, d.Kind, d.Reason = store.Dead, "Invalid", "no such field" }

func waitUntil(due time.Time) func(*store.Delivery) {
	return func(d *store.Delivery) { d.State, d.Due, d.Attempts = store.Waiting, due, d.Attempts+1 }
}

func equal[T comparable](s *suite, what string, got, want T) {
	s.Helper()
	if got != want {
		s.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func sameSeqs(s *suite, what string, got []uint64, want ...uint64) {
	s.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		s.Fatalf("%s: got %v, want %v", what, got, want)
	}
}
