package reconcile

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestRoom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		limits   []connectors.Limit
		searches bool
		want     int
	}{
		{"a connector without limits", nil, false, 10},
		{"a window of which nothing is used", []connectors.Limit{{Name: connectors.LimitWindow, Left: 100, Most: 100}}, false, 10},
		{"a window that is used up but for a few", []connectors.Limit{{Name: connectors.LimitWindow, Left: 28, Most: 100}}, false, 3},
		{"a window of which live deliveries have the rest", []connectors.Limit{{Name: connectors.LimitWindow, Left: 25, Most: 100}}, false, 0},
		{"a window of one request", []connectors.Limit{{Name: connectors.LimitWindow, Left: 1, Most: 1}}, false, 1},
		{"searches do not matter to reads", []connectors.Limit{{Name: connectors.LimitSearch, Left: 0, Most: 4}}, false, 10},
		{"but to searches", []connectors.Limit{{Name: connectors.LimitSearch, Left: 1, Most: 4}}, true, 0},
	} {
		conn := Connector{}
		if c.limits != nil {
			conn.Limits = func() []connectors.Limit { return c.limits }
		}
		if got := conn.room(c.searches); got != c.want {
			t.Errorf("%s: %d requests, want %d", c.name, got, c.want)
		}
	}
}

// TestAShareOfTheLimitIsLeftToLiveDeliveries/so reads and mends wait for it.
func TestAShareOfTheLimitIsLeftToLiveDeliveries(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.happen(upTo(350), 0, "pending", true)
	left, waits := 20, 0
	d.conn.Limits = func() []connectors.Limit {
		return []connectors.Limit{{Name: connectors.LimitWindow, Left: left, Most: 100}}
	}
	d.Wait = func(ctx context.Context, _ time.Duration) error {
		waits, left = waits+1, left+1
		return ctx.Err()
	}
	d.crm.before = func() {
		if left <= 25 {
			t.Errorf("it read with %d requests of 100 left", left)
		}
		left -= len(d.crm.asked[len(d.crm.asked)-1]) / perRequest
	}
	d.want(d.compare(true), "compared 350 agreed 350 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "")
	if waits < 6 {
		t.Errorf("it waited %d times", waits)
	}

	// What mends waits, too.
	d.conn.OnEdit = "ours"
	d.crm.records["people-c001"]["status"] = "vip"
	left, waits = 100, 0
	d.crm.before = func() { left = 20 }
	d.Append = func(ctx context.Context, e store.Event) (store.Receipt, error) {
		if left <= 25 {
			t.Errorf("it mended with %d requests of 100 left", left)
		}
		return d.Ledger.Append(ctx, e)
	}
	if run := d.compare(true); run.Mended != 1 || waits != 6 {
		t.Errorf("%d mended after %d waits, want 1 after 6", run.Mended, waits)
	}

	// Where it stays used up, what is compared is little, but some.
	left, d.crm.before, d.Append, waits = 0, nil, d.Ledger.Append, 0
	d.Wait = func(ctx context.Context, _ time.Duration) error { waits++; return ctx.Err() }
	d.crm.records["people-c001"]["status"] = "pending"
	if run := d.compare(true); run.State != store.RunDone || waits < int(letPass/pass) {
		t.Errorf("the run is %s after %d waits: %s", run.State, waits, run.Note)
	}
}

// TestTheRestOfADayIsLeftToLiveDeliveries/and the run ends, as that of a budget.
func TestTheRestOfADayIsLeftToLiveDeliveries(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.happens(1, 0, "pending", true)
	left := 10_000
	d.conn.Limits = func() []connectors.Limit {
		return []connectors.Limit{{Name: connectors.LimitDay, Left: left, Most: 100_000}}
	}
	if run := d.compare(true); run.State != store.RunStopped || len(d.crm.asked) != 0 || !strings.Contains(run.Note, "for live deliveries") {
		t.Errorf("the run is %s, %d reads: %s", run.State, len(d.crm.asked), run.Note)
	}
	left++
	if run := d.compare(true); run.State != store.RunDone || run.Compared != 1 {
		t.Errorf("a request more: %s, %d compared", run.State, run.Compared)
	}
}
