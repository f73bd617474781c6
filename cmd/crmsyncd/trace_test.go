package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/internal/trace"
	"github.com/crmsyncd/crmsyncd/sources"
)

const (
	tracedID     = "4bf92f3577b34da6a3ce929d0e0e4736"
	tracedSpan   = "00f067aa0ba902b7"
	tracedParent = "00-" + tracedID + "-" + tracedSpan + "-01"
)

// followed is a daemon whose CRMs tell which trace each request had.
type followed struct {
	t      *testing.T
	p      *process
	listen string
	socket string
	src    sources.Source

	mu   sync.Mutex
	seen []passedOn
}

type passedOn struct{ path, parent, state string }

// follow starts a daemon; more is added to its settings.
func follow(t *testing.T, more string) *followed {
	t.Helper()
	x := &followed{t: t, p: &process{t: t, dir: t.TempDir()}, listen: address(t)}
	x.socket = "unix:" + filepath.Join(x.p.dir, "admin.sock")
	crm := sandbox.New(sandbox.Options{Unlimited: true})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		x.seen = append(x.seen, passedOn{r.URL.Path, r.Header.Get("Traceparent"), r.Header.Get("Tracestate")})
		x.mu.Unlock()
		crm.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte(marked["signing secret"]))
	config := fmt.Sprintf(redactionConfig, x.listen, strings.TrimPrefix(x.socket, "unix:"), strings.TrimPrefix(secret, "whsec_"), server.URL, server.URL, server.URL, server.URL)
	example, err := os.ReadFile(filepath.Join("..", "..", "examples", demoExample, "mapping.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"config.yaml": config + more, "mapping.yaml": string(example) + redactionRule} {
		if err := os.WriteFile(filepath.Join(x.p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if x.src, err = telliSource(secret); err != nil {
		t.Fatal(err)
	}
	x.p.start()
	t.Cleanup(func() { _ = x.p.cmd.Process.Kill() })
	if _, err := readyAt(x.socket); err != nil {
		t.Fatalf("%v\n%s", err, x.p.err.String())
	}
	return x
}

// post sends the nth call, signed, with headers.
func (x *followed) post(n int, id string, header ...string) {
	x.t.Helper()
	at := int64(1_772_600_000_000)
	body := fmt.Sprintf(redactionCall, "call_ended", n, n, at, at+60000, n, n)
	req, err := http.NewRequest(http.MethodPost, "http://"+x.listen+"/hooks/telli", strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if err := x.src.(sources.Signer).Sign(&sources.Request{URL: req.URL, Header: req.Header, Body: []byte(body)}, id, time.Now()); err != nil {
		x.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		x.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		x.t.Fatalf("a webhook was answered %s", resp.Status)
	}
}

// requests waits until events are settled, and gives what the CRMs got since it
// was asked last and whose path has a part.
func (x *followed) requests(events uint64, part string) (out []passedOn) {
	x.t.Helper()
	if err := settledAt(x.socket, events); err != nil {
		x.t.Fatalf("%v\n%s", err, x.p.err.String())
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range x.seen {
		if strings.Contains(r.path, part) {
			out = append(out, r)
		}
	}
	x.seen = nil
	return out
}

// TestTraceparent follows a trace from a webhook through the real binary to the
// CRMs, the log and what a person is shown.
func TestTraceparent(t *testing.T) {
	t.Parallel()
	x := follow(t, "")
	x.post(1, "msg_1", "Traceparent", tracedParent, "Tracestate", "congo=t61")
	x.post(1, "msg_1", "Traceparent", strings.Replace(tracedParent, "4bf9", "aaaa", 1)) // the vendor's retry
	got := x.requests(1, "")
	writes := slices.DeleteFunc(slices.Clone(got), func(r passedOn) bool { return r.parent == "" })
	spans := map[string]bool{}
	for _, r := range writes {
		spans[r.parent[36:52]] = true
		if !strings.HasPrefix(r.parent, "00-"+tracedID+"-") || !strings.HasSuffix(r.parent, "-01") || r.state != "congo=t61" {
			t.Errorf("%s: got %s with state %q, want the trace of the first webhook, sampled, with its state", r.path, r.parent, r.state)
		}
	}
	if len(writes) < 3 || len(spans) != len(writes) || spans[tracedSpan] {
		t.Errorf("%d requests with %d spans %v, want a span of its own for each", len(writes), len(spans), spans)
	}
	for _, path := range []string{"/hubspot/", "/webhook/"} {
		if !slices.ContainsFunc(writes, func(r passedOn) bool { return strings.HasPrefix(r.path, path) }) {
			t.Errorf("no request to %s has a trace; got %v", path, got)
		}
	}
	x.post(2, "msg_2", "Traceparent", "00-"+tracedID+"-0000000000000000-01") // which is none
	own := x.requests(2, "/webhook/")
	if len(own) != 1 || !strings.HasSuffix(own[0].parent, "-00") || strings.Contains(own[0].parent, tracedID) {
		t.Fatalf("an event without a trace was passed on with %+v, want one trace of its own, not sampled", own)
	}
	for event, id := range map[string]string{"evt_1": tracedID, "evt_2": own[0].parent[3:35]} {
		out, err := x.p.command("events", "show", event).CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("trace "+id+"\n")) {
			t.Errorf("events show %s: %v, no line with the trace %s:\n%.300s", event, err, id, out)
		}
		out, err = x.p.command("events", "show", event, "--json").CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte(`"trace_id": "`+id+`"`)) {
			t.Errorf("events show %s --json: %v, no trace_id %s:\n%.300s", event, err, id, out)
		}
		for _, want := range []string{"delivered", "delivery dead"} {
			if !slices.ContainsFunc(strings.Split(x.p.err.String(), "\n"), func(line string) bool {
				return strings.Contains(line, want) && strings.Contains(line, "event="+event+" ") && strings.Contains(line, "trace_id="+id)
			}) {
				t.Errorf("the log has no line %q of %s with its trace %s:\n%s", want, event, id, x.p.err.String())
			}
		}
	}
	for _, leak := range leaks(x.p.err.String()) {
		t.Errorf("the log gives away the %s", leak)
	}
}

// TestTracingWantsItsOwnBuild: a binary without OpenTelemetry says which has it.
func TestTracingWantsItsOwnBuild(t *testing.T) {
	t.Parallel()
	p := &process{t: t, dir: t.TempDir()}
	if err := writeConfig(p.dir, "127.0.0.1:0", "unix:./admin.sock", "http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(p.dir, "config.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.Count(text, []byte("\n")) + 2
	if err := os.WriteFile(file, append(text, "tracing:\n  endpoint: https://otlp.example.com\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := p.command("check").CombinedOutput()
	if trace.Built {
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	if want := fmt.Sprintf("config.yaml:%d:", line); err == nil || !strings.Contains(string(out), want) || !strings.Contains(string(out), "make build TAGS=otel") {
		t.Errorf("got %v, want %q and how to get such a binary:\n%s", err, want, out)
	}
}

// TestOnlyTheTaggedBinaryHoldsOpenTelemetry: it would add 3.5 MB and much that reads the environment to the other.
func TestOnlyTheTaggedBinaryHoldsOpenTelemetry(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"go.mod", "go.sum"} { // so that the test runs again when they change
		if _, err := os.ReadFile("../../" + name); err != nil {
			t.Fatal(err)
		}
	}
	for _, tags := range []string{"", "otel"} {
		out, err := exec.Command("go", "list", "-deps", "-tags", tags, ".").Output()
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Contains(string(out), "go.opentelemetry.io/"), tags == "otel"; got != want {
			t.Errorf("with tags %q, OpenTelemetry is in it: %v, want %v", tags, got, want)
		}
	}
}
