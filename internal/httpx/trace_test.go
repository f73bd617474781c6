package httpx

import (
	"net/http"
	"sync"
	"testing"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/trace"
)

func TestEveryAttemptIsASpanOfTheSameTrace(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []*event.Trace
	note := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			seen = append(seen, trace.Read(r.Header))
			mu.Unlock()
			next(w, r)
		}
	}
	s, _ := server(t, note(cut), note(status(503)), note(status(200)), note(status(200)))
	c := client(t, Options{BaseURL: s.URL})
	var none *trace.Recorder
	of := event.Trace{ID: [16]byte{1}, Flags: event.Sampled}
	ctx := none.Carry(t.Context(), "crm", "write", []event.Trace{of})
	if _, err := c.Do(ctx, Request{Method: http.MethodPost, Path: "/x", Body: 1, Repeatable: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), Request{Method: http.MethodGet, Path: "/x"}); err != nil {
		t.Fatal(err)
	}
	spans := map[[8]byte]bool{}
	for _, got := range seen[:3] {
		if got == nil || got.ID != of.ID || got.Flags != of.Flags {
			t.Fatalf("got %+v, want the trace %v", got, of)
		}
		spans[got.Span] = true
	}
	if len(spans) != 3 {
		t.Errorf("three attempts have %d spans", len(spans))
	}
	if seen[3] != nil {
		t.Errorf("a request of no event has the trace %v", seen[3])
	}
}
