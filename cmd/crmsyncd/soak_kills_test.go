package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	killShards = 2  // daemons side by side
	killsEach  = 50 // before everything must settle, and is looked at
	// killsOne is how many kills one ledger goes through: each start after a kill
	// copies it, so that an ever growing one would take all the time.
	killsOne = 100
	killLag  = 300 * time.Millisecond
)

// TestSoakKills kills a real daemon as many times as KILLS says, at any
// moment, also while it starts, while webhooks come late and twice and CRMs fail or
// lose answers: everything acknowledged must be in all five CRMs, once and in
// order. SEED repeats the choices of a run, though not its timing.
func TestSoakKills(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("KILLS"))
	if err != nil || rounds <= 0 {
		t.Skip("KILLS is not set to a number of rounds such as 100")
	}
	seed := soakSeed(t)
	var all killed
	t.Run("shards", func(t *testing.T) {
		for n := range killShards {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				mine := rounds / killShards
				if n < rounds%killShards {
					mine++
				}
				for ledger := 0; mine > 0 && !t.Failed(); ledger++ {
					now := min(mine, killsOne)
					mine -= now
					killOne(t, &all, seed+uint64(n*1000+ledger), now)
				}
			})
		}
	})
	t.Log(all.String())
}

// killed adds up what all daemons of a run went through.
type killed struct {
	mu              sync.Mutex
	begun           time.Time
	rounds, faults  int
	posts, repeated int
	memory          int
	tally
}

func (k *killed) String() string {
	return fmt.Sprintf("%d rounds, one kill in each, %d faults, %d events: %v; %d posts, %d repeated under their own id; at most %d MiB; %v",
		k.rounds, k.faults, k.events, k.tally, k.posts, k.repeated, k.memory>>10, time.Since(k.begun).Round(time.Second))
}

// killOne takes one ledger through a number of kills.
func killOne(t *testing.T, all *killed, seed uint64, kills int) {
	s := newSoak(t, seed, soakOptions{quick: true, lag: killLag, rest: 15 * time.Millisecond})
	s.start()
	defer func() { _ = s.p.cmd.Process.Kill() }()
	var got tally
	for left := kills; left > 0 && !t.Failed(); left -= killsEach {
		s.meet(soakPeople)
		ctx, cancel := context.WithCancel(t.Context())
		sending := s.sending(ctx, left)
		r := rand.New(rand.NewPCG(seed, uint64(left*100+99)))
		for range min(left, killsEach) {
			s.killRound(ctx, r)
		}
		s.fault(http.MethodDelete, "")
		cancel()
		sending.Wait()
		got = s.calm()
		fmt.Fprintf(os.Stderr, "%s %s: %d kills, %d events, %v\n", time.Now().Format(time.TimeOnly), t.Name(), s.kills, got.events, got)
	}
	s.verify()
	s.stop(syscall.SIGTERM)
	if t.Failed() {
		t.Logf("SEED=%d; the daemon said last:\n%s", seed, s.said())
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.begun.IsZero() {
		all.begun = s.created
	}
	all.rounds, all.faults, all.posts, all.repeated = all.rounds+s.kills, all.faults+s.faults, all.posts+s.posts, all.repeated+s.repeated
	all.events, all.losses, all.duplicates, all.disorders = all.events+got.events, all.losses+got.losses, all.duplicates+got.duplicates, all.disorders+got.disorders
	all.memory = max(all.memory, s.peak)
}

// killRound lets the daemon work for a moment and kills it; one time in four it
// is killed while it starts.
func (s *soak) killRound(ctx context.Context, r *rand.Rand) {
	switch r.IntN(3) {
	case 0:
		s.fault(http.MethodPost, passingFault(r))
		s.faults++
	case 1:
		s.fault(http.MethodDelete, "")
	}
	if r.IntN(8) == 0 { // as if a person had renamed rules just then
		s.write("mapping.yaml", variant(s.mapping, r.IntN(2)))
	}
	if r.IntN(4) == 0 {
		linger(ctx, r, 200*time.Millisecond)
	} else {
		for end := time.Now().Add(10 * time.Second); !s.catches() && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
		linger(ctx, r, 400*time.Millisecond)
	}
	s.stop(syscall.SIGKILL)
	s.start()
}

// passingFault is one of those that are over at once.
func passingFault(r *rand.Rand) string {
	crm := []string{"hubspot", "airtable", "pipedrive", "salesforce", "webhook"}[r.IntN(5)]
	what := []string{`"status":503`, `"lost_reply":true`, `"lost_reply":true,"latency_ms":100`, `"latency_ms":200`, `"status":503,"lost_reply":true`}[r.IntN(5)]
	return fmt.Sprintf(`{"crm":%q,%s,"times":%d}`, crm, what, 1+r.IntN(3))
}
