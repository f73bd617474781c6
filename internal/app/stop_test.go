package app

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

const rowsRules = `
version: 1
rules:
  - name: Rows
    on: call.ended
    to: airtable
    records:
      - object: Calls
        create: always
        fields: {Call ID: =call.id}
`

// TestStopInABacklog has a daemon stop while a backlog goes to a CRM that answers
// at once and whose limit is low: nothing new is begun, and the rest waits as if
// it had never been tried.
func TestStopInABacklog(t *testing.T) {
	t.Parallel()
	const calls, few, flying = 400, 5, 8
	sb := sandbox.New(sandbox.Options{HubSpotPer10s: 100_000, AirtablePerSecond: 100_000})
	var requests atomic.Int64
	all, begun := make(chan struct{}), make(chan struct{}, calls)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		<-all
		sb.ServeHTTP(w, r)
		begun <- struct{}{}
	}))
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	writeBench(t, dir, rowsRules, srv.URL, 100_000, few)
	a, stop := runBench(t, dir)
	sendCalls(t, a, calls)
	close(all)
	for range few + 2 { // the burst is over, and what comes now waits for its turn
		select {
		case <-begun:
		case <-time.After(time.Minute):
			t.Fatal("nothing is delivered")
		}
	}
	before, at := requests.Load(), time.Now()
	stop()
	if took, more := time.Since(at), requests.Load()-before; took > 20*time.Second || more > flying+few {
		t.Errorf("the stop took %v, and %d requests came after it; want less than the time to drain, and those under way", took, more)
	}

	l, err := bolt.Open(bolt.Options{Path: filepath.Join(dir, "data", LedgerFile)})
	if err != nil {
		t.Fatal(err)
	}
	waiting, err := l.Deliveries(t.Context(), store.DeliveryFilter{State: store.Waiting, Limit: calls})
	if err != nil || len(waiting) < calls/2 {
		t.Errorf("%d deliveries wait, %v; want most of %d", len(waiting), err, calls)
	}
	for _, d := range waiting {
		if d.Attempts > 0 || d.Kind != "" || len(d.Records) > 0 && !d.Records[0].Attempted.IsZero() {
			t.Fatalf("%+v waits as if it had been tried", d)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	writeBench(t, dir, rowsRules, srv.URL, 100_000, 100_000)
	a, stop = runBench(t, dir)
	waitSettled(t, a, 1)
	stop()
	if n := len(sb.Records("airtable", "Calls")); n != calls {
		t.Errorf("%d rows after the next start, want %d", n, calls)
	}
}

// TestStopWithoutDrain: that requests to CRMs get no time at the stop is no
// reason to cut off who has half sent a webhook.
func TestStopWithoutDrain(t *testing.T) {
	t.Parallel()
	m := newServiceManager(t, 0)
	a, stop := m.run(t.TempDir(), anywhere+"\ndelivery: {drain: 0s}", 3)
	m.awaits("READY=1")
	c, webhook := dial(t, a.public.Addr().String()), signedWebhook(t, 1, false)
	if err := c.send(signedWebhook(t, 2, false)); err != nil { // the daemon knows the connection now
		t.Fatal(err)
	}
	half := len(webhook) - 20
	if _, err := c.conn.Write(webhook[:half]); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	m.awaits("STOPPING=1")
	stopping := time.Now()
	time.Sleep(goodbye / 2)
	if err := c.send(webhook[half:]); err != nil && time.Since(stopping) < leastDrain/2 {
		t.Errorf("a webhook that had begun before the stop: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestStopWaitsForAToken has a CRM take longer for a new token than closing the
// ledger may: the old one is worth nothing any more.
func TestStopWaitsForAToken(t *testing.T) {
	t.Parallel()
	m, dir := newServiceManager(t, 0), t.TempDir()
	a, stop := m.run(dir, anywhere+"\ndelivery: {drain: 0s}", 3)
	m.awaits("READY=1")
	asked, answer := make(chan struct{}), make(chan struct{})
	go func() {
		_ = a.vaults.of("crm").Update(t.Context(), func(context.Context, []byte) ([]byte, error) {
			close(asked)
			<-answer
			return []byte("new"), nil
		})
	}()
	<-asked
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	m.awaits("EXTEND_TIMEOUT_USEC=85000000")
	select {
	case err := <-ended:
		close(answer)
		t.Fatalf("the daemon stopped while a token was under way: %v", err)
	case <-time.After(closing + time.Second):
	}
	close(answer)
	if err := <-ended; err != nil {
		t.Error(err)
	}
	l, err := bolt.Open(bolt.Options{Path: filepath.Join(dir, "data", LedgerFile)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	kept(t, l, "new")
}
