package httpx

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLeftCountsTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewWindow(Window{Limit: 10, Span: 10 * time.Second, Burst: 10})
		want := func(left int) {
			t.Helper()
			if got, most := l.Left(); got != left || most != 10 {
				t.Errorf("Left() = %d of %d, want %d of 10", got, most, left)
			}
		}
		want(10)
		for range 3 {
			if err := l.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		want(7)
		l.Observe(10, 2, 10*time.Second) // others sent five
		want(2)
		time.Sleep(11 * time.Second)
		want(10)
		l.Refused(5 * time.Second)
		want(0)
		time.Sleep(6 * time.Second)
		want(5) // half of the rate, until requests are accepted again
	})
}

func TestLeftOfARate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(2, 4)
		for range 4 {
			if err := l.Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got, most := l.Left(); got != 0 || most != 4 {
			t.Errorf("Left() = %d of %d, want 0 of 4", got, most)
		}
		time.Sleep(time.Second)
		if got, _ := l.Left(); got != 2 {
			t.Errorf("after a second %d are left, want 2", got)
		}
	})
	if left, most := (*Limiter)(nil).Left(); left != 0 || most != 0 {
		t.Errorf("no limiter has %d of %d left, want nothing", left, most)
	}
}
