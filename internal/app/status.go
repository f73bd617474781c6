package app

import (
	"context"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/store"
)

// clockTolerance is by how much the clock may be wrong before it is told of:
// telli's signatures are refused beyond five minutes.
const clockTolerance = 30 * time.Second

// fill adds what the running daemon knows to a Status.
func (a *App) fill(s *admin.Status) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	setup := a.setup.Load()
	s.Settings = *a.outcome.Load()
	s.Version, s.Running, s.StartedAt, s.Listen = a.version, true, a.started, a.public.Addr().String()
	s.NotReady = a.notReady()
	s.Ready = s.NotReady == ""
	s.OpenFiles, s.MostFiles = openFiles()
	s.Free = free(setup.Settings.DataDir)
	s.Secure, s.Certificates = a.edge.public != nil, a.edge.shown(time.Now())
	if ahead, _ := httpx.Clock.Ahead(); ahead.Abs() > clockTolerance {
		s.ClockAhead = ahead.Seconds()
	}
	for _, b := range setup.Settings.Sources {
		s.Sources = append(s.Sources, admin.Source{Name: b.Name, Type: b.Type, LastWebhook: a.metrics.seen.of(b.Name), LastHour: a.metrics.hour.last(b.Name, time.Now()), LastReconcile: a.lastRun(ctx, store.RunFilter{Source: b.Name})})
	}
	conditions := a.deliver.Conditions()
	known := map[string]int{}
	for i, c := range s.Connectors {
		known[c.Name] = i
		s.Connectors[i].State = "removed"
	}
	for _, b := range setup.Settings.Connectors {
		i, ok := known[b.Name]
		if !ok {
			i = len(s.Connectors)
			s.Connectors = append(s.Connectors, admin.Connector{Name: b.Name})
		}
		c, cond := &s.Connectors[i], conditions[b.Name]
		c.Type, c.State, c.Kind, c.Reason, c.Until = b.Type, cond.State, cond.Kind, cond.Reason, cond.Until
		c.LastReconcile = a.lastRun(ctx, store.RunFilter{Connector: b.Name})
		if account, ok := setup.Connectors[b.Name].(connectors.Account); ok {
			c.Limits = account.Limits()
		}
		if c.State == "" {
			c.State = "ok"
		}
		c.Shadow, c.ShadowRules = setup.Shadowed(b.Name)
	}
}

// notReady says why webhooks may not be taken, or "".
func (a *App) notReady() string {
	dir := a.setup.Load().Settings.DataDir
	switch {
	case a.draining.Load():
		return "the daemon is stopping"
	case a.taking.full.Load() || full(dir):
		return "the disk is full; webhooks are answered 503 until there is space in " + dir
	case a.taking.hangs.Load():
		return "the disk does not answer; webhooks are answered 503 until it does; look at the disk (journalctl -k)"
	}
	return ""
}

// lastRun is the newest run of a source or connector; nil if there is none.
func (a *App) lastRun(ctx context.Context, f store.RunFilter) *admin.LastReconcile {
	f.Limit = 1
	runs, err := a.ledger.Runs(ctx, f)
	if err != nil || len(runs) == 0 {
		return nil
	}
	at := runs[0].EndedAt
	if at.IsZero() {
		at = runs[0].BeganAt
	}
	return &admin.LastReconcile{At: at, State: runs[0].State}
}
