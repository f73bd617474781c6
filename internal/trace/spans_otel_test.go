//go:build otel

package trace

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/trace/tracetest"
)

func open(t *testing.T, o Options) *Recorder {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	r, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// closed sends what waits; the collector must be quick.
func closed(t *testing.T, r *Recorder) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r.Close(ctx)
}

func traceOf(n byte) event.Trace {
	return event.Trace{ID: [16]byte{n, 15: n}, Span: [8]byte{n, 7: n}, Flags: event.Sampled}
}

func span(id [8]byte) string { return hex.EncodeToString(id[:]) }

func TestARequestOfSeveralTracesIsLinkedToThem(t *testing.T) {
	t.Parallel()
	c := tracetest.Start(t)
	r := open(t, Options{Endpoint: c.URL, Sample: 1, Version: "1.2.3", Headers: map[string]string{"Authorization": "Bearer x"}})
	one, other := traceOf(1), traceOf(2)
	batched := Read(sent(t, r.Carry(t.Context(), "hubspot", "write", []event.Trace{one, other, one})))
	alone := Read(sent(t, r.Carry(t.Context(), "hubspot", "find", []event.Trace{one})))
	began := time.Now()
	r.Did("settle", "hubspot", "transient", began, one, other)
	closed(t, r)

	spans := c.Spans()
	if len(spans) != 3 {
		t.Fatalf("%d spans, want 3: %+v", len(spans), spans)
	}
	for i, s := range spans {
		want := map[string]string{one.String(): span(one.Span), other.String(): span(other.Span)}
		if i == 1 {
			want = map[string]string{}
		}
		if fmt.Sprint(s.Links) != fmt.Sprint(want) {
			t.Errorf("span %d has links %v, want %v", i, s.Links, want)
		}
		if s.Attributes["service.name"] != "crmsyncd" || s.Attributes["service.version"] != "1.2.3" {
			t.Errorf("span %d is of %v", i, s.Attributes)
		}
	}
	if s := spans[0]; s.Trace != batched.String() || s.ID != span(batched.Span) || s.Parent != "" || batched.Flags&event.Sampled == 0 {
		t.Errorf("the request had %+v, its span is %+v; want the same ids, no parent, sampled", batched, s)
	}
	if s := spans[1]; s.Trace != one.String() || s.ID != span(alone.Span) || s.Parent != span(one.Span) || s.Kind != "SPAN_KIND_CLIENT" || s.Name != "POST" {
		t.Errorf("the request had %+v, its span is %+v; want a child of the event's", alone, s)
	}
	if s := spans[2]; s.Name != "settle" || !s.Failed || s.Attributes["error.type"] != "transient" || s.Parent != "" {
		t.Errorf("got %+v, want a failed settle with no parent", s)
	}
	_, headers, paths := c.Raw()
	if headers[0].Get("Authorization") != "Bearer x" || paths[0] != "/v1/traces" {
		t.Errorf("the collector got %v at %v", headers, paths)
	}
	if got, lost := r.Count(); got != 3 || lost != 0 {
		t.Errorf("counted %d sent and %d dropped, want 3 and 0", got, lost)
	}
}

func TestAWebhooksSpansFollowItsSender(t *testing.T) {
	t.Parallel()
	c := tracetest.Start(t)
	r := open(t, Options{Endpoint: c.URL, Sample: 1})
	in, parent := traceOf(1), traceOf(1)
	parent.Span, parent.State = [8]byte{9}, "congo=t61"
	in.State = parent.State
	began := time.Unix(1_772_600_000, 0)
	r.Webhook(in, &parent, Webhook{Source: "telli", Event: "evt_1", Result: "accepted", Status: 200, Began: began, Parsed: began.Add(time.Millisecond), Ended: began.Add(time.Second)})
	own := traceOf(2)
	r.Webhook(own, nil, Webhook{Source: "telli", Result: "failed", Status: 503, Began: began, Parsed: began, Ended: began})
	closed(t, r)
	spans := map[string]tracetest.Span{}
	for _, s := range c.Spans() {
		spans[s.Name+" "+s.Trace] = s
	}
	const name = "POST /hooks/{source} "
	if s := spans[name+in.String()]; s.Parent != span(parent.Span) || s.ID != span(in.Span) || s.State != "congo=t61" || s.Kind != "SPAN_KIND_SERVER" || s.Failed || s.End-s.Start != 1e9 || s.Attributes["crmsyncd.event"] != "evt_1" {
		t.Errorf("the webhook's span is %+v", s)
	}
	if s := spans["commit "+in.String()]; s.Parent != span(in.Span) || s.ID == span(in.Span) || s.End-s.Start != 999e6 {
		t.Errorf("the commit's span is %+v", s)
	}
	if s := spans[name+own.String()]; s.Parent != "" || s.ID != span(own.Span) || !s.Failed || s.Attributes["error.type"] != "503" {
		t.Errorf("the span of a webhook without trace, not stored, is %+v", s)
	}
}

func TestSampleDecidesNotTheSender(t *testing.T) {
	t.Parallel()
	c := tracetest.Start(t)
	r := open(t, Options{Endpoint: c.URL, Sample: 0.25})
	const n = 2000
	for range n {
		in := event.Trace{ID: newTraceID(), Span: newSpanID(), Flags: event.Sampled}
		h := Read(sent(t, r.Carry(t.Context(), "hubspot", "write", []event.Trace{in})))
		if h == nil || h.ID != in.ID || h.Flags&event.Sampled == 0 {
			t.Fatalf("got %+v, want the trace %+v passed on", h, in)
		}
	}
	closed(t, r)
	took, lost := r.Count()
	if part := float64(took+lost) / n; part < 0.2 || part > 0.3 {
		t.Errorf("%d of %d were recorded, want a quarter", took+lost, n)
	}
	none := open(t, Options{Endpoint: c.URL})
	none.Did("plan", "", "", time.Now(), traceOf(1))
	h := Read(sent(t, none.Carry(t.Context(), "hubspot", "write", []event.Trace{{ID: [16]byte{1}, Span: [8]byte{1}}})))
	closed(t, none)
	if took, lost := none.Count(); took+lost != 0 || h.Flags != 0 {
		t.Errorf("with sample 0, %d spans, and flags %x", took+lost, h.Flags)
	}
}

// TestADeadCollectorHoldsNobodyUp: one that never answers.
func TestADeadCollectorHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	hang := make(chan struct{})
	dead := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}))
	defer dead.Close()
	defer close(hang)
	var log strings.Builder // written only by the queue's goroutine, which ends with Close
	r := open(t, Options{Endpoint: dead.URL, Sample: 1, Log: slog.New(slog.NewTextHandler(&log, nil))})
	const n = 20_000
	began := time.Now()
	for range n {
		r.Did("plan", "", "", began, traceOf(1))
	}
	if took := time.Since(began); took >= exportTime { // as for a full queue to be sent
		t.Errorf("recording %d spans took %s", n, took)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	began = time.Now()
	r.Close(ctx)
	if took := time.Since(began); took >= exportTime { // as for the request that is under way
		t.Errorf("the end took %s, and was given 100 ms", took)
	}
	if got, lost := r.Count(); got != 0 || lost != n {
		t.Errorf("counted %d sent and %d dropped, want 0 and %d", got, lost, n)
	}
	r.Did("plan", "", "", time.Now(), traceOf(1)) // after the end
	if !strings.Contains(log.String(), "traces are lost") {
		t.Errorf("the log says %q", log.String())
	}
}

// TestWhatACollectorSaysIsNotLogged: its answer may be anything.
func TestWhatACollectorSaysIsNotLogged(t *testing.T) {
	t.Parallel()
	rude := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "hunter2 "+r.Header.Get("Authorization"), http.StatusUnauthorized)
	}))
	defer rude.Close()
	var log strings.Builder
	r := open(t, Options{Endpoint: rude.URL, Sample: 1, Headers: map[string]string{"Authorization": "hunter2"}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	r.Did("plan", "", "", time.Now(), traceOf(1))
	closed(t, r)
	if _, lost := r.Count(); lost != 1 || !strings.Contains(log.String(), "refuses") || strings.Contains(log.String(), "hunter2") {
		t.Errorf("%d dropped, and the log says %q", lost, log.String())
	}
}
