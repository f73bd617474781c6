package connectors

import (
	"context"
	"sync"
	"time"
)

// Cache keeps what was read from a CRM for a while, by name. Callers that ask
// for the same name at once share one request. The zero value with a Keep is
// ready.
type Cache[T any] struct {
	Keep time.Duration // how long an answer is good; errors are not kept

	mu      sync.Mutex
	entries map[string]*cached[T]
}

type cached[T any] struct {
	done  chan struct{}
	value T
	err   error
	until time.Time
}

// Get returns what is kept under the name, or reads it. A caller whose context
// ends stops waiting; the reader's own context decides about the reading.
func (c *Cache[T]) Get(ctx context.Context, name string, read func(context.Context) (T, error)) (T, error) {
	for {
		c.mu.Lock()
		e := c.entries[name]
		if e != nil && !e.until.IsZero() && time.Now().After(e.until) {
			e = nil
		}
		if e == nil {
			e = &cached[T]{done: make(chan struct{})}
			if c.entries == nil {
				c.entries = map[string]*cached[T]{}
			}
			c.entries[name] = e
			c.mu.Unlock()
			c.fill(ctx, name, e, read)
			return e.value, e.err
		}
		c.mu.Unlock()
		select {
		case <-e.done:
		case <-ctx.Done():
			var none T
			return none, ctx.Err()
		}
		// The reader may have been cancelled; that is not our error.
		if e.err == nil || ctx.Err() != nil || !cancelled(e.err) {
			return e.value, e.err
		}
	}
}

func (c *Cache[T]) fill(ctx context.Context, name string, e *cached[T], read func(context.Context) (T, error)) {
	defer func() {
		c.mu.Lock()
		if e.err != nil {
			if c.entries[name] == e {
				delete(c.entries, name)
			}
		} else {
			e.until = time.Now().Add(c.Keep)
		}
		c.mu.Unlock()
		close(e.done)
	}()
	e.err = errUnread // should read panic, others must neither wait for ever nor take nothing for an answer
	e.value, e.err = read(ctx)
}

var errUnread = &Error{Kind: Transient, Code: "UNREAD", Message: "reading from the CRM went wrong"}

// Forget drops what is kept, so that the next Get reads anew.
func (c *Cache[T]) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
}
