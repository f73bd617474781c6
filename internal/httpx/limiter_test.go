package httpx

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// about tells whether two durations are the same but for rounding.
func about(got, want time.Duration) bool { return (got - want).Abs() < time.Millisecond }

func TestLimiter(t *testing.T) {
	t.Parallel()
	t.Run("keeps the published rate", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := NewLimiter(10, 5)
			start := time.Now()
			for range 25 {
				if err := l.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if got, want := time.Since(start), 2*time.Second; !about(got, want) {
				t.Errorf("25 requests took %v, want %v", got, want)
			}
		})
	})
	t.Run("lets go of who waits once the program ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := NewLimiter(1, 1)
			l.Wait(t.Context())
			leaving, leave := context.WithCancel(t.Context())
			time.AfterFunc(500*time.Millisecond, leave)
			start := time.Now()
			var wg sync.WaitGroup
			for range 3 { // one waits for the limit, the others for that one
				wg.Go(func() {
					if err := l.Wait(WithLeaving(t.Context(), leaving)); !errors.Is(err, errLeaving) || !about(time.Since(start), 500*time.Millisecond) {
						t.Errorf("got %v after %v, want %v when it ends", err, time.Since(start), errLeaving)
					}
				})
			}
			wg.Wait()
			time.Sleep(time.Hour)
			if err := l.Wait(WithLeaving(t.Context(), leaving)); !errors.Is(err, errLeaving) {
				t.Errorf("got %v with a free turn, want %v", err, errLeaving)
			}
		})
	})
	t.Run("does not wait for what comes after the deadline", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := NewLimiter(0.1, 1)
			l.Wait(t.Context())
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			start := time.Now()
			if err := l.Wait(ctx); !errors.Is(err, errTurn) || time.Since(start) > 0 {
				t.Errorf("got %v after %v, want %v at once", err, time.Since(start), errTurn)
			}
		})
	})
	t.Run("gives the turn of one who gave up to the next", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := NewLimiter(1, 1)
			l.Wait(t.Context())
			start := time.Now()
			ctx, cancel := context.WithCancel(t.Context())
			go func() { time.Sleep(time.Second / 2); cancel() }()
			if err := l.Wait(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want cancelled", err)
			}
			if err := l.Wait(t.Context()); err != nil || !about(time.Since(start), time.Second) {
				t.Errorf("the next had its turn after %v (%v), want 1s", time.Since(start), err)
			}
		})
	})
	t.Run("of nil does not limit", func(t *testing.T) {
		var l *Limiter
		l.Refused(time.Hour)
		l.Accepted()
		l.Observe(10, 0, time.Second)
		if err := l.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// vendor counts requests in a rolling window, as vendors do.
type vendor struct {
	mu            sync.Mutex
	limit         int
	span          time.Duration
	calls         []time.Time
	asked, denied int
}

func (v *vendor) take() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.asked++
	now := time.Now()
	for len(v.calls) > 0 && now.Sub(v.calls[0]) >= v.span {
		v.calls = v.calls[1:]
	}
	if len(v.calls) >= v.limit {
		v.denied++
		return false
	}
	v.calls = append(v.calls, now)
	return true
}

// work has workers send until the time is over. Each request is on its way for
// up to late.
func work(t *testing.T, l *Limiter, v *vendor, workers int, late, total time.Duration, refused time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	end := time.Now().Add(total)
	for range workers {
		all.Go(func() {
			for time.Now().Before(end) {
				if l.Wait(t.Context()) != nil {
					return
				}
				time.Sleep(rand.N(late))
				if v.take() {
					l.Accepted()
				} else {
					l.Refused(refused)
				}
			}
		})
	}
	all.Wait()
}

// TestWindow/the limits of HubSpot, its search and Airtable are used to 95% and
// never passed.
func TestWindow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		w    Window
	}{
		{"190 in ten seconds", Window{Limit: 190, Span: 10 * time.Second}},
		{"190 in ten seconds, all at once", Window{Limit: 190, Span: 10 * time.Second, Burst: 190}},
		{"5 in a second", Window{Limit: 5, Span: time.Second}},
		{"5 in a second, evenly", Window{Limit: 5, Span: time.Second, Burst: 1}},
		{"20 in two seconds", Window{Limit: 20, Span: 2 * time.Second}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, v := NewWindow(c.w), &vendor{limit: c.w.Limit, span: c.w.Span}
				for range 3 { // with rests between
					before, start := v.asked, time.Now()
					work(t, l, v, 8, 30*time.Millisecond, 5*time.Minute, time.Second)
					got := float64(v.asked-before) / time.Since(start).Seconds()
					if want := 0.95 * float64(c.w.Limit) / c.w.Span.Seconds(); got < want {
						t.Errorf("%.2f requests a second, want at least %.2f", got, want)
					}
					time.Sleep(time.Minute)
				}
				if v.denied > 0 {
					t.Errorf("%d of %d requests were refused, want none", v.denied, v.asked)
				}
			})
		})
	}
}

func TestWindowCountsFromWhenARequestGoesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewWindow(Window{Limit: 2, Span: time.Second})
		for range 2 { // both connect for half a second
			mine, err := turns(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			time.AfterFunc(500*time.Millisecond, mine.out)
		}
		start := time.Now()
		l.Wait(t.Context())
		if got, want := time.Since(start), 1540*time.Millisecond; got < want || got > want+2*connecting {
			t.Errorf("the third was sent after %v, want %v", got, want)
		}
	})
}

func TestTurnsOfTwoLimitsComeTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		search, account := NewWindow(Window{Limit: 1, Span: time.Second}), NewWindow(Window{Limit: 100, Span: time.Second})
		both := func() error {
			mine, err := turns(t.Context(), search, account)
			if err == nil {
				mine.out()
			}
			return err
		}
		both()
		done := make(chan struct{})
		go func() {
			both()
			close(done)
		}()
		synctest.Wait() // the search waits for its turn
		start := time.Now()
		if err := account.Wait(t.Context()); err != nil || time.Since(start) > 0 {
			t.Errorf("another request waited %v (%v) for the limit of searches", time.Since(start), err)
		}
		account.Refused(5 * time.Second)
		<-done
		if got := time.Since(start); !about(got, 5*time.Second) {
			t.Errorf("the search went out after %v, want after the account's pause of 5s", got)
		}
		if err := both(); err != nil || time.Since(start) < 6*time.Second {
			t.Errorf("the next search went out after %v (%v), want a second after the one before", time.Since(start), err)
		}
	})
}

func TestTurnsAreInTheOrderOfComing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(1, 1)
		l.Wait(t.Context())
		var mu sync.Mutex
		var order []int
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				l.Wait(t.Context())
				mu.Lock()
				defer mu.Unlock()
				order = append(order, i)
			})
			synctest.Wait()
		}
		all.Wait()
		for i, n := range order {
			if i != n {
				t.Fatalf("turns %v, want in order", order)
			}
		}
	})
}

// TestLateRequests/now and then a request is on its way for much longer than
// the others; what is sent a window later keeps the limit all the same.
func TestLateRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, v := NewWindow(Window{Limit: 15, Span: time.Second}), &vendor{limit: 15, span: time.Second}
		end := time.Now().Add(10 * time.Minute)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for time.Now().Before(end) {
					mine, err := turns(t.Context(), l)
					if err != nil {
						return
					}
					mine.out()
					if rand.N(50) == 0 {
						time.Sleep(150 * time.Millisecond)
					}
					time.Sleep(rand.N(5 * time.Millisecond))
					v.take()
					mine.back()
				}
			})
		}
		all.Wait()
		if v.denied*200 > v.asked {
			t.Errorf("%d of %d requests were refused, want fewer than one of 200", v.denied, v.asked)
		}
		if got := float64(v.asked) / (10 * time.Minute).Seconds(); got < 0.95*15 {
			t.Errorf("%.2f requests a second, want at least %.2f", got, 0.95*15)
		}
	})
}
