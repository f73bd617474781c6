package connectortest

import (
	"net/http"
	"sync"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/trace"
)

// tracesOf is a transport that keeps which traces requests had.
type tracesOf struct {
	mu   sync.Mutex
	seen map[[16]byte]int
}

func (x *tracesOf) RoundTrip(r *http.Request) (*http.Response, error) {
	if t := trace.Read(r.Header); t != nil {
		x.mu.Lock()
		x.seen[t.ID]++
		x.mu.Unlock()
	}
	return http.DefaultTransport.RoundTrip(r)
}

// ownTraces writes two changes that no CRM takes in one request: one makes a
// record, the other changes one.
func ownTraces(t *testing.T, b *bench) {
	x := &tracesOf{seen: map[[16]byte]int{}}
	conn := b.New(t, b.url, connectors.Options{Name: b.CRM, Country: "DE", UserAgent: "crmsyncd/test", Transport: x})
	known := b.must(t, b.call(1, ""))[0].ID
	changed, made := b.call(1, ""), b.call(2, "")
	changed.ID, changed.Key = known, nil
	changed.Fields = map[string]connectors.Value{b.Calls.Name: "Another"}
	changed.Traces, made.Traces = []event.Trace{{ID: [16]byte{1}}}, []event.Trace{{ID: [16]byte{2}}}
	var none *trace.Recorder
	ctx := none.Carry(t.Context(), b.CRM, "write", []event.Trace{{ID: [16]byte{1}}, {ID: [16]byte{2}}})
	results, err := conn.Write(ctx, []connectors.Change{changed, made})
	if err != nil || results[0].Err != nil || results[1].Err != nil {
		t.Fatalf("%+v, %v", results, err)
	}
	if x.seen[[16]byte{1}] == 0 || x.seen[[16]byte{2}] == 0 {
		t.Errorf("requests had the traces %x, want those of both changes", x.seen)
	}
	clear(x.seen)
	if _, err := conn.Write(t.Context(), []connectors.Change{b.call(3, "")}); err != nil || len(x.seen) != 0 {
		t.Errorf("a change of no event had the traces %x (%v), want none", x.seen, err)
	}
}
