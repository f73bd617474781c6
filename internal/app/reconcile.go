package app

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/internal/reconcile"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// newReconciler compares by what setup says, which is asked for every run anew.
func newReconciler(ledger store.Ledger, setup func() *Setup, appending func(context.Context, store.Event) (store.Receipt, error), log *slog.Logger) *reconcile.Reconciler {
	return &reconcile.Reconciler{
		Ledger: ledger, Log: log, Append: appending, Count: httpx.Count,
		Setup: func() reconcile.Setup { return setup().reconciling(ledger, setup) },
	}
}

// reconciling is the Setup as reconcile takes it.
func (s *Setup) reconciling(ledger store.Ledger, now func() *Setup) reconcile.Setup {
	c := s.Settings.Reconcile
	out := reconcile.Setup{
		Sources: map[string]reconcile.Source{}, Connectors: map[string]reconcile.Connector{},
		Overlap: c.Overlap, FullEvery: c.FullEvery, Jitter: c.Jitter, PerRun: c.RequestsPerRun,
		Basis: s, Parse: reader{s, ledger}.Parse, Plan: s.planner().Plan, Mend: newMend,
	}
	next := func(when config.Schedule) func(time.Time) time.Time {
		return func(t time.Time) time.Time { return when.Next(t, c.Zone) }
	}
	for name := range s.Sources {
		src := reconcile.Source{
			Next: next(c.OfSource(name)),
			Take: func(ctx context.Context, item sources.Item, at time.Time) (store.Event, bool, error) {
				return reader{now(), ledger}.take(ctx, name, event.Reconcile, item, at)
			},
		}
		if r, err := s.reader(name); err == nil {
			src.Reader = r
		} else {
			src.Mute = err.Error()
		}
		out.Sources[name] = src
	}
	for name, conn := range s.Connectors {
		of := c.OfConnector(name)
		one := reconcile.Connector{
			Find: conn.Find, PerRun: of.RequestsPerRun, PerDay: of.RequestsPerDay,
			OnEdit: string(of.OnEdit), OnMissing: string(of.OnMissing), Next: next(of.Schedule),
		}
		one.Reader, _ = conn.(connectors.Reader)
		if a, ok := conn.(connectors.Account); ok {
			one.Limits = a.Limits
		}
		out.Connectors[name] = one
	}
	return out
}

// reconciles is how a desk has runs done: of what an order names, or of all.
func reconciles(r *reconcile.Reconciler, setup func() *Setup) func(context.Context, admin.ReconcileOrder, func(admin.ReconcileStep)) ([]store.Run, error) {
	return func(ctx context.Context, o admin.ReconcileOrder, tell func(admin.ReconcileStep)) ([]store.Run, error) {
		targets, err := setup().targets(o.Source, o.Connector)
		if err != nil {
			return nil, err
		}
		runs := []store.Run{}
		for _, t := range targets {
			run, err := r.Run(ctx, reconcile.Order{Target: t, Trigger: reconcile.ByHand, Full: o.Full, DryRun: o.DryRun}, func(s reconcile.Step) { tell(admin.ReconcileStep(s)) })
			if run.ID == 0 {
				return runs, err // it did not begin
			}
			if runs = append(runs, run); ctx.Err() != nil {
				return runs, ctx.Err()
			}
		}
		return runs, nil
	}
}

// targets are the source or the connector of that name; without names all, the
// sources first: what their vendors know goes on its way before CRMs are compared.
func (s *Setup) targets(source, connector string) (out []reconcile.Target, err error) {
	switch {
	case source != "":
		if s.Sources[source] == nil {
			return nil, unknownName("source", source, slices.Sorted(maps.Keys(s.Sources)))
		}
		return []reconcile.Target{{Source: source}}, nil
	case connector != "":
		if s.Connectors[connector] == nil {
			return nil, unknownName("connector", connector, slices.Sorted(maps.Keys(s.Connectors)))
		}
		return []reconcile.Target{{Connector: connector}}, nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.Sources)) {
		out = append(out, reconcile.Target{Source: name})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Connectors)) {
		out = append(out, reconcile.Target{Connector: name})
	}
	return out, nil
}

func unknownName(what, name string, names []string) error {
	return fmt.Errorf("no %s %q is in the settings; %s", what, name, cmp.Or(diag.DidYouMean(name, names), "there are "+strings.Join(names, ", ")))
}
