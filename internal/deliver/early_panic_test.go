package deliver_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/store"
)

// slowCRM tells of the first of several changes long before it applies the last.
type slowCRM struct {
	*crm
	mu    sync.Mutex
	under map[string]bool // what requests under way are about
	twice bool            // something was sent while a request with it was under way
}

func (c *slowCRM) Write(ctx context.Context, changes []connectors.Change) ([]connectors.Result, error) {
	c.mu.Lock()
	for _, x := range changes {
		c.twice = c.twice || c.under[x.Idempotency]
		c.under[x.Idempotency] = true
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, x := range changes {
			delete(c.under, x.Idempotency)
		}
	}()
	results := make([]connectors.Result, len(changes))
	for i := range changes {
		out, err := c.crm.Write(ctx, changes[i:i+1])
		if err != nil {
			return results, err
		}
		results[i] = out[0]
		changes[i].Tell(&results[i])
		if len(changes) > 1 {
			time.Sleep(10 * time.Second)
		}
	}
	return results, nil
}

func TestAPanicWhileTheCRMIsBusySendsNothingBesideIt(t *testing.T) {
	t.Parallel()
	storyOf(t, "nothing is tried again before the request with it has ended", notes, func(t *testing.T, b *bench) {
		b.halt(true)
		c := &slowCRM{crm: b.crm, under: map[string]bool{}}
		var once sync.Once
		l := &faultyLedger{Ledger: b.ledger, settle: func(us []store.Update) error {
			if slices.ContainsFunc(us, func(u store.Update) bool { return len(u.Delivery.Records) > 0 && u.Delivery.Records[0].ID != "" }) {
				once.Do(func() { panic(inPanic) })
			}
			return nil
		}}
		for _, contact := range []string{"1", "2", "3"} {
			b.call(contact, 0)
		}
		s := setup(t, b.crm, notes)
		to := s.Connectors["crm"]
		to.Connector = c
		s.Connectors["crm"] = to
		b.runNoting(l, s)
		b.settled(time.Hour)
		if n := len(b.crm.list("notes")); n != 3 || c.twice {
			t.Errorf("%d notes, want 3; sent beside a request under way: %v", n, c.twice)
		}
	})
}

// brokenCRM tells of what it applied, and panics the first time.
type brokenCRM struct {
	*crm
	sent int
}

func (c *brokenCRM) Write(ctx context.Context, changes []connectors.Change) ([]connectors.Result, error) {
	c.sent++
	results, err := c.crm.Write(ctx, changes)
	for i := range results {
		changes[i].Tell(&results[i])
	}
	if c.sent == 1 {
		panic(inPanic)
	}
	return results, err
}

func TestWhatAConnectorToldBeforeItPanickedIsNotSentAgain(t *testing.T) {
	t.Parallel()
	storyOf(t, "it was applied", oneCall, func(t *testing.T, b *bench) {
		b.halt(true)
		c := &brokenCRM{crm: b.crm}
		s := setup(t, b.crm, oneCall)
		s.Connectors["crm"] = deliver.Target{Connector: c, Wave: 100}
		b.runWith(s)
		b.call("1", 0)
		b.settled(time.Hour)
		if c.sent != 1 {
			t.Errorf("it was sent %d times, want once", c.sent)
		}
	})
}
