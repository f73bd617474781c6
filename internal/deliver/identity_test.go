package deliver

import (
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestEventIdentity(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	first := store.Event{Seq: 13, Source: "s", Vendor: "v", ContentKey: "v:call:1:ended", DeliveryID: "m1", OccurredAt: at, ReceivedAt: at.Add(time.Second), Body: []byte("{}")}
	with := func(change ...func(*store.Event)) store.Event {
		e := first
		for _, f := range change {
			f(&e)
		}
		return e
	}
	resent := func(e *store.Event) { e.Seq, e.ReceivedAt = 14, at.Add(time.Hour) }
	unkeyed := func(e *store.Event) { e.ContentKey = "" }
	unnamed := func(e *store.Event) { e.ContentKey, e.DeliveryID = "", "" }
	undated := func(e *store.Event) { e.OccurredAt = e.ReceivedAt }
	for name, c := range map[string]struct {
		a, b store.Event
		same bool
	}{
		"sent again":                              {first, with(resent), true},
		"sent again without a time":               {with(undated), with(resent, undated), true},
		"brought in from the vendor's list":       {first, with(resent, func(e *store.Event) { e.DeliveryID, e.Body = "", []byte("[]") }), true},
		"sent again without a key":                {with(unkeyed), with(resent, unkeyed), true},
		"sent again without a key or an id":       {with(unnamed), with(resent, unnamed), true},
		"another call":                            {first, with(func(e *store.Event) { e.ContentKey = "v:call:2:ended" }), false},
		"another vendor's":                        {first, with(func(e *store.Event) { e.Vendor = "w" }), false},
		"the same key weeks later":                {first, with(func(e *store.Event) { e.OccurredAt = at.AddDate(0, 0, 20) }), false},
		"another message":                         {with(unkeyed), with(unkeyed, func(e *store.Event) { e.DeliveryID = "m2" }), false},
		"another payload under the same id":       {with(unkeyed), with(unkeyed, func(e *store.Event) { e.Body = []byte("[]") }), false},
		"another body":                            {with(unnamed), with(unnamed, func(e *store.Event) { e.Body = []byte("[]") }), false},
		"nothing tells them apart but their time": {with(unnamed, undated), with(unnamed, resent, undated), false},
	} {
		if got := eventIdentity(c.a) == eventIdentity(c.b); got != c.same {
			t.Errorf("%s: the same is %v, want %v", name, got, c.same)
		}
	}
}

func TestIdempotencyKeepsTheIdUnderWhichARecordWasPosted(t *testing.T) {
	t.Parallel()
	w := &wave{t: &target{name: "zap"}}
	id := func(record string) string {
		j := &job{event: "x", d: store.Delivery{ID: store.DeliveryID{Seq: 17}, Records: []store.Record{{ID: record}}}}
		return w.idempotency(item{job: j, rec: &mapping.Record{Step: "s"}})
	}
	const old = "evt_17_4f0c9a5be0c1d2e3"
	if got := id(old); got != old {
		t.Errorf("got %s, want %s", got, old)
	}
	if got, other := id(""), id("evt_1_4f0c9a5be0c1d2e3"); got != other || got == "" {
		t.Errorf("another event's record has it under %s, want %s", other, got)
	}
}
