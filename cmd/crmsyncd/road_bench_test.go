package main

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
)

const (
	roadEvents = 40_000 // of a measurement
	roadEach   = 4      // calls of one person
	roadConns  = 64
)

// BenchmarkRoad measures the whole road with processes of their own: signed
// webhooks in over 64 connections, on disk, mapped, out to a server on this
// machine, settled. Beside the daemon runs the least program that could do it:
// bbolt with a group commit and one POST per event. The load, and the server
// that it all goes to, run in this process on the same cores; cpu-s/1000 is of the
// measured process alone.
func BenchmarkRoad(b *testing.B) {
	var webhooks [][]byte
	begin := time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	for n := range roadEvents {
		people := roadEvents / roadEach
		webhooks = append(webhooks, roadWebhook(b, n, n%people, begin.Add(time.Duration(n/people)*time.Minute)))
	}
	var bare float64
	b.Run("bare bbolt, a POST per event", func(b *testing.B) {
		out := newRoadEnd(b)
		p := &process{t: b, dir: b.TempDir()}
		said, err := p.startBare(out.srv.URL)
		if err != nil {
			b.Fatal(err)
		}
		bare = road(b, p, said, webhooks, func() bool { return out.posts.Load() >= roadEvents }, 0)
		if err := p.end(syscall.SIGKILL); err == nil {
			b.Error("the bare program ended by itself")
		}
	})
	for _, kind := range []string{"webhook", "hubspot"} {
		b.Run(kind, func(b *testing.B) {
			out := newRoadEnd(b)
			p := &process{t: b, dir: b.TempDir()}
			private := "unix:" + filepath.Join(p.dir, "admin.sock")
			writeRoad(b, p.dir, private, kind, out.srv.URL)
			p.start()
			listen, err := readyAt(private)
			if err != nil {
				b.Fatal(err, p.err.String())
			}
			road(b, p, listen, webhooks, func() bool { return settledAt(private, roadEvents) == nil }, bare)
			b.ReportMetric(1000*float64(out.requests.Load())/roadEvents, "requests/1000")
			if err := p.end(syscall.SIGTERM); err != nil {
				b.Error(err, p.err.String())
			}
		})
	}
}

// road posts the webhooks and waits until all have arrived.
func road(b *testing.B, p *process, listen string, webhooks [][]byte, arrived func() bool, bare float64) float64 {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	used, began := processorTime(b, p.cmd.Process.Pid), time.Now()
	for range roadConns {
		c := dialRoad(b, listen)
		wg.Go(func() {
			for n := next.Add(1); n <= int64(len(webhooks)); n = next.Add(1) {
				if err := c.send(webhooks[n-1]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	in := time.Since(began)
	for end := time.Now().Add(2 * time.Minute); !arrived(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatal("they do not arrive", p.err.String())
		}
	}
	took, cpu := time.Since(began), processorTime(b, p.cmd.Process.Pid)-used
	rate := float64(len(webhooks)) / took.Seconds()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(rate, "events/s")
	b.ReportMetric(float64(len(webhooks))/in.Seconds(), "in/s")
	b.ReportMetric(1000*cpu.Seconds()/float64(len(webhooks)), "cpu-s/1000")
	if bare > 0 {
		b.ReportMetric(100*rate/bare, "%-of-bare")
	}
	return rate
}

// roadMapping makes a contact and a call of each webhook, by keys to upsert by,
// or one record where they go to an automation platform.
var roadMapping = map[string]string{
	"webhook": `
version: 1
rules:
  - name: Post finished calls
    on: call.ended
    to: webhook
    records:
      - object: call
        match: call
        fields: {call: =call.id, phone: =contact.phone, name: =contact.full_name, status: =call.status, seconds: =call.duration, summary: =call.summary}
`,
	"hubspot": `
version: 1
rules:
  - name: Log finished calls
    on: call.ended
    to: hubspot
    records:
      - object: contacts
        match: telli_contact_id
        fields: {telli_contact_id: =contact.id, phone: =contact.phone, firstname: =contact.first_name, lastname: =contact.last_name, telli_status: =contact.status}
      - object: calls
        match: telli_call_id
        fields:
          telli_call_id: =call.id
          hs_timestamp: =call.started_at ?? event.occurred_at
          hs_call_duration: =call.duration
          hs_call_to_number: =call.to
          hs_call_title: Call with {{ contact.full_name ?? contact.phone }}
          hs_call_body: "{{ call.summary }}"
        link: [contacts]
`,
}

func writeRoad(b *testing.B, dir, private, kind, out string) {
	connector := map[string]string{
		"webhook": "{type: webhook, url: " + out + "/post, unsigned: true, allow_private: ['true'], requests_per_second: 1000000}",
		"hubspot": "{type: hubspot, access_token: x, base_url: " + out + "/hubspot, requests_per_10s: 1000000}",
	}[kind]
	settings := fmt.Sprintf("listen: 127.0.0.1:0\nadmin: %s\ndata_dir: ./data\nmapping: mapping.yaml\nsources:\n  telli: {type: telli, signing_secret: \"%s\"}\nconnectors:\n  %s: %s\n",
		private, testSecret, kind, connector)
	for name, text := range map[string]string{"config.yaml": settings, "mapping.yaml": roadMapping[kind]} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
}

// roadEnd is where everything arrives: it takes posts, and batches as HubSpot
// does, at next to no cost. The sandbox knows the rest.
type roadEnd struct {
	srv             *httptest.Server
	posts, requests atomic.Int64
	mu              sync.Mutex
	ids             map[string]int // by object and key; HubSpot counts up
}

func newRoadEnd(b *testing.B) *roadEnd {
	e := &roadEnd{ids: map[string]int{}}
	sb := sandbox.New(sandbox.Options{Unlimited: true})
	e.srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.requests.Add(1)
		switch {
		case r.URL.Path == "/post":
			_, _ = io.Copy(io.Discard, r.Body)
			e.posts.Add(1)
		case strings.HasSuffix(r.URL.Path, "/batch/upsert"), strings.HasSuffix(r.URL.Path, "/batch/update"):
			e.upsert(w, r)
		case strings.Contains(r.URL.Path, "/batch/associate/") || strings.Contains(r.URL.Path, "/associations/") && strings.HasSuffix(r.URL.Path, "/batch/create"):
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"status":"COMPLETE","results":[]}`)
		default:
			sb.ServeHTTP(w, r)
		}
	}))
	b.Cleanup(e.srv.Close)
	return e
}

// upsert answers a batch.
func (e *roadEnd) upsert(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Inputs []struct {
			ID    string `json:"id"`
			Trace string `json:"objectWriteTraceId"`
		} `json:"inputs"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	out := []byte(`{"status":"COMPLETE","results":[`)
	e.mu.Lock()
	for i, x := range in.Inputs {
		if i > 0 {
			out = append(out, ',')
		}
		id, there := strconv.Atoi(x.ID) // of an update, or a key
		if there != nil {
			if id = e.ids[r.URL.Path+x.ID]; id == 0 {
				id = 130_000_000_001 + len(e.ids)
				e.ids[r.URL.Path+x.ID] = id
			}
		}
		out = fmt.Appendf(out, `{"id":"%d","properties":{},"new":true,"objectWriteTraceId":%q}`, id, x.Trace)
	}
	e.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(out, "]}"...))
}

// roadWebhook is a signed webhook of a finished call, ready to be sent.
func roadWebhook(b *testing.B, n, person int, at time.Time) []byte {
	src, err := telliSource(testSecret)
	if err != nil {
		b.Fatal(err)
	}
	body, err := src.(sources.Sampler).Sample("call_completed", person, at)
	if err != nil {
		b.Fatal(err)
	}
	r := &sources.Request{Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
	if err := src.(sources.Signer).Sign(r, fmt.Sprint("msg_", n), time.Now()); err != nil {
		b.Fatal(err)
	}
	var req bytes.Buffer
	fmt.Fprintf(&req, "POST /hooks/telli HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n", len(body))
	_ = r.Header.Write(&req)
	req.WriteString("\r\n")
	req.Write(body)
	return req.Bytes()
}

// roadClient is an HTTP client that costs next to nothing.
type roadClient struct {
	conn net.Conn
	in   *bufio.Reader
}

func dialRoad(b *testing.B, addr string) *roadClient {
	conn, err := net.Dial("tcp", strings.TrimPrefix(addr, "http://"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return &roadClient{conn, bufio.NewReader(conn)}
}

func (c *roadClient) send(req []byte) error {
	if _, err := c.conn.Write(req); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", resp.Status)
	}
	return err
}

// processorTime is what a process has used so far, to the kernel's 10 ms.
func processorTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest) // from the third on
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		b.Fatal(err)
	}
	system, err := strconv.Atoi(fields[12])
	if err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// bareOut has the test binary be the bare program, which posts there.
const bareOut = "CRMSYNCD_BENCH_BARE"

// startBare starts the bare program and returns where it listens.
func (p *process) startBare(out string) (listen string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	p.cmd = exec.Command(self, filepath.Join(p.dir, "bare.db"))
	p.cmd.Env = append(os.Environ(), bareOut+"="+out)
	said, err := p.cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := p.cmd.Start(); err != nil {
		return "", err
	}
	listen, err = bufio.NewReader(said).ReadString('\n')
	return strings.TrimSpace(listen), err
}

// bareProgram takes webhooks, has them on disk before it answers, posts each
// as it came, and deletes it with a later commit. It ends by being killed.
func bareProgram(path, out string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, InitialMmapSize: 1 << 30, NoStatistics: true})
	if err != nil {
		return err
	}
	type put struct {
		body []byte
		over chan error
	}
	puts, sends, gone := make(chan put, 4096), make(chan put, roadEvents), make(chan uint64, roadEvents)
	seqs := make(chan uint64, roadEvents)
	go func() {
		seq := uint64(0)
		for first := range puts {
			batch := []put{first}
			for more := true; more; {
				select {
				case p := <-puts:
					batch = append(batch, p)
				default:
					more = false
				}
			}
			err := db.Update(func(tx *bbolt.Tx) error {
				bb, err := tx.CreateBucketIfNotExists([]byte("events"))
				if err != nil {
					return err
				}
				bb.FillPercent = 1
				for i := range batch {
					if err := bb.Put(binary.BigEndian.AppendUint64(nil, seq+uint64(i)+1), batch[i].body); err != nil {
						return err
					}
				}
				for range len(gone) {
					if err := bb.Delete(binary.BigEndian.AppendUint64(nil, <-gone)); err != nil {
						return err
					}
				}
				return nil
			})
			for _, p := range batch {
				seq++
				p.over <- err
				seqs <- seq
				sends <- p
			}
		}
	}()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	for range 16 {
		go func() {
			for p := range sends {
				seq := <-seqs
				resp, err := client.Post(out+"/post", "application/json", bytes.NewReader(p.body))
				if err != nil {
					panic(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				gone <- seq
			}
		}()
	}
	key, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(testSecret, "whsec_"))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	return http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.", r.Header.Get("svix-id"), r.Header.Get("svix-timestamp"))
		mac.Write(body)
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); !hmac.Equal([]byte(want), []byte(r.Header.Get("svix-signature"))) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		p := put{body, make(chan error, 1)}
		puts <- p
		if <-p.over != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
}
