package deliver_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/store"
)

// tellingCRM applies one change after the other, each in its time, and tells
// what became of it.
type tellingCRM struct {
	*crm
	each time.Duration
	hang func(connectors.Change) bool // which it takes for ever for; may be nil

	mu  sync.Mutex
	got map[string]int // how often a record of an event was applied

	killed atomic.Bool // nothing is written or kept any more
}

func (c *tellingCRM) Write(ctx context.Context, changes []connectors.Change) ([]connectors.Result, error) {
	results := make([]connectors.Result, len(changes))
	var order, last []int
	c.mu.Lock()
	for i := range changes {
		if c.hang != nil && c.hang(changes[i]) {
			last = append(last, i)
		} else {
			order = append(order, i)
		}
	}
	c.mu.Unlock()
	for n, i := range append(order, last...) {
		wait := c.each
		if n >= len(order) || c.killed.Load() {
			wait = time.Hour
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return results, &connectors.Error{Kind: connectors.Unknown, Err: ctx.Err()}
		}
		out, err := c.crm.Write(ctx, changes[i:i+1])
		if err != nil {
			results[i].Err = connectors.AsError(err)
			continue
		}
		results[i] = out[0]
		if out[0].Err == nil {
			c.mu.Lock()
			c.got[changes[i].Idempotency]++
			c.mu.Unlock()
		}
		changes[i].Tell(&results[i])
	}
	time.Sleep(c.each)
	return results, nil
}

// repeated counts what came more than once.
func (c *tellingCRM) repeated() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, times := range c.got {
		n += times - 1
	}
	return n
}

// onTelling restarts the deliverer for a CRM that takes each for a change.
func (b *bench) onTelling(text string, each time.Duration) (*tellingCRM, *faultyLedger) {
	b.halt(true)
	c := &tellingCRM{crm: b.crm, each: each, got: map[string]int{}}
	l := &faultyLedger{Ledger: b.ledger, settle: func([]store.Update) error {
		if c.killed.Load() {
			return store.ErrBroken
		}
		return nil
	}}
	b.ledger = l
	b.runTelling(c, text)
	return c, l
}

func (b *bench) runTelling(c *tellingCRM, text string) {
	s := setup(b.t, b.crm, text)
	s.Connectors["crm"] = deliver.Target{Connector: c, Wave: 500}
	b.runWith(s)
}

// hangs says which changes never end.
func (c *tellingCRM) hangs(which func(connectors.Change) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hang = which
}

// kill stops the deliverer with nothing written or kept from now on.
func (b *bench) kill(c *tellingCRM) {
	c.hangs(nil)
	c.killed.Store(true)
	defer c.killed.Store(false)
	b.halt(true)
}

func (b *bench) states() store.ConnectorStats {
	b.t.Helper()
	s, err := b.ledger.Stats(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return s.Connectors["crm"]
}

const twoOfACall = oneCall + `      - object: notes
        match: id
        fields: {id: =call.id, status: =call.status}
`

// TestKeptOnTheWay has steps take long.
func TestKeptOnTheWay(t *testing.T) {
	t.Parallel()
	storyOf(t, "after a kill in a slow wave of 200 few are repeated", oneCall, func(t *testing.T, b *bench) {
		const each = 20 * time.Millisecond
		c, l := b.onTelling(oneCall, each)
		b.crm.knows = true // so that nothing is kept before
		for range 200 {
			b.call(string(rune('a'+b.n)), 0)
		}
		time.Sleep(3 * time.Second)
		got := b.states()
		if got.Done < 100 || got.Waiting < 20 {
			t.Errorf("%d done and %d waiting in the middle of the wave", got.Done, got.Waiting)
		}
		if n := l.settles.Load(); n > 60 {
			t.Errorf("settled %d times in 3 s, want about 20 a second at most", n)
		}
		b.kill(c)
		b.runTelling(c, oneCall)
		b.settled(time.Minute)
		// What was answered in the last 50 ms, and what was under way.
		if n := c.repeated(); n > 4 || len(c.got) != 200 {
			t.Errorf("%d of %d were repeated", n, len(c.got))
		}
	})
	storyOf(t, "records of a delivery that goes on are not repeated either", rules, func(t *testing.T, b *bench) {
		c, _ := b.onTelling(rules, 20*time.Millisecond)
		b.crm.knows = true
		for range 50 {
			b.call(string(rune('a'+b.n)), 0)
		}
		time.Sleep(900 * time.Millisecond) // the contacts of most
		if got := b.states(); got.Done != 0 {
			t.Fatalf("%d are done before their calls are written", got.Done)
		}
		b.kill(c)
		b.runTelling(c, rules)
		b.settled(time.Minute)
		if n := c.repeated(); n > 4 || len(c.got) != 100 {
			t.Errorf("%d of %d were repeated", n, len(c.got))
		}
	})
	storyOf(t, "a delivery is kept as done only with all before it in its lane", oneCall, func(t *testing.T, b *bench) {
		c, _ := b.onTelling(oneCall, 30*time.Millisecond)
		c.crm.fault = func(ch connectors.Change) *connectors.Error {
			if ch.Fields["id"] == "c001" && len(c.crm.records) < 10 {
				return &connectors.Error{Kind: connectors.Transient, Message: "500"}
			}
			return nil
		}
		for n := range 12 {
			b.call("1", n)
		}
		time.Sleep(300 * time.Millisecond)
		if got := b.states(); got.Done != 0 {
			t.Errorf("%d done behind one that is not", got.Done)
		}
		b.settled(time.Minute)
		if n := c.repeated(); n != 0 {
			t.Errorf("%d were repeated", n)
		}
	})
	for _, hung := range []string{"calls", "notes"} {
		storyOf(t, "what was written for an earlier mapping is not taken as done while "+hung+" are written", twoOfACall, func(t *testing.T, b *bench) {
			c, _ := b.onTelling(twoOfACall, 60*time.Millisecond)
			down := true
			c.crm.fault = func(ch connectors.Change) *connectors.Error {
				if ch.Object == "notes" && ch.Fields["id"] != "c002" && down {
					return &connectors.Error{Kind: connectors.Transient, Message: "500"}
				}
				return nil
			}
			before := b.call("1", 0)
			second := b.call("1", 1) // written, and waits behind the first
			other := b.call("2", 0)
			time.Sleep(time.Second)
			if d := b.delivery(second); d.State != store.Waiting || d.Records[0].Action == "" || d.Records[1].Action == "" {
				t.Fatalf("%+v, want it written and waiting", d)
			}
			b.halt(true)
			if _, err := b.ledger.Discard(t.Context(), []store.DeliveryID{b.delivery(before).ID}, "not wanted"); err != nil {
				t.Fatal(err)
			}
			if _, err := b.ledger.Retry(t.Context(), []store.DeliveryID{b.delivery(second).ID, b.delivery(other).ID}); err != nil {
				t.Fatal(err)
			}
			down = false
			changed := strings.ReplaceAll(twoOfACall, "status: =call.status", "status: =call.id")
			c.hangs(func(ch connectors.Change) bool { return ch.Object == hung && ch.Fields["id"] == "c002" })
			b.runTelling(c, changed)
			time.Sleep(time.Minute)
			if d := b.delivery(second); d.State == store.Done {
				t.Error("it is done, though what the mended mapping wants is not written")
			}
			if d := b.delivery(other); d.State == store.Done != (hung == "notes") {
				t.Errorf("the other is %s, want it done with its last record", d.State)
			}
			b.kill(c)
			b.runTelling(c, changed)
			b.settled(time.Hour)
			for _, object := range []string{"calls", "notes"} {
				if got := b.crm.column(object, "status"); !strings.Contains(got, "c002") {
					t.Errorf("%s have %q", object, got)
				}
			}
		})
	}
	storyOf(t, "what the ledger does not take on the way is kept at the end", oneCall, func(t *testing.T, b *bench) {
		c, l := b.onTelling(oneCall, 20*time.Millisecond)
		b.crm.knows = true
		l.settle = func([]store.Update) error {
			if l.settles.Load() < 20 {
				return errors.New("it hangs")
			}
			return nil
		}
		for range 60 {
			b.call(string(rune('a'+b.n)), 0)
		}
		b.settled(time.Minute)
		if n := c.repeated(); n != 0 || len(c.got) != 60 {
			t.Errorf("%d of %d were repeated", n, len(c.got))
		}
	})
}
