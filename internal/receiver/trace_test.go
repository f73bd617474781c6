package receiver_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/receiver"
)

// TestOnlyAProvenSenderBringsATrace: a trace's id is chosen by whoever sends it.
func TestOnlyAProvenSenderBringsATrace(t *testing.T) {
	t.Parallel()
	const parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	b := newBench(t, func(o *receiver.Options) {
		o.Sources()["open"] = receiver.Source{Name: "open", Vendor: "sipgate", Source: unsigned{}, Apart: true}
	})
	post := func(path, id, body string, key string, change func(http.Header)) int {
		h := http.Header{"Content-Type": {"application/json"}, "Traceparent": {parent}, "Tracestate": {"congo=t61"}}
		sign(t, h, key, id, body, time.Now())
		if change != nil {
			change(h)
		}
		res, _ := b.do(t, http.MethodPost, path, body, h)
		return res.StatusCode
	}
	if got := post("/hooks/telli", "msg_1", `{"id": 1}`, otherSecret, nil); got != http.StatusUnauthorized {
		t.Fatalf("a wrong signature was answered %d", got)
	}
	post("/hooks/telli", "msg_2", `{"id": 2}`, secret, nil)
	post("/hooks/telli", "msg_3", `{"id": 3}`, secret, func(h http.Header) { h["Traceparent"] = []string{"00-odd"} })
	post("/hooks/open", "msg_4", `{"id": 4}`, secret, nil)
	kept := b.ledger.kept()
	if len(kept) != 3 {
		t.Fatalf("%d events, want 3", len(kept))
	}
	if got := kept[0].Trace; got == nil || got.String() != "4bf92f3577b34da6a3ce929d0e0e4736" || got.Flags != 1 || got.State != "congo=t61" {
		t.Errorf("a proven sender's trace: got %+v", got)
	}
	if got := kept[1].Trace; got != nil {
		t.Errorf("a trace that is none: got %+v, and want none", got)
	}
	if got := kept[2].Trace; got != nil {
		t.Errorf("of a source that nothing proves: got %+v, and want none", got)
	}
}
