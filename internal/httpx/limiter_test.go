package httpx

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

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
			if got, want := time.Since(start), 2*time.Second; got != want {
				t.Errorf("25 requests took %v, want %v", got, want)
			}
		})
	})
	t.Run("pauses and slows down after a refusal and recovers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l := NewLimiter(8, 1)
			for range 10 { // together they count as one
				l.Refused(3 * time.Second)
			}
			if l.Rate() != 4 {
				t.Errorf("rate %v, want 4", l.Rate())
			}
			start := time.Now()
			l.Wait(t.Context())
			if got := time.Since(start); got != 3*time.Second {
				t.Errorf("waited %v, want 3s", got)
			}
			for range 10 {
				time.Sleep(2 * time.Second)
				l.Refused(0)
			}
			if l.Rate() != 1 {
				t.Errorf("rate %v, want the floor of 1", l.Rate())
			}
			for range 100 {
				l.Accepted()
			}
			if l.Rate() != 8 {
				t.Errorf("rate %v, want 8 again", l.Rate())
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
			if err := l.Wait(ctx); err == nil || time.Since(start) > 0 {
				t.Errorf("got %v after %v, want an error at once", err, time.Since(start))
			}
		})
	})
	t.Run("of nil does not limit", func(t *testing.T) {
		var l *Limiter
		l.Refused(time.Hour)
		l.Accepted()
		if err := l.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
