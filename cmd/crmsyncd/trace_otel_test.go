//go:build otel

package main

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/crmsyncd/crmsyncd/internal/trace/tracetest"
)

// TestSpansReachTheCollector follows one webhook through the real binary, from
// its sender's trace to the CRMs, and looks for personal data and secrets in all
// that the collector got.
func TestSpansReachTheCollector(t *testing.T) {
	t.Parallel()
	c := tracetest.Start(t)
	x := follow(t, fmt.Sprintf("tracing: {endpoint: %q, headers: {X-Key: not-for-the-log}}\n", c.URL))
	x.post(1, "msg_1", "Traceparent", tracedParent, "Tracestate", "congo=t61")
	requests := x.requests(1, "")
	_ = x.p.cmd.Process.Signal(syscall.SIGTERM) // what waits is sent
	if err := x.p.cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, x.p.err.String())
	}
	byID, names := map[string]tracetest.Span{}, map[string]int{}
	for _, s := range c.Spans() {
		if s.Trace != tracedID {
			t.Errorf("%s is in the trace %s, want %s", s.Name, s.Trace, tracedID)
		}
		byID[s.ID] = s
		names[s.Name+" "+s.Attributes["crmsyncd.connector"]]++
	}
	var root tracetest.Span
	for _, s := range byID {
		if s.Parent == tracedSpan {
			root = s
		}
	}
	if root.Name != "POST /hooks/{source}" || root.Attributes["crmsyncd.source"] != "telli" || root.Attributes["crmsyncd.event"] != "evt_1" || root.Attributes["crmsyncd.result"] != "accepted" {
		t.Fatalf("the child of the sender's span is %+v, want the webhook", root)
	}
	for _, want := range []string{"commit ", "plan ", "map hubspot", "map zap", "settle hubspot", "settle zap", "POST hubspot", "POST zap"} {
		if names[want] == 0 {
			t.Errorf("no span %q; there are %v", want, names)
		}
	}
	for _, s := range byID {
		if s.ID != root.ID && s.Parent != root.ID {
			t.Errorf("%s has the parent %s, want the webhook's span %s", s.Name, s.Parent, root.ID)
		}
	}
	reached := 0
	for _, r := range requests {
		if r.parent == "" {
			continue // it asks for the account's fields, for no event
		}
		reached++
		s, ok := byID[r.parent[36:52]]
		if !ok || s.Kind != "SPAN_KIND_CLIENT" || r.parent[:36] != "00-"+tracedID+"-" || !strings.HasSuffix(r.parent, "-01") || r.state != "congo=t61" {
			t.Errorf("%s came with %s and state %q, whose span is %+v", r.path, r.parent, r.state, s)
		}
		if s.Attributes["server.address"] != "127.0.0.1" || s.Attributes["http.response.status_code"] == "" {
			t.Errorf("the span of %s says %v", r.path, s.Attributes)
		}
	}
	if reached < 3 {
		t.Errorf("only %d requests had a trace: %+v", reached, requests)
	}
	raw, headers, _ := c.Raw()
	for _, leak := range append(leaks(raw), leaks(x.p.err.String())...) {
		t.Errorf("gives away the %s", leak)
	}
	for _, path := range []string{"/hubspot", "/webhook", "crm/"} {
		if strings.Contains(raw, path) {
			t.Errorf("a span holds %q of a request's address", path)
		}
	}
	if headers[0].Get("X-Key") != "not-for-the-log" || strings.Contains(x.p.err.String(), "not-for-the-log") {
		t.Errorf("the header of the settings: got %v, and it must not be in the log", headers[0])
	}
}

// TestADeadCollectorLosesNoWebhook: what is recorded is lost, and counted, and
// nothing else.
func TestADeadCollectorLosesNoWebhook(t *testing.T) {
	t.Parallel()
	x := follow(t, "tracing: {endpoint: 'http://"+address(t)+"'}\n")
	for n := range 20 {
		x.post(n, fmt.Sprint("msg_", n))
	}
	x.requests(20, "")
	if err := poll(func() error {
		lines := strings.Split(scrape(t, strings.TrimPrefix(x.socket, "unix:")), "\n")
		if !slices.ContainsFunc(lines, func(l string) bool {
			n, ok := strings.CutPrefix(l, `crmsyncd_trace_spans_total{result="dropped"} `)
			return ok && n != "0"
		}) {
			return fmt.Errorf("no span counts as dropped")
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	if err := x.p.end(syscall.SIGTERM); err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
	if log := x.p.err.String(); !strings.Contains(log, "traces are lost") || !strings.Contains(log, "connection refused") {
		t.Errorf("the log says nothing of it:\n%s", log)
	}
}
