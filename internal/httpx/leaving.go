package httpx

import (
	"context"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

type leavingKey struct{}

// WithLeaving says that the program ends once leaving does. Requests of which
// something went out may go on then; no other is begun, nor tried again: it gets
// an error as if there were no turn. Nothing was sent, and it can come later.
func WithLeaving(ctx, leaving context.Context) context.Context {
	return context.WithValue(ctx, leavingKey{}, leaving)
}

// leavingOf is what was given to WithLeaving; else a context that does not end.
func leavingOf(ctx context.Context) context.Context {
	if leaving, ok := ctx.Value(leavingKey{}).(context.Context); ok {
		return leaving
	}
	return context.Background()
}

// leave has an attempt given up when the program ends while it has no connection
// yet: a host that does not answer is not waited for. stop must be called.
func leave(ctx context.Context, f *fate, t *httptrace.ClientTrace, cancel context.CancelCauseFunc) (stop func() bool) {
	const going, gone = 1, 2
	var decided atomic.Int32
	t.GotConn = func(httptrace.GotConnInfo) {
		if !decided.CompareAndSwap(0, going) && decided.Load() == gone {
			f.written.Store(true) // given up this very moment, which may be too late
		}
	}
	return context.AfterFunc(leavingOf(ctx), func() {
		if decided.CompareAndSwap(0, gone) {
			cancel(errLeaving)
		}
	})
}

// Pause waits before a request, and reports whether that may be made: the context
// has not ended, and the program does not end.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-leavingOf(ctx).Done():
	case <-ctx.Done():
	}
	return false
}
