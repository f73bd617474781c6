package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/crmsyncd/crmsyncd/internal/diag"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
)

const operations = "../../docs/operations"

// scrape reads /metrics of a daemon.
func scrape(t *testing.T, socket string) string {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	resp, err := c.Get("http://crmsyncd/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v\n%s", resp.Status, err, body)
	}
	return string(body)
}

// series drops the values of metrics, which differ from scrape to scrape.
func series(metrics string) []string {
	var out []string
	for line := range strings.Lines(metrics) {
		if !strings.HasPrefix(line, "#") {
			out = append(out, line[:strings.LastIndex(line, " ")])
		}
	}
	return out
}

// TestMetrics tells a story to a real daemon, and holds /metrics, the dashboard
// and the alert rules to it.
func TestMetrics(t *testing.T) {
	t.Parallel()
	crm := httptest.NewServer(sandbox.New(sandbox.Options{Unlimited: true}))
	defer crm.Close()
	p := &process{t: t, dir: t.TempDir()}
	listen, socket := address(t), filepath.Join(p.dir, "admin.sock")
	if err := writeConfig(p.dir, listen, "unix:"+socket, crm.URL); err != nil {
		t.Fatal(err)
	}
	if err := addTo(filepath.Join(p.dir, "config.yaml"), slowDisk); err != nil {
		t.Fatal(err)
	}
	p.start()
	defer func() { _ = p.cmd.Process.Kill() }()
	if _, err := readyAt("unix:" + socket); err != nil {
		t.Fatalf("%v\n%s", err, p.err.String())
	}
	post := func(n int, header http.Header, path string) int {
		t.Helper()
		src, err := telliSource(testSecret)
		if err != nil {
			t.Fatal(err)
		}
		body, err := src.(sources.Sampler).Sample("call_completed", n, time.Now().Add(-time.Hour).Truncate(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(http.MethodPost, "http://"+listen+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if header == nil {
			if err := src.(sources.Signer).Sign(&sources.Request{URL: req.URL, Header: req.Header, Body: body}, newMessageID(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		for k, v := range header {
			req.Header[k] = v
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	if got := post(17, nil, "/hooks/telli"); got != http.StatusOK {
		t.Fatalf("a webhook was answered %d", got)
	}
	if err := settledAt("unix:"+socket, 1); err != nil {
		t.Fatal(err)
	}
	if got := post(17, http.Header{"X-None": {"1"}}, "/hooks/telli"); got != http.StatusUnauthorized {
		t.Fatalf("a webhook without signature was answered %d", got)
	}
	if got := post(17, http.Header{}, "/hooks/unknown-0"); got != http.StatusNotFound {
		t.Fatalf("an unknown source was answered %d", got)
	}
	if out, err := p.command("reconcile").CombinedOutput(); err != nil {
		t.Fatalf("reconcile: %v\n%s", err, out)
	}
	metrics := scrape(t, socket)

	t.Run("names, units and helps are as Prometheus wants them", func(t *testing.T) {
		problems, err := promlint.New(strings.NewReader(metrics)).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range problems {
			if strings.HasPrefix(x.Metric, "crmsyncd_") {
				t.Errorf("%s: %s", x.Metric, x.Text)
			}
		}
	})
	t.Run("everything that is asked for is there", func(t *testing.T) {
		for _, want := range []string{
			`crmsyncd_webhooks_total{reason="",result="accepted",source="telli"} 1`,
			`crmsyncd_webhooks_total{reason="no_signature",result="refused",source="telli"} 1`,
			`crmsyncd_webhook_duration_seconds_count{source="telli"} 2`,
			`crmsyncd_webhook_last_timestamp_seconds{source="telli"} 1.`,
			`crmsyncd_ledger_commit_duration_seconds_count{op=`, "crmsyncd_ledger_bytes ",
			`crmsyncd_deliveries_waiting{connector="hubspot"} 0`, `crmsyncd_delivery_oldest_waiting_seconds{connector="hubspot"} 0`,
			`crmsyncd_delivery_attempts_total{connector="hubspot",result="done"} 1`, `crmsyncd_deliveries_dead{connector="hubspot"} 0`,
			`crmsyncd_connector_up{connector="hubspot"} 1`, `crmsyncd_connector_requests_limit{connector="hubspot",limit="search"} 5`,
			`crmsyncd_connector_requests_limit{connector="airtable",limit="window"} 10000`,
			`crmsyncd_webhooks_total{reason="disk_full",result="failed",source="telli"} 0`, `crmsyncd_webhooks_total{reason="store_time",result="failed",source="telli"} 0`,
			`crmsyncd_reconcile_runs_total{connector="",source="telli",state="failed"} 0`, `crmsyncd_reconcile_runs_total{connector="hubspot",source="",state="failed"} 0`,
			`crmsyncd_reloads_total{result="failed"} 0`, "crmsyncd_settings_last_load_successful 1", "crmsyncd_ready 1",
			`crmsyncd_reconcile_runs_total{connector="hubspot",source="",state="done"} 1`,
			`crmsyncd_audit_entries_total{action="reconcile"} 1`, `crmsyncd_audit_entries_total{action="erase"} 0`,
			fmt.Sprintf(`version=%q} 1`, version), "process_resident_memory_bytes ",
		} {
			if !strings.Contains(metrics, want) {
				t.Errorf("/metrics has no %s", want)
			}
		}
	})
	t.Run("nobody outside can make labels", func(t *testing.T) {
		before := series(metrics)
		for i := range 200 {
			post(17, http.Header{"Host": {fmt.Sprintf("h%d.test", i)}, "X-Token": {fmt.Sprint("t", i)}, "Content-Type": {fmt.Sprintf("text/x%d", i)}}, fmt.Sprintf("/hooks/unknown-%d", i))
			post(17, http.Header{"Webhook-Id": {fmt.Sprint("m", i)}, "Webhook-Signature": {fmt.Sprint("v1,", i)}, "Webhook-Timestamp": {fmt.Sprint(i)}}, "/hooks/telli")
			post(17, http.Header{"Content-Type": {fmt.Sprintf("text/x%d", i)}}, fmt.Sprintf("/hooks/telli/%d", i))
		}
		after := series(scrape(t, socket))
		if more := len(after) - len(before); more > 40 { // of each reason one, and the buckets of no source
			t.Errorf("600 hostile requests made %d series", more)
		}
		for _, s := range after {
			if strings.Contains(s, "unknown-") || strings.Contains(s, "text/x") {
				t.Errorf("a request made the series %s", s)
			}
		}
	})
	t.Run("the dashboard and the alerts name only what is there", func(t *testing.T) { checkOperations(t, scrape(t, socket)) })
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Errorf("the daemon ended with %v\n%s", err, p.err.String())
	}
}

var metricName = regexp.MustCompile(`\b(?:crmsyncd|go|process)_[a-z_]+`)

// absent are metrics that are there only when something is wrong, or with a
// certificate (see TestThePublicPortSpeaksTLS).
var absent = []string{"crmsyncd_connector_stopped", "crmsyncd_reconcile_drift_total", "crmsyncd_tls_certificate_expiry_timestamp_seconds", "crmsyncd_tls_certificate_renewal_successful"}

func checkOperations(t *testing.T, metrics string) {
	there := map[string]bool{}
	for _, s := range series(metrics) {
		name, _, _ := strings.Cut(s, "{")
		there[name] = true
	}
	dashboard, err := os.ReadFile(filepath.Join(operations, "dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(dashboard) {
		t.Error("dashboard.json is no JSON")
	}
	rules := filepath.Join(operations, "alerts.yaml")
	alerts, err := os.ReadFile(rules)
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{"dashboard.json": dashboard, "alerts.yaml": alerts} {
		names := metricName.FindAllString(string(text), -1)
		if len(names) < 10 {
			t.Errorf("%s: only %v were found", file, names)
		}
		for _, name := range names {
			if !there[name] && !slices.Contains(absent, name) {
				t.Errorf("%s: %s is not in /metrics", file, name)
			}
		}
	}
	// Each alert says what to do, and where more stands.
	guide, err := os.ReadFile(filepath.Join(operations, "..", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range there {
		name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
		if strings.HasPrefix(name, "crmsyncd_") && !strings.Contains(string(guide), "`"+name+"`") {
			t.Errorf("docs/operations.md does not tell of %s", name)
		}
	}
	root, problems := diag.ReadYAML(rules, alerts)
	if root == nil || len(problems) > 0 {
		t.Fatalf("alerts.yaml cannot be read: %v", problems)
	}
	list := root.Get("groups").Items[0].Get("rules").Items
	if len(list) < 10 {
		t.Errorf("only %d alerts were found", len(list))
	}
	for _, rule := range list {
		name, notes := rule.Get("alert").Value, rule.Get("annotations")
		if notes.Get("action") == nil || notes.Get("summary") == nil || rule.Get("labels").Get("severity") == nil {
			t.Errorf("%s lacks summary, action or severity", name)
			continue
		}
		_, anchor, _ := strings.Cut(notes.Get("runbook").Value, "docs/operations.md#")
		if !strings.Contains(strings.ToLower(strings.ReplaceAll(string(guide), " ", "-")), "##-"+anchor+"\n") {
			t.Errorf("%s: docs/operations.md has no section %q", name, anchor)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("promtool is not there: PromQL was not parsed")
		return
	}
	if out, err := exec.Command(promtool, "check", "rules", rules).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
	if out, err := exec.Command(promtool, "check", "rules", asRules(t, dashboard)).CombinedOutput(); err != nil {
		t.Errorf("promtool, of the dashboard: %v\n%s", err, out)
	}
}

// asRules writes a dashboard's queries as recording rules, for promtool.
func asRules(t *testing.T, dashboard []byte) string {
	t.Helper()
	var d struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(dashboard, &d); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("groups:\n- name: dashboard\n  rules:\n")
	n := 0
	for _, panel := range d.Panels {
		for _, target := range panel.Targets {
			n++
			fmt.Fprintf(&b, "  - record: panel:%d\n    expr: %q\n", n, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m"))
		}
	}
	if n < 20 {
		t.Errorf("only %d queries were found", n)
	}
	path := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
