package storetest

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/crmsyncd/crmsyncd/store"
)

// Fill appends n events as webhooks do, from many goroutines, and plans them to
// go to connectors. It is for tests of a ledger that has much in it: some
// 20,000 a second.
func Fill(ctx context.Context, l store.Ledger, n int, event func(i int) store.Event, connectors ...string) error {
	const writers, plan = 256, 4096
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && failed.Load() == nil; i = next.Add(1) - 1 {
				if _, err := l.Append(ctx, event(int(i))); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { writing.Wait(); close(written) }()
	for last := false; ; {
		select {
		case <-written:
			last = true
		default:
		}
		if err := failed.Load(); err != nil {
			<-written
			return *err
		}
		events, err := l.Unplanned(ctx, plan, 64<<20)
		if err != nil {
			failed.Store(&err)
			<-written
			return err
		}
		plans := make([]store.Plan, len(events))
		for i, e := range events {
			plans[i] = store.Plan{Seq: e.Seq, Connectors: connectors}
		}
		if err := l.Plan(ctx, plans); err != nil {
			failed.Store(&err)
			<-written
			return err
		}
		if last && len(events) == 0 {
			return nil
		}
	}
}
