package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
)

// marked are personal data and secrets that must not come out anywhere but
// where a person asks for the event itself.
var marked = map[string]string{
	"number": "5112349876", "e-mail": "zzmailmark", "first name": "Zzfirstmark", "last name": "Zzlastmark", "transcript": "zzsaidmark",
	"recording": "zzrecordingmark", "company": "zzcompanymark", "hubspot's token": "zzhubtokenmark", "airtable's token": "zzairtokenmark",
	"path token": "zzpathtokenmarkzzpathtokenmark42", "wrong path token": "zzwrongtokenmark", "key of telli's API": "zzapikeymark", "query": "zzquerymark",
	"header": "zzheadermark", "webhook's address": "zzhookpathmark", "webhook's secret": "zzhookheadermark", "secret in broken YAML": "zzbrokenmark",
	"signing secret": "Zz9zZsigningmarkAAECAwQFBgcICQoLDA0ODxAREhM",
}

// leaks names what of the marked is in a text, as such or in another spelling.
func leaks(text string) (found []string) {
	lower := strings.ToLower(text)
	for what, mark := range marked {
		for _, form := range []string{mark, base64.StdEncoding.EncodeToString([]byte(mark))[:12]} {
			if i := strings.Index(lower, strings.ToLower(form)); i >= 0 {
				found = append(found, fmt.Sprintf("%s: …%s…", what, text[max(0, i-120):min(len(text), i+60)]))
				break
			}
		}
	}
	return found
}

// parrot stands before the sandbox. In a mode it answers what would write or
// search with an error that quotes the request, credentials and all.
type parrot struct {
	next   http.Handler
	mode   atomic.Value // string
	quoted atomic.Int64
}

func (p *parrot) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	mode, _ := p.mode.Load().(string)
	vendor := strings.HasPrefix(r.URL.Path, "/telli")
	if mode == "" || r.Method == http.MethodGet && !vendor && mode != "401" {
		p.next.ServeHTTP(w, r)
		return
	}
	p.quoted.Add(1)
	all := fmt.Sprintf("%s %s %v %s", r.Method, r.URL, r.Header, body)
	text, _ := json.Marshal(all)
	status := map[string]int{"400": 400, "401": 401, "403": 403, "404": 404, "409": 409, "429": 429, "500": 500, "html": 503, "odd": 200}[mode]
	if mode == "html" || mode == "odd" {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(status)
		fmt.Fprintf(w, "<html>%s</html>", all)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Retry-After", "0")
	w.Header().Set("X-Quote", url.QueryEscape(all))
	w.WriteHeader(status)
	if strings.HasPrefix(r.URL.Path, "/airtable") {
		fmt.Fprintf(w, `{"error": {"type": "INVALID_VALUE_FOR_COLUMN", "message": %s}}`, text)
		return
	}
	fmt.Fprintf(w, `{"status": "error", "category": "VALIDATION_ERROR", "correlationId": %s, "message": %s, "errors": [{"message": %s, "code": "INVALID_EMAIL", "context": {"propertyName": [%s]}}], "subCategory": %s}`, text, text, text, text, text)
}

const redactionConfig = `listen: %s
admin: "unix:%s"
data_dir: ./data
mapping: mapping.yaml
defaults: {country: DE, timezone: Europe/Berlin}
delivery: {backoff_min: 100ms, backoff_max: 200ms, max_attempts: 2, drain: 1s}
log: {level: debug}
limits: {store_time: 30s}
sources:
  telli: {type: telli, signing_secret: "whsec_%s", api_key: zzapikeymark, base_url: %s/telli, requests_per_second: 1000}
  phones: {type: voipgrid, token: zzpathtokenmarkzzpathtokenmark42}
connectors:
  hubspot: {type: hubspot, access_token: zzhubtokenmark, base_url: %s/hubspot, requests_per_10s: 100000}
  airtable: {type: airtable, access_token: zzairtokenmark, base: appCrmsyncdDemo00, base_url: %s/airtable, requests_per_second: 10000}
  zap: {type: webhook, url: "%s/webhook/zzhookpathmark", unsigned: true, headers: {X-Secret: zzhookheadermark}, allow_private: [true]}
`

const redactionRule = `
  - name: Values that do not fit
    on: call.ended
    from: telli
    to: hubspot
    records:
      - object: calls
        match: telli_call_id
        fields:
          telli_call_id: =call.id
          hs_call_duration: =contact.last_name
          hs_timestamp: =contact.email
  - name: To an automation
    on: call.ended
    from: telli
    to: zap
    records:
      - object: call
        fields: {who: =contact.full_name, said: =call.transcript, number: =contact.phone}
`

const redactionCall = `{"event": %q, "call": {"call_id": "c-%d", "contact_id": "k-%d", "direction": "outbound", "from_number": "+493023125900", "to_number": "+4915112349876", "call_status": "COMPLETED", "started_at": %d, "ended_at": %d, "transcript": "zzsaidmark, she said", "summary": "zzsaidmark", "recording_url": "https://rec.example/zzrecordingmark"}, "contact": {"contact_id": "k-%d", "first_name": "Zzfirstmark", "last_name": "Zzlastmark", "company": "zzcompanymark", "email": "zzmailmark%d@example.com", "phone_number": "+4915112349876", "status": "reached"}}`

// TestNothingPersonalComesOut feeds marked personal data and secrets through
// every road of the real binary, with faults, and looks for them in the log at
// its finest level, in metrics, in answers, in what commands print, and in what
// a crash leaves.
func TestNothingPersonalComesOut(t *testing.T) {
	t.Parallel()
	crm := &parrot{next: sandbox.New(sandbox.Options{Unlimited: true})}
	server := httptest.NewServer(crm)
	defer server.Close()
	p := &process{t: t, dir: t.TempDir()}
	listen, socket := address(t), filepath.Join(p.dir, "admin.sock")
	secret := base64.StdEncoding.EncodeToString([]byte(marked["signing secret"]))
	config := fmt.Sprintf(redactionConfig, listen, socket, secret, server.URL, server.URL, server.URL, server.URL)
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("config.yaml", config)
	example, err := os.ReadFile(filepath.Join("..", "..", "examples", demoExample, "mapping.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write("mapping.yaml", string(example)+redactionRule)
	p.start()
	defer func() { _ = p.cmd.Process.Kill() }()
	if _, err := readyAt("unix:" + socket); err != nil {
		t.Fatalf("%v\n%s", err, p.err.String())
	}
	src, err := telliSource("whsec_" + secret)
	if err != nil {
		t.Fatal(err)
	}
	clean := func(where, text string) {
		t.Helper()
		for _, leak := range leaks(text) {
			t.Errorf("%s gives away the %s", where, leak)
		}
	}
	sent := 0
	post := func(want int, path, body string, sign bool, header ...string) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, "http://"+listen+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if sign {
			if err := src.(sources.Signer).Sign(&sources.Request{URL: req.URL, Header: req.Header, Body: []byte(body)}, newMessageID(), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, _ := io.ReadAll(resp.Body)
		if resp.StatusCode != want {
			t.Errorf("%s: answered %d %s, want %d", path, resp.StatusCode, answer, want)
		}
		clean("the answer to a webhook", fmt.Sprint(string(answer), resp.Header))
		if want == http.StatusOK {
			sent++
		}
	}
	n := 0
	call := func() string {
		n++
		at := time.Now().Add(-time.Hour).UnixMilli()
		return fmt.Sprintf(redactionCall, "call_ended", n, n, at, at+60000, n, n)
	}
	settled := func() {
		t.Helper()
		client := admin.NewClient("unix:" + socket)
		if err := poll(func() error {
			s, err := client.Status(context.Background())
			if err == nil && (s.Events < uint64(sent) || s.Unplanned > 0) {
				err = fmt.Errorf("%d events, want %d", s.Events, sent)
			}
			if err == nil && !slices.ContainsFunc(s.Connectors, func(c admin.Connector) bool { return c.Done > 0 }) {
				err = fmt.Errorf("nothing is delivered")
			}
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	run := func(args ...string) {
		t.Helper()
		var out output
		cmd := p.command(args...)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		enough := time.AfterFunc(5*time.Second, func() { _ = cmd.Process.Kill() })
		defer enough.Stop()
		_ = cmd.Wait() // how it ends does not matter
		clean("crmsyncd "+strings.Join(args, " "), out.String())
	}

	if got := leaks("level=INFO name=ZZFirstMark x=enpzYWlkbWFyaw=="); len(got) != 2 {
		t.Fatalf("what leaks is not found: %v", got)
	}

	// Who is refused.
	post(http.StatusUnauthorized, "/hooks/telli", call(), false)
	post(http.StatusUnauthorized, "/hooks/telli", call(), true, "Webhook-Signature", "v1,zzheadermark", "Svix-Signature", "v1,zzheadermark")
	post(http.StatusNotFound, "/hooks/zzwrongtokenmark", call(), false)
	post(http.StatusNotFound, "/zzpathtokenmarkzzpathtokenmark42?key=zzquerymark", call(), false)
	post(http.StatusUnauthorized, "/hooks/phones/zzwrongtokenmark?key=zzquerymark", call(), false)
	post(http.StatusUnsupportedMediaType, "/hooks/telli", call(), true, "Content-Type", "text/zzheadermark")
	post(http.StatusUnsupportedMediaType, "/hooks/telli", call(), true, "Content-Encoding", "zzheadermark")

	// What is taken, odd or not.
	post(http.StatusOK, "/hooks/telli", call(), true)
	for _, odd := range []string{
		`{"event": "zzfirstmark", "contact": {"email": "zzmailmark@example.com"}}`, `"zzsaidmark`, `{"zzsaidmark": zzsaidmark}`, `{"zzmailmark": 1, "zzmailmark": 2}`,
		strings.NewReplacer(`"COMPLETED"`, `"zzfirstmark"`, `"+4915112349876"`, `"+4915112349876 ext zzlastmark"`, `"reached"`, `["zzmailmark"]`).Replace(call()),
		strings.Replace(call(), `"started_at": `, `"started_at": "zzsaidmark", "x": `, 1),
	} {
		post(http.StatusOK, "/hooks/telli", odd, true)
	}
	phone := `{"call_id": "v-1", "timestamp": "2026-03-04T09:30:00+01:00", "status": "ended", "reason": "completed", "direction": "inbound", "caller": {"number": "+4915112349876", "name": "Zzlastmark"}, "destination": {"number": "+493023125900"}, "extra": "zzsaidmark"}`
	post(http.StatusOK, "/hooks/phones/zzpathtokenmarkzzpathtokenmark42", phone, false)
	settled()

	// CRMs and vendors that quote what they were sent in their errors.
	for _, mode := range []string{"400", "403", "404", "409", "429", "500", "html", "odd", "401"} {
		crm.mode.Store(mode)
		before := crm.quoted.Load()
		post(http.StatusOK, "/hooks/telli", call(), true)
		// Who was parked is tried again, also who was parked a moment later by
		// an answer of the mode before.
		var asked time.Time
		if err := poll(func() error {
			if crm.quoted.Load() != before {
				return nil
			}
			if time.Since(asked) > 2*time.Second {
				asked = time.Now()
				if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
					return err
				}
			}
			return fmt.Errorf("%s: nothing was quoted", mode)
		}); err != nil {
			t.Error(err)
		}
		if mode == "html" {
			run("doctor")
		}
		if mode == "400" || mode == "401" {
			run("doctor")
			run("backfill", "--source", "telli", "--since", "1h")
			run("reconcile", "--source", "telli")
		}
		run("deliveries", "retry", "--dead")
	}
	for _, args := range [][]string{{"status"}, {"status", "--json"}, {"doctor", "--json"}, {"check"}, {"check", "--live"}, {"audit", "list"}, {"deliveries", "list"}, {"deliveries", "list", "--state", "dead", "--json"}, {"reconcile", "list"}, {"schema", "config"}} {
		run(args...)
	}
	crm.mode.Store("")

	// A file that is broken where a secret stands.
	for _, broken := range []string{
		strings.Replace(config, "access_token: zzhubtokenmark", `access_token: "zzbrokenmark`, 1),
		strings.Replace(config, "access_token: zzhubtokenmark", "access_token: [zzbrokenmark, {zzhubtokenmark: ", 1),
		strings.Replace(config, "access_token: zzhubtokenmark", "acces_token: zzhubtokenmark", 1),
		strings.Replace(config, "token: zzpathtokenmarkzzpathtokenmark42", "token: {zzpathtokenmarkzzpathtokenmark42: 1}", 1),
		strings.Replace(config, "whsec_", "whsec_!", 1),
		strings.Replace(config, "api_key: zzapikeymark", "api_key: ${file:/nowhere/x}zzapikeymark", 1),
	} {
		write("config.yaml", broken)
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		if err := poll(func() error {
			s, err := admin.NewClient("unix:" + socket).Status(context.Background())
			if err == nil && s.Settings.Failure == "" {
				return fmt.Errorf("the broken file was taken:\n%s", broken)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		run("check")
		run("doctor", "--offline")
	}
	write("config.yaml", config)
	clean("/metrics", scrape(t, socket))

	// What a crash leaves.
	if err := p.end(syscall.SIGQUIT); err == nil {
		t.Error("SIGQUIT ended the daemon as if all were well")
	}
	log := p.err.String()
	for _, want := range []string{"a webhook was refused", "level=DEBUG", "msg=delivered source=telli event=evt_", "delivery dead", "connector parked", "reload refused", "goroutine 1 "} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not tell of %q, so that the test proves little", want)
		}
	}
	clean("the log", log)
}
