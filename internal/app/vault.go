package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/store"
)

// longestChange bounds one change of a connector's tokens: a few requests, each
// with its own limit.
const longestChange = 70 * time.Second

// vaults keeps the tokens of all connectors in the ledger. It outlives reloads:
// connectors of the old and the new settings share one entry, so that a token
// that is good once is never used by both.
type vaults struct {
	ledger store.Ledger
	log    *slog.Logger

	mu      sync.Mutex
	entries map[string]*vault
	closed  bool
	running sync.WaitGroup
}

func newVaults(ledger store.Ledger, log *slog.Logger) *vaults {
	return &vaults{ledger: ledger, log: log, entries: map[string]*vault{}}
}

func (v *vaults) of(connector string) *vault {
	v.mu.Lock()
	defer v.mu.Unlock()
	e := v.entries[connector]
	if e == nil {
		e = &vault{all: v, name: "oauth/" + connector, turn: make(chan struct{}, 1)}
		v.entries[connector] = e
	}
	return e
}

// begin counts a change; false once close was called.
func (v *vaults) begin() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.closed {
		v.running.Add(1)
	}
	return !v.closed
}

// shut lets no further change begin.
func (v *vaults) shut() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
}

// close lets changes under way come to their end and be kept: their tokens
// would be lost without the ledger. No further one begins.
func (v *vaults) close() {
	v.shut()
	v.mu.Lock()
	all := slices.Collect(maps.Values(v.entries))
	v.mu.Unlock()
	v.running.Wait()
	for _, e := range all {
		e.mu.Lock()
		e.tried = time.Time{}
		if e.unkept {
			_ = e.keep(context.Background()) // which logs
		}
		e.mu.Unlock()
	}
}

// vault is the entry of one connector. It implements connectors.Vault.
type vault struct {
	all  *vaults
	name string        // in the ledger
	turn chan struct{} // held by who changes the value

	mu     sync.Mutex
	read   bool
	value  []byte
	unkept bool      // the value is newer than what the ledger holds
	tried  time.Time // when it was last tried to keep it
}

var errStopping = errors.New("the daemon is stopping")

// Load implements connectors.Vault. What the ledger could not keep is not given
// out: it is tried again first.
func (e *vault) Load(ctx context.Context) ([]byte, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.read {
		value, err := e.all.ledger.Secret(ctx, e.name)
		if err != nil {
			return nil, err
		}
		e.value, e.read = value, true
	}
	if err := e.keep(ctx); err != nil {
		return nil, err
	}
	return e.value, nil
}

// Update implements connectors.Vault.
func (e *vault) Update(ctx context.Context, change func(context.Context, []byte) ([]byte, error)) error {
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !e.all.begin() {
		<-e.turn
		return errStopping
	}
	done := make(chan error, 1)
	go func() {
		defer e.all.running.Done()
		defer func() { <-e.turn }()
		own, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestChange)
		defer cancel()
		done <- e.guarded(own, change)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// guarded is change. A panic of the connector ends this change and not the
// process.
func (e *vault) guarded(ctx context.Context, change func(context.Context, []byte) ([]byte, error)) (err error) {
	defer func() {
		if p := caught.Of(recover()); p != nil {
			e.all.log.Error("getting a new token panicked; please report this", "vault", e.name, "err", p, "stack", p.Stack)
			err = p
		}
	}()
	return e.change(ctx, change)
}

func (e *vault) change(ctx context.Context, change func(context.Context, []byte) ([]byte, error)) error {
	old, err := e.Load(ctx)
	if err != nil {
		return err
	}
	value, err := change(ctx, old)
	if err != nil || bytes.Equal(value, old) {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	// The vendor may have made the old value worthless: where the ledger
	// cannot keep the new one, it must not be forgotten.
	e.value, e.unkept, e.tried = value, true, time.Time{}
	return e.keep(ctx)
}

// keep puts a value into the ledger that is not there yet; e.mu is held.
func (e *vault) keep(ctx context.Context) error {
	if !e.unkept {
		return nil
	}
	if time.Since(e.tried) < time.Second {
		return errUnkept
	}
	err := e.all.ledger.PutSecret(ctx, e.name, e.value)
	if err == nil {
		e.unkept = false
		return nil
	}
	if e.tried.IsZero() {
		e.all.log.Error("the ledger cannot keep a connector's new token; it is tried again", "vault", e.name, "err", err)
	}
	e.tried = time.Now()
	return fmt.Errorf("%w: %w", errUnkept, err)
}

var errUnkept = errors.New("a new token is not on disk yet")

// lazyVault is what connectors are built with: they are there before the
// ledger is open, and where none is opened they have no tokens.
type lazyVault struct {
	connector string
	vaults    *atomic.Pointer[vaults]
}

var errNoLedger = errors.New("it is in the daemon's ledger, which this command does not open")

// Load implements connectors.Vault.
func (l lazyVault) Load(ctx context.Context) ([]byte, error) {
	v := l.vaults.Load()
	if v == nil {
		return nil, errNoLedger
	}
	return v.of(l.connector).Load(ctx)
}

// Update implements connectors.Vault.
func (l lazyVault) Update(ctx context.Context, change func(context.Context, []byte) ([]byte, error)) error {
	v := l.vaults.Load()
	if v == nil {
		return errNoLedger
	}
	return v.of(l.connector).Update(ctx, change)
}
