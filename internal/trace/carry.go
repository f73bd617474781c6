package trace

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/http"
	"slices"

	"github.com/crmsyncd/crmsyncd/event"
)

// carried is what the requests sent with a context are about.
type carried struct {
	recorder  *Recorder
	connector string
	work      string // write or find
	of        []event.Trace
}

type carriedKey struct{}

// Carry has requests that are sent with the returned context say of which traces
// they are. work is what is done: write or find. r may be nil.
func (r *Recorder) Carry(ctx context.Context, connector, work string, of []event.Trace) context.Context {
	return context.WithValue(ctx, carriedKey{}, &carried{r, connector, work, of})
}

// Only narrows a context of Carry to some of the traces, for a request that
// carries no others. Any other context stays as it is.
func Only(ctx context.Context, of []event.Trace) context.Context {
	all, ok := ctx.Value(carriedKey{}).(*carried)
	if !ok || len(of) == 0 || len(of) >= len(all.of) {
		return ctx
	}
	return all.recorder.Carry(ctx, all.connector, all.work, of)
}

// Request puts the trace into a request that is about to be sent, if its context
// carries one: the trace of the events that it is for, where that is one, else a
// trace of its own. resends counts earlier attempts at it. Call End on what it
// returns; the request must be used in place of the one given.
func Request(r *http.Request, resends int) (*http.Request, Sent) {
	c, ok := r.Context().Value(carriedKey{}).(*carried)
	if !ok || len(c.of) == 0 {
		return r, Sent{}
	}
	t, sent := c.recorder.request(c, r, resends)
	out := r.WithContext(r.Context()) // a copy, as others may hold on to the request
	out.Header = r.Header.Clone()
	write(out.Header, t)
	return out, sent
}

// follow gives the trace of work for several events: theirs if they share one,
// else a new one, without a parent and not sampled.
func follow(of []event.Trace) (t event.Trace, shared bool) {
	t = of[0]
	if slices.ContainsFunc(of, func(o event.Trace) bool { return o.ID != t.ID }) {
		return event.Trace{ID: newTraceID(), Flags: event.Random}, false
	}
	return t, true
}

// newTraceID and newSpanID need not be hard to guess, only never the same twice.
func newTraceID() (id [16]byte) {
	for id == [16]byte{} {
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
		binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id
}

func newSpanID() (id [8]byte) {
	for id == [8]byte{} {
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}
