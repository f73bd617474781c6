package app

import (
	"context"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// seen is when each source's last authentic webhook was kept. It is safe for
// concurrent use.
type seen struct {
	mu   sync.Mutex
	last map[string]time.Time
}

func (s *seen) note(source string, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil {
		s.last = map[string]time.Time{}
	}
	if at.After(s.last[source]) {
		s.last[source] = at
	}
}

func (s *seen) of(source string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[source]
}

// recallFor is how far back a starting daemon looks for webhooks.
const recallFor = 7 * 24 * time.Hour

// recall finds in the ledger when each source's last webhook came, which a
// daemon that has just begun does not know.
func (a *App) recall(ctx context.Context) {
	for name := range a.setup.Load().Sources {
		views, err := a.ledger.Events(ctx, store.EventFilter{Source: name, Origin: event.Webhook, Since: time.Now().Add(-recallFor), Limit: 1})
		if err != nil {
			return // it ends, or the ledger says so elsewhere
		}
		for _, v := range views {
			a.metrics.seen.note(name, v.Event.ReceivedAt)
		}
	}
}
