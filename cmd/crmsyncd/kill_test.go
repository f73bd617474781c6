package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
)

// process is a real crmsyncd serve.
type process struct {
	t   testing.TB
	dir string
	bin string   // "": the test itself
	env []string // beside the test's own
	// within starts it elsewhere, as in another network; nil: here.
	within func(start func() error) error
	cmd    *exec.Cmd
	err    output
}

// output is what a process says, which may be read while it runs.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// trim forgets all once it is longer than most bytes.
func (o *output) trim(most int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.text.Len() > most {
		o.text.Reset()
	}
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = p.command("serve")
	p.cmd.Stderr = &p.err
	within := p.within
	if within == nil {
		within = func(start func() error) error { return start() }
	}
	if err := within(p.cmd.Start); err != nil {
		p.t.Fatal(err)
	}
}

// command is one of crmsyncd's with the process's settings.
func (p *process) command(args ...string) *exec.Cmd {
	p.t.Helper()
	bin := p.bin
	if bin == "" {
		var err error
		if bin, err = os.Executable(); err != nil {
			p.t.Fatal(err)
		}
	}
	cmd := exec.Command(bin, append(args, "--config", filepath.Join(p.dir, "config.yaml"))...)
	cmd.Dir = p.dir
	cmd.Env = append(append(os.Environ(), "CRMSYNCD_TEST_RUN=1", "GOMEMLIMIT=512MiB"), p.env...)
	return cmd
}

// end sends a signal to the process and waits for its end.
func (p *process) end(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return err
	}
	return p.cmd.Wait()
}

// TestKill kills the daemon twice in the middle of 500 webhooks, as a power
// cut of the process would: every acknowledged event must be in both CRMs
// exactly once, and each contact's calls in their order.
func TestKill(t *testing.T) {
	t.Parallel()
	const contacts, each, senders = 50, 10, 10
	sb := sandbox.New(sandbox.Options{Unlimited: true})
	crm := httptest.NewServer(sb)
	defer crm.Close()
	p := &process{t: t, dir: t.TempDir()}
	listen, private := address(t), "unix:"+filepath.Join(p.dir, "admin.sock")
	if err := writeConfig(p.dir, listen, private, crm.URL); err != nil {
		t.Fatal(err)
	}
	p.start()
	defer func() { _ = p.cmd.Process.Kill() }()

	src, err := telliSource(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var acked atomic.Int64
	begin := time.Now().Add(-24 * time.Hour).Truncate(time.Hour)
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for contact := s; contact < contacts; contact += senders {
				for n := range each {
					body, err := src.(sources.Sampler).Sample("call_completed", contact, begin.Add(time.Duration(n)*time.Minute))
					if err != nil {
						t.Error(err)
						return
					}
					// As the vendor does: again until it is acknowledged.
					for ctx.Err() == nil {
						_, status, err := sender{source: src}.post(ctx, "http://"+listen+"/hooks/telli", body, fmt.Sprintf("msg_%d_%d", contact, n))
						if err == nil && status == 200 {
							acked.Add(1)
							break
						}
						time.Sleep(5 * time.Millisecond)
					}
				}
			}
		})
	}
	for _, at := range []int64{150, 350} {
		for acked.Load() < at && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		if err := p.end(syscall.SIGKILL); err == nil {
			t.Fatal("the daemon ended before it was killed")
		}
		p.start()
	}
	sending.Wait()
	if got := acked.Load(); got != contacts*each {
		t.Fatalf("%d acknowledged, want %d; the daemon said:\n%s", got, contacts*each, p.err.String())
	}
	if err := settledAt(private, contacts*each); err != nil {
		t.Fatalf("%v\nthe daemon said:\n%s", err, p.err.String())
	}
	if err := p.end(syscall.SIGTERM); err != nil {
		t.Errorf("stopped with %v:\n%s", err, p.err.String())
	}
	for _, c := range []struct{ crm, contacts, calls, id, at string }{
		{"hubspot", "contacts", "calls", "telli_call_id", "hs_timestamp"},
		{"airtable", "Contacts", "Calls", "Call ID", "Started at"},
	} {
		if n := len(sb.Records(c.crm, c.contacts)); n != contacts {
			t.Errorf("%s has %d contacts, want %d", c.crm, n, contacts)
		}
		once(t, c.crm, sb.Records(c.crm, c.calls), c.id, c.at, contacts*each)
	}
}

// once checks that every call is there once, and those of a contact in order.
func once(t *testing.T, crm string, calls []sandbox.Record, id, at string, want int) {
	t.Helper()
	seen := map[string]int{}
	last := map[string]string{}
	for _, r := range calls {
		call := fmt.Sprint(r.Fields[id])
		seen[call]++
		contact := call[len(call)-12:]
		when := fmt.Sprint(r.Fields[at])
		if when < last[contact] {
			t.Errorf("%s: the call of %s at %s came after the one at %s", crm, contact, when, last[contact])
		}
		last[contact] = when
	}
	if len(seen) != want {
		t.Errorf("%s has %d calls, want %d", crm, len(seen), want)
	}
	for call, n := range seen {
		if n != 1 {
			t.Errorf("%s has call %s %d times", crm, call, n)
		}
	}
	if slices.ContainsFunc(calls, func(r sandbox.Record) bool { return len(r.Links) != 1 }) {
		t.Errorf("%s has calls that are not linked to one contact", crm)
	}
}

// addresses are those that tests were given: each is given once.
var addresses sync.Map

// address is a free address that stays free over restarts: it is below the
// range from which the kernel takes ports for others, and no other test gets it.
func address(t *testing.T) string {
	t.Helper()
	for range 100 {
		a := fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(20000))
		if _, given := addresses.LoadOrStore(a, true); given {
			continue
		}
		if l, err := net.Listen("tcp", a); err == nil {
			l.Close()
			return a
		}
	}
	t.Fatal("no free port")
	return ""
}
