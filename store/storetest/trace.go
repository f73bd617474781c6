package storetest

import (
	"bytes"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

func keepTrace(s *suite) {
	want := &event.Trace{ID: [16]byte{15: 1}, Span: [8]byte{7: 2}, Flags: event.Sampled, State: "congo=t61"}
	short, long := sample(1), sample(2)
	short.Trace, long.Trace = want, want
	long.Body = bytes.Repeat([]byte("again and again "), 1<<10) // which may be kept in another form
	for _, e := range []store.Event{short, long} {
		seq := s.add(e)
		again := e
		again.Trace = &event.Trace{ID: [16]byte{15: 9}, Span: [8]byte{7: 9}}
		if r, err := s.Append(s.ctx(), again); err != nil || !r.Duplicate {
			s.Fatalf("the same event again: %+v, %v; want a duplicate", r, err)
		}
		s.ok(s.Replay(s.ctx(), []store.Requeue{{Seq: seq, Type: e.Type, OccurredAt: e.OccurredAt.Add(time.Hour), Rank: e.Rank, Lane: "another"}}))
		got := s.view(seq).Event
		if d := cmp.Diff(want, got.Trace); d != "" {
			s.Errorf("the first one's trace is not there (-want +got):\n%s", d)
		}
		if !bytes.Equal(got.Body, e.Body) {
			s.Error("the body is another one")
		}
	}
	if got := s.view(s.add(sample(3))).Event.Trace; got != nil {
		s.Errorf("an event without a trace has %+v, want none", got)
	}
}
