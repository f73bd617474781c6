package app

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/crmsyncd/crmsyncd/internal/caught"
	"github.com/crmsyncd/crmsyncd/internal/httpx"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/internal/reconcile"
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
	runs       *prometheus.CounterVec
	runTime    *prometheus.HistogramVec
	drift      *prometheus.CounterVec
	asked      *prometheus.CounterVec
	runEnd     *prometheus.GaugeVec
	loaded     prometheus.Gauge
	loadedWell prometheus.Gauge
	audits     *prometheus.CounterVec
	seen       seen
	hour       hour
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
		runs:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crmsyncd_reconcile_runs_total", Help: "Reconcile runs that ended, by source or connector and state."}, []string{"source", "connector", "state"}),
		runTime:    prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "crmsyncd_reconcile_run_duration_seconds", Help: "Time that a reconcile run took.", Buckets: prometheus.ExponentialBuckets(.1, 4, 9)}, []string{"source", "connector"}),
		drift:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crmsyncd_reconcile_drift_total", Help: "What reconcile found to differ, by source or connector and kind: behind, edited, missing, merged, failed, status."}, []string{"source", "connector", "kind"}),
		asked:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "crmsyncd_reconcile_requests_total", Help: "Requests that reconcile sent, by source or connector."}, []string{"source", "connector"}),
		runEnd:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "crmsyncd_reconcile_last_end_timestamp_seconds", Help: "When a reconcile run of the source or connector ended last, by state; since the daemon's start."}, []string{"source", "connector", "state"}),
		loaded:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "crmsyncd_settings_loaded_timestamp_seconds", Help: "When the settings in force were read."}),
		loadedWell: prometheus.NewGauge(prometheus.GaugeOpts{Name: "crmsyncd_settings_last_load_successful", Help: "0 if the last reload was refused, so that the settings before it are in force."}),
		audits:     newAudits(),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "crmsyncd_build_info", Help: "Always 1.", ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()}})
	build.Set(1)
	m.loaded.SetToCurrentTime()
	m.loadedWell.Set(1)
	for _, result := range []string{"done", "failed"} { // a first failure must be seen to rise
		m.reloads.WithLabelValues(result)
	}
	clock := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "crmsyncd_clock_ahead_seconds", Help: "By how much this machine's clock is ahead of those of the CRMs that answered lately; negative: behind."}, func() float64 {
		ahead, _ := httpx.Clock.Ahead()
		return ahead.Seconds()
	})
	panics := prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "crmsyncd_panics_total", Help: "Mistakes of crmsyncd itself that ended one piece of work; the log has the place."}, func() float64 {
		return float64(caught.Number())
	})
	m.registry.MustRegister(clock, panics, m.webhooks, m.ack, m.commits, m.deliveries, m.waves, m.reloads, m.runs, m.runTime, m.drift, m.asked, m.runEnd, m.loaded, m.loadedWell, m.audits, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// CountDropped has the metrics tell how many lines of the log were dropped. Call
// it once, before Run.
func (a *App) CountDropped(lines func() uint64) {
	a.metrics.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "crmsyncd_log_lines_dropped_total", Help: "Lines of the log that were dropped because standard error did not take them."}, func() float64 {
		return float64(lines())
	}))
}

// expect begins at 0 what alerts look at of the sources and connectors of a
// Setup: a first failure must be seen to rise.
func (m *metrics) expect(s *Setup) {
	for name := range s.Sources {
		for _, reason := range receiver.Failures() {
			m.webhooks.WithLabelValues(name, "failed", reason)
		}
		m.runs.WithLabelValues(name, "", string(store.RunFailed))
	}
	for name := range s.Connectors {
		m.runs.WithLabelValues("", name, string(store.RunFailed))
	}
}

// received is the receiver's observer.
func (m *metrics) received(source, result, reason string, d time.Duration) {
	m.webhooks.WithLabelValues(source, result, reason).Inc()
	m.ack.WithLabelValues(source).Observe(d.Seconds())
	now := time.Now()
	switch result {
	case "accepted", "duplicate", "unknown", "quarantined":
		m.seen.note(source, now)
		m.hour.note(source, false, now)
	case "refused", "failed":
		if source != "" {
			m.hour.note(source, true, now)
		}
	}
}

// reloaded notes how a reload ended.
func (m *metrics) reloaded(well bool) {
	m.loadedWell.Set(truth(well))
	if !well {
		m.reloads.WithLabelValues("failed").Inc()
		return
	}
	m.reloads.WithLabelValues("done").Inc()
	m.loaded.SetToCurrentTime()
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

// Reconciled implements reconcile.Meter.
func (m *metrics) Reconciled(t reconcile.Target, state store.RunState, took time.Duration) {
	m.runs.WithLabelValues(t.Source, t.Connector, string(state)).Inc()
	m.runTime.WithLabelValues(t.Source, t.Connector).Observe(took.Seconds())
	m.runEnd.WithLabelValues(t.Source, t.Connector, string(state)).SetToCurrentTime()
}

// Drifted implements reconcile.Meter.
func (m *metrics) Drifted(t reconcile.Target, kind string, n int) {
	m.drift.WithLabelValues(t.Source, t.Connector, kind).Add(float64(n))
}

// Asked implements reconcile.Meter.
func (m *metrics) Asked(t reconcile.Target, n int) {
	m.asked.WithLabelValues(t.Source, t.Connector).Add(float64(n))
}

// queues shows the ledger's counts at each scrape.
type queues struct {
	stats func(context.Context) (store.Stats, error)
}

var (
	descEvents  = prometheus.NewDesc("crmsyncd_events", "Events in the ledger.", nil, nil)
	descQuar    = prometheus.NewDesc("crmsyncd_events_quarantined", "Events that could not be understood.", nil, nil)
	descNew     = prometheus.NewDesc("crmsyncd_events_unplanned", "Events that no rule has looked at yet.", nil, nil)
	descBytes   = prometheus.NewDesc("crmsyncd_ledger_bytes", "Size of the ledger's file.", nil, nil)
	descWaiting = prometheus.NewDesc("crmsyncd_deliveries_waiting", "Deliveries that wait.", []string{"connector"}, nil)
	descDead    = prometheus.NewDesc("crmsyncd_deliveries_dead", "Deliveries that need a person.", []string{"connector"}, nil)
	descOldest  = prometheus.NewDesc("crmsyncd_delivery_oldest_waiting_seconds", "How long the delivery waits that waits longest, since its event came or it was replayed or retried last; 0 if none does.", []string{"connector"}, nil)
)

// Describe implements prometheus.Collector.
func (q queues) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descEvents, descQuar, descNew, descBytes, descWaiting, descDead, descOldest} {
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
	gauge(descNew, float64(s.Unplanned))
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
