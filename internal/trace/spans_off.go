//go:build !otel

package trace

import (
	"context"
	"net/http"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
)

// Built says whether this binary can record spans: whether it was built with the
// tag otel.
const Built = false

// Recorder records spans. In this build there is none: it is always nil, and its
// methods do nothing.
type Recorder struct{}

// Open returns nil.
func Open(Options) (*Recorder, error) { return nil, nil }

// Close does nothing.
func (*Recorder) Close(context.Context) {}

// Count counts nothing.
func (*Recorder) Count() (sent, dropped uint64) { return 0, 0 }

// Webhook does nothing.
func (*Recorder) Webhook(event.Trace, *event.Trace, Webhook) {}

// Did does nothing.
func (*Recorder) Did(string, string, string, time.Time, ...event.Trace) {}

// request gives a request's place in its trace.
func (*Recorder) request(c *carried, _ *http.Request, _ int) (event.Trace, Sent) {
	t, _ := follow(c.of)
	t.Span = newSpanID()
	return t, Sent{}
}

// Sent is a request under way.
type Sent struct{}

// End does nothing.
func (Sent) End(*http.Response, string) {}
