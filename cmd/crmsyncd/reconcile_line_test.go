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
		time.Sleep(121 * time.Second) // in which a daemon might not have begun
		clock := func() string { return time.Now().Local().Format(time.TimeOnly) }
		asked := clock()
		step := admin.ReconcileStep{Run: store.Run{Connector: "hubspot"}, Asks: true}
		step.Requests = 1
		l.show(step)
		time.Sleep(8 * time.Second)
		for n := range 9 { // refused again and again
			step.Waiting, step.Requests = "answered 503", 2+n
			l.show(step)
			time.Sleep(10 * time.Second)
		}
		step.Waiting, step.Asks, step.Compared = "", false, 3
		l.show(step)
		time.Sleep(30 * time.Second)
		over()
		want := strings.Repeat("reconcile: it has not begun yet\n", 4) +
			"reconcile: hubspot: 0 compared, 0 mended, 1 request; waits since " + asked + " for its answer\n"
		for _, requests := range []string{"2", "5", "8"} {
			want += "reconcile: hubspot: 0 compared, 0 mended, " + requests + " requests; waits since " + asked + ": answered 503\n"
		}
		want += "reconcile: hubspot: 3 compared, 0 mended, 10 requests\n"
		if out.String() != want {
			t.Errorf("got:\n%s\nwant:\n%s", out.String(), want)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		l := &runLine{out: &out}
		over := l.tell(5 * time.Second)
		for n := range 601 { // one after the other, as fast as the rate allows
			step := admin.ReconcileStep{Run: store.Run{Source: "telli"}, Asks: true}
			step.Requests = n + 1
			l.show(step)
			time.Sleep(250 * time.Millisecond)
		}
		over()
		if !strings.Contains(out.String(), "requests") || strings.Contains(out.String(), "waits") {
			t.Errorf("no answer is waited for long, yet:\n%s", out.String())
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
