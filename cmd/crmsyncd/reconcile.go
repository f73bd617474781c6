package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/app"
	"github.com/crmsyncd/crmsyncd/store"
)

func (c *cli) reconcile() *cobra.Command {
	var o admin.ReconcileOrder
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "reconcile",
		Short: "Compare vendors, ledger and CRMs now, and mend what drifted",
		Long: `Ask the vendors for what webhooks did not tell and for the status of contacts, and
compare what was written to the CRMs with what they have now. What is to be mended
goes the road of all events: live deliveries go first, and nothing undoes a newer
write. Without --source and --connector all are done, one after the other.

The running daemon does it; where none runs, the command writes the ledger, and the
daemon delivers when it starts. What was found is kept: see reconcile list and show.
With reconcile.schedule in the settings the daemon does this by itself.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Source != "" && o.Connector != "" {
				return usage("say --source or --connector, or neither for all")
			}
			if err := c.inSettings(o.Source, o.Connector); err != nil {
				return err
			}
			return c.withReconciler(cmd.Context(), o, func(r admin.Reconciler) error { return runReconcile(cmd, r, o, asJSON) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Source, "source", "", "only ask the vendor of this source")
	f.StringVar(&o.Connector, "connector", "", "only compare the CRM of this connector")
	f.BoolVar(&o.Full, "full", false, "look at every contact, not only at those that may have drifted; requests_per_run does not count then")
	f.BoolVar(&o.DryRun, "dry-run", false, "only tell what differs and what would be done")
	f.BoolVar(&asJSON, "json", false, "print the runs as JSON at the end")
	cmd.AddCommand(c.reconcileList(), c.reconcileShow())
	return cmd
}

// withReconciler runs do on the running daemon or, where none runs, on its ledger.
func (c *cli) withReconciler(ctx context.Context, o admin.ReconcileOrder, do func(admin.Reconciler) error) error {
	built := func(s *app.Setup) bool {
		return o.Source != "" && s.Sources[o.Source] != nil && s.Rules != nil || o.Connector != "" && s.Connectors[o.Connector] != nil && s.Rules != nil
	}
	return c.withSecrets(ctx, built, func(client *admin.Client) error { return do(client) }, func(desk *admin.Desk) error { return do(desk) })
}

// withRuns is withReconciler for what only reads the ledger.
func (c *cli) withRuns(ctx context.Context, do func(admin.Reconciler) error) error {
	return c.with(ctx, func(ops admin.Operations) error {
		r, ok := ops.(admin.Reconciler)
		if !ok {
			return errors.New("runs cannot be listed here")
		}
		return do(r)
	})
}

func runReconcile(cmd *cobra.Command, r admin.Reconciler, o admin.ReconcileOrder, asJSON bool) error {
	line := &runLine{out: cmd.ErrOrStderr(), live: isScreen(cmd.ErrOrStderr())}
	over := line.tell(runLineEvery)
	runs, err := r.Reconcile(cmd.Context(), o, line.show)
	over()
	if asJSON && runs != nil {
		err = errors.Join(printJSON(cmd.OutOrStdout(), runs), err)
	} else {
		for _, run := range runs {
			fmt.Fprintln(cmd.OutOrStdout(), describeRun(run))
			if run.DryRun {
				err = errors.Join(err, printPlanned(cmd, r, run.ID))
			}
		}
	}
	if cmd.Context().Err() != nil {
		return errors.New("stopped; what was compared so far is kept: crmsyncd reconcile list")
	}
	if err != nil {
		return err
	}
	for _, run := range runs {
		if run.State == store.RunFailed {
			return fmt.Errorf("%s: %s", nameOf(run), run.Note)
		}
	}
	return nil
}

// plannedMost is how many findings of a dry run are printed with it.
const plannedMost = 50

// printPlanned prints what a dry run found and would have done.
func printPlanned(cmd *cobra.Command, r admin.Reconciler, run uint64) error {
	report, err := r.Findings(context.WithoutCancel(cmd.Context()), run)
	if err != nil || len(report.Found) == 0 {
		return err
	}
	if err := printFound(cmd.OutOrStdout(), report.Found[:min(plannedMost, len(report.Found))]); err != nil {
		return err
	}
	if more := len(report.Found) + report.Dropped - plannedMost; more > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "and %d more: crmsyncd reconcile show %d\n", more, run)
	}
	fmt.Fprintln(cmd.OutOrStdout())
	return nil
}

func nameOf(r store.Run) string { return r.Source + r.Connector }

// describeRun is one line about a run.
func describeRun(r store.Run) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s: ", nameOf(r))
	if r.State == store.RunFailed {
		s.WriteString("failed, ")
	}
	if r.Source != "" && r.Note == "" || r.Brought > 0 {
		fmt.Fprintf(&s, "%s brought in, ", plural(r.Brought, "missed event"))
	}
	fmt.Fprintf(&s, "%s compared, %d agreed", plural(r.Compared, "contact"), r.Agreed)
	mended := "mended"
	if r.DryRun {
		mended = "to be mended"
	}
	for _, n := range []struct {
		n    int
		what string
	}{{r.Mended, mended}, {r.Edited, "edited by people"}, {r.Missing, "missing"}, {r.Merged, "merged"}, {r.Waiting, "being written"}, {r.Failed, "failed"}} {
		if n.n > 0 {
			fmt.Fprintf(&s, ", %d %s", n.n, n.what)
		}
	}
	kind := "run"
	if r.DryRun {
		kind = "dry run"
	}
	fmt.Fprintf(&s, " (%s %d, %s, %v)", kind, r.ID, plural(r.Requests, "request"), r.EndedAt.Sub(r.BeganAt).Round(100*time.Millisecond))
	if r.Note != "" && r.State != store.RunFailed {
		fmt.Fprintf(&s, "\n  %s", visible(r.Note))
	}
	return s.String()
}

// runLineEvery is how often a run says how far it is where that is no terminal.
const runLineEvery = 5 * time.Second

// runLine shows how far a run is: in one line of a terminal, and elsewhere in a
// line now and then, so that nobody takes a vendor that does not answer for a
// command that hangs.
type runLine struct {
	out  io.Writer
	live bool

	mu    sync.Mutex
	step  admin.ReconcileStep // the last one
	since time.Time           // when it came further last, or asked something else
	drawn bool
	told  admin.ReconcileStep // as it was when a line was written last
	wrote time.Time           // when that was
	last  time.Time
}

// tell has lines written where that is no terminal, until over is called.
func (l *runLine) tell(every time.Duration) (over func()) {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				l.again()
			}
		}
	}()
	return func() {
		close(stop)
		<-stopped
		l.clear()
	}
}

func (l *runLine) clear() {
	if l.drawn {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}

// again writes a line where something else goes on than in the last one, or
// nothing was written for long.
func (l *runLine) again() {
	l.mu.Lock()
	defer l.mu.Unlock()
	name, now := nameOf(l.step.Run), time.Now()
	changed := l.wrote.IsZero() || name != nameOf(l.told.Run) || l.step.Waiting != "" && l.step.Waiting != l.told.Waiting
	if l.live || !changed && now.Sub(l.wrote) < quietFor {
		return
	}
	l.told, l.wrote = l.step, now
	if name == "" {
		fmt.Fprintln(l.out, "reconcile: it has not begun yet")
		return
	}
	fmt.Fprintf(l.out, "reconcile: %s: %s\n", name, howFar(l.step, l.since, now))
}

func (l *runLine) show(s admin.ReconcileStep) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since.IsZero() || nameOf(s.Run) != nameOf(l.step.Run) || s.Done != l.step.Done || s.Compared != l.step.Compared || s.Brought != l.step.Brought || s.Asks && s.Waiting == "" && s.Requests > l.step.Requests {
		l.since = time.Now()
	}
	l.step = s
	if !l.live || s.Waiting == "" && time.Since(l.last) < 100*time.Millisecond {
		return
	}
	l.last, l.drawn = time.Now(), true
	fmt.Fprintf(l.out, "\r\x1b[K%s ", nameOf(s.Run))
	if s.Total > 0 {
		const width = 24
		full := min(width, s.Done*width/s.Total)
		fmt.Fprintf(l.out, "[%s%s] %3d%% ", strings.Repeat("#", full), strings.Repeat(".", width-full), min(100, s.Done*100/s.Total))
	}
	fmt.Fprint(l.out, howFar(s, l.since, l.last))
}

// slowAnswer is from when on it is told that an answer is waited for.
const slowAnswer = 3 * time.Second

// howFar says what a run has done so far, and what it waits for, where it came
// further last at since.
func howFar(s admin.ReconcileStep, since, now time.Time) string {
	text := fmt.Sprintf("%d compared, %d mended, %s", s.Compared, s.Mended, plural(s.Requests, "request"))
	switch at := since.Local().Format(time.TimeOnly); {
	case s.Waiting != "":
		text += "; waits since " + at + ": " + s.Waiting
	case s.Asks && now.Sub(since) >= slowAnswer:
		text += "; waits since " + at + " for its answer"
	}
	return text
}
