//go:build otel

// Package tracetest is a collector for tests: it takes spans over OTLP/HTTP and
// tells what came. It does nothing else that collectors do.
package tracetest

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"
)

// Span is a span as it came.
type Span struct {
	Name, Trace, ID, Parent, State string // ids in hex
	Kind                           string // as OTLP names it
	Failed                         bool
	Attributes                     map[string]string
	Links                          map[string]string // span by trace
	Start, End                     uint64            // Unix nanoseconds
}

// Collector takes spans. Use Start.
type Collector struct {
	URL string

	mu      sync.Mutex
	spans   []Span
	raw     []byte
	headers []http.Header
	paths   []string
}

// Start starts a collector that ends with the test.
func Start(t testing.TB) *Collector {
	c := &Collector{}
	s := httptest.NewServer(c)
	t.Cleanup(s.Close)
	c.URL = s.URL
	return c
}

// ServeHTTP takes one batch.
func (c *Collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var batch collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &batch)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw = append(c.raw, body...)
	c.headers, c.paths = append(c.headers, r.Header), append(c.paths, r.URL.Path)
	for _, resource := range batch.ResourceSpans {
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				span := Span{
					Name: s.Name, Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId), State: s.TraceState,
					Kind: s.Kind.String(), Failed: s.Status.GetCode() != 0, Attributes: texts(s.Attributes), Links: map[string]string{}, Start: s.StartTimeUnixNano, End: s.EndTimeUnixNano,
				}
				for _, l := range s.Links {
					span.Links[hex.EncodeToString(l.TraceId)] = hex.EncodeToString(l.SpanId)
				}
				for k, v := range texts(resource.Resource.Attributes) {
					span.Attributes[k] = v
				}
				c.spans = append(c.spans, span)
			}
		}
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
}

func texts(all []*common.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range all {
		switch v := a.Value.Value.(type) {
		case *common.AnyValue_StringValue:
			out[a.Key] = v.StringValue
		default:
			out[a.Key] = a.Value.String()
		}
	}
	return out
}

// Spans are those that came so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Raw is all that came, as it came, with the headers and paths of the requests.
func (c *Collector) Raw() (bodies string, headers []http.Header, paths []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.raw), append([]http.Header(nil), c.headers...), append([]string(nil), c.paths...)
}
