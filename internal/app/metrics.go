package app

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/crmsyncd/crmsyncd/store"
)

// metrics counts what the daemon does. Labels are names from the settings and
// fixed words, never anything from a request.
type metrics struct {
	registry   *prometheus.Registry
	webhooks   *prometheus.CounterVec
	ack        *prometheus.HistogramVec
	commits    *prometheus.HistogramVec
	deliveries *prometheus.CounterVec
	waves      *prometheus.HistogramVec
	reloads    *prometheus.CounterVec
}

func newMetrics(version string) *metrics {
	m := &metrics{
		registry:   prometheus.NewRegistry(),
		webhooks:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crmsyncd_webhooks_total", Help: "Webhooks by source, result and, where refused, reason."}, []string{"source", "result", "reason"}),
		ack:        prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "crmsyncd_webhook_duration_seconds", Help: "Time from the request's arrival to its answer.", Buckets: []float64{.0005, .001, .002, .005, .01, .025, .05, .1, .25, 1, 4}}, []string{"source"}),
		commits:    prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "crmsyncd_ledger_commit_duration_seconds", Help: "Time of a group commit, sync included.", Buckets: []float64{.0005, .001, .002, .005, .01, .025, .05, .1, .25, 1, 4}}, []string{"op"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crmsyncd_delivery_attempts_total", Help: "Deliveries tried, by connector and result: done, dead, deferred, or the kind of error."}, []string{"connector", "result"}),
		waves:      prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "crmsyncd_wave_duration_seconds", Help: "Time that a wave of deliveries took.", Buckets: prometheus.ExponentialBuckets(.01, 3, 9)}, []string{"connector"}),
		reloads:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crmsyncd_reloads_total", Help: "Reloads of settings and mapping, by result."}, []string{"result"}),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "crmsyncd_build_info", Help: "Always 1.", ConstLabels: prometheus.Labels{"version": version}})
	build.Set(1)
	m.registry.MustRegister(m.webhooks, m.ack, m.commits, m.deliveries, m.waves, m.reloads, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// received is the receiver's observer.
func (m *metrics) received(source, result, reason string, d time.Duration) {
	m.webhooks.WithLabelValues(source, result, reason).Inc()
	m.ack.WithLabelValues(source).Observe(d.Seconds())
}

// committed is the ledger's observer.
func (m *metrics) committed(op string, _ int, d time.Duration) {
	m.commits.WithLabelValues(op).Observe(d.Seconds())
}

// Attempted implements deliver.Meter.
func (m *metrics) Attempted(connector, result string, n int) {
	m.deliveries.WithLabelValues(connector, result).Add(float64(n))
}

// Wave implements deliver.Meter.
func (m *metrics) Wave(connector string, _ int, took time.Duration) {
	m.waves.WithLabelValues(connector).Observe(took.Seconds())
}

// queues shows the ledger's counts at each scrape.
type queues struct {
	stats func(context.Context) (store.Stats, error)
}

var (
	descEvents  = prometheus.NewDesc("crmsyncd_events", "Events in the ledger.", nil, nil)
	descQuar    = prometheus.NewDesc("crmsyncd_events_quarantined", "Events that could not be understood.", nil, nil)
	descBytes   = prometheus.NewDesc("crmsyncd_ledger_bytes", "Size of the ledger's file.", nil, nil)
	descWaiting = prometheus.NewDesc("crmsyncd_deliveries_waiting", "Deliveries that wait.", []string{"connector"}, nil)
	descDead    = prometheus.NewDesc("crmsyncd_deliveries_dead", "Deliveries that need a person.", []string{"connector"}, nil)
	descOldest  = prometheus.NewDesc("crmsyncd_delivery_oldest_waiting_seconds", "Age of the event that waits longest; 0 if none does.", []string{"connector"}, nil)
)

// Describe implements prometheus.Collector.
func (q queues) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descEvents, descQuar, descBytes, descWaiting, descDead, descOldest} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (q queues) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s, err := q.stats(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(descEvents, err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descEvents, float64(s.Events))
	gauge(descQuar, float64(s.Quarantined))
	gauge(descBytes, float64(s.Bytes))
	for name, c := range s.Connectors {
		gauge(descWaiting, float64(c.Waiting), name)
		gauge(descDead, float64(c.Dead), name)
		age := 0.0
		if !c.OldestWaiting.IsZero() {
			age = time.Since(c.OldestWaiting).Seconds()
		}
		gauge(descOldest, age, name)
	}
}
