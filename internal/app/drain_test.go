package app

import (
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/sandbox"
)

// drain is what became of a backlog at a CRM that keeps its limit.
type drain struct {
	down     int     // requests before the CRM was up
	requests int     // after that
	refused  int     // of these
	allowed  float64 // requests per second
	achieved float64 // requests per second, after the burst that follows a rest
}

// BenchmarkDrain has a backlog of finished calls of as many contacts go to CRMs
// that count: 10,000 to HubSpot at its true 190 requests in ten seconds, and
// its 5 searches a second; 1,000 to Airtable at 15 requests a second, three
// times its true limit, or it would take three quarters of a minute. It tells how much of the allowed rate is used,
// how many requests are refused, and what an outage before that saw of them.
func BenchmarkDrain(b *testing.B) {
	for _, crm := range []string{"hubspot", "airtable"} {
		b.Run(crm, func(b *testing.B) {
			for range b.N {
				d := drainBacklog(b, crm, map[string]int{"hubspot": 10_000, "airtable": 1000}[crm], 190, 15)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(d.allowed, "allowed/s")
				b.ReportMetric(100*d.achieved/d.allowed, "%-of-allowed")
				b.ReportMetric(float64(d.down), "requests-while-down")
				b.ReportMetric(100*float64(d.refused)/float64(d.requests), "%-refused")
			}
		})
	}
}

// drainBacklog gathers calls while a CRM is down, and measures from its first
// answer after that.
func drainBacklog(tb testing.TB, crm string, calls, per10s, perSecond int) drain {
	sb := sandbox.New(sandbox.Options{HubSpotPer10s: per10s, AirtablePerSecond: perSecond})
	var up atomic.Bool
	var down atomic.Int64 // requests while it was
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !up.Load() {
			down.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		sb.ServeHTTP(w, r)
	}))
	tb.Cleanup(srv.Close)
	a := startLimited(tb, rulesFor(tb, crm), srv.URL, per10s, perSecond)
	sendCalls(tb, a, calls)
	for end := time.Now().Add(time.Minute); a.deliver.Conditions()[crm].State != "paused"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatal("an outage does not pause the connector")
		}
	}
	up.Store(true)
	waitSettled(tb, a, uint64(calls))

	d := drain{down: int(down.Load())}
	window := perSecond
	d.allowed = float64(perSecond)
	if crm == "hubspot" {
		window, d.allowed = per10s, float64(per10s)/10
	}
	var taken []time.Time
	for _, r := range sb.Requests(crm) {
		d.requests++
		if r.Status == http.StatusTooManyRequests {
			d.refused++
		} else {
			taken = append(taken, r.Time)
		}
	}
	taken = taken[max(5, window/5):]
	d.achieved = float64(len(taken)) / taken[len(taken)-1].Sub(taken[0]).Seconds()
	kinds := map[string][]string{"hubspot": {"contacts", "calls"}, "airtable": {"Contacts", "Calls"}}[crm]
	for _, kind := range kinds {
		if n := len(sb.Records(crm, kind)); n != calls {
			tb.Errorf("%s has %d %s, want %d", crm, n, kind, calls)
		}
	}
	return d
}

// rulesFor gives the example's rules for one of its CRMs.
func rulesFor(tb testing.TB, crm string) string {
	text, err := os.ReadFile("../../examples/telli-hubspot-airtable/mapping.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	parts := strings.Split(string(text), "\n  - name: ")
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool {
		return strings.Contains(p, "\n    to: ") && !strings.Contains(p, "\n    to: "+crm+"\n")
	}), "\n  - name: ")
}
