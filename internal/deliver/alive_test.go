package deliver_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
)

func alive(d *deliver.Deliverer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return d.Alive(ctx)
}

// hangingRules hold up planning until hang is closed.
type hangingRules struct {
	deliver.Planner
	hang chan struct{}
}

func (r hangingRules) Candidates(t event.Type, source string) ([]string, bool) {
	<-r.hang
	return r.Planner.Candidates(t, source)
}

func TestAlive(t *testing.T) {
	t.Parallel()
	story(t, "idle loops turn when asked", func(t *testing.T, b *bench) {
		synctest.Wait()
		began := time.Now()
		for range 3 {
			if err := alive(b.d); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("took %s, want no more than a moment", took)
		}
	})
	story(t, "a CRM that hangs keeps no loop from turning", func(t *testing.T, b *bench) {
		b.crm.hang = make(chan struct{})
		b.call("1", 1)
		time.Sleep(time.Minute)
		if err := alive(b.d); err != nil {
			t.Error(err)
		}
		close(b.crm.hang)
		b.settled(time.Minute)
	})
	story(t, "without Run, and after it, there is nothing to wait for", func(t *testing.T, b *bench) {
		idle := deliver.New(deliver.Options{Ledger: b.ledger, Setup: setup(t, b.crm, rules)})
		if err := alive(idle); err != nil {
			t.Error(err)
		}
		b.halt(true)
		if err := alive(b.d); err != nil {
			t.Error(err)
		}
	})
	story(t, "a loop that hangs is named", func(t *testing.T, b *bench) {
		b.halt(true)
		s, hang := setup(t, b.crm, rules), make(chan struct{})
		s.Rules = hangingRules{s.Rules, hang}
		b.runWith(s)
		b.call("1", 1)
		time.Sleep(time.Second)
		if err := alive(b.d); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "planning") {
			t.Errorf("got %v, want that planning does not turn", err)
		}
		close(hang)
		if err := alive(b.d); err != nil {
			t.Errorf("when it goes on: %v", err)
		}
		b.settled(time.Minute)
	})
}
