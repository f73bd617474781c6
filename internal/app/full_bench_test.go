package app

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
	"github.com/crmsyncd/crmsyncd/store/storetest"
)

// fullSizes are how many events there are in BenchmarkFull's ledger; SIZES says
// otherwise.
const fullSizes = "0 1000000 5000000"

// BenchmarkFull measures durable ingest at 64 connections into a ledger that has
// many events of the last thirty days, of 1 KB each: as a share of what an empty
// ledger takes, measured right before each: in the first three seconds after a
// start, when pages of the index come from the disk, and in the three after that. Where the vendor gives no time, the
// keys of all days lie together in the index, so each new one costs a page.
func BenchmarkFull(b *testing.B) {
	sizes := fullSizes
	if s := os.Getenv("SIZES"); s != "" {
		sizes = s
	}
	f := filled{dir: b.TempDir()}
	for _, text := range strings.Fields(sizes) {
		size, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		f.measure(b, size)
	}
	untimed := filled{dir: b.TempDir(), untimed: true}
	untimed.measure(b, 1_000_000)
}

// filled is a ledger in which there are events.
type filled struct {
	dir     string
	untimed bool // the vendor gives no time
	have    int
}

func (f *filled) measure(b *testing.B, size int) {
	name := fmt.Sprint(size)
	if f.untimed {
		name += " untimed"
	}
	writeBench(b, f.dir, unmatchedRules, "http://127.0.0.1:1", 100_000, 10_000)
	f.fillTo(b, size)
	requests := make([][]byte, prepared)
	for n := range requests {
		// Every webhook of before is a duplicate in a ledger that has it.
		requests[n] = signedWebhook(b, 1_000_000+f.have+n, true)
	}
	half := len(requests) / 2
	var empty, emptyThen float64
	b.Run("empty beside "+name, func(b *testing.B) {
		a := startBench(b, unmatchedRules, "http://127.0.0.1:1")
		empty = report(b, postAll(b, a.public.Addr().String(), 64, requests[:half]), 0)
		emptyThen = rateOf(postAll(b, a.public.Addr().String(), 64, requests[half:]))
	})
	b.Run("events="+name, func(b *testing.B) {
		a, stop := runBench(b, f.dir)
		defer stop()
		rate := report(b, postAll(b, a.public.Addr().String(), 64, requests[:half]), 0)
		then := rateOf(postAll(b, a.public.Addr().String(), 64, requests[half:]))
		b.ReportMetric(100*rate/empty, "%-of-empty")
		b.ReportMetric(then, "events/s-then")
		b.ReportMetric(100*then/emptyThen, "%-of-empty-then")
		s, err := a.ledger.Stats(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		f.have = int(s.Events)
		b.ReportMetric(float64(s.Bytes>>20), "MiB-file")
	})
}

func rateOf(m measurement) float64 { return float64(len(m.times)) / m.took.Seconds() }

func (f *filled) fillTo(b *testing.B, size int) {
	dir := filepath.Join(f.dir, "data")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		b.Fatal(err)
	}
	l, err := bolt.Open(bolt.Options{Path: filepath.Join(dir, LedgerFile), Init: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	began, from := time.Now(), f.have
	body := make([]byte, 8<<10) // does not compress
	for i := range body {
		body[i] = "0123456789abcdef"[rand.IntN(16)]
	}
	add := max(size-from, 0)
	err = storetest.Fill(b.Context(), l, add, func(i int) store.Event {
		at := began.Add(-30 * 24 * time.Hour / time.Duration(add) * time.Duration(add-i))
		occurred := at
		if !f.untimed {
			occurred = at.Add(-time.Minute)
		}
		return store.Event{
			Source: "telli", Vendor: "telli", Type: event.CallEnded, Origin: event.Webhook, OccurredAt: occurred, ReceivedAt: at, Rank: 5,
			Lane: fmt.Sprint("contact:", i%100_000), DeliveryID: fmt.Sprintf("fill_%d_%d", from, i), ContentKey: fmt.Sprintf("telli:fill:%d:%d", from, i),
			ContentType: "application/json", Body: body[i%1000 : i%1000+1<<10],
		}
	})
	if err != nil {
		b.Fatal(err)
	}
	if err := l.Close(); err != nil {
		b.Fatal(err)
	}
	f.have += add
	if add > 0 {
		b.Logf("%d events more in %v", add, time.Since(began).Round(time.Second))
	}
}
