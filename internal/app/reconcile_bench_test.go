package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/reconcile"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
	"github.com/crmsyncd/crmsyncd/store/storetest"
)

// comparedEach is how many events of one contact there are in BenchmarkReconcile.
const comparedEach = 10

// BenchmarkReconcile measures what a full run of a connector reads of a ledger
// with EVENTS (1,000,000) delivered calls: the time without the CRM, and the most
// memory that was live on top.
func BenchmarkReconcile(b *testing.B) {
	events := 1_000_000
	if text := os.Getenv("EVENTS"); text != "" {
		var err error
		if events, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	dir := b.TempDir()
	writeBench(b, dir, rulesFor(b, "hubspot"), "http://127.0.0.1:1", 100_000, 10_000)
	a, stop := runBench(b, dir)
	src := a.setup.Load().Sources["telli"]
	stop()
	fillDelivered(b, filepath.Join(dir, "data", LedgerFile), src, events)
	a, stop = runBench(b, dir)
	defer stop()
	ready := a.reconciler.Setup
	var asked atomic.Int64
	a.reconciler.Setup = func() reconcile.Setup {
		s := ready()
		c := s.Connectors["hubspot"]
		c.Reader, c.Find, c.Limits, c.PerDay = counting{&asked}, nil, nil, 0
		s.Connectors = map[string]reconcile.Connector{"hubspot": c}
		return s
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	before, most := m.HeapAlloc, uint64(0)
	looking, looked := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for tick := time.NewTicker(500 * time.Millisecond); ; {
			select {
			case <-tick.C:
				runtime.GC()
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			case <-looking.Done():
				return
			}
		}
	}()
	began := time.Now()
	run, err := a.reconciler.Run(b.Context(), reconcile.Order{Target: reconcile.Target{Connector: "hubspot"}, Full: true, DryRun: true, Trigger: reconcile.ByHand}, nil)
	took := time.Since(began)
	looked()
	<-done
	if err != nil || int(asked.Load()) != events/comparedEach {
		b.Fatalf("%+v, %d asked for: %v", run, asked.Load(), err)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(took.Seconds(), "s")
	b.ReportMetric(float64(most-min(most, before))/(1<<20), "MiB-live")
}

// counting is a CRM that says of each record that it cannot be read.
type counting struct{ asked *atomic.Int64 }

func (c counting) Read(_ context.Context, _ string, ids, _ []string) ([]connectors.Read, error) {
	c.asked.Add(int64(len(ids)))
	out := make([]connectors.Read, len(ids))
	for i := range out {
		out[i].Err = &connectors.Error{Kind: connectors.Invalid, Message: "no"}
	}
	return out, nil
}

// fillDelivered fills a ledger with calls that are in HubSpot.
func fillDelivered(b *testing.B, path string, src sources.Source, events int) {
	l, err := bolt.Open(bolt.Options{Path: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	began, begin := time.Now(), time.Now().Add(-20*time.Hour).Truncate(time.Second)
	sample, err := src.(sources.Sampler).Sample("call_completed", 1, begin)
	if err != nil {
		b.Fatal(err)
	}
	p := src.Parse(&sources.Request{Header: http.Header{"Content-Type": {"application/json"}}, Body: sample})
	people := events / comparedEach
	err = storetest.Fill(b.Context(), l, events, func(i int) store.Event {
		at := begin.Add(time.Duration(i) * time.Millisecond)
		call := fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(i)*2654435761, i)
		contact := fmt.Sprintf("%08x-1111-4000-8000-%012x", uint32(i%people)*2654435761, i%people)
		body := bytes.ReplaceAll(sample, []byte(p.Event.Call.ID), []byte(call))
		return store.Event{
			Source: "telli", Vendor: "telli", Type: event.CallEnded, Origin: event.Webhook, OccurredAt: at, ReceivedAt: at, Rank: p.Event.Rank(),
			Lane: "contact:" + contact, DeliveryID: fmt.Sprint("msg_", i), ContentKey: "telli:call:" + call,
			ContentType: "application/json", Body: bytes.ReplaceAll(body, []byte(p.Event.Contact.ID), []byte(contact)),
		}
	}, "hubspot")
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("filled after %v", time.Since(began).Round(time.Second))
	settled := 0
	for settled < events {
		work, _, err := l.Due(b.Context(), "hubspot", time.Now(), func(string) bool { return false }, 5000, 64<<20)
		if err != nil || len(work) == 0 {
			b.Fatal(settled, len(work), err)
		}
		updates := make([]store.Update, len(work))
		for i, w := range work {
			d := w.Delivery
			id := d.Lane[len("contact:"):]
			d.State, d.UpdatedAt = store.Done, time.Now()
			d.Records = []store.Record{
				{Rule: "Log finished calls in HubSpot", Object: "contacts", ID: id, Action: "updated"},
				{Rule: "Log finished calls in HubSpot", Object: "calls", ID: fmt.Sprint("call-", d.ID.Seq), Action: "created"},
			}
			head := store.Head{}
			for _, f := range []string{"telli_contact_id", "email", "phone", "firstname", "lastname", "telli_status"} {
				head[f] = store.FieldHead{At: d.OccurredAt, Rank: d.Rank, Seq: d.ID.Seq, Hash: 1}
			}
			updates[i] = store.Update{Delivery: d, Heads: map[store.RecordKey]store.Head{{Connector: "hubspot", Object: "contacts", ID: id}: head}}
		}
		if err := l.Settle(b.Context(), updates); err != nil {
			b.Fatal(err)
		}
		settled += len(work)
	}
	b.Logf("settled after %v", time.Since(began).Round(time.Second))
}
