package reconcile

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// hourly is due at every full hour.
func hourly(t time.Time) time.Time { return t.Truncate(time.Hour).Add(time.Hour) }

// days lets a schedule work in virtual time until it is over, and gives the runs.
func (d *desk) days(span time.Duration) string {
	d.Helper()
	d.Now, d.Wait = time.Now, nil
	ctx, cancel := context.WithTimeout(d.Context(), span)
	defer cancel()
	d.Schedule(ctx)
	runs, err := d.Ledger.Runs(d.Context(), store.RunFilter{Limit: store.MaxRuns})
	if err != nil {
		d.Fatal(err)
	}
	by := map[string]int{}
	for _, r := range runs {
		by[targetOf(r).String()+" "+r.Trigger+" "+string(r.State)]++
	}
	return fmt.Sprint(by)
}

func TestScheduledRunsComeWhenTheyAreDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _ := newOracle(t)
		d.conn.Next = hourly
		src := d.setup.Sources["v"]
		src.Next = func(t time.Time) time.Time { return t.Truncate(6 * time.Hour).Add(6 * time.Hour) }
		d.setup.Sources["v"] = src
		d.setup.Jitter = 5 * time.Minute
		if got := d.days(24*time.Hour + 10*time.Minute); got != "map[crm schedule done:24 v schedule done:4]" {
			t.Errorf("a day gave %s", got)
		}
	})
}

func TestMissedRunsAreCaughtUpOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _ := newOracle(t)
		d.conn.Next = hourly
		if got := d.days(90 * time.Minute); got != "map[crm schedule done:1]" {
			t.Fatalf("the first hour gave %s", got)
		}
		time.Sleep(10 * time.Hour) // the daemon is off
		if got := d.days(5 * time.Minute); got != "map[crm missed done:1 crm schedule done:1]" {
			t.Errorf("after ten hours: %s, want one run for all that were missed", got)
		}
	})
}

func TestNothingRunsByItselfWithoutASchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, _ := newOracle(t)
		if got := d.days(48 * time.Hour); got != "map[]" {
			t.Errorf("it ran: %s", got)
		}
	})
}

func TestJitterIsTheSameForTheSameRun(t *testing.T) {
	t.Parallel()
	a, b := Target{Connector: "a"}, Target{Connector: "b"}
	once, again := jitter(a, noon, time.Hour), jitter(a, noon, time.Hour)
	if once != again || once == jitter(b, noon, time.Hour) || jitter(a, noon, 0) != 0 {
		t.Error("jitter is to be fixed for a run, and another for another target")
	}
	if j := jitter(a, noon, time.Minute); j < 0 || j >= time.Minute {
		t.Errorf("jitter %v", j)
	}
}
