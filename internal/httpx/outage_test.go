package httpx

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// wire is a vendor without a network: it takes its time and answers a status.
type wire struct {
	status atomic.Int64
	asked  atomic.Int64
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.asked.Add(1)
	time.Sleep(100 * time.Millisecond)
	return &http.Response{StatusCode: int(w.status.Load()), Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}, nil
}

// TestOutage/four workers with a hundred requests each send a few to a vendor
// who is down, and all of them once he is back.
func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		w.status.Store(503)
		c := client(t, Options{BaseURL: "http://vendor.example", Transport: w, Limiter: NewWindow(Window{Limit: 100, Span: time.Second})})
		round := func() (fine int64) {
			var ok atomic.Int64
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for range 100 {
						r, err := c.Do(t.Context(), Request{Method: "GET", Path: "/x"})
						if err == nil && r.Status == 200 {
							ok.Add(1)
						}
					}
				})
			}
			all.Wait()
			return ok.Load()
		}
		round()
		if n := w.asked.Load(); n > patient+4 {
			t.Errorf("%d requests were sent to a vendor who is down, want at most %d", n, patient+4)
		}
		before := w.asked.Load()
		for range 60 { // an hour in which somebody tries every minute
			time.Sleep(time.Minute)
			round()
		}
		if n := w.asked.Load() - before; n > 60*4 {
			t.Errorf("%d requests in an hour of outage, want one or a few a minute", n)
		}
		w.status.Store(200)
		time.Sleep(time.Minute)
		c.Do(t.Context(), Request{Method: "GET", Path: "/x"})
		if n := round(); n != 400 {
			t.Errorf("%d of 400 requests were answered after the outage", n)
		}
	})
}
