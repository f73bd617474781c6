package connectors

import (
	"context"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/trace"
)

// Carrying narrows the context of Write to the changes of some items: a request
// that is sent with it passes on their traces and no others.
func Carrying[T any](ctx context.Context, items []T, change func(T) *Change) context.Context {
	var of []event.Trace
	for _, i := range items {
		of = append(of, change(i).Traces...)
	}
	return trace.Only(ctx, of)
}
