package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
)

const (
	soakRound    = 5 * time.Second  // of disturbance; what settles afterwards comes on top
	soakPatience = 90 * time.Second // to settle once nothing disturbs
	soakSenders  = 4
	soakPeople   = 32 // further contacts each round
)

// soak is one daemon with its CRMs and what was sent to it, over all rounds.
type soak struct {
	t       *testing.T
	seed    uint64
	p       *process
	exited  chan error // of the process that runs
	ready   bool       // the process was seen ready since its start
	sb      *sandbox.Sandbox
	crm     string // the sandbox's address
	listen  string
	private string
	src     sources.Source
	mapping string // the good one
	begin   time.Time
	people  []*soakPerson

	kills, stops, reloads, faults int
	peak                          int // most memory of a process, in kB
}

// TestSoak disturbs a real daemon for the time in SOAK, such as 60s: it is
// killed, stopped and reloaded while the CRMs fail in every passing way and
// webhooks come late and twice. After each round everything acknowledged must
// be in both CRMs, once and in order. SEED repeats the choices of a run, though not
// its timing; one that three divides has a mapping without keys to upsert by.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil || length <= 0 {
		t.Skip("SOAK is not set to a length of time such as 60s")
	}
	seed := rand.Uint64()
	if text := os.Getenv("SEED"); text != "" {
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("SEED: %v", err)
		}
	}
	t.Logf("SEED=%d", seed)
	s := newSoak(t, seed)
	s.start()
	defer func() { _ = s.p.cmd.Process.Kill() }()
	var total tally
	rounds := 0
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); {
		rounds++
		total = s.round(rounds, min(soakRound, time.Until(end)))
	}
	s.stop(syscall.SIGTERM)
	t.Logf("%d rounds, %d kills, %d stops, %d reloads, %d faults, %d events: %d losses, %d duplicates, %d disorders; at most %d MiB",
		rounds, s.kills, s.stops, s.reloads, s.faults, total.events, total.losses, total.duplicates, total.disorders, s.peak>>10)
	if t.Failed() {
		t.Logf("SEED=%d; the daemon said last:\n%s", seed, s.said())
	}
}

func newSoak(t *testing.T, seed uint64) *soak {
	s := &soak{t: t, seed: seed, p: &process{t: t, dir: t.TempDir()}, begin: time.Now().Add(-20 * time.Hour).Truncate(time.Second)}
	s.sb = sandbox.New(sandbox.Options{Unlimited: true, SearchDelay: 1500 * time.Millisecond})
	server := httptest.NewServer(s.sb)
	t.Cleanup(server.Close)
	s.crm, s.listen, s.private = server.URL, address(t), "unix:"+filepath.Join(s.p.dir, "admin.sock")
	// Short limits, so that a round has room for what takes minutes in earnest.
	settings := fmt.Sprintf(`listen: %s
admin: %s
data_dir: ./data
mapping: mapping.yaml
defaults: {country: DE, timezone: Europe/Berlin}
delivery: {backoff_min: 100ms, backoff_max: 1s, drain: 3s}
sources:
  telli: {type: telli, signing_secret: "%s"}
connectors:
  hubspot: {type: hubspot, access_token: pat-eu1-secret-token, base_url: %s/hubspot, requests_per_10s: 100000, timeout: 1s, search_lag: 2s}
  airtable: {type: airtable, access_token: pat-secret-token, base: appCrmsyncdDemo00, base_url: %s/airtable, requests_per_second: 10000, timeout: 1s}
`, s.listen, s.private, testSecret, s.crm, s.crm)
	s.write("config.yaml", settings)
	if err := writeConfig(s.p.dir, s.listen, s.private, s.crm); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(s.p.dir, "mapping.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.mapping = string(text)
	if seed%3 == 0 {
		s.mapping = withoutUpserts(s.mapping)
		s.write("mapping.yaml", s.mapping)
	}
	if s.src, err = telliSource(testSecret); err != nil {
		t.Fatal(err)
	}
	return s
}

// round disturbs for a time, lets everything settle, and looks.
func (s *soak) round(n int, length time.Duration) tally {
	for range soakPeople {
		s.people = append(s.people, &soakPerson{n: len(s.people), last: s.begin, used: map[int64]bool{}})
	}
	before := s.sent()
	ctx, cancel := context.WithTimeout(s.t.Context(), length)
	defer cancel()
	var sending sync.WaitGroup
	for i := range soakSenders {
		sending.Go(func() { s.send(ctx, rand.New(rand.NewPCG(s.seed, uint64(n*100+i))), i) })
	}
	kills, stops, faults := s.kills, s.stops, s.faults
	s.disturb(ctx, rand.New(rand.NewPCG(s.seed, uint64(n*100+99))))
	s.fault(http.MethodDelete, "")
	sending.Wait()
	calm := time.Now()
	if err := s.settle(); err != nil {
		s.t.Errorf("not settled %v after the last fault: %v", soakPatience, err)
	}
	settled := time.Since(calm)
	got := s.check()
	s.t.Logf("round %d: %d kills, %d stops, %d faults, %d events (%d in all), settled in %v: %d losses, %d duplicates, %d disorders",
		n, s.kills-kills, s.stops-stops, s.faults-faults, got.events-before, got.events, settled.Round(10*time.Millisecond), got.losses, got.duplicates, got.disorders)
	return got
}

// disturb does one evil after the other until ctx ends.
func (s *soak) disturb(ctx context.Context, r *rand.Rand) {
	for ctx.Err() == nil && !s.t.Failed() {
		switch n := r.IntN(100); {
		case n < 15:
			s.stop(syscall.SIGKILL)
			s.start()
		case n < 20:
			s.stop(syscall.SIGTERM)
			s.start()
		case n < 26:
			s.write("mapping.yaml", variant(s.mapping, r.IntN(3)))
			s.reload()
		case n < 31 && s.catches(): // else the daemon would not start at all
			s.write("mapping.yaml", s.mapping+"\n  - nonsense: =contact.nme\n")
			s.reload()
			linger(ctx, r, 200*time.Millisecond)
			s.write("mapping.yaml", s.mapping)
		case n < 45:
			s.fault(http.MethodDelete, "")
		default:
			s.fault(http.MethodPost, randomFault(r))
			s.faults++
		}
		linger(ctx, r, 300*time.Millisecond)
	}
}

// variant is a mapping that wants the same by other means: other names of the
// rules, or their records by other keys.
func variant(mapping string, n int) string {
	switch n {
	case 1:
		return strings.ReplaceAll(mapping, "name: Log finished calls", "name: Log calls")
	case 2:
		return strings.ReplaceAll(mapping, "match: [telli_contact_id, email, phone]", "match: [telli_contact_id, phone]")
	}
	return mapping
}

// withoutUpserts is a mapping by whose keys HubSpot cannot upsert: what a lost
// answer left behind must be looked for.
func withoutUpserts(mapping string) string {
	return strings.NewReplacer(
		"match: [telli_contact_id, email, phone]", "match: [email, phone]",
		"match: telli_call_id", "match: [[hs_timestamp, hs_call_to_number]]",
	).Replace(mapping)
}

// randomFault is one fault that passes: none of them is the fault of a record.
func randomFault(r *rand.Rand) string {
	crm := []string{"hubspot", "airtable"}[r.IntN(2)]
	paths := map[string][]string{
		"hubspot":  {"", "/contacts/batch/upsert", "/contacts/batch/update", "/calls/batch/", "/associations/", "/batch/read", "/search", "/crm/properties"},
		"airtable": {"", "", "/listRecords", "/v0/appCrmsyncdDemo00"},
	}[crm]
	what := []string{
		`"status":503`, `"status":503,"retry_after":1`, `"status":500`, `"status":502`, `"status":429,"retry_after":1`,
		`"lost_reply":true`, `"lost_reply":true`, `"lost_reply":true,"latency_ms":300`, `"status":503,"lost_reply":true`,
		fmt.Sprintf(`"latency_ms":%d`, r.IntN(2000)+1), `"partial":true,"status":500`, `"status":401`,
	}[r.IntN(12)]
	if strings.Contains(what, "429") && r.IntN(10) == 0 {
		what = `"status":429` // the connectors then know by themselves how long: 10 s and 30 s
	}
	often := fmt.Sprintf(`"rate":%.2f`, 0.1+0.9*r.Float64())
	if strings.Contains(what, "429") || strings.Contains(what, "401") || r.IntN(2) == 0 {
		often = fmt.Sprintf(`"times":%d`, 1+r.IntN(3))
	}
	return fmt.Sprintf(`{"crm":%q,"path":%q,%s,%s}`, crm, paths[r.IntN(len(paths))], what, often)
}

// fault changes what the sandbox does wrong.
func (s *soak) fault(method, body string) {
	req, err := http.NewRequest(method, s.crm+"/_/faults", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		s.t.Fatalf("fault %s: %s", body, resp.Status)
	}
}

// settle waits until nothing waits any more. A person mends credentials and
// reloads; for a connector that is held up otherwise too, that saves waiting.
func (s *soak) settle() error {
	s.write("mapping.yaml", s.mapping)
	var err error
	reloaded := time.Time{}
	for end := time.Now().Add(soakPatience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var st admin.Status
		if st, err = admin.NewClient(s.private).Status(s.t.Context()); err != nil {
			if !s.alive() {
				return err
			}
			continue
		}
		held := false
		err = nil
		for _, c := range st.Connectors {
			held = held || c.State != "ok"
			if c.Waiting > 0 {
				err = errors.Join(err, fmt.Errorf("%d deliveries to %s wait: %s %s", c.Waiting, c.Name, c.State, c.Reason))
			}
		}
		if st.Unplanned > 0 {
			err = errors.Join(err, fmt.Errorf("%d events are unplanned", st.Unplanned))
		}
		switch {
		case reloaded.IsZero(), held && err != nil && time.Since(reloaded) > 2*time.Second:
			s.reload()
			reloaded = time.Now()
		case err == nil:
			return nil
		}
	}
	return err
}

// start starts the daemon on the data of the one before.
func (s *soak) start() {
	s.p.err.trim(1 << 20)
	s.p.start()
	cmd, exited := s.p.cmd, make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	s.exited, s.ready = exited, false
}

// alive reports whether the daemon runs, as it should.
func (s *soak) alive() bool {
	select {
	case err := <-s.exited:
		s.exited <- err
		s.t.Errorf("the daemon ended by itself: %v", err)
		return false
	default:
		return true
	}
}

// stop ends the daemon with a signal and checks how it went.
func (s *soak) stop(sig syscall.Signal) {
	if !s.alive() {
		return
	}
	s.measure()
	_ = s.p.cmd.Process.Signal(sig)
	select {
	case err := <-s.exited:
		s.exited <- err
		if exit := new(exec.ExitError); sig == syscall.SIGTERM && s.ready && err != nil || err != nil && !errors.As(err, &exit) {
			s.t.Errorf("ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		s.t.Errorf("still running 20 s after %v", sig)
		_ = s.p.cmd.Process.Kill()
		s.exited <- <-s.exited
	}
	if sig == syscall.SIGTERM {
		s.stops++
	} else {
		s.kills++
	}
	for _, evil := range []string{"DATA RACE", "panic", "delivery dead", "concurrent map"} {
		if strings.Contains(s.p.err.String(), evil) {
			s.t.Errorf("the daemon said %q", evil)
		}
	}
}

// catches reports whether the daemon catches signals: before, SIGHUP
// would end it.
func (s *soak) catches() bool {
	if !s.ready {
		_, err := admin.NewClient(s.private).Status(s.t.Context())
		s.ready = err == nil
	}
	return s.ready
}

// reload sends SIGHUP.
func (s *soak) reload() {
	if s.catches() && s.alive() {
		_ = s.p.cmd.Process.Signal(syscall.SIGHUP)
		s.reloads++
	}
}

// measure notes the most memory that the process had.
func (s *soak) measure() { s.peak = max(s.peak, peak(s.p.cmd.Process.Pid)) }

// peak is the most memory that a process had so far, in kB; 0 where nobody tells.
func peak(pid int) (kb int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // not there: not Linux
	for line := range strings.Lines(string(status)) {
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return kb
		}
	}
	return 0
}

// said is the end of what the daemon logged; only once it has ended.
func (s *soak) said() string {
	text := s.p.err.String()
	return text[max(0, len(text)-20_000):]
}

// write puts a file in place whole, as a daemon may just be reading it.
func (s *soak) write(name, text string) {
	path := filepath.Join(s.p.dir, name)
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
}

// linger waits up to most, or until ctx ends.
func linger(ctx context.Context, r *rand.Rand, most time.Duration) {
	select {
	case <-time.After(time.Duration(r.Int64N(int64(most)))):
	case <-ctx.Done():
	}
}
