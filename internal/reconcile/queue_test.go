package reconcile

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// held is a Meter that lets runs of sources end only after a time.
type held struct{ ctx context.Context }

func (h held) Reconciled(t Target, _ store.RunState, _ time.Duration) {
	if t.Source == "" {
		return
	}
	hours := 5
	if t.Source == "b" {
		hours = 9
	}
	select {
	case <-time.After(time.Duration(hours)*time.Hour + 30*time.Minute):
	case <-h.ctx.Done():
	}
}

func (held) Drifted(Target, string, int) {}
func (held) Asked(Target, int)           {}

// crowded is a desk with two sources whose one run holds both turns for hours,
// and a connector that is due every hour.
func crowded(t *testing.T) *desk {
	d, _ := newOracle(t)
	d.conn.Next = hourly
	once := time.Now().Add(time.Minute)
	next := func(after time.Time) time.Time {
		if after.Before(once) {
			return once
		}
		return once.AddDate(1, 0, 0)
	}
	d.setup.Sources = map[string]Source{"a": {Mute: "mute", Next: next}, "b": {Mute: "mute", Next: next}}
	return d
}

func TestARunThatWaitsForItsTurnWaitsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := crowded(t)
		d.Meter = held{t.Context()}
		if got := d.days(5*time.Hour + 50*time.Minute); got != "map[a schedule done:1 b schedule done:1 crm schedule done:1]" {
			t.Errorf("six hours gave %s, want one run of crm for all that were due while others held the turns", got)
		}
	})
}

func TestARunThatWaitsForItsTurnIsNotLostInAStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := crowded(t)
		ctx, cancel := context.WithTimeout(t.Context(), 91*time.Minute) // after the stop, so that no turn comes free
		defer cancel()
		d.Meter = held{ctx}
		if got := d.days(90 * time.Minute); got != "map[a schedule done:1 b schedule done:1]" {
			t.Fatalf("the first hour and a half gave %s", got)
		}
		if got := d.days(10 * time.Minute); got != "map[a schedule done:1 b schedule done:1 crm missed done:1]" {
			t.Errorf("after the stop: %s, want the run of crm caught up", got)
		}
	})
}
