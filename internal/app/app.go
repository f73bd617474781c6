// Package app wires the daemon together: settings, ledger, receiver,
// deliverer and admin side, from start over reloads to the stop. It holds no
// logic of its own beyond the order in which things begin and end.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/internal/reconcile"
	"github.com/crmsyncd/crmsyncd/internal/sd"
	"github.com/crmsyncd/crmsyncd/internal/trace"
	"github.com/crmsyncd/crmsyncd/internal/web"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// LedgerFile is the ledger's name within data_dir.
const LedgerFile = "ledger.db"

// App is the daemon. Start it with New, then Run.
type App struct {
	version    string
	path       string // of the settings
	log        *slog.Logger
	logger     Logger
	setup      atomic.Pointer[Setup]
	began      *config.Settings // at the start: in force until the end where a reload changes nothing
	ledger     store.Ledger
	deliver    *deliver.Deliverer
	metrics    *metrics
	spans      *trace.Recorder // nil: none are recorded
	reconciler *reconcile.Reconciler
	desk       *admin.Desk
	vaults     *vaults
	manager    *sd.Manager                 // nil where no service manager started the daemon
	answers    func(context.Context) error // the ledger's committing goroutine
	public     net.Listener
	private    net.Listener
	edge       edge
	started    time.Time

	mu       sync.Mutex                     // of the reload
	outcome  atomic.Pointer[admin.Settings] // of the last one; whoever asks for it does not wait for one that goes on
	ready    atomic.Bool                    // the service manager was told so
	draining atomic.Bool
	broken   chan error // the ledger's end; holds one
	taking   *taking
	judge    web.Judge // nil: the dashboard does not say what needs a look
}

// lockTime is how long the start waits for the ledger: a command that was asked
// just before, such as events list, has it for a moment.
const lockTime = 5 * time.Second

// New builds everything from a Setup and takes the addresses and the ledger,
// but serves nothing yet. path is where Reload reads the settings from; with
// an empty path there is no reload. Errors of the ledger are those of package
// store.
func New(setup *Setup, path, version string, logger Logger) (*App, error) {
	return NewService(nil, setup, path, version, logger)
}

// NewService is New under a service manager: its sockets called http and admin
// are taken in place of the addresses, and it is told what the daemon does.
func NewService(m *sd.Manager, setup *Setup, path, version string, logger Logger) (*App, error) {
	s, log := setup.Settings, setup.Log
	if err := os.MkdirAll(s.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	if err := closed(s.DataDir, filepath.Join(s.DataDir, LedgerFile)); err != nil {
		return nil, err
	}
	a := &App{manager: m, version: version, path: path, log: log, logger: logger, metrics: newMetrics(version), started: time.Now(), broken: make(chan error, 1), taking: newTaking()}
	a.setup.Store(setup)
	a.began = s
	a.metrics.expect(setup)
	a.outcome.Store(&admin.Settings{LoadedAt: a.started})
	keys, err := setup.Keys()
	if err != nil {
		return nil, err
	}
	if a.spans, err = spans(s.Tracing, version, log); err != nil {
		return nil, err
	}
	if a.spans != nil {
		a.metrics.registry.MustRegister(spanCounts{a.spans})
	}
	opened := extend(m)
	ledger, err := bolt.Open(bolt.Options{Path: filepath.Join(s.DataDir, LedgerFile), Init: true, Migrate: true, Timeout: lockTime, Keys: keys, Log: log, Observe: a.committed, Failed: a.failed})
	opened()
	if err != nil {
		return nil, err
	}
	spare := newSparing(ledger, s.DataDir, log)
	spare.restock()
	a.ledger, a.answers = discreet{audited{spare, a.metrics.audits}, a.setup.Load}, ledger.Alive
	a.taking.alive, a.taking.space = ledger.Alive, func() bool { return !full(s.DataDir) }
	a.taking.write = func(ctx context.Context) error { return ledger.PutMark(ctx, "ledger takes writes", []byte("again")) }
	home := a.settle(s.DataDir)
	a.vaults = newVaults(a.ledger, log)
	setup.vaults.Store(a.vaults)
	a.metrics.registry.MustRegister(queues{ledger.Stats}, conditions{a})
	a.deliver = deliver.New(deliver.Options{Ledger: a.ledger, Setup: setup.delivery(a.ledger), Log: log, Meter: a.metrics, Spans: a.spans, Vendors: httpx.Clock.Now, Gaps: home.Gaps})
	a.desk = newDesk(a.ledger, a.setup.Load)
	a.desk.Fill, a.desk.Wake, a.desk.File = a.fill, a.deliver.WakeAll, ledger
	a.reconciler = newReconciler(a.ledger, a.setup.Load, a.append, log)
	a.reconciler.Busy, a.reconciler.Meter = a.deliver.Busy, a.metrics
	a.desk.Reconciles = reconciles(a.reconciler, a.setup.Load)
	if err := a.edge.open(s, version); err != nil {
		return nil, errors.Join(err, ledger.Close())
	}
	a.metrics.registry.MustRegister(&a.edge)
	if err := a.listen(s); err != nil {
		return nil, errors.Join(err, ledger.Close())
	}
	return a, nil
}

// NewDesk returns a Desk on a ledger for a Setup, where no daemon runs. Call
// done before the ledger is closed.
func NewDesk(ledger store.Ledger, setup *Setup) (desk *admin.Desk, done func()) {
	file, _ := ledger.(store.File)
	ledger = discreet{newSparing(ledger, setup.Settings.DataDir, setup.Log), func() *Setup { return setup }}
	v := newVaults(ledger, setup.Log)
	setup.vaults.Store(v)
	desk = newDesk(ledger, func() *Setup { return setup })
	desk.File = file
	return desk, v.close
}

func newDesk(ledger store.Ledger, setup func() *Setup) *admin.Desk {
	k, dir := keeping{ledger, setup}, setup().Settings.DataDir
	return &admin.Desk{
		Place: place(dir), Settle: func(ctx context.Context) store.Home { return Settle(ctx, ledger, dir, setup().Log) },
		Plan: k.plan, Traces: k.traces, Phone: k.phone, Copies: k.copies,
		Ledger:   ledger,
		Parse:    func(e store.Event) (*event.Event, error) { return reader{setup(), ledger}.Parse(e) },
		Reparse:  func(e store.Event) store.Requeue { return setup().Reparse(e) },
		Consents: func(connector string) (connectors.Consent, error) { return setup().consent(connector) },
		Accounts: func(connector string) (connectors.Connector, error) { return setup().account(connector) },

		Backfills:  backfills(ledger, setup),
		Reconciles: reconciles(newReconciler(ledger, setup, ledger.Append, setup().Log), setup),
	}
}

func policy(d config.Delivery) deliver.Policy {
	return deliver.Policy{MaxAge: d.MaxAge, MaxAttempts: d.MaxAttempts, BackoffMin: d.BackoffMin, BackoffMax: d.BackoffMax}
}

func receiving(l config.Limits) receiver.Limits {
	return receiver.Limits{
		Body: int64(l.Body), InFlight: l.InFlight, Buffered: int64(l.Buffered), Connections: l.Connections, PerAddress: l.PerAddress,
		HeaderTime: l.HeaderTime, BodyTime: l.BodyTime, IdleTime: l.IdleTime, StoreTime: l.StoreTime,
	}
}

// URL is where webhooks are taken, such as http://127.0.0.1:8787.
func (a *App) URL() string { return scheme(a.edge.public != nil) + a.public.Addr().String() }

// Admin is the address of the admin side as the settings write it.
func (a *App) Admin() string {
	if a.private.Addr().Network() == "unix" {
		return "unix:" + a.private.Addr().String()
	}
	return a.private.Addr().String()
}

// Desk does operations on the running daemon.
func (a *App) Desk() *admin.Desk { return a.desk }

// Run serves until ctx ends, then stops: deliveries under way get the drain
// time of the settings, webhooks are taken until they are over, and everything
// else waits on disk.
func (a *App) Run(ctx context.Context) error {
	s := a.setup.Load().Settings
	limits := receiving(s.Limits)
	if most := within(limits.Connections); most < limits.Connections {
		a.log.Warn("fewer connections are taken than limits.connections allows: the process may have too few files open (LimitNOFILE)", "connections", most)
		limits.Connections = most
	}
	public, private := a.servers(limits)
	parting := part(public, &a.draining)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var running, working sync.WaitGroup
	var serving atomic.Int32
	served := make(chan struct{})
	began := func() {
		if serving.Add(1) == 2 {
			close(served)
		}
	}
	serve := func(srv *http.Server, l net.Listener) (over <-chan struct{}) {
		done := make(chan struct{})
		running.Go(func() {
			defer close(done)
			err := serveOn(srv, &accepting{Listener: l, begun: began})
			if parted := a.draining.Load() && errors.Is(err, net.ErrClosed); !parted && !errors.Is(err, http.ErrServerClosed) {
				stop(err)
			}
		})
		return done
	}
	delivering, stopDelivering := context.WithCancel(context.WithoutCancel(ctx))
	delivering = httpx.WithLeaving(delivering, delivering)
	working.Go(a.lasting("delivering", func() { a.deliver.Run(delivering, s.Delivery.Drain) }))
	working.Go(a.lasting("closing calls", func() { a.sweeper().Run(delivering) }))
	working.Go(a.lasting("reconcile's schedule", func() { a.reconciler.Schedule(delivering) }))
	running.Go(a.lasting("looking at the ledger", func() { a.taking.look(delivering) }))
	running.Go(a.lasting("looking for the last webhooks", func() { a.recall(delivering) }))
	running.Go(a.lasting("keeping access", func() { a.keepAccess(delivering) }))
	running.Go(a.lasting("retention", func() { a.expirer().run(delivering) }))
	asking, stopAsking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAsking()
	private.BaseContext = func(net.Listener) context.Context { return asking }
	over := serve(public, receiver.Listen(a.public, limits, s.TrustedProxies, a.edge.refuse))
	serve(private, a.private)
	running.Go(a.lasting("keeping certificates", func() { a.keepCertificates(ctx, served) }))
	leave := a.attend(served)
	a.log.Info("crmsyncd is ready", "version", a.version, "listen", a.public.Addr().String(), "admin", a.Admin(), "sources", len(a.setup.Load().Sources), "connectors", len(a.setup.Load().Connectors))

	whole := true
	select {
	case <-ctx.Done():
	case err := <-a.broken:
		// What comes now could not be kept, and what is in memory may not be
		// on disk: end, and let the next start read what is really there.
		whole = false
		stop(err)
	}
	a.draining.Store(true)
	last := min(max(s.Delivery.Drain, leastDrain), webhookDrain)
	a.tell(sd.Stopping, sd.Extend(s.Delivery.Drain+last+stopSlack), sd.Status("Stopping: requests to CRMs under way may finish"))
	a.log.Info("stopping: requests to CRMs under way may finish, webhooks are taken until then", "for_at_most", s.Delivery.Drain.String())
	stopDelivering()
	if whole {
		// A CRM may take its time. Senders have less of it: they are kept from
		// waiting for the next daemon as long as this one can store.
		inTime(s.Delivery.Drain+stuck, working.Wait)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), last)
	defer cancel()
	errs := []error{}
	parting.end(end, a.public, over)
	if err := public.Shutdown(end); err != nil {
		errs = append(errs, public.Close())
	}
	stopAsking() // a backup, say, could go on for long
	_ = private.Shutdown(end)
	sending, cancelSending := context.WithTimeout(end, s.Delivery.Drain)
	defer cancelSending()
	a.spans.Close(sending) // what has not left by then is dropped
	if a.vaults.shut(); whole && !inTime(stopNoted, a.vaults.running.Wait) {
		a.tell(sd.Extend(longestChange+stopSlack), sd.Status("Stopping: a CRM was asked for a new token, and its answer is waited for"))
		a.log.Info("a CRM was asked for a new token: the stop waits for its answer, without which the account may have to be connected anew", "for_at_most", longestChange.String())
		inTime(longestChange, a.vaults.running.Wait)
	}
	// Who read the file when it was truncated may hold its locks for ever, and a
	// disk that hangs may never let a commit come back.
	patience := closing
	if !whole {
		patience = s.Delivery.Drain
	}
	closed := make(chan error, 1)
	switch {
	case inTime(patience, func() {
		working.Wait()
		running.Wait()
		leave()
		a.vaults.close()
		closed <- a.ledger.Close()
	}):
		errs = append(errs, <-closed)
	case whole:
		errs = append(errs, fmt.Errorf("%w: it could not be closed, as a write to it has not come back; look at the disk (journalctl -k)", store.ErrBroken))
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		errs = append(errs, cause)
	}
	a.log.Info("stopped")
	return errors.Join(errs...)
}

// sweeper closes calls whose end never came.
func (a *App) sweeper() *reconcile.Sweeper {
	return &reconcile.Sweeper{
		Ledger: a.ledger, Append: a.append, Log: a.log,
		Sources: func() map[string]time.Duration {
			out := map[string]time.Duration{}
			for name, src := range a.setup.Load().Sources {
				if c, ok := src.(sources.Closer); ok && c.CloseAfter() > 0 {
					out[name] = c.CloseAfter()
				}
			}
			return out
		},
		Close: func(ctx context.Context, source, call string, now time.Time) (*store.Event, error) {
			return reader{a.setup.Load(), a.ledger}.close(ctx, source, call, now)
		},
	}
}

func (a *App) append(ctx context.Context, e store.Event) (store.Receipt, error) {
	r, err := a.ledger.Append(ctx, e)
	if err == nil && !r.Duplicate {
		a.deliver.Wake()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		a.taking.late()
	}
	return r, err
}

// committed hears of what the ledger committed.
func (a *App) committed(op string, n int, took time.Duration) {
	a.taking.committed()
	a.metrics.committed(op, n, took)
}

// failed hears of what makes the ledger fail as a whole.
func (a *App) failed(err error) {
	if errors.Is(err, store.ErrFull) {
		a.taking.noSpace()
		return
	}
	select {
	case a.broken <- err:
	default:
	}
}

func (a *App) reload() diag.Problems {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.checkCertificates()
	next, problems := a.build()
	if err := problems.Err(); err != nil {
		a.outcome.Store(&admin.Settings{LoadedAt: a.outcome.Load().LoadedAt, FailedAt: time.Now(), Failure: err.Error()})
		a.metrics.reloaded(false)
		first := problems[slices.IndexFunc(problems, func(p diag.Problem) bool { return p.Severity == diag.Error })] // not a warning before it
		a.log.Error("reload refused; the settings in force stay", "problems", len(problems), "first", first.Error())
		return problems
	}
	old := a.began
	for name, same := range map[string]bool{
		"listen":          old.Listen == next.Settings.Listen,
		"admin":           old.Admin == next.Settings.Admin,
		"data_dir":        old.DataDir == next.Settings.DataDir,
		"limits":          old.Limits == next.Settings.Limits,
		"delivery.drain":  old.Delivery.Drain == next.Settings.Delivery.Drain,
		"log":             old.Log == next.Settings.Log,
		"encryption_keys": slices.Equal(old.Privacy.EncryptionKeys, next.Settings.Privacy.EncryptionKeys),
		"public_url":      fmt.Sprint(old.PublicURL) == fmt.Sprint(next.Settings.PublicURL),
		"trusted_proxies": slices.Equal(old.TrustedProxies, next.Settings.TrustedProxies),
		"tls":             reflect.DeepEqual(old.TLS, next.Settings.TLS),
		"tracing":         sameTracing(old.Tracing, next.Settings.Tracing),
		"admin_access":    old.AdminAccess.Pair == next.Settings.AdminAccess.Pair,
	} {
		if !same {
			a.log.Warn("this setting changed and needs a restart", "setting", name)
		}
	}
	next.Settings.DataDir = old.DataDir // where the ledger is, its copies, and the disk that may fill up
	next.vaults.Store(a.vaults)
	a.edge.admit(next.Settings.AdminAccess)
	a.setup.Store(next)
	a.metrics.expect(next)
	a.deliver.Reload(next.delivery(a.ledger))
	a.outcome.Store(&admin.Settings{LoadedAt: time.Now()})
	a.metrics.reloaded(true)
	a.noteReload()
	a.log.Info("reloaded", "sources", len(next.Sources), "connectors", len(next.Connectors))
	return problems
}
