package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// most is how many requests 1,000 finished calls of as many contacts may cost
// a CRM that all wait.
var most = map[string]int{"hubspot": 60, "airtable": 220, "salesforce": 30, "pipedrive": 2030}

// examplesOf are the examples that the calls go through, with their CRMs' objects.
var examplesOf = []struct {
	name    string
	objects map[string][2]string
}{
	{"telli-hubspot-airtable", map[string][2]string{"hubspot": {"contacts", "calls"}, "airtable": {"Contacts", "Calls"}}},
	{"salesforce", map[string][2]string{"salesforce": {"Lead", "Task"}}},
	{"telli-pipedrive", map[string][2]string{"pipedrive": {"persons", "activities"}}},
}

// BenchmarkRequests counts what 1,000 finished calls of 1,000 contacts that all
// wait cost each CRM in requests, Pipedrive also in tokens, and tells how fast
// they go there.
func BenchmarkRequests(b *testing.B) {
	for _, example := range examplesOf {
		b.Run(example.name, func(b *testing.B) {
			for range b.N {
				cost := thousandCalls(b, example.name, example.objects)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(1000/cost.took.Seconds(), "events/s")
				b.ReportMetric(cost.cpu.Seconds(), "cpu-s/1000")
				for crm, n := range cost.requests {
					b.ReportMetric(float64(n), crm+"-requests/1000")
				}
				if cost.tokens > 0 {
					b.ReportMetric(float64(cost.tokens), "tokens/1000")
				}
			}
		})
	}
}

// TestRequests/1,000 finished calls that wait cost few requests.
func TestRequests(t *testing.T) {
	t.Parallel()
	for _, example := range examplesOf {
		t.Run(example.name, func(t *testing.T) {
			t.Parallel()
			cost := thousandCalls(t, example.name, example.objects)
			for crm, n := range cost.requests {
				t.Logf("%s: %d requests, %d tokens", crm, n, cost.tokens)
				if n > most[crm] {
					t.Errorf("1,000 calls cost %s %d requests, want at most %d", crm, n, most[crm])
				}
			}
		})
	}
}

// spent is what CRMs were asked for.
type spent struct {
	requests  map[string]int
	tokens    int // of Pipedrive's daily budget
	took, cpu time.Duration
}

// thousandCalls has 1,000 calls of as many contacts wait: one daemon takes them
// while no CRM answers, another one finds them in the ledger. It counts the
// requests of the second until all are in the CRMs.
func thousandCalls(tb testing.TB, example string, objects map[string][2]string) spent {
	const calls = 1000
	sb := sandbox.New(sandbox.Options{Unlimited: true})
	var open atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !open.Load() {
			_, _ = io.Copy(io.Discard, r.Body) // only then the server sees the client go
			<-r.Context().Done()
			return
		}
		sb.ServeHTTP(w, r)
	}))
	tb.Cleanup(srv.Close)
	dir := tb.TempDir()
	mapping, err := os.ReadFile("../../examples/" + example + "/mapping.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	settings := fmt.Sprintf(`listen: 127.0.0.1:0
admin: 127.0.0.1:0
data_dir: %s
mapping: mapping.yaml
limits: {store_time: 1m}
delivery: {drain: 0s}
sources: %s
connectors:
`, filepath.Join(dir, "data"), benchSources)
	for crm := range objects {
		settings += "  " + crm + ": " + fmt.Sprintf(map[string]string{
			"hubspot":    "{type: hubspot, access_token: x, base_url: %s/hubspot, requests_per_10s: 100000}",
			"airtable":   "{type: airtable, access_token: x, base: appCrmsyncdDemo00, base_url: %s/airtable, requests_per_second: 10000}",
			"salesforce": "{type: salesforce, client_id: x, client_secret: x, base_url: %s/salesforce}",
			"pipedrive":  "{type: pipedrive, api_token: x, base_url: %s/pipedrive, requests_per_2s: 100000}",
		}[crm], srv.URL) + "\n"
	}
	for name, text := range map[string]string{"config.yaml": settings, "mapping.yaml": string(mapping)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}

	a, stop := runBench(tb, dir)
	sendCalls(tb, a, calls)
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		s, err := a.ledger.Stats(context.Background())
		if err != nil || time.Now().After(end) {
			tb.Fatalf("%d events are unplanned, %v", s.Unplanned, err)
		}
		if s.Unplanned == 0 {
			break
		}
	}
	stop()

	open.Store(true)
	used, began := cpu(), time.Now()
	a, stop = runBench(tb, dir)
	defer stop()
	waitSettled(tb, a, calls)
	cost := spent{requests: map[string]int{}, took: time.Since(began), cpu: cpu() - used}
	for crm, both := range objects {
		cost.requests[crm] = len(sb.Requests(crm))
		for _, object := range both {
			if n := len(sb.Records(crm, object)); n != calls {
				tb.Errorf("%s has %d %s, want %d", crm, n, object, calls)
			}
		}
		if c, ok := a.setup.Load().Connectors[crm].(interface{ Tokens() int }); ok {
			cost.tokens = c.Tokens()
		}
	}
	return cost
}
