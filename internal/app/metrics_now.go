package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/crmsyncd/crmsyncd/connectors"
)

// conditions shows at each scrape how the daemon and its connectors fare.
type conditions struct{ a *App }

var (
	descReady   = prometheus.NewDesc("crmsyncd_ready", "1 while webhooks can be kept, 0 while the ledger cannot write or the daemon stops.", nil, nil)
	descUp      = prometheus.NewDesc("crmsyncd_connector_up", "1 while the connector delivers, 0 while it is paused or parked.", []string{"connector"}, nil)
	descStopped = prometheus.NewDesc("crmsyncd_connector_stopped", "1 for a connector that is paused (it goes on by itself soon) or parked (mostly a person has to act), with the kind of error behind it; absent otherwise.", []string{"connector", "state", "kind"}, nil)
	descLeft    = prometheus.NewDesc("crmsyncd_connector_requests_left", "Requests that the account may send now, by limit: window, search or day; of Pipedrive's day, tokens.", []string{"connector", "limit"}, nil)
	descMost    = prometheus.NewDesc("crmsyncd_connector_requests_limit", "Requests that the account may send when none is used, by limit.", []string{"connector", "limit"}, nil)
	descSeen    = prometheus.NewDesc("crmsyncd_webhook_last_timestamp_seconds", "When an authentic webhook of the source was kept last; absent if not within a week before the start.", []string{"source"}, nil)
)

// Describe implements prometheus.Collector.
func (conditions) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descReady, descUp, descStopped, descLeft, descMost, descSeen} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c conditions) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descReady, truth(c.a.notReady() == ""))
	setup := c.a.setup.Load()
	for name := range setup.Sources {
		if at := c.a.metrics.seen.of(name); !at.IsZero() {
			gauge(descSeen, float64(at.UnixMilli())/1000, name)
		}
	}
	for name, cond := range c.a.deliver.Conditions() {
		up := cond.State == "ok"
		gauge(descUp, truth(up), name)
		if !up {
			gauge(descStopped, 1, name, cond.State, cond.Kind)
		}
		account, ok := setup.Connectors[name].(connectors.Account)
		if !ok {
			continue
		}
		for _, l := range account.Limits() {
			gauge(descLeft, float64(l.Left), name, l.Name)
			gauge(descMost, float64(l.Most), name, l.Name)
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
