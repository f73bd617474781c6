package app

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/sd"
)

// What the service manager is asked for. A ledger of 10 GB on a slow disk is
// copied and read in a quarter of an hour; what takes longer than opening is
// stuck.
const (
	opening    = time.Hour        // longest time for which opening the ledger is waited for
	extension  = 30 * time.Second // asked for at a time
	stopSlack  = 15 * time.Second // after the drain times, to close the ledger
	stuck      = 5 * time.Second  // of them, for a commit that hangs while deliveries end
	closing    = 9 * time.Second  // and for closing
	stopNoted  = time.Second      // after which a stop that waits for a token says so
	statusTime = 30 * time.Second // between two status lines without a watchdog
)

// webhookDrain is the longest time that webhooks under way get at the end: as
// long as the slowest sender may take by the default limits. leastDrain is what
// they get where requests to CRMs get less: not every sender tries again.
const (
	webhookDrain = 20 * time.Second
	leastDrain   = 5 * time.Second
)

// extend tells the service manager, until the returned function is called,
// that the start goes on: a ledger that was not closed cleanly is copied
// first, which takes its time.
func extend(m *sd.Manager) (end func()) {
	ctx, cancel := context.WithTimeout(context.Background(), opening)
	tell := func() {
		_ = m.Notify(sd.Extend(extension), sd.Status("Reading the ledger; after an unclean stop it is copied first"))
	}
	if m == nil {
		return cancel
	}
	tell()
	go func() {
		tick := time.NewTicker(extension / 3)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				tell()
			case <-ctx.Done():
				return
			}
		}
	}()
	return cancel
}

// tell notifies the service manager. One that cannot be reached is no reason
// to stop working; it acts by itself when it hears nothing.
func (a *App) tell(assignments ...string) {
	if err := a.manager.Notify(assignments...); err != nil {
		a.log.Warn("the service manager was not told", "err", err)
	}
}

// attend tells the service manager that the daemon is ready once serving is
// closed, and from then on, until leave is called, that it lives: only when
// the ledger's committing goroutine has answered and the deliverer's loops
// have turned. leave returns when nothing more will be told.
func (a *App) attend(serving <-chan struct{}) (leave func()) {
	if a.manager == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		select {
		case <-serving:
		case <-ctx.Done():
			return
		}
		if a.draining.Load() {
			return
		}
		a.ready.Store(true)
		a.tell(sd.Ready, sd.Alive, a.statusLine(ctx))
		every := cmp.Or(a.manager.Watchdog()/4, statusTime)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				a.feed(ctx, every)
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() { cancel(); <-over }
}

// feed tells the watchdog that the daemon lives, if it does, within a time.
func (a *App) feed(ctx context.Context, within time.Duration) {
	probe, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	if err := a.alive(probe); err != nil {
		if ctx.Err() == nil {
			a.log.Error("the daemon makes no progress; the service manager restarts it if this lasts", "err", err)
		}
		return
	}
	a.tell(sd.Alive)
	if !a.draining.Load() {
		a.tell(a.statusLine(probe))
	}
}

// inTime does something, and reports whether that was over within a time. If
// not, it goes on by itself.
func inTime(d time.Duration, do func()) bool {
	over := make(chan struct{})
	go func() {
		defer close(over)
		do()
	}()
	late := time.NewTimer(d)
	defer late.Stop()
	select {
	case <-over:
		return true
	case <-late.C:
		return false
	}
}

// alive says what does not answer.
func (a *App) alive(ctx context.Context) error {
	if err := a.answers(ctx); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	return a.deliver.Alive(ctx)
}

// Reload builds everything new from the settings file and swaps it in. On
// problems nothing changes; they are kept for the status. Addresses, data_dir,
// limits, log, public_url, encryption keys, trusted_proxies and where certificates
// come from need a restart, which the log says.
func (a *App) Reload() diag.Problems {
	if a.ready.Load() { // before that, Ready would be said too early
		a.tell(sd.Reloading()...)
		defer func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			a.tell(sd.Ready, a.statusLine(ctx))
		}()
	}
	return a.reload()
}

func (a *App) statusLine(ctx context.Context) string {
	s, err := a.desk.Status(ctx)
	if err != nil {
		return sd.Status("The ledger cannot be read: crmsyncd status says more")
	}
	return sd.Status(describe(s))
}

// describe puts a Status into one line, without any reason: those are for
// crmsyncd status, as everybody on the machine reads this line.
func describe(s admin.Status) string {
	var said []string
	if !s.Ready {
		said = append(said, "not ready: "+s.NotReady)
	}
	if s.Settings.Failure != "" {
		said = append(said, "the reload at "+s.Settings.FailedAt.Local().Format(time.TimeOnly)+" was refused, the settings before it are in force")
	}
	if s.LedgerForeign {
		said = append(said, "the ledger was last used elsewhere: crmsyncd status says more")
	}
	for _, c := range s.Certificates {
		if c.Problem != "" || c.Warning != "" {
			said = append(said, "the certificate of "+c.Port+" needs a look")
		}
	}
	var waiting, dead uint64
	for _, c := range s.Connectors {
		waiting += c.Waiting
		dead += c.Dead
		if c.State == "parked" || c.State == "paused" {
			said = append(said, c.Name+" is "+c.State)
		}
	}
	said = append(said, fmt.Sprintf("sources: %d, connectors: %d, deliveries that wait: %d, dead: %d", len(s.Sources), len(s.Connectors), waiting+s.Unplanned, dead))
	return strings.Join(said, "; ")
}
