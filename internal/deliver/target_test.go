package deliver_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// TestHalfOpen/after an outage the waves grow.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	story(t, "an outage of hours sees one small wave a minute, and then waves of 1, 2, 4 and all", func(t *testing.T, b *bench) {
		type look struct {
			at time.Time
			n  int
		}
		var mu sync.Mutex
		var down bool = true
		var looks []look
		b.d.Reload(setup(t, &oddCRM{crm: b.crm, find: func(m []connectors.Match, f []connectors.Found, err error) ([]connectors.Found, error) {
			time.Sleep(100 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			looks = append(looks, look{time.Now(), len(m)})
			if down {
				return nil, &connectors.Error{Kind: connectors.Transient, Message: "503"}
			}
			return f, err
		}}, rules))
		for i := range 300 {
			b.call(fmt.Sprint(1000+i), 0)
		}
		time.Sleep(time.Minute)
		for hour := range 6 {
			mu.Lock()
			looks = nil
			mu.Unlock()
			time.Sleep(time.Hour)
			mu.Lock()
			if n := len(looks); n < 30 || n > 130 {
				t.Errorf("%d look-ups in hour %d, want one every half to whole minute", n, hour)
			}
			if slices.ContainsFunc(looks, func(l look) bool { return l.n > 1 }) {
				t.Errorf("a look-up in hour %d was for more than one record", hour)
			}
			mu.Unlock()
		}
		mu.Lock()
		looks, down = nil, false
		mu.Unlock()
		b.settled(2 * time.Minute)
		var sizes []int
		for _, l := range looks {
			sizes = append(sizes, l.n)
		}
		if want := []int{1, 2, 4, 8, 16, 32}; len(sizes) < 8 || !slices.Equal(sizes[:6], want) || sizes[6] != 100 {
			t.Errorf("waves of %v, want %v and then of 100", sizes, want)
		}
		if took := looks[6].at.Sub(looks[0].at); took > 5*time.Second {
			t.Errorf("full speed came %v after the first success, want seconds", took)
		}
	})
	story(t, "a moment of trouble that hits waves side by side is one failure", func(t *testing.T, b *bench) {
		hang := make(chan struct{})
		b.crm.mu.Lock()
		b.crm.hang = hang
		b.crm.mu.Unlock()
		for i := range 4 { // four waves under way
			b.call(fmt.Sprint(10+i), 0)
			time.Sleep(3 * time.Second)
		}
		b.crm.mu.Lock()
		b.crm.hang, b.crm.down = nil, &connectors.Error{Kind: connectors.Transient, Account: true, Message: "503"}
		b.crm.mu.Unlock()
		close(hang)
		time.Sleep(10 * time.Millisecond)
		c := b.d.Conditions()["crm"]
		if wait := time.Until(c.Until); c.State != "paused" || wait > time.Second {
			t.Errorf("%s for %v, want paused for a second at most", c.State, wait)
		}
		b.crm.mu.Lock()
		b.crm.down = nil
		b.crm.mu.Unlock()
		b.settled(10 * time.Second)
	})
	story(t, "one request too many does not stop an account that takes others", func(t *testing.T, b *bench) {
		refusals := 1
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Object == "calls" && refusals > 0 {
				refusals--
				return &connectors.Error{Kind: connectors.RateLimited, Account: true, Wait: 30 * time.Second, Message: "429"}
			}
			return nil
		}
		for i := range 20 {
			b.call(fmt.Sprint(10+i), 0)
		}
		b.settled(5 * time.Second)
	})
	story(t, "an account that refuses again and again is left alone for longer", func(t *testing.T, b *bench) {
		refused := 0
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			if c.Object == "calls" {
				refused++
				return &connectors.Error{Kind: connectors.RateLimited, Account: true, Message: "429"}
			}
			return nil
		}
		b.call("1", 0)
		time.Sleep(time.Hour)
		b.crm.mu.Lock()
		defer b.crm.mu.Unlock()
		if refused > 150 {
			t.Errorf("%d refusals in an hour, want at most 150", refused)
		}
	})
}
