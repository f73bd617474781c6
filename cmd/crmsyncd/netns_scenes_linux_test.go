package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

const (
	netRest     = 200 * time.Millisecond // most between two events of a sender
	netTimeout  = "3s"                   // of a request to a CRM
	netPeople   = 16                     // further contacts in each scene
	netRecovery = 4 * time.Minute        // until nothing waits any more: the longest pause of a connector is a minute
	// Bounds of the daemon in every scene: five connectors with up to eight
	// requests side by side, four senders that may leave connections behind.
	netSockets    = 160
	netGoroutines = 400
	// netAsks is how many packets that ask for a connection may go to the CRMs
	// in a second while none is answered, the kernel's own repetitions included.
	netAsks = 40
)

// netScenes are what happens to the cable to the CRMs and to that to the
// senders.
var netScenes = []struct {
	name       string
	crm, hooks trouble
	down       bool // the link to the CRMs is down
	dead       bool // no CRM is reached, and so attempts must be few
}{
	{name: "a tenth of the packets is lost", crm: trouble{loss: 0.1}, hooks: trouble{loss: 0.1}},
	{name: "three in ten packets are lost", crm: trouble{loss: 0.3}, hooks: trouble{loss: 0.3}},
	{name: "the way takes 300 ms and packets overtake each other", crm: trouble{delay: 50 * time.Millisecond, jitter: 200 * time.Millisecond}, hooks: trouble{delay: 50 * time.Millisecond, jitter: 200 * time.Millisecond}},
	{name: "in the middle of requests everything vanishes, and no connection is reset", crm: trouble{loss: 1}, dead: true},
	{name: "requests arrive and their answers do not", crm: trouble{mute: true}, dead: true},
	{name: "answers to senders do not arrive", hooks: trouble{mute: true}},
	{name: "long packets vanish and nobody is told", crm: trouble{most: 600}, hooks: trouble{most: 600}},
	{name: "the link is down", down: true, dead: true},
}

// TestNetworks has a real daemon, its CRMs and its senders in network namespaces
// of their own, joined by cables that lose, delay, disorder and swallow packets
// while webhooks come. When a scene is over, what waits must go out by itself:
// nothing lost, nothing twice, all in order; and throughout the daemon has few
// connections and goroutines, and asks a CRM that is not reached seldom. NETNS is for
// how long, such as 6m; SEED repeats which packets are lost.
func TestNetworks(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("NETNS"))
	if err != nil || length <= 0 {
		t.Skip("NETNS is not set to a length of time such as 90s")
	}
	if os.Getuid() != 0 || setns == 0 {
		t.Skip("it needs root, on amd64 or arm64")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("it needs iproute2")
	}
	seed := soakSeed(t)
	home, crms, outside := newPlace(t), newPlace(t), newPlace(t)
	toCRMs := join(t, home, crms, "crms", "10.211.1", seed)
	toSenders := join(t, home, outside, "senders", "10.211.2", seed)
	const listen = "10.211.2.1:8787"
	s := newSoak(t, seed, soakOptions{quick: true, rest: netRest, lag: killLag, listen: listen, crms: func(h http.Handler) string {
		l := crms.listen(t, "10.211.1.2:9900")
		srv := &http.Server{Handler: h}
		go func() { _ = srv.Serve(l) }()
		t.Cleanup(func() { srv.Close() })
		return "http://" + l.Addr().String()
	}})
	s.listen = outside.reach(t, listen)
	s.p.within = home.do
	settings, err := os.ReadFile(filepath.Join(s.p.dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	s.write("config.yaml", strings.ReplaceAll(string(settings), "timeout: 1s", "timeout: "+netTimeout))
	s.start()
	defer func() { _ = s.p.cmd.Process.Kill() }()
	if _, err := readyAt(s.private); err != nil {
		t.Fatalf("%v: %s", err, s.said())
	}
	// A third of the time is for what follows a scene.
	each := min(length*2/3/time.Duration(len(netScenes)), time.Minute)
	for n, scene := range netScenes {
		if t.Failed() {
			break
		}
		each := each
		if scene.down && length >= 4*time.Minute {
			each = time.Minute
		}
		s.meet(netPeople)
		before, asked, since := s.sent(), toCRMs.asked.Load(), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), each)
		sending := s.sending(ctx, n+1)
		time.Sleep(min(each/5, time.Second)) // requests are under way
		toCRMs.suffers(scene.crm)
		toSenders.suffers(scene.hooks)
		if scene.down {
			toCRMs.plug(t, false)
		}
		most, began := s.watch(ctx), time.Now()
		asked = toCRMs.asked.Load() - asked
		toCRMs.suffers(trouble{})
		toSenders.suffers(trouble{})
		if scene.down {
			toCRMs.plug(t, true)
		}
		cancel()
		sending.Wait()
		if err := s.recovered(); err != nil {
			t.Errorf("%s: %v", scene.name, err)
		}
		took := time.Since(began)
		got := s.check()
		t.Logf("%s: %d events, settled after %v; %v; at most %d sockets and %d goroutines; %d asked for connections",
			scene.name, got.events-before, took.Round(10*time.Millisecond), got, most.sockets, most.goroutines, asked)
		if most.sockets > netSockets || most.goroutines > netGoroutines {
			t.Errorf("%s: %d sockets and %d goroutines, want at most %d and %d", scene.name, most.sockets, most.goroutines, netSockets, netGoroutines)
		}
		if bound := int64(began.Sub(since).Seconds() * netAsks); scene.dead && asked > bound {
			t.Errorf("%s: asked for %d connections, want at most %d", scene.name, asked, bound)
		}
	}
	t.Logf("%d events, %d packets carried and %d lost; %d posts, %d of them repeated", s.sent(), toCRMs.carried.Load()+toSenders.carried.Load(), toCRMs.lost.Load()+toSenders.lost.Load(), s.posts, s.repeated)
	s.stop(syscall.SIGTERM)
	if t.Failed() {
		t.Logf("SEED=%d; the daemon said last:\n%s", seed, s.said())
	}
}

// inUse is what a daemon has at a moment.
type inUse struct{ sockets, goroutines int }

// watch gives the most that the daemon had until ctx ended.
func (s *soak) watch(ctx context.Context) (most inUse) {
	for ; ; time.Sleep(100 * time.Millisecond) {
		most.sockets = max(most.sockets, sockets(s.p.cmd.Process.Pid))
		most.goroutines = max(most.goroutines, int(metric(s.t, s.private, "go_goroutines")))
		if ctx.Err() != nil {
			return most
		}
	}
}

// sockets counts those of a process.
func sockets(pid int) (n int) {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	list, _ := os.ReadDir(dir)
	for _, fd := range list {
		if to, err := os.Readlink(filepath.Join(dir, fd.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// recovered waits until nothing waits any more; nobody helps.
func (s *soak) recovered() error {
	client := admin.NewClient(s.private)
	var last error
	for end := time.Now().Add(netRecovery); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		st, err := client.Status(s.t.Context())
		if err != nil {
			return err
		}
		last = nil
		if st.Unplanned > 0 {
			last = fmt.Errorf("%d events are unplanned", st.Unplanned)
		}
		for _, c := range st.Connectors {
			if c.Waiting > 0 {
				last = fmt.Errorf("%d deliveries to %s wait: %s %s", c.Waiting, c.Name, c.State, c.Reason)
			}
		}
		if last == nil {
			return nil
		}
	}
	return fmt.Errorf("not settled after %v: %w", netRecovery, last)
}

// TestCable holds the cable of TestNetworks to what it is told.
func TestCable(t *testing.T) {
	t.Parallel()
	syn := make([]byte, 40)
	syn[0], syn[3], syn[9], syn[32], syn[33] = 0x45, 40, syscall.IPPROTO_TCP, 0x50, 0x02
	data := append(append([]byte(nil), syn...), "content"...)
	data[3], data[33] = byte(len(data)), 0x18
	if !asks(syn) || asks(data) || content(syn) != 0 || content(data) != 7 || tcp([]byte{0x60}) != nil {
		t.Errorf("asks %v %v, content %d %d", asks(syn), asks(data), content(syn), content(data))
	}
	c := &cable{rng: rand.New(rand.NewPCG(1, 2))}
	for _, one := range []struct {
		what   trouble
		packet []byte
		out    bool
		lost   bool
	}{
		{trouble{}, data, false, false},
		{trouble{loss: 1}, syn, true, true},
		{trouble{most: 45}, data, true, true},
		{trouble{most: 45}, syn, true, false},
		{trouble{mute: true}, data, false, true},
		{trouble{mute: true}, data, true, false},
		{trouble{mute: true}, syn, false, false},
	} {
		c.suffers(one.what)
		if _, ok := c.fate(one.packet, one.out); ok == one.lost {
			t.Errorf("%+v, %d bytes, out %v: lost %v, want %v", one.what, len(one.packet), one.out, !ok, one.lost)
		}
	}
	c.suffers(trouble{loss: 0.3, delay: time.Second, jitter: time.Second})
	lost := 0
	for range 10_000 {
		wait, ok := c.fate(syn, true)
		if !ok {
			lost++
		} else if wait < time.Second || wait >= 2*time.Second {
			t.Fatalf("a packet takes %v", wait)
		}
	}
	if lost < 2800 || lost > 3200 {
		t.Errorf("%d of 10,000 packets are lost, want three in ten", lost)
	}
}
