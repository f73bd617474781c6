package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
)

const (
	soakRound    = 5 * time.Second // of disturbance; what settles afterwards comes on top
	soakPatience = 5 * time.Minute // to settle once nothing disturbs
	soakSenders  = 4
	soakPeople   = 32 // further contacts each round
	// soakSlow is how late a CRM may do what it was asked, as where a machine stands
	// still for a moment: one that does it after it was looked for gets it twice.
	soakSlow  = 3 * time.Second
	soakToken = "a-token-of-thirty-two-characters"
)

// soak is one daemon with all five kinds of connectors, their CRMs, and what
// was sent to it, over all rounds.
type soak struct {
	t       *testing.T
	o       soakOptions
	seed    uint64
	p       *process
	exited  chan error // of the process that runs
	ready   bool       // the process was seen ready since its start
	sb      *sandbox.Sandbox
	crm     string // the sandbox's address
	listen  string
	private string
	src     sources.Source
	mapping string    // the good one
	begin   time.Time // of the first event, by its own account
	created time.Time
	people  []*soakPerson
	// life ends with giveUp: then nobody waits to be acknowledged any more.
	life   context.Context
	giveUp context.CancelFunc
	// strangers are contacts and calls that others than the senders told of, in
	// so many events.
	strangers map[string]bool
	others    int

	kills, stops, reloads, faults int
	posts, repeated               int // of the webhook
	peak                          int // most memory of a process, in kB
}

// soakOptions are what the tests that use a soak want of it.
type soakOptions struct {
	bin     string        // the daemon; "": the test itself
	data    string        // data_dir; "": ./data
	more    string        // settings that come on top
	hubspot string        // how HubSpot gives access; "": a token
	quick   bool          // records have one key each, so that no search is needed
	rest    time.Duration // most between two events of a sender; 0: 25 ms
	lag     time.Duration // of the CRMs' search indexes; 0: 1.5 s
	listen  string        // of the daemon, where senders do not post to it directly
	// crms serves the CRMs elsewhere, and gives their address; nil: on this machine.
	crms func(http.Handler) (address string)
	// tell hears what is wrong, one thing at a time; nil: the test fails by it.
	tell func(format string, args ...any)
}

// TestSoak disturbs a real daemon for the time in SOAK, such as 60s: it is
// killed, stopped and reloaded while the CRMs fail in every passing way and
// webhooks come late and twice. After each round everything acknowledged must
// be in all CRMs, once and in order. SEED repeats the choices of a run, though not
// its timing; one that three divides has a mapping without keys to upsert by.
func TestSoak(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("SOAK"))
	if err != nil || length <= 0 {
		t.Skip("SOAK is not set to a length of time such as 60s")
	}
	seed := soakSeed(t)
	s := newSoak(t, seed, soakOptions{})
	if seed%3 == 0 {
		s.mapping = withoutUpserts(s.mapping)
		s.write("mapping.yaml", s.mapping)
	}
	s.start()
	defer func() { _ = s.p.cmd.Process.Kill() }()
	var total tally
	rounds := 0
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); {
		rounds++
		total = s.round(rounds, min(soakRound, time.Until(end)))
	}
	s.stop(syscall.SIGTERM)
	t.Logf("%d rounds, %d kills, %d stops, %d reloads, %d faults, %d events: %v; %d posts, %d repeated; at most %d MiB",
		rounds, s.kills, s.stops, s.reloads, s.faults, total.events, total, s.posts, s.repeated, s.peak>>10)
	if t.Failed() {
		t.Logf("SEED=%d; the daemon said last:\n%s", seed, s.said())
	}
}

func soakSeed(t *testing.T) uint64 {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("SEED: %v", err)
		}
	}
	t.Logf("SEED=%d", seed)
	return seed
}

func newSoak(t *testing.T, seed uint64, o soakOptions) *soak {
	t.Helper()
	defaults := func(s *string, text string) {
		if *s == "" {
			*s = text
		}
	}
	defaults(&o.data, "./data")
	defaults(&o.hubspot, "access_token: pat-eu1-secret-token")
	if o.rest == 0 {
		o.rest = 25 * time.Millisecond
	}
	if o.lag == 0 {
		o.lag = 1500 * time.Millisecond
	}
	if tell := o.tell; tell == nil {
		o.tell = t.Errorf
	} else {
		var mu sync.Mutex
		o.tell = func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			tell(format, args...)
		}
	}
	s := &soak{t: t, o: o, seed: seed, p: &process{t: t, dir: t.TempDir(), bin: o.bin}, begin: time.Now().Add(-20 * time.Hour).Truncate(time.Second), created: time.Now(), strangers: map[string]bool{}}
	s.life, s.giveUp = context.WithCancel(t.Context())
	t.Cleanup(s.giveUp)
	s.sb = sandbox.New(sandbox.Options{Unlimited: true, SearchDelay: o.lag, RefreshGrace: time.Minute})
	if o.crms == nil {
		o.crms = func(h http.Handler) string {
			server := httptest.NewServer(h)
			t.Cleanup(server.Close)
			return server.URL
		}
	}
	s.crm, s.listen, s.private = o.crms(s.sb), address(t), "unix:"+filepath.Join(s.p.dir, "admin.sock")
	defaults(&o.listen, s.listen)
	// Short limits, so that a round has room for what takes minutes in earnest.
	s.write("config.yaml", strings.NewReplacer("LISTEN", o.listen, "ADMIN", s.private, "DATA", o.data, "SECRET", testSecret, "CRM", s.crm,
		"HUBSPOT", o.hubspot, "TOKEN", soakToken, "LAG", (o.lag+soakSlow).String()).Replace(`
listen: LISTEN
admin: ADMIN
data_dir: DATA
mapping: mapping.yaml
defaults: {country: DE, timezone: Europe/Berlin}
delivery: {backoff_min: 100ms, backoff_max: 1s, drain: 3s}
sources:
  telli: {type: telli, signing_secret: "SECRET", api_key: x, base_url: CRM/telli}
  phones: {type: voipgrid, token: TOKEN, close_after: 1s}
connectors:
  hubspot: {type: hubspot, HUBSPOT, base_url: CRM/hubspot, requests_per_10s: 100000, timeout: 1s, search_lag: LAG}
  airtable: {type: airtable, access_token: pat-secret-token, base: appCrmsyncdDemo00, base_url: CRM/airtable, requests_per_second: 10000, timeout: 1s}
  pipedrive: {type: pipedrive, api_token: x, base_url: CRM/pipedrive, requests_per_2s: 100000, timeout: 1s, search_lag: LAG}
  salesforce: {type: salesforce, client_id: x, client_secret: x, base_url: CRM/salesforce, timeout: 1s}
  automation: {type: webhook, url: CRM/webhook/automation, unsigned: true, allow_private: ["true"], requests_per_second: 10000, timeout: 1s}
`)+o.more)
	text, err := os.ReadFile(filepath.Join("testdata", "soak", "mapping.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.mapping = string(text)
	if o.quick {
		s.mapping = oneKey(s.mapping)
	}
	s.write("mapping.yaml", s.mapping)
	if s.src, err = telliSource(testSecret); err != nil {
		t.Fatal(err)
	}
	return s
}

// meet adds contacts that something may happen to.
func (s *soak) meet(n int) {
	for range n {
		s.people = append(s.people, &soakPerson{n: len(s.people), last: s.begin, used: map[int64]bool{}})
	}
}

// sending starts the senders and returns how to wait for them; they end with ctx.
func (s *soak) sending(ctx context.Context, round int) *sync.WaitGroup {
	all := &sync.WaitGroup{}
	for i := range soakSenders {
		all.Go(func() { s.send(ctx, rand.New(rand.NewPCG(s.seed, uint64(round*100+i))), i) })
	}
	return all
}

// round disturbs for a time, lets everything settle, and looks.
func (s *soak) round(n int, length time.Duration) tally {
	s.meet(soakPeople)
	before := s.sent()
	ctx, cancel := context.WithTimeout(s.t.Context(), length)
	defer cancel()
	sending := s.sending(ctx, n)
	kills, stops, faults := s.kills, s.stops, s.faults
	s.disturb(ctx, rand.New(rand.NewPCG(s.seed, uint64(n*100+99))))
	s.fault(http.MethodDelete, "")
	sending.Wait()
	calm := time.Now()
	got := s.calm()
	s.t.Logf("round %d: %d kills, %d stops, %d faults, %d events (%d in all), settled in %v: %v",
		n, s.kills-kills, s.stops-stops, s.faults-faults, got.events-before, got.events, time.Since(calm).Round(10*time.Millisecond), got)
	return got
}

// calm lets everything settle, and looks.
func (s *soak) calm() tally {
	if err := s.settle(); err != nil {
		s.o.tell("not settled %v after the last fault: %v", soakPatience, err)
	}
	return s.check()
}

func (t tally) String() string {
	return fmt.Sprintf("%d losses, %d duplicates, %d disorders", t.losses, t.duplicates, t.disorders)
}
