package connectors

import (
	"context"
	"testing"
	"time"
)

func TestAReadingThatPanicsLeavesNobodyWaiting(t *testing.T) {
	t.Parallel()
	c := Cache[int]{Keep: time.Minute}
	func() {
		defer func() { _ = recover() }()
		_, _ = c.Get(t.Context(), "a", func(context.Context) (int, error) { panic("read") })
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if v, err := c.Get(ctx, "a", func(context.Context) (int, error) { return 7, nil }); v != 7 || err != nil {
		t.Errorf("got %d %v, want what the second one read", v, err)
	}
}
