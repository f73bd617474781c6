package main

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

// TestRunLine follows what a run writes where that is no terminal.
func TestRunLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		l := &runLine{out: &out}
		over := l.tell(5 * time.Second)
		time.Sleep(6 * time.Second)
		step := admin.ReconcileStep{Run: store.Run{Connector: "hubspot"}, Waiting: "no answer in time"}
		step.Compared, step.Requests = 3, 1
		l.show(step)
		time.Sleep(10 * time.Second)
		over()
		want := "reconcile: reading the ledger\n" + strings.Repeat("reconcile: hubspot: 3 compared, 0 mended, 1 request; waits: no answer in time\n", 2)
		if out.String() != want {
			t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		l := &runLine{out: &out, live: true}
		over := l.tell(5 * time.Second)
		time.Sleep(time.Minute)
		over()
		if out.String() != "" {
			t.Errorf("on a terminal with nothing to show: %q", out.String())
		}
	})
}
