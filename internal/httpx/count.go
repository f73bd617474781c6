package httpx

import (
	"context"
	"sync/atomic"
)

type countKey struct{}

// Count has the requests counted, repeated ones too, that are sent with the
// returned context. requests is how many there were so far.
func Count(ctx context.Context) (counted context.Context, requests func() int) {
	n := new(atomic.Int64)
	return context.WithValue(ctx, countKey{}, n), func() int { return int(n.Load()) }
}

// count notes one request.
func count(ctx context.Context) {
	if n, ok := ctx.Value(countKey{}).(*atomic.Int64); ok {
		n.Add(1)
	}
}
