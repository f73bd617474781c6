package reconcile

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// counting has the CRM's reads counted as requests.
func (d *desk) counting() {
	requests := 0
	d.crm.before = func() { requests++ }
	d.Count = func(ctx context.Context) (context.Context, func() int) {
		before := requests
		return ctx, func() int { return requests - before }
	}
}

// seen are the records that the CRM was asked for since the last time.
func (d *desk) seen() map[string]bool {
	seen := map[string]bool{}
	for _, ids := range d.crm.asked {
		for _, id := range ids {
			seen[id] = true
		}
	}
	d.crm.asked = nil
	return seen
}

// TestARunWithoutBudgetLosesNoPlace/open and /closed.
func TestARunWithoutBudgetLosesNoPlace(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"pending", "closed"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, rules)
			d.happen(upTo(350), 0, status, true)
			d.at = noon.Add(time.Minute)
			d.compare(true)
			d.counting()
			d.seen()
			d.at = noon.Add(8 * 24 * time.Hour)
			d.conn.PerDay = 2
			seen := map[string]bool{}
			for range 2 {
				for range 3 { // the first uses up the day
					d.compare(false)
					d.at = d.at.Add(time.Hour)
				}
				for id := range d.seen() {
					seen[id] = true
				}
				d.at = d.at.Add(24 * time.Hour)
			}
			if len(seen) != 350 {
				t.Errorf("two days saw %d of 350 contacts", len(seen))
			}
		})
	}
}

func TestTheSweepGoesOnWhereTheOpenOnesUseUpTheBudget(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	for n := range 20 { // the last in order are open
		status := "closed"
		if n >= 15 {
			status = "pending"
		}
		d.happens(n, 0, status, true)
	}
	d.at = noon.Add(time.Minute)
	d.compare(true)
	d.counting()
	d.seen()
	d.at = noon.Add(8 * 24 * time.Hour)
	d.conn.PerRun = 1
	if run := d.compare(false); run.State != store.RunStopped {
		t.Fatalf("the run is %s: %s", run.State, run.Note)
	}
	d.conn.PerRun = 2
	d.compare(false)
	if seen := d.seen(); len(seen) != 20 {
		t.Errorf("two runs saw %d of 20 contacts", len(seen))
	}
}

func TestAVendorsBudgetComesToAllThatAreOpen(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	d.happen(upTo(120), -90, "pending", true)
	for n := range 120 {
		o.status[fmt.Sprintf("c%03d", n)] = "pending"
	}
	d.setup.PerRun = 50
	for range 4 {
		if run := d.ask(false); run.State == store.RunStopped && !strings.Contains(run.Note, "goes on") {
			t.Errorf("the run's note is %q", run.Note)
		}
		d.at = d.at.Add(time.Hour)
	}
	slices.Sort(o.asked)
	if n := len(slices.Compact(o.asked)); n != 120 {
		t.Errorf("four runs asked for %d of 120", n)
	}
}

// TestNewsAreLookedAtByTheRunThatHasBudget though a run before had none for them.
func TestNewsAreLookedAtByTheRunThatHasBudget(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.setup.FullEvery = 0
	d.happen(upTo(350), 0, "closed", true)
	d.at = noon.Add(time.Minute)
	d.counting()
	d.seen()
	d.conn.PerRun = 2
	for range 2 { // the second goes on, and begins anew
		if run := d.compare(false); run.State != store.RunStopped {
			t.Fatalf("the run is %s", run.State)
		}
		d.at = d.at.Add(time.Hour)
	}
	seen := d.seen()
	if len(seen) != 350 {
		t.Errorf("two runs saw %d of 350 contacts with news", len(seen))
	}
	for range 3 { // and then there are none any more
		d.at = d.at.Add(time.Hour)
		d.compare(false)
		seen = d.seen()
	}
	if len(seen) != 0 {
		t.Errorf("%d contacts without news were looked at again", len(seen))
	}
}

func TestAVendorsBudgetComesToAllThatHaveNews(t *testing.T) {
	t.Parallel()
	d, o := newOracle(t)
	d.setup.FullEvery = 0
	d.happen(upTo(120), -90, "reached", true)
	for n := range 120 {
		o.status[fmt.Sprintf("c%03d", n)] = "reached"
	}
	d.setup.PerRun = 50
	for range 3 {
		d.ask(false)
		d.at = d.at.Add(24 * time.Hour)
	}
	slices.Sort(o.asked)
	if n := len(slices.Compact(o.asked)); n != 120 {
		t.Errorf("three runs asked for %d of 120 contacts with news", n)
	}
	for range 2 { // those that began a run, and then there are none any more
		o.asked = nil
		d.ask(false)
		d.at = d.at.Add(24 * time.Hour)
	}
	if n := len(o.asked); n != 0 {
		t.Errorf("%d contacts without news were asked for again", n)
	}
}
