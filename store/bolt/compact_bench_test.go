package bolt

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkCompact compacts 1 GB while 8 writers go on, and then makes a backup
// of it: how long writes wait at the swap, and the longest that one took.
func BenchmarkCompact(b *testing.B) {
	const events = 250_000
	for b.Loop() {
		b.StopTimer()
		l := openIn(b, b.TempDir())
		body := talk(benchBody)
		var next atomic.Int64
		write := func() time.Duration {
			n := next.Add(1)
			e := numbered(0)
			e.DeliveryID, e.ContentKey, e.Body = fmt.Sprint("m", n), fmt.Sprint("c", n), body
			began := time.Now()
			if _, err := l.Append(context.Background(), e); err != nil {
				b.Error(err)
			}
			return time.Since(began)
		}
		parallel(64, func() bool { write(); return next.Load() < events })
		during := func(name string, do func() error) {
			var slowest atomic.Int64
			var over atomic.Bool
			var wg sync.WaitGroup
			wg.Go(func() {
				parallel(8, func() bool {
					took := int64(write())
					for old := slowest.Load(); took > old && !slowest.CompareAndSwap(old, took); old = slowest.Load() {
					}
					return !over.Load()
				})
			})
			began := time.Now()
			if err := do(); err != nil {
				b.Error(err)
			}
			b.ReportMetric(time.Since(began).Seconds(), name+"-s")
			over.Store(true)
			wg.Wait()
			b.ReportMetric(float64(slowest.Load())/1e6, name+"-slowest-ms")
		}
		during("nothing", func() error { time.Sleep(3 * time.Second); return nil })
		b.StartTimer()
		during("compact", func() error {
			c, err := l.Compact(context.Background(), false, nil)
			b.ReportMetric(c.Pause.Seconds()*1000, "pause-ms")
			b.ReportMetric(float64(c.Before>>20), "MB")
			return err
		})
		b.StopTimer()
		during("backup", func() error { _, err := l.Snapshot(context.Background(), io.Discard, nil); return err })
		if err := l.Close(); err != nil {
			b.Error(err)
		}
		b.StartTimer()
	}
}

// parallel repeats do from n goroutines until it returns false.
func parallel(n int, do func() bool) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			for do() {
			}
		})
	}
	wg.Wait()
}
