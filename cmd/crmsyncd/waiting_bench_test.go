package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
	"github.com/crmsyncd/crmsyncd/store/storetest"
)

// waitingEvents is how many wait in BenchmarkWaiting; EVENTS says otherwise.
const waitingEvents = 1_000_000

// BenchmarkWaiting starts a daemon on a ledger in which a million deliveries
// wait for a CRM that is down: after a clean stop and after SIGKILL. It tells
// how long until a webhook is answered and how much memory the daemon has then
// and after ten seconds of webhooks; MiB-own is what is not the ledger's pages,
// which the kernel takes back when it needs to.
func BenchmarkWaiting(b *testing.B) {
	events := waitingEvents
	if n, err := strconv.Atoi(os.Getenv("EVENTS")); err == nil {
		events = n
	}
	down, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	down.Close() // refuses
	p := &process{t: b, dir: b.TempDir()}
	private := "unix:" + filepath.Join(p.dir, "admin.sock")
	writeRoad(b, p.dir, private, "hubspot", "http://"+down.Addr().String())
	fillWaiting(b, filepath.Join(p.dir, "data", "ledger.db"), events)
	n := events
	for _, after := range []string{"a clean stop", "SIGKILL", "SIGKILL again"} {
		b.Run("after "+after, func(b *testing.B) {
			began := time.Now()
			p.start()
			listen, err := readyAt(private)
			if err != nil {
				b.Fatal(err, p.err.String())
			}
			n++
			c := dialRoad(b, listen)
			if err := c.send(roadWebhook(b, n, n, time.Now())); err != nil {
				b.Fatal(err)
			}
			took := time.Since(began)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(took.Seconds(), "s-to-200")
			rss, own := memory(b, p.cmd.Process.Pid)
			b.ReportMetric(rss, "MiB-RSS")
			b.ReportMetric(own, "MiB-own")
			for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
				n++
				if err := c.send(roadWebhook(b, n, n, time.Now())); err != nil {
					b.Fatal(err)
				}
			}
			rss, own = memory(b, p.cmd.Process.Pid)
			b.ReportMetric(rss, "MiB-RSS-busy")
			b.ReportMetric(own, "MiB-own-busy")
			sig := syscall.SIGKILL
			if after == "SIGKILL again" {
				sig = syscall.SIGTERM
			}
			if err := p.end(sig); (err == nil) != (sig == syscall.SIGTERM) {
				b.Error(err, p.err.String())
			}
		})
	}
	b.Run("asked", func(b *testing.B) { askWaiting(b, filepath.Join(p.dir, "data", "ledger.db")) })
}

// askWaiting measures what the daemon asks of the ledger again and again.
func askWaiting(b *testing.B, path string) {
	l, err := bolt.Open(bolt.Options{Path: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	const due, stats = 20, 1000
	busy := map[string]bool{}
	began := time.Now()
	for range due {
		work, _, err := l.Due(b.Context(), "hubspot", time.Now().Add(time.Hour), func(lane string) bool { return busy[lane] }, 1000, 32<<20)
		if err != nil || len(work) == 0 {
			b.Fatal(len(work), err)
		}
		for _, w := range work {
			busy[w.Delivery.Lane] = true
		}
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(time.Since(began).Microseconds())/1000/due, "ms-for-1000-due")
	began = time.Now()
	for range stats {
		if _, err := l.Stats(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(time.Since(began).Microseconds())/stats, "µs-for-stats")
}

func fillWaiting(b *testing.B, path string, events int) {
	l, err := bolt.Open(bolt.Options{Path: path, Init: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	src, err := telliSource(testSecret)
	if err != nil {
		b.Fatal(err)
	}
	begin := time.Now().Add(-20 * time.Hour).Truncate(time.Second)
	sample, err := src.(sources.Sampler).Sample("call_completed", 1, begin)
	if err != nil {
		b.Fatal(err)
	}
	p := src.Parse(&sources.Request{Header: http.Header{"Content-Type": {"application/json"}}, Body: sample})
	began := time.Now()
	err = storetest.Fill(b.Context(), l, events, func(i int) store.Event {
		at := begin.Add(time.Duration(i) * time.Millisecond)
		call := fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(i)*2654435761, i)
		return store.Event{
			Source: "telli", Vendor: "telli", Type: event.CallEnded, Origin: event.Webhook, OccurredAt: at, ReceivedAt: at, Rank: p.Event.Rank(),
			Lane: fmt.Sprintf("contact:%08x", uint32(i%(events/roadEach))*2654435761), DeliveryID: fmt.Sprint("msg_", i), ContentKey: "telli:call:" + call,
			ContentType: "application/json", Body: bytes.ReplaceAll(sample, []byte(p.Event.Call.ID), []byte(call)),
		}
	}, "hubspot")
	if err != nil {
		b.Fatal(err)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d events in %v, %d MB, %d bytes each as received", events, time.Since(began).Round(time.Second), info.Size()>>20, len(sample))
}

// memory is the resident memory of a process, and that of it which belongs to
// no file, in MiB.
func memory(b *testing.B, pid int) (rss, own float64) {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %f kB", &rss)
		_, _ = fmt.Sscanf(line, "RssAnon: %f kB", &own)
	}
	return rss / 1024, own / 1024
}
