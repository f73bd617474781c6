//go:build otel

package trace

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/crmsyncd/crmsyncd/event"
)

const (
	queueLen   = 2048             // spans that wait; a span of many events has some 10 KB
	batchLen   = 512              // spans in one request to the collector
	gather     = 2 * time.Second  // how long a span waits for others
	exportTime = 10 * time.Second // that the collector gets for a batch, repeats included
	sayEvery   = time.Minute
)

// queue hands ended spans to the exporter. What finds it full is dropped and
// counted: nobody waits for a collector. It is in place of the SDK's own, which
// does not tell what it dropped.
type queue struct {
	exporter sdk.SpanExporter
	log      *slog.Logger
	waiting  chan sdk.ReadOnlySpan
	closing  chan struct{}
	closed   chan struct{}
	once     sync.Once
	work     context.Context // of requests to the collector
	give     context.CancelFunc

	sent, dropped atomic.Uint64
	said          time.Time // when it was logged last
	told          uint64    // of dropped
}

func newQueue(exporter sdk.SpanExporter, log *slog.Logger) *queue {
	q := &queue{exporter: exporter, log: log, waiting: make(chan sdk.ReadOnlySpan, queueLen), closing: make(chan struct{}), closed: make(chan struct{})}
	q.work, q.give = context.WithCancel(context.Background())
	go q.loop()
	return q
}

// OnStart implements sdktrace.SpanProcessor.
func (*queue) OnStart(context.Context, sdk.ReadWriteSpan) {}

// OnEnd implements sdktrace.SpanProcessor.
func (q *queue) OnEnd(s sdk.ReadOnlySpan) {
	select {
	case <-q.closing:
		q.dropped.Add(1)
		return
	default:
	}
	select {
	case q.waiting <- s:
	default:
		q.dropped.Add(1)
	}
}

// ForceFlush implements sdktrace.SpanProcessor; nobody calls it.
func (*queue) ForceFlush(context.Context) error { return nil }

// Shutdown sends what waits until ctx ends.
func (q *queue) Shutdown(ctx context.Context) error {
	q.once.Do(func() { close(q.closing) })
	stop := context.AfterFunc(ctx, q.give)
	defer stop()
	<-q.closed
	return ctx.Err()
}

func (q *queue) loop() {
	defer close(q.closed)
	defer q.give()
	for open := true; open; {
		var batch []sdk.ReadOnlySpan
		select {
		case s := <-q.waiting:
			batch = append(batch, s)
			open = q.gather(&batch, time.After(gather))
		case <-q.closing:
			open = false
		}
		q.export(batch)
	}
	for batch := q.rest(); len(batch) > 0; batch = q.rest() {
		q.export(batch)
	}
	_ = q.exporter.Shutdown(q.work)
}

// gather fills a batch for a while; false: the end has come.
func (q *queue) gather(batch *[]sdk.ReadOnlySpan, enough <-chan time.Time) bool {
	for len(*batch) < batchLen {
		select {
		case s := <-q.waiting:
			*batch = append(*batch, s)
		case <-enough:
			return true
		case <-q.closing:
			return false
		}
	}
	return true
}

func (q *queue) rest() (batch []sdk.ReadOnlySpan) {
	for len(batch) < batchLen {
		select {
		case s := <-q.waiting:
			batch = append(batch, s)
		default:
			return batch
		}
	}
	return batch
}

func (q *queue) export(batch []sdk.ReadOnlySpan) {
	if len(batch) > 0 {
		ctx, cancel := context.WithTimeout(q.work, exportTime)
		err := q.exporter.ExportSpans(ctx, batch)
		cancel()
		if err != nil {
			q.dropped.Add(uint64(len(batch)))
			q.say(err)
			return
		}
		q.sent.Add(uint64(len(batch)))
	}
	q.say(nil)
}

// say logs, once a while, that spans were dropped, and no word of the collector's.
func (q *queue) say(err error) {
	dropped := q.dropped.Load()
	if dropped == q.told || time.Since(q.said) < sayEvery {
		return
	}
	why := "more come than it takes"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		why = "connection refused"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		why = "no answer in time"
	case err != nil:
		why = "it cannot be reached, or refuses them"
	}
	q.log.Warn("traces are lost: the collector does not take them", "spans", dropped-q.told, "reason", why, "hint", "compare tracing in the settings with what the collector wants")
	q.said, q.told = time.Now(), dropped
}

// wish is what a span is to be, in a context: the SDK asks for ids and for
// whether to record by it.
type wish struct {
	trace   [16]byte // of a span without parent
	span    [8]byte  // zero: any
	sampled bool
}

type wishKey struct{}

func (w wish) in(ctx context.Context) context.Context { return context.WithValue(ctx, wishKey{}, w) }

func wished(ctx context.Context) wish {
	w, _ := ctx.Value(wishKey{}).(wish)
	return w
}

type ids struct{}

// NewIDs implements sdktrace.IDGenerator.
func (i ids) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	return wished(ctx).trace, i.NewSpanID(ctx, trace.TraceID{})
}

// NewSpanID implements sdktrace.IDGenerator.
func (ids) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	if w := wished(ctx); w.span != [8]byte{} {
		return w.span
	}
	return newSpanID()
}

// asTold records what the recorder wants recorded.
type asTold struct{}

// ShouldSample implements sdktrace.Sampler.
func (asTold) ShouldSample(p sdk.SamplingParameters) sdk.SamplingResult {
	r := sdk.SamplingResult{Decision: sdk.Drop, Tracestate: trace.SpanContextFromContext(p.ParentContext).TraceState()}
	if wished(p.ParentContext).sampled {
		r.Decision = sdk.RecordAndSample
	}
	return r
}

// Description implements sdktrace.Sampler.
func (asTold) Description() string { return "crmsyncd" }

// samples decides by the id of the trace, as other programs with such a sampler
// do, so that all record the same traces. The sender's flag does not count: what
// is recorded costs us.
func (r *Recorder) samples(t event.Trace) bool {
	return r.sample >= 1 || float64(binary.BigEndian.Uint64(t.ID[8:])>>1) < r.sample*(1<<63)
}
