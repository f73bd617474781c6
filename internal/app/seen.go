package app

import (
	"context"
	"encoding/json"
	"maps"
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
	last, now := s.last[source], time.Now()
	// What came under a clock ahead of today's is worth less than anything else:
	// a source that fell silent would not seem so until that time.
	if last.After(now) || at.After(last) && (last.IsZero() || !at.After(now)) {
		s.last[source] = at
	}
}

func (s *seen) of(source string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last[source]
}

func (s *seen) all() map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.last)
}

const (
	lastMark = "webhooks.last" // the mark that keeps a noted
	lastKept = time.Minute     // how often it is kept, if it has changed
	lastPage = 50              // events that are read at once
	lastBack = 200             // events that are looked through for what came after it
)

// noted is when the last webhook of each source came, as of a time.
type noted struct {
	At   time.Time            `json:"at"`
	Last map[string]time.Time `json:"last"`
}

type remembering interface {
	Mark(ctx context.Context, name string) ([]byte, error)
	Events(ctx context.Context, f store.EventFilter) ([]store.View, error)
}

// LastWebhooks tells when the last webhook of each source came, by what a
// daemon noted in the ledger and the events after that. Of the latter it reads
// few, whatever else the ledger holds: a source that is missing has none among
// the newest.
func LastWebhooks(ctx context.Context, l remembering) (map[string]time.Time, error) {
	text, err := l.Mark(ctx, lastMark)
	if err != nil {
		return nil, err
	}
	var n noted
	_ = json.Unmarshal(text, &n) // what cannot be read is as good as none
	last := seen{last: n.Last}
	before := uint64(0)
	for read := 0; read < lastBack; read += lastPage {
		views, err := l.Events(ctx, store.EventFilter{Before: before, Limit: lastPage})
		if err != nil {
			return nil, err
		}
		known := true // a clock that was put right may have a few in another order
		for _, v := range views {
			before = v.Event.Seq
			known = known && v.Event.ReceivedAt.Before(n.At)
			if v.Event.Origin == event.Webhook {
				last.note(v.Event.Source, v.Event.ReceivedAt)
			}
		}
		if known || len(views) < lastPage {
			break
		}
	}
	return last.all(), nil
}

// recall finds in the ledger when each source's last webhook came, which a
// daemon that has just begun does not know, and then notes it there, until ctx
// ends.
func (a *App) recall(ctx context.Context) {
	last, err := LastWebhooks(ctx, a.ledger)
	if err != nil {
		return // it ends, or the ledger says so elsewhere; what is noted stays
	}
	for name, at := range last {
		a.metrics.seen.note(name, at)
	}
	tick := time.NewTicker(lastKept)
	defer tick.Stop()
	for more := true; more; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			more = false
		}
		if now := a.lastOfSources(); !maps.Equal(now, last) && a.noteLast(context.WithoutCancel(ctx), now) {
			last = now
		}
	}
}

// lastOfSources is what is known of the sources that there are now.
func (a *App) lastOfSources() map[string]time.Time {
	last, sources := a.metrics.seen.all(), a.setup.Load().Sources
	maps.DeleteFunc(last, func(name string, _ time.Time) bool { return sources[name] == nil })
	return last
}

func (a *App) noteLast(ctx context.Context, last map[string]time.Time) bool {
	text, err := json.Marshal(noted{time.Now().UTC(), last})
	return err == nil && a.ledger.PutMark(ctx, lastMark, text) == nil
}
