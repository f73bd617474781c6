//go:build otel

package trace

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/crmsyncd/crmsyncd/event"
)

// Built says whether this binary can record spans: whether it was built with the
// tag otel.
const Built = true

// conventions are those that the names of attributes follow (OpenTelemetry
// Semantic Conventions 1.37, HTTP spans, read 2026-11).
const conventions = "https://opentelemetry.io/schemas/1.37.0"

// Recorder records spans and sends them. nil records none. It is safe for
// concurrent use, and never waits for the collector.
type Recorder struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	queue    *queue
	sample   float64
}

// Open gets ready to send to a collector; it asks it nothing yet.
func Open(o Options) (*Recorder, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("tracing: endpoint: this is no address")
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/v1/traces"
	}
	// What goes wrong is the queue's affair; the library would write it to
	// standard error, the collector's answer included.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	exporter, err := otlptracehttp.New(context.Background(), otlptracehttp.WithEndpointURL(u.String()), otlptracehttp.WithHeaders(o.Headers),
		otlptracehttp.WithHTTPClient(client()), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: true, InitialInterval: time.Second, MaxInterval: 5 * time.Second, MaxElapsedTime: exportTime}))
	if err != nil {
		return nil, fmt.Errorf("tracing: endpoint: %s cannot be sent to", u.Host)
	}
	r := &Recorder{queue: newQueue(exporter, o.Log), sample: o.Sample}
	r.provider = sdk.NewTracerProvider(sdk.WithSpanProcessor(r.queue), sdk.WithSampler(asTold{}), sdk.WithIDGenerator(ids{}),
		sdk.WithResource(resource.NewWithAttributes(conventions, attribute.String("service.name", "crmsyncd"), attribute.String("service.version", o.Version))))
	r.tracer = r.provider.Tracer("github.com/crmsyncd/crmsyncd", trace.WithInstrumentationVersion(o.Version), trace.WithSchemaURL(conventions))
	return r, nil
}

// client follows no redirect, which would lead the headers to another place.
func client() *http.Client {
	return &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(), Timeout: exportTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Close sends what waits until ctx ends, and records no more.
func (r *Recorder) Close(ctx context.Context) {
	if r != nil {
		_ = r.provider.Shutdown(ctx) // what was dropped is counted
	}
}

// Count counts the spans that the collector took, and those that are lost.
func (r *Recorder) Count() (sent, dropped uint64) {
	return r.queue.sent.Load(), r.queue.dropped.Load()
}

// Webhook records the taking of a webhook, and within it the ledger's commit. in
// is the trace of its event, and parent what the webhook brought; nil: nothing.
func (r *Recorder) Webhook(in event.Trace, parent *event.Trace, w Webhook) {
	if r == nil {
		return
	}
	route := "/hooks/{source}"
	about := []attribute.KeyValue{
		attribute.String("http.request.method", http.MethodPost), attribute.String("http.route", route), attribute.Int("http.response.status_code", w.Status),
		attribute.String("crmsyncd.source", w.Source), attribute.String("crmsyncd.result", w.Result),
	}
	if w.Event != "" {
		about = append(about, attribute.String("crmsyncd.event", w.Event))
	}
	ctx := wish{trace: in.ID, span: in.Span, sampled: r.samples(in)}.in(context.Background())
	if parent != nil {
		ctx = trace.ContextWithRemoteSpanContext(ctx, contextOf(*parent))
	}
	ctx, span := r.tracer.Start(ctx, "POST "+route, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(w.Began), trace.WithAttributes(about...))
	_, commit := r.tracer.Start(wish{sampled: r.samples(in)}.in(ctx), "commit", trace.WithTimestamp(w.Parsed))
	if w.Status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
		span.SetAttributes(attribute.String("error.type", strconv.Itoa(w.Status)))
		commit.SetStatus(codes.Error, "")
	}
	commit.End(trace.WithTimestamp(w.Ended))
	span.End(trace.WithTimestamp(w.Ended))
}

// Did records work that has just ended, on events of the traces: what it was, for
// which connector ("": for none) and, in a word of a fixed set, what went wrong.
func (r *Recorder) Did(what, connector, failure string, began time.Time, of ...event.Trace) {
	if r == nil || len(of) == 0 {
		return
	}
	var about []attribute.KeyValue
	if connector != "" {
		about = append(about, attribute.String("crmsyncd.connector", connector))
	}
	_, span := r.start(of, what, trace.WithTimestamp(began), trace.WithAttributes(about...))
	failed(span, failure)
	span.End()
}

// request begins the span of a request, and gives its place in the trace. The
// path, the query and all that is sent and answered stay out: a path may name
// a person, or be the secret.
func (r *Recorder) request(c *carried, q *http.Request, resends int) (event.Trace, Sent) {
	if r == nil {
		t, _ := follow(c.of)
		t.Span = newSpanID()
		return t, Sent{}
	}
	about := []attribute.KeyValue{
		attribute.String("http.request.method", q.Method), attribute.String("server.address", q.URL.Hostname()), attribute.String("url.scheme", q.URL.Scheme),
		attribute.Int("server.port", port(q.URL)), attribute.String("crmsyncd.connector", c.connector), attribute.String("crmsyncd.work", c.work),
	}
	if resends > 0 {
		about = append(about, attribute.Int("http.request.resend_count", resends))
	}
	t, span := r.start(c.of, q.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(about...))
	return t, Sent{span}
}

func port(u *url.URL) int {
	if n, err := strconv.Atoi(u.Port()); err == nil {
		return n
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

// start begins a span within the trace that the events share, or at the head of
// a new one. Either way it is linked to each event.
func (r *Recorder) start(of []event.Trace, name string, o ...trace.SpanStartOption) (event.Trace, trace.Span) {
	t, shared := follow(of)
	w := wish{trace: t.ID, sampled: slices.ContainsFunc(of, r.samples)}
	ctx := context.Background()
	if shared {
		ctx = trace.ContextWithRemoteSpanContext(ctx, contextOf(t))
	}
	if len(of) > 1 && w.sampled {
		linked := map[event.Trace]bool{}
		var links []trace.Link
		for _, e := range of {
			if e.State = ""; !linked[e] {
				linked[e] = true
				links = append(links, trace.Link{SpanContext: contextOf(e)})
			}
		}
		o = append(o, trace.WithLinks(links...))
	}
	_, span := r.tracer.Start(w.in(ctx), name, o...)
	t.Span = span.SpanContext().SpanID()
	if w.sampled {
		t.Flags |= event.Sampled
	}
	return t, span
}

// Sent is a request under way.
type Sent struct{ span trace.Span }

// End records how a request ended: with an answer, or with a failure, in words of
// a fixed set.
func (s Sent) End(answer *http.Response, failure string) {
	if s.span == nil {
		return
	}
	if answer != nil && failure == "" {
		s.span.SetAttributes(attribute.Int("http.response.status_code", answer.StatusCode))
		if answer.StatusCode >= http.StatusBadRequest {
			failure = strconv.Itoa(answer.StatusCode)
		}
	}
	failed(s.span, failure)
	s.span.End()
}

func failed(span trace.Span, failure string) {
	if failure != "" {
		span.SetStatus(codes.Error, "")
		span.SetAttributes(attribute.String("error.type", failure))
	}
}

func contextOf(t event.Trace) trace.SpanContext {
	state, _ := trace.ParseTraceState(t.State) // was read strictly already
	return trace.NewSpanContext(trace.SpanContextConfig{TraceID: t.ID, SpanID: t.Span, TraceFlags: trace.TraceFlags(t.Flags), TraceState: state, Remote: true})
}
