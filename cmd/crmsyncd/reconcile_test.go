package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestTheCSVOfARunHoldsNoFormulas(t *testing.T) {
	t.Parallel()
	bad := []string{"=1+1", "+cmd", "-2", "@SUM(A1)", "\t=1", " =1", "|calc", "%0", "＝1", "\ufeff=1", "a\r\n=1", "\u00a0=1"}
	var found []store.Finding
	for _, s := range bad {
		found = append(found, store.Finding{Kind: "edited", Field: s, Theirs: s})
	}
	var out bytes.Buffer
	if err := writeCSV(&out, admin.RunReport{Run: store.Run{ID: 3, Connector: "hubspot"}, Found: found}); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != len(bad)+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, row := range rows[1:] {
		for _, cell := range row {
			if begin := strings.TrimLeft(cell, " \u00a0\ufeff"); begin != "" && strings.ContainsAny(begin[:1], "=+-@|%\t\r\n") || strings.HasPrefix(begin, "＝") || strings.ContainsAny(cell, "\r\n\t") {
				t.Errorf("%q gives the cell %q", bad[i], cell)
			}
		}
	}
	if got := cellText("reached"); got != "reached" {
		t.Errorf("a plain word becomes %q", got)
	}
}

// TestProgressOfReconcile/is one line of a terminal, and none of a pipe.
func TestProgressOfReconcile(t *testing.T) {
	t.Parallel()
	step := admin.ReconcileStep{Run: store.Run{Connector: "hubspot"}, Total: 1000, Done: 500, Waiting: "live deliveries go first"}
	step.Compared, step.Mended, step.Requests = 500, 3, 5
	var screen, pipe bytes.Buffer
	line := &runLine{out: &screen, live: true}
	line.show(step)
	line.clear()
	want := "\r\x1b[Khubspot [############............]  50% 500 compared, 3 mended, 5 requests; waits since " + line.since.Format(time.TimeOnly) + ": live deliveries go first\r\x1b[K"
	if got := screen.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	line = &runLine{out: &pipe}
	line.show(step)
	line.clear()
	if pipe.Len() > 0 {
		t.Errorf("a pipe gets %q", pipe.String())
	}
}

// found is a Reconciler that has found so much.
type found struct {
	admin.Reconciler
	report admin.RunReport
}

func (f found) Reconcile(context.Context, admin.ReconcileOrder, func(admin.ReconcileStep)) ([]store.Run, error) {
	return []store.Run{f.report.Run}, nil
}

func (f found) Findings(context.Context, uint64) (admin.RunReport, error) { return f.report, nil }

// TestADryRunPrintsWhatItWouldDo/up to a screenful, and where the rest is.
func TestADryRunPrintsWhatItWouldDo(t *testing.T) {
	t.Parallel()
	f := found{report: admin.RunReport{Run: store.Run{ID: 7, Connector: "hubspot", DryRun: true}}}
	for range plannedMost + 2 {
		f.report.Found = append(f.report.Found, store.Finding{Kind: "behind", Object: "contacts", Record: "6044", Field: "status", Ours: "closed", Theirs: "pending", Did: "to be mended"})
	}
	for _, c := range []struct {
		dry  bool
		want int
	}{{true, plannedMost}, {false, 0}} {
		var out bytes.Buffer
		cmd := &cobra.Command{}
		cmd.SetContext(t.Context())
		cmd.SetOut(&out)
		cmd.SetErr(io.Discard)
		f.report.DryRun = c.dry
		if err := runReconcile(cmd, f, admin.ReconcileOrder{}, false); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "to be mended"); n != c.want || strings.Contains(out.String(), "and 2 more: crmsyncd reconcile show 7") != c.dry {
			t.Errorf("dry run %v: %d findings, want %d, in\n%s", c.dry, n, c.want, out.String())
		}
	}
}

func TestARunThatFailedAndADryRunSaySo(t *testing.T) {
	t.Parallel()
	failed := describeRun(store.Run{ID: 3, Connector: "hubspot", State: store.RunFailed, Note: "answered 503"})
	if want := "hubspot: failed, 0 contacts compared, 0 agreed (run 3, 0 requests, 0s)"; failed != want {
		t.Errorf("got %q, want %q", failed, want)
	}
	var out bytes.Buffer
	if err := printReport(&out, admin.RunReport{Run: store.Run{ID: 4, Connector: "hubspot", State: store.RunDone, DryRun: true}}); err != nil || !strings.Contains(out.String(), "(dry run 4, ") || !strings.Contains(out.String(), "a dry run: nothing was changed") {
		t.Errorf("got %s, %v", out.String(), err)
	}
}
