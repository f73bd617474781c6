package app

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// taking knows whether the ledger takes what comes, by what became of its last
// writes: it is told of each, and looks itself while none can be relied on.
type taking struct {
	full  atomic.Bool // the last commit found no space
	hangs atomic.Bool // a webhook waited for a commit as long as it may, and none ended since

	trouble chan struct{} // wakes look; holds one

	alive func(context.Context) error // returns once the ledger has answered
	write func(context.Context) error // something small
	space func() bool                 // there seems to be some
}

// lookAgain is how often it is looked whether the ledger takes writes again:
// what came meanwhile was refused, and may not come back while we are not ready.
const lookAgain = time.Second

func newTaking() *taking { return &taking{trouble: make(chan struct{}, 1)} }

// committed hears of a commit that succeeded.
func (t *taking) committed() {
	t.full.Store(false)
	t.hangs.Store(false)
}

// noSpace hears of a commit that found none.
func (t *taking) noSpace() { t.note(&t.full) }

// late hears of a webhook that was not kept in time.
func (t *taking) late() { t.note(&t.hangs) }

func (t *taking) note(what *atomic.Bool) {
	what.Store(true)
	select {
	case t.trouble <- struct{}{}:
	default:
	}
}

// look finds out when trouble is over that nothing else shows, until ctx ends.
func (t *taking) look(ctx context.Context) {
	for {
		select {
		case <-t.trouble:
		case <-ctx.Done():
			return
		}
		for t.full.Load() || t.hangs.Load() {
			// A disk that hangs answers when it does: only one waits for it.
			if err := t.alive(ctx); err == nil || errors.Is(err, store.ErrFull) {
				t.hangs.Store(false)
			}
			// Where there is no space yet, a commit would only cost time.
			if t.full.Load() && t.space() {
				_ = t.write(ctx) // what becomes of it we hear as of any other
			}
			if !t.full.Load() && !t.hangs.Load() {
				break
			}
			select {
			case <-time.After(lookAgain):
			case <-ctx.Done():
				return
			}
		}
	}
}
