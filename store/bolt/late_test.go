package bolt

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/crmsyncd/crmsyncd/store"
)

// late is a context that ends once the committing goroutine has looked at it.
type late struct {
	context.Context
	end   func()
	looks atomic.Int32
}

func (c *late) Err() error {
	if c.looks.Add(1) == 2 { // the first look is the caller's
		defer c.end()
	}
	return c.Context.Err()
}

func TestAnEndOfTheContextDuringACommit(t *testing.T) {
	t.Parallel()
	l := openIn(t, t.TempDir())
	for range 20 {
		for name, do := range map[string]func(ctx context.Context) (any, error){
			"PutRun": func(ctx context.Context) (any, error) {
				return l.PutRun(ctx, store.Run{Connector: "crm", State: store.RunGoing}, nil)
			},
			"Erase": func(ctx context.Context) (any, error) {
				return l.Erase(ctx, store.Erasure{Links: []store.LinkKey{store.NewLinkKey("crm", "contacts", []string{"cid"}, []string{"1"})}})
			},
		} {
			ctx, end := context.WithCancel(t.Context())
			got, err := do(&late{Context: ctx, end: end})
			end()
			if run, ok := got.(store.Run); ok && err != nil && run.ID != 0 {
				t.Errorf("%s with an error gave %+v", name, run)
			}
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
