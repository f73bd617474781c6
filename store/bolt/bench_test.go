package bolt

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/store"
)

// benchBody is the size of a webhook in the benchmarks, in bytes.
const benchBody = 4 << 10

var writers = []int{1, 16, 64}

// measure runs do b.N times from n goroutines and reports rate and times.
func measure(b *testing.B, n int, do func(i int)) {
	b.Helper()
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range n {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < b.N; i = int(next.Add(1)) - 1 {
				began := time.Now()
				do(i)
				took[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

func BenchmarkAppend(b *testing.B) {
	for _, n := range writers {
		b.Run(fmt.Sprintf("writers=%d", n), func(b *testing.B) {
			l := openIn(b, b.TempDir())
			defer l.Close()
			body := talk(benchBody)
			measure(b, n, func(i int) {
				e := sample(0)
				e.DeliveryID, e.ContentKey, e.Body = fmt.Sprintf("msg_%d", i), fmt.Sprintf("call_%d", i), body
				if r, err := l.Append(b.Context(), e); err != nil || r.Duplicate {
					b.Error(r, err)
				}
			})
		})
	}
}

// BenchmarkPlainPut is what bbolt itself can do: group-committed puts of the
// same size at the end of one bucket.
func BenchmarkPlainPut(b *testing.B) {
	for _, n := range writers {
		b.Run(fmt.Sprintf("writers=%d", n), func(b *testing.B) {
			db, err := bbolt.Open(filepath.Join(b.TempDir(), "plain.db"), 0o600, &bbolt.Options{
				NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, InitialMmapSize: mapSize, NoStatistics: true,
			})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("b")); return err }); err != nil {
				b.Fatal(err)
			}
			queue := make(chan chan error, 4096)
			go plainCommits(db, queue)
			measure(b, n, func(int) {
				over := make(chan error, 1)
				queue <- over
				if err := <-over; err != nil {
					b.Error(err)
				}
			})
			close(queue)
		})
	}
}

func plainCommits(db *bbolt.DB, queue chan chan error) {
	body, seq := talk(benchBody), uint64(0)
	for first := range queue {
		batch := []chan error{first}
		for more := true; more; {
			select {
			case c, ok := <-queue:
				if more = ok; ok {
					batch = append(batch, c)
				}
			default:
				more = false
			}
		}
		err := db.Update(func(tx *bbolt.Tx) error {
			bb := tx.Bucket([]byte("b"))
			bb.FillPercent = 1
			for range batch {
				seq++
				if err := bb.Put(binary.BigEndian.AppendUint64(nil, seq), body); err != nil {
					return err
				}
			}
			return nil
		})
		for _, c := range batch {
			c <- err
		}
	}
}

// BenchmarkSync is how often the folder's disk can sync 4 KB.
func BenchmarkSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "sync"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	body := talk(benchBody)
	measure(b, 1, func(i int) {
		if _, err := f.WriteAt(body, int64(i%1024)*benchBody); err != nil {
			b.Error(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Error(err)
		}
	})
}

// BenchmarkRoad takes events through the ledger as the deliverer does: appended
// by 64 writers, planned, found due, settled in waves with the links and heads
// of two records each.
func BenchmarkRoad(b *testing.B) {
	l := openIn(b, b.TempDir())
	defer l.Close()
	const wave = 1000
	ctx := b.Context()
	body := make([]byte, 2<<10)
	check := func(err error) {
		if err != nil {
			b.Error(err)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	began, writes, commits := processorTime(), fileWrites(b), l.commits.Load()
	var appended atomic.Bool
	var writers, others sync.WaitGroup
	var next atomic.Int64
	for range 64 {
		writers.Go(func() {
			for i := int(next.Add(1)); i <= b.N; i = int(next.Add(1)) {
				e := sample(0)
				e.Lane = fmt.Sprintf("contact-%d", i%(b.N/4+1))
				e.OccurredAt = e.OccurredAt.Add(time.Duration(i) * time.Millisecond)
				e.DeliveryID, e.ContentKey, e.Body = fmt.Sprintf("msg_%d", i), fmt.Sprintf("call_%d", i), body
				_, err := l.Append(ctx, e)
				check(err)
			}
		})
	}
	others.Go(func() {
		for {
			last := appended.Load()
			events, err := l.Unplanned(ctx, 512, 8<<20)
			check(err)
			plans := make([]store.Plan, len(events))
			for i, e := range events {
				plans[i] = store.Plan{Seq: e.Seq, Connectors: []string{"crm"}}
			}
			check(l.Plan(ctx, plans))
			if len(events) == 0 && last {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	settled := 0
	others.Go(func() {
		for settled < b.N && !b.Failed() {
			work, _, err := l.Due(ctx, "crm", time.Now(), nil, wave, 32<<20)
			check(err)
			if len(work) == 0 {
				time.Sleep(5 * time.Millisecond)
				continue
			}
			updates := make([]store.Update, len(work))
			links, heads := map[store.LinkKey]string{}, map[store.RecordKey]store.Head{}
			for i, w := range work {
				d := w.Delivery
				d.State = store.Done
				call, record := fmt.Sprint("call-", w.Event.Seq), fmt.Sprint(130_000_000_000+w.Event.Seq) // CRMs count up
				d.Records = []store.Record{{Rule: "Log finished calls", Object: "contacts", ID: d.Lane, Action: "created", Call: call}, {Rule: "Log finished calls", Object: "calls", ID: record, Action: "created", Call: call}}
				updates[i].Delivery = d
				links[store.LinkKey{Connector: "crm", Object: "contacts", Field: "id", Value: d.Lane}] = d.Lane
				links[store.LinkKey{Connector: "crm", Object: "calls", Field: "id", Value: call}] = record
				for _, k := range []store.RecordKey{{Connector: "crm", Object: "contacts", ID: d.Lane}, {Connector: "crm", Object: "calls", ID: record}} {
					h := store.Head{}
					for _, f := range []string{"telli_contact_id", "phone", "firstname", "lastname", "telli_status"} {
						h[f] = store.FieldHead{At: d.OccurredAt, Rank: d.Rank, Seq: d.ID.Seq, Hash: 77}
					}
					heads[k] = h
				}
			}
			updates[0].Links, updates[0].Heads = links, heads
			check(l.Settle(ctx, updates))
			settled += len(work)
		}
	})
	writers.Wait()
	appended.Store(true)
	others.Wait()
	b.StopTimer()
	n := float64(b.N)
	b.ReportMetric(n/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(1000*(processorTime()-began).Seconds()/n, "cpu-s/1000")
	b.ReportMetric(float64(fileWrites(b)-writes)/n, "writes/event")
	b.ReportMetric(n/float64(l.commits.Load()-commits), "events/commit")
}

// fileWrites is how often this process has called the kernel to write.
func fileWrites(b *testing.B) (n int64) {
	text, err := os.ReadFile("/proc/self/io")
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "syscw: %d", &n); err == nil {
			return n
		}
	}
	return 0
}

// processorTime is what this process has used so far.
func processorTime() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
