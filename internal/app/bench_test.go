package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/config"
	"github.com/crmsyncd/crmsyncd/sources"
)

const (
	benchSecret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	benchTime   = 3 * time.Second // of each measurement
	benchBody   = 4 << 10         // bytes of a webhook
)

// BenchmarkIngest measures durable ingest at 1, 16 and 64 connections, each
// beside a bare handler (net/http, read body, HMAC, one group-committed bbolt
// put of the same size), plain group-committed bbolt and the fsync rate, all
// in the same run. The load comes over loopback from this process.
func BenchmarkIngest(b *testing.B) {
	b.Run("fsync", func(b *testing.B) { report(b, measure(1, syncFile(b)), 0) })
	for _, conns := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("bbolt/callers=%d", conns), func(b *testing.B) {
			g := openGroup(b)
			value := bytes.Repeat([]byte("x"), benchBody)
			report(b, measure(conns, func(int) func() error { return func() error { return g.put(value) } }), 0)
		})
		var bare float64
		b.Run(fmt.Sprintf("bare/conns=%d", conns), func(b *testing.B) {
			g := openGroup(b)
			key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(benchSecret, "whsec_"))
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { g.serve(w, r, key) }))
			defer srv.Close()
			bare = report(b, post(b, srv.Listener.Addr().String(), conns), 0)
		})
		b.Run(fmt.Sprintf("crmsyncd/conns=%d", conns), func(b *testing.B) {
			a := startBench(b, unmatchedRules, "http://127.0.0.1:1")
			report(b, post(b, a.public.Addr().String(), conns), bare)
		})
	}
}

// BenchmarkSources measures durable ingest at 64 connections for every sender,
// each with its own kind of payload, as a share of telli's in the same run.
func BenchmarkSources(b *testing.B) {
	var telli float64
	for _, vendor := range []string{"telli", "voipgrid", "respondio", "sipgate", "webhook"} {
		b.Run(vendor, func(b *testing.B) {
			requests := make([][]byte, prepared/3)
			for n := range requests {
				requests[n] = webhookOf(b, vendor, n, false)
			}
			a := startBench(b, unmatchedRules, "http://127.0.0.1:1")
			rate := report(b, postAll(b, a.public.Addr().String(), 64, requests), 0)
			if vendor == "telli" {
				telli = rate
			}
			b.ReportMetric(100*rate/telli, "%-of-telli")
		})
	}
}

const unmatchedRules = `
version: 1
rules:
  - name: nothing
    on: call.created
    to: hubspot
    records: [{object: contacts, match: email, fields: {email: =contact.email}}]
`

// startBench runs a daemon on a real folder, whose CRMs have no limits.
func startBench(b testing.TB, mapping, crm string) *App {
	b.Helper()
	return startLimited(b, mapping, crm, 100_000, 10_000)
}

// startLimited is startBench with limits for HubSpot and Airtable.
func startLimited(b testing.TB, mapping, crm string, per10s, perSecond int) *App {
	b.Helper()
	dir := b.TempDir()
	writeBench(b, dir, mapping, crm, per10s, perSecond)
	a, stop := runBench(b, dir)
	b.Cleanup(stop)
	return a
}

func writeBench(b testing.TB, dir, mapping, crm string, per10s, perSecond int) {
	b.Helper()
	text := fmt.Sprintf(`listen: 127.0.0.1:0
admin: 127.0.0.1:0
data_dir: %s
mapping: mapping.yaml
limits: {store_time: 1m}
sources: %s
connectors:
  hubspot: {type: hubspot, access_token: x, base_url: %s/hubspot, requests_per_10s: %d}
  airtable: {type: airtable, access_token: x, base: appCrmsyncdDemo00, base_url: %s/airtable, requests_per_second: %d}
`, filepath.Join(dir, "data"), benchSources, crm, per10s, crm, perSecond)
	for name, t := range map[string]string{"config.yaml": text, "mapping.yaml": mapping} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(t), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// runBench runs a daemon on the settings in a folder until stop.
func runBench(b testing.TB, dir string) (a *App, stop func()) {
	b.Helper()
	logger := func(config.Log) *slog.Logger {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	}
	setup, problems := Build(filepath.Join(dir, "config.yaml"), "bench", logger)
	if err := problems.Err(); err != nil {
		b.Fatal(err)
	}
	var err error
	if a, err = New(setup, "", "bench", logger); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return a, func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}
}

// sendCalls sends the webhooks of finished calls, 16 at a time.
func sendCalls(tb testing.TB, a *App, calls int) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		c := dial(tb, a.public.Addr().String())
		wg.Go(func() {
			for n := int(next.Add(1)); n <= calls; n = int(next.Add(1)) {
				if err := c.send(signedWebhook(tb, n, false)); err != nil {
					tb.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func waitSettled(b testing.TB, a *App, events uint64) {
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		s, err := a.ledger.Stats(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		waiting := s.Unplanned
		for _, c := range s.Connectors {
			waiting += c.Waiting
		}
		if s.Events >= events && waiting == 0 {
			return
		}
		if time.Now().After(end) {
			b.Fatalf("%d still wait", waiting)
		}
	}
}

// measurement is the times of single operations and how long all took.
type measurement struct {
	times []time.Duration
	took  time.Duration
}

// measure runs op from each of n callers for benchTime.
func measure(n int, op func(caller int) func() error) measurement {
	var m measurement
	var mu sync.Mutex
	var wg sync.WaitGroup
	began := time.Now()
	for i := range n {
		do := op(i)
		wg.Go(func() {
			var times []time.Duration
			for time.Since(began) < benchTime {
				t := time.Now()
				if err := do(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					panic(err)
				}
				times = append(times, time.Since(t))
			}
			mu.Lock()
			m.times = append(m.times, times...)
			mu.Unlock()
		})
	}
	wg.Wait()
	m.took = time.Since(began)
	return m
}

// report gives events/s, p50 and p99, and the ratio to base where there is one.
func report(b *testing.B, m measurement, base float64) float64 {
	slices.Sort(m.times)
	rate := float64(len(m.times)) / m.took.Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate, "events/s")
	b.ReportMetric(float64(m.times[len(m.times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(m.times[len(m.times)*99/100].Microseconds())/1000, "p99-ms")
	if base > 0 {
		b.ReportMetric(100*rate/base, "%-of-bare")
	}
	return rate
}

// syncFile appends 4 KB to a file and syncs it.
func syncFile(b *testing.B) func(int) func() error {
	f, err := os.Create(filepath.Join(b.TempDir(), "file"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	value := make([]byte, benchBody)
	return func(int) func() error {
		return func() error {
			if _, err := f.Write(value); err != nil {
				return err
			}
			return f.Sync()
		}
	}
}

// group is a bbolt file with the plainest group commit.
type group struct {
	db    *bbolt.DB
	queue chan groupPut
	seq   uint64
}

type groupPut struct {
	value []byte
	done  chan error
}

func openGroup(b *testing.B) *group {
	db, err := bbolt.Open(filepath.Join(b.TempDir(), "plain.db"), 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30})
	if err != nil {
		b.Fatal(err)
	}
	g := &group{db: db, queue: make(chan groupPut, 1024)}
	go g.commit()
	b.Cleanup(func() { close(g.queue); db.Close() })
	return g
}

func (g *group) commit() {
	for first := range g.queue {
		batch := []groupPut{first}
		for more := true; more && len(batch) < 512; {
			select {
			case p, ok := <-g.queue:
				if more = ok; ok {
					batch = append(batch, p)
				}
			default:
				more = false
			}
		}
		err := g.db.Update(func(tx *bbolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte("events"))
			if err != nil {
				return err
			}
			bucket.FillPercent = 1
			for _, p := range batch {
				g.seq++
				if err := bucket.Put(binary.BigEndian.AppendUint64(nil, g.seq), p.value); err != nil {
					return err
				}
			}
			return nil
		})
		for _, p := range batch {
			p.done <- err
		}
	}
}

func (g *group) put(value []byte) error {
	p := groupPut{value, make(chan error, 1)}
	g.queue <- p
	return <-p.done
}

// serve is the bare handler.
func (g *group) serve(w http.ResponseWriter, r *http.Request, key []byte) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.", r.Header.Get("svix-id"), r.Header.Get("svix-timestamp"))
	mac.Write(body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	if !hmac.Equal([]byte(want), []byte(r.Header.Get("svix-signature"))) {
		http.Error(w, "", http.StatusUnauthorized)
		return
	}
	if g.put(body) != nil {
		http.Error(w, "", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"status":"accepted"}`)
}

const prepared = 90_000 // webhooks; a measurement ends early when they are used up

// benchSources are the sources of benchmarks.
const benchSources = `{
  telli: {type: telli, signing_secret: "` + benchSecret + `"},
  voipgrid: {type: voipgrid, token: bench-token-of-32-characters-000},
  respondio: {type: respondio, signing_keys: [one-key-of-a-webhook, another-key-of-a-webhook]},
  sipgate: {type: sipgate, token: bench-token-of-32-characters-000},
  webhook: {type: webhook, auth: [{hmac: {header: X-Signature, secret: bench-secret-of-32-characters-00}}], event: =raw.event, events: {hangup: call.ended}, joined: true,
    delivery_id: =raw.id, occurred_at: =raw.time, fields: {call.id: =raw.call.id, call.from: =raw.call.from, call.duration: =raw.call.seconds, call.direction: =raw.call.dir}},
}`

// signed webhooks are made before anything is measured, so that signing does not count.
var signed [][]byte

// post posts signed webhooks over conns connections.
func post(b *testing.B, addr string, conns int) measurement {
	if signed == nil {
		for n := range prepared {
			signed = append(signed, signedWebhook(b, n, true))
		}
	}
	return postAll(b, addr, conns, signed)
}

func postAll(b *testing.B, addr string, conns int, requests [][]byte) measurement {
	var next atomic.Int64
	return measure(conns, func(int) func() error {
		c := dial(b, addr)
		return func() error {
			n := next.Add(1)
			if n > int64(len(requests)) {
				return io.EOF
			}
			return c.send(requests[n-1])
		}
	})
}

// client is an HTTP client that costs next to nothing, so that the server is
// what is measured.
type client struct {
	conn net.Conn
	in   *bufio.Reader
}

func dial(b testing.TB, addr string) *client {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return &client{conn, bufio.NewReader(conn)}
}

func (c *client) send(req []byte) error {
	if _, err := c.conn.Write(req); err != nil {
		return err
	}
	status, err := c.in.ReadString('\n')
	if err != nil {
		return err
	}
	length := 0
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return err
		}
		line = strings.TrimSpace(line)
		if line == "" {
			break
		}
		if name, v, _ := strings.Cut(line, ":"); strings.EqualFold(name, "Content-Length") {
			length, _ = strconv.Atoi(strings.TrimSpace(v))
		}
	}
	if _, err := c.in.Discard(length); err != nil {
		return err
	}
	if !strings.Contains(status, " 200 ") {
		return fmt.Errorf("answered %s", status)
	}
	return nil
}

var benchSetup = sync.OnceValue(func() *Setup {
	dir := benchFolder()
	defer os.RemoveAll(dir)
	s, problems := Build(filepath.Join(dir, "config.yaml"), "bench", func(config.Log) *slog.Logger { return slog.New(slog.DiscardHandler) })
	if err := problems.Err(); err != nil {
		panic(err)
	}
	return s
})

func benchFolder() string {
	dir, err := os.MkdirTemp("", "crmsyncd-bench-")
	if err != nil {
		panic(err)
	}
	text := "mapping: mapping.yaml\nsources: " + benchSources + "\nconnectors: {hubspot: {type: hubspot, access_token: x}}\n"
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(text), 0o600); err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mapping.yaml"), []byte(unmatchedRules), 0o600); err != nil {
		panic(err)
	}
	return dir
}

// webhook makes a signed webhook of a finished call, number n; padded to
// benchBody where wanted.
func signedWebhook(b testing.TB, n int, pad bool) []byte {
	return webhookOf(b, "telli", n, pad)
}

func webhookOf(b testing.TB, vendor string, n int, pad bool) []byte {
	src, guard := benchSetup().Sources[vendor], benchSetup().Guards[vendor]
	body, err := fmt.Appendf(nil, `{"event":"hangup","id":"m-%d","time":%d,"call":{"id":%d,"dir":"inbound","from":"+493023125%03d","seconds":95}}`, n, time.Now().Unix(), n, n%1000), error(nil)
	if sampler, ok := src.(sources.Sampler); ok {
		body, err = sampler.Sample(sampler.Samples()[0], n, time.Now())
	}
	if err != nil {
		b.Fatal(err)
	}
	if pad && len(body) < benchBody {
		// A longer transcript, as real calls have.
		fill := strings.Repeat("User: Ja, gern. ", (benchBody-len(body))/16)
		body = bytes.Replace(body, []byte(`"transcript":"`), []byte(`"transcript":"`+fill), 1)
	}
	r := &sources.Request{URL: &url.URL{Path: "/hooks/" + vendor}, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
	if token := guard.Admit(); token != "" {
		r.URL.Path += "/" + token
	}
	if signer, ok := src.(sources.Signer); ok {
		if err := signer.Sign(r, fmt.Sprint("msg_", n), time.Now()); err != nil {
			b.Fatal(err)
		}
	}
	body = r.Body
	var req bytes.Buffer
	fmt.Fprintf(&req, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n", r.URL.Path, len(body))
	_ = r.Header.Write(&req)
	req.WriteString("\r\n")
	req.Write(body)
	return req.Bytes()
}

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
