package bolt

import (
	"context"
	"errors"

	"github.com/crmsyncd/crmsyncd/store"
)

// Alive returns once the committing goroutine has answered, after whatever it
// is busy with; nothing is written. A full disk is an answer. Otherwise errors
// are ctx's or why nothing can be written, as of other methods.
func (l *Ledger) Alive(ctx context.Context) error {
	err := l.write(ctx, 0, func(*txn) error { return nil }, nil)
	if errors.Is(err, store.ErrFull) {
		return nil
	}
	return err
}
