package store

import (
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

func TestAnEventIsInOneTraceForEver(t *testing.T) {
	t.Parallel()
	e := Event{Source: "telli", DeliveryID: "msg_1", ContentKey: "call_1", ReceivedAt: time.Date(2026, 3, 1, 12, 0, 0, 1000, time.UTC), Lane: "a"}
	own := e.InTrace()
	if own.ID == [16]byte{} || own.Span == [8]byte{} || own.Flags != 0 {
		t.Fatalf("without one from outside it is in %+v; want ids, and not sampled", own)
	}
	later := e
	later.Seq, later.Lane, later.Type, later.Problem = 17, "b", event.CallEnded, "odd"
	if got := later.InTrace(); got != own {
		t.Errorf("once kept and read anew it is in %v, want %v", got, own)
	}
	brought := e
	brought.Trace = &event.Trace{ID: [16]byte{1}, Span: [8]byte{1}, Flags: event.Sampled, State: "a=1"}
	if got := brought.InTrace(); got.ID != brought.Trace.ID || got.Flags != event.Sampled || got.State != "a=1" || got.Span != own.Span {
		t.Errorf("with one from outside it is in %+v, want that one with the span %x", got, own.Span)
	}
	seen := map[[16]byte]string{own.ID: "first"}
	for name, change := range map[string]func(*Event){
		"another source":       func(e *Event) { e.Source = "chat" },
		"another delivery id":  func(e *Event) { e.DeliveryID = "msg_2" },
		"another content key":  func(e *Event) { e.ContentKey = "call_2" },
		"ids run together":     func(e *Event) { e.DeliveryID, e.ContentKey = "msg_1call_1", "" },
		"another microsecond":  func(e *Event) { e.ReceivedAt = e.ReceivedAt.Add(time.Microsecond) },
		"neither, and no time": func(e *Event) { *e = Event{} },
	} {
		other := e
		change(&other)
		if got := other.InTrace(); seen[got.ID] != "" {
			t.Errorf("%s: in the same trace as %s", name, seen[got.ID])
		} else {
			seen[got.ID] = name
		}
	}
}
