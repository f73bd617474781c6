package httpx

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestRefused(t *testing.T) {
	t.Parallel()
	t.Run("slows down, and recovers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := NewLimiter(8, 1)
			for range 10 { // together they count as one
				l.Refused(3 * time.Second)
			}
			if l.Rate() != 4 {
				t.Errorf("rate %v, want 4", l.Rate())
			}
			for range 10 {
				time.Sleep(4 * time.Second)
				l.Refused(0)
			}
			if l.Rate() != 1 {
				t.Errorf("rate %v, want the floor of 1", l.Rate())
			}
			for range 40 {
				l.Accepted()
			}
			if got := l.Rate(); got < 7.1 || got > 7.3 {
				t.Errorf("rate %v, want nine tenths of what was refused soon", got)
			}
			for range 300 {
				l.Accepted()
			}
			if l.Rate() != 8 {
				t.Errorf("rate %v, want 8 again", l.Rate())
			}
		})
	})
	t.Run("holds up all workers, also those that wait for a turn", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := NewWindow(Window{Limit: 10, Span: time.Second})
			start := time.Now()
			var mu sync.Mutex
			var sent []time.Duration
			var all sync.WaitGroup
			for range 30 {
				all.Go(func() {
					l.Wait(t.Context())
					mu.Lock()
					defer mu.Unlock()
					sent = append(sent, time.Since(start))
				})
			}
			synctest.Wait()
			l.Refused(10 * time.Second)
			all.Wait()
			early, first := 0, 0
			for _, at := range sent {
				if at < 10*time.Second {
					early++
				} else if at < 11*time.Second {
					first++
				}
			}
			if early != 5 {
				t.Errorf("%d were sent before the pause was over, want only the burst of 5 before it", early)
			}
			if first > 5 {
				t.Errorf("%d were sent in the second after the pause, want half of the limit", first)
			}
		})
	})
	t.Run("for longer than anybody waits fails those that wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := NewWindow(Window{Limit: 10, Span: time.Second})
			l.Refused(time.Hour)
			start := time.Now()
			if err := l.Wait(t.Context()); !errors.Is(err, errTurn) || time.Since(start) > 0 {
				t.Errorf("got %v after %v, want %v at once", err, time.Since(start), errTurn)
			}
			time.Sleep(MaxWait) // a person may have mended it
			if err := l.Wait(t.Context()); err != nil {
				t.Errorf("got %v after half a minute, want a try", err)
			}
		})
	})
}

// TestSharedLimit/where others use half of the limit, less than 1% is refused
// and most of the other half is used.
func TestSharedLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, v := NewWindow(Window{Limit: 20, Span: 2 * time.Second}), &vendor{limit: 10, span: 2 * time.Second}
		work(t, l, v, 4, 20*time.Millisecond, 2*time.Hour, 2*time.Second)
		if v.denied*100 > v.asked {
			t.Errorf("%d of %d requests were refused, want at most 1%%", v.denied, v.asked)
		}
		if got := float64(v.asked) / (2 * time.Hour).Seconds(); got < 5*0.75 {
			t.Errorf("%.2f requests a second, want most of 5", got)
		}
		before, start := v.asked, time.Now()
		v.limit = 20 // the others stop
		work(t, l, v, 4, 20*time.Millisecond, time.Hour, 2*time.Second)
		if got := float64(v.asked-before) / time.Since(start).Seconds(); got < 9.5 {
			t.Errorf("%.2f requests a second after the others stopped, want at least 9.5", got)
		}
	})
}

func TestObserve(t *testing.T) {
	t.Parallel()
	// next is how long the n-th request from now waits.
	next := func(t *testing.T, l *Limiter, n int) time.Duration {
		start := time.Now()
		for range n {
			l.Wait(t.Context())
		}
		return time.Since(start)
	}
	const span = 10 * time.Second
	for _, c := range []struct {
		name             string
		w                Window
		limit, remaining int
		span             time.Duration
		rate             float64 // afterwards
	}{
		{"takes the vendor's higher limit", Window{Limit: 100, Span: span}, 190, 189, span, 190 / 10.2},
		{"never goes beyond a person's setting", Window{Limit: 50, Span: span, Fixed: true}, 190, 189, span, 50 / 10.2},
		{"takes a lower limit than a person's setting", Window{Limit: 190, Span: span, Fixed: true}, 100, 99, span, 100 / 10.2},
		{"takes no note of other spans", Window{Limit: 100, Span: span}, 250_000, 0, 24 * time.Hour, 100 / 10.2},
		{"takes no note of what was not said", Window{Limit: 100, Span: span}, 0, 0, span, 100 / 10.2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := NewWindow(c.w)
				l.Wait(t.Context())
				l.Observe(c.limit, c.remaining, c.span)
				if got := l.Rate(); got < c.rate-0.001 || got > c.rate+0.001 {
					t.Errorf("rate %.3f, want %.3f", got, c.rate)
				}
			})
		})
	}
	t.Run("leaves what others sent", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := NewWindow(Window{Limit: 100, Span: span, Burst: 100})
			next(t, l, 10)
			l.Observe(100, 30, span) // 60 of the 70 were others'
			if got := next(t, l, 30); got > 0 {
				t.Errorf("the 30 that are left took %v, want no wait", got)
			}
			if got := next(t, l, 1); !about(got, span) {
				t.Errorf("the next waited %v, want until the others' have left the window after %v", got, span)
			}
		})
	})
}
