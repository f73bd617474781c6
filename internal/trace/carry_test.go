package trace

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/crmsyncd/crmsyncd/event"
)

// sent is what a request with the context has for headers.
func sent(t *testing.T, ctx context.Context) http.Header {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://crm.invalid/contacts", nil)
	if err != nil {
		t.Fatal(err)
	}
	out, s := Request(r, 0)
	s.End(&http.Response{StatusCode: http.StatusOK}, "")
	if r.Header.Get(parentHeader) != "" {
		t.Error("the caller's own header was changed")
	}
	return out.Header
}

func TestARequestPassesTheTraceOn(t *testing.T) {
	t.Parallel()
	var none *Recorder
	one := *Read(http.Header{parentHeader: {parent}, stateHeader: {"congo=t61"}})
	other := one
	other.ID[0]++
	same := one
	same.Span[0]++

	t.Run("of one event it is the same trace with a new span", func(t *testing.T) {
		ctx := none.Carry(t.Context(), "hubspot", "write", []event.Trace{one})
		first, second := sent(t, ctx), sent(t, ctx)
		for _, h := range []http.Header{first, second} {
			got := Read(h)
			if got == nil || got.ID != one.ID || got.Span == one.Span || got.Flags != one.Flags || got.State != one.State {
				t.Errorf("got %+v, want the trace %s with flags %x and another span", got, one, one.Flags)
			}
		}
		if first.Get(parentHeader) == second.Get(parentHeader) {
			t.Errorf("two requests have the span %s", first.Get(parentHeader))
		}
	})
	t.Run("of several events in one trace it is that trace", func(t *testing.T) {
		if got := Read(sent(t, none.Carry(t.Context(), "hubspot", "write", []event.Trace{one, same}))); got == nil || got.ID != one.ID {
			t.Errorf("got %v, want %v", got, one)
		}
	})
	t.Run("of several traces it is a trace of its own", func(t *testing.T) {
		ctx := none.Carry(t.Context(), "hubspot", "write", []event.Trace{one, other})
		h := sent(t, ctx)
		got := Read(h)
		if got == nil || got.ID == one.ID || got.ID == other.ID || got.Flags&event.Sampled != 0 || h.Get(stateHeader) != "" {
			t.Errorf("got %+v with state %q, want a new trace, not sampled, without state", got, h.Get(stateHeader))
		}
		if narrow := Read(sent(t, Only(ctx, []event.Trace{other}))); narrow == nil || narrow.ID != other.ID {
			t.Errorf("narrowed to one of them got %v, want %v", narrow, other)
		}
	})
	t.Run("of none it is none", func(t *testing.T) {
		for _, ctx := range []context.Context{t.Context(), none.Carry(t.Context(), "hubspot", "find", nil), Only(t.Context(), []event.Trace{one})} {
			if h := sent(t, ctx); len(h) != 0 {
				t.Errorf("got %v, want no header", h)
			}
		}
	})
}

func TestARequestWithoutATraceCostsNothing(t *testing.T) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://crm.invalid/contacts", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { Request(r, 0) }); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
	h := http.Header{"Content-Type": {"application/json"}}
	if n := testing.AllocsPerRun(100, func() { Read(h) }); n != 0 {
		t.Errorf("reading none took %v allocations", n)
	}
}
