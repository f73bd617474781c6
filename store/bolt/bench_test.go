package bolt

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"
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
			body := make([]byte, benchBody)
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
	body, seq := make([]byte, benchBody), uint64(0)
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
	body := make([]byte, benchBody)
	measure(b, 1, func(i int) {
		if _, err := f.WriteAt(body, int64(i%1024)*benchBody); err != nil {
			b.Error(err)
		}
		if err := syscall.Fdatasync(int(f.Fd())); err != nil {
			b.Error(err)
		}
	})
}
