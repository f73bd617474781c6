package app

import (
	"log/slog"
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/trace"
)

// traceable refuses tracing where this binary has none.
func traceable(t config.Tracing) diag.Problems {
	if t.Node == nil || trace.Built {
		return nil
	}
	return diag.Problems{t.Node.Problem("this crmsyncd was built without traces", "build one that has them: make build TAGS=otel; or remove tracing")}
}

// spans opens what records spans; nil where the settings want none.
func spans(t config.Tracing, version string, log *slog.Logger) (*trace.Recorder, error) {
	if t.Endpoint == "" {
		return nil, nil
	}
	headers := map[string]string{}
	for name, value := range t.Headers {
		headers[name] = value.Reveal()
	}
	return trace.Open(trace.Options{Endpoint: t.Endpoint, Headers: headers, Sample: t.Sample, Version: version, Log: log})
}

// sameTracing compares settings but for where they stand.
func sameTracing(a, b config.Tracing) bool {
	return a.Endpoint == b.Endpoint && a.Sample == b.Sample && maps.Equal(a.Headers, b.Headers)
}

var descSpans = prometheus.NewDesc("crmsyncd_trace_spans_total", "Spans recorded, by what became of them: sent, or dropped as the collector did not take them in time.", []string{"result"}, nil)

// spanCounts shows at each scrape what became of spans.
type spanCounts struct{ *trace.Recorder }

// Describe implements prometheus.Collector.
func (spanCounts) Describe(ch chan<- *prometheus.Desc) { ch <- descSpans }

// Collect implements prometheus.Collector.
func (s spanCounts) Collect(ch chan<- prometheus.Metric) {
	sent, dropped := s.Count()
	ch <- prometheus.MustNewConstMetric(descSpans, prometheus.CounterValue, float64(sent), "sent")
	ch <- prometheus.MustNewConstMetric(descSpans, prometheus.CounterValue, float64(dropped), "dropped")
}
