package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/sources"
)

// struck is a real daemon whose disk fails, with its CRMs and what it was sent.
type struck struct {
	t       *testing.T
	dir     string // of the settings; the ledger is in data below it
	self    string // the program
	sb      *sandbox.Sandbox
	crm     string // where the sandbox is
	listen  string
	private string
	src     sources.Source
	begin   time.Time
	said    output
	stderr  io.Writer // in place of said; may be nil
	env     []string  // of the daemon, beside the test's own
	cmd     *exec.Cmd
	exited  chan int      // the exit code, once
	sent    int           // webhooks; their numbers begin at 1
	waits   time.Duration // for each answer
	size    int           // of padding in each, in bytes
	erased  int           // events that were erased
	acked   map[int]bool
}

func newStruck(t *testing.T) *struck {
	t.Helper()
	s := &struck{t: t, dir: t.TempDir(), sb: sandbox.New(sandbox.Options{Unlimited: true}), waits: scriptPatience, acked: map[int]bool{}, begin: time.Now().Add(-20 * time.Hour).Truncate(time.Second)}
	crm := httptest.NewServer(s.sb)
	t.Cleanup(crm.Close)
	s.crm = crm.URL
	s.listen, s.private = address(t), "unix:"+filepath.Join(s.dir, "admin.sock")
	if err := writeConfig(s.dir, s.listen, s.private, crm.URL); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.self, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	if s.src, err = telliSource(testSecret); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(s.data(), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd != nil {
			_ = s.cmd.Process.Kill()
			<-s.exited
		}
		if t.Failed() {
			t.Logf("the daemon said:\n%s", s.said.String())
		}
	})
	return s
}

func (s *struck) data() string   { return filepath.Join(s.dir, "data") }
func (s *struck) ledger() string { return filepath.Join(s.data(), "ledger.db") }

// start begins a daemon, within a command such as prlimit if one is given.
func (s *struck) start(within ...string) {
	s.t.Helper()
	args := append(within[:len(within):len(within)], s.self, "serve", "--config", filepath.Join(s.dir, "config.yaml"))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir, cmd.Stderr = s.dir, &s.said
	if s.stderr != nil {
		cmd.Stderr = s.stderr
	}
	cmd.Env = append(append(os.Environ(), "CRMSYNCD_TEST_RUN=1", "GOMEMLIMIT=512MiB"), s.env...)
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	exited := make(chan int, 2)
	s.cmd, s.exited = cmd, exited
	go func() {
		_ = cmd.Wait()
		exited <- cmd.ProcessState.ExitCode()
		exited <- cmd.ProcessState.ExitCode() // of the clean-up
	}()
}

// up starts the daemon and waits until it is ready.
func (s *struck) up(within ...string) {
	s.t.Helper()
	s.start(within...)
	if _, err := readyAt(s.private); err != nil {
		s.t.Fatalf("not ready: %v", err)
	}
}

// ready waits until the daemon is ready, true, or has ended.
func (s *struck) ready() (ready bool) {
	s.t.Helper()
	s.until("ready, nor at its end", func() bool {
		if len(s.exited) > 0 {
			return true
		}
		status, _ := s.readyz()
		ready = status == http.StatusOK
		return ready
	})
	return ready
}

// ends waits for the end of the daemon by itself, or by a signal that was sent.
func (s *struck) ends(code int) {
	s.t.Helper()
	select {
	case got := <-s.exited:
		if got != code {
			s.t.Fatalf("it ended with %d, want %d", got, code)
		}
	case <-time.After(scriptPatience):
		s.t.Fatalf("it has not ended")
	}
	if said := s.said.String(); strings.Contains(said, "goroutine ") || strings.Contains(said, "panic:") {
		s.t.Fatal("it panicked")
	}
}

func (s *struck) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	s.ends(0)
}

// says checks what it has logged.
func (s *struck) says(text string) {
	s.t.Helper()
	if !strings.Contains(s.said.String(), text) {
		s.t.Errorf("it does not say %q", text)
	}
}

// post sends webhook n, of another contact than all others. The status is 0 if
// there is no answer.
func (s *struck) post(n int) (status int, header http.Header, answer string) {
	s.t.Helper()
	body, err := s.src.(sources.Sampler).Sample("call_completed", n, s.begin.Add(time.Duration(n)*time.Second))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.size > 0 { // of noise, which no compression makes smaller
		noise := make([]byte, s.size/2)
		_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(noise)
		body = fmt.Appendf(body[:bytes.LastIndexByte(body, '}')], `,"pad":"%s"}`, hex.EncodeToString(noise))
	}
	u := &url.URL{Scheme: "http", Host: s.listen, Path: "/hooks/telli"}
	ctx, cancel := context.WithTimeout(s.t.Context(), s.waits)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header["Idempotency-Key"] = nil // it is not sent: a connection that ends as it is used is replaced
	if err := s.src.(sources.Signer).Sign(&sources.Request{URL: u, Header: req.Header, Body: body}, fmt.Sprint("msg_", n), time.Now()); err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, string(text)
}

// send posts the next webhook.
func (s *struck) send() (status int, header http.Header) {
	s.t.Helper()
	s.sent++
	status, header, _ = s.post(s.sent)
	if status == http.StatusOK {
		s.acked[s.sent] = true
	}
	return status, header
}

// accepts sends webhooks that must be acknowledged: at once, unless the machine
// was so busy that the disk was late.
func (s *struck) accepts(webhooks int) {
	s.t.Helper()
	for range webhooks {
		status, header := s.send()
		if late(status, header) {
			status, _ = s.again(s.sent)
			s.acked[s.sent] = status == http.StatusOK
		}
		if status != http.StatusOK {
			s.t.Fatalf("webhook %d was answered %d", s.sent, status)
		}
	}
}

// Retry-After of a 503, which tells why.
const (
	isLate = "5"
	isFull = "60"
)

// late tells of an answer which only says that the disk took its time.
func late(status int, header http.Header) bool {
	return status == http.StatusServiceUnavailable && header.Get("Retry-After") == isLate
}

// again posts webhook n, as its vendor does until the disk is not late any more.
func (s *struck) again(n int) (status int, answer string) {
	s.t.Helper()
	var header http.Header
	s.until("in time", func() bool { status, header, answer = s.post(n); return !late(status, header) })
	return status, answer
}

// refuses sends webhooks until one is answered 503 for a reason, at most so many.
func (s *struck) refuses(most int, why string) {
	s.t.Helper()
	for range most {
		if status, header := s.send(); status == http.StatusServiceUnavailable && header.Get("Retry-After") == why {
			return
		}
	}
	s.t.Fatalf("none of %d webhooks was answered 503 with Retry-After: %s", most, why)
}

// breaks sends webhooks until one is not acknowledged, and then checks that the
// daemon ends, takes none of the next before it does, and says why.
func (s *struck) breaks(why string) {
	s.t.Helper()
	for {
		status, header := s.send()
		if status == http.StatusServiceUnavailable && header.Get("Retry-After") == "" {
			s.t.Errorf("a 503 has no Retry-After")
		}
		if (status == 0 || status == http.StatusServiceUnavailable) && !late(status, header) {
			break
		}
		if s.sent > 100 {
			s.t.Fatalf("webhook %d was answered %d", s.sent, status)
		}
	}
	for range 3 {
		if status, _ := s.send(); status == http.StatusOK {
			s.t.Errorf("webhook %d was acknowledged after one could not be kept", s.sent)
		}
	}
	s.ends(exitIO)
	s.says(why)
}

// until repeats try until it is true.
func (s *struck) until(what string, try func() bool) {
	s.t.Helper()
	if err := poll(func() error {
		if !try() {
			return fmt.Errorf("not %s", what)
		}
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
}

// readyz is what a load balancer would be told.
func (s *struck) readyz() (status int, text string) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(s.private, "unix:"))
	}
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}, Timeout: scriptPatience}
	resp, err := client.Get("http://crmsyncd/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

// whole holds what must be true in the end, the fault being over: everything
// acknowledged is known, what was not is taken when the vendor sends it again,
// all of it is in both CRMs once, and the ledger is sound. The daemon runs, and
// does not any more afterwards.
func (s *struck) whole() {
	s.t.Helper()
	for n := range s.acked {
		if status, answer := s.again(n); status != http.StatusOK || !strings.Contains(answer, "duplicate") {
			s.t.Errorf("webhook %d was acknowledged, and now it is answered %d %s", n, status, answer)
		}
	}
	for n := 1; n <= s.sent; n++ {
		if !s.acked[n] {
			s.until("taken in the end", func() bool { status, _, _ := s.post(n); return status == http.StatusOK })
		}
	}
	if err := settledAt(s.private, uint64(s.sent-s.erased)); err != nil {
		s.t.Error(err)
	}
	if st, err := admin.NewClient(s.private).Status(s.t.Context()); err != nil || st.Events != uint64(s.sent-s.erased) {
		s.t.Errorf("%d events are there, want %d (%v)", st.Events, s.sent-s.erased, err)
	}
	s.stop()
	for _, c := range []struct{ crm, calls, id string }{{"hubspot", "calls", "telli_call_id"}, {"airtable", "Calls", "Call ID"}} {
		seen := map[string]int{}
		for _, r := range s.sb.Records(c.crm, c.calls) {
			seen[fmt.Sprint(r.Fields[c.id])]++
		}
		for call, n := range seen {
			if n != 1 {
				s.t.Errorf("%s has call %s %d times", c.crm, call, n)
			}
		}
		if len(seen) != s.sent {
			s.t.Errorf("%s has %d calls, want %d", c.crm, len(seen), s.sent)
		}
	}
	if out, code := s.run("ledger", "verify"); code != 0 {
		s.t.Errorf("verify: %d, %s", code, out)
	}
}

// run runs another command of crmsyncd.
func (s *struck) run(args ...string) (out string, code int) {
	s.t.Helper()
	return s.tool(s.self, append(args, "--config", filepath.Join(s.dir, "config.yaml"))...)
}

// tool runs any command.
func (s *struck) tool(name string, args ...string) (out string, code int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "CRMSYNCD_TEST_RUN=1")
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// needs skips where a command cannot do its work, such as in a container that
// may not mount.
func (s *struck) needs(name string, args ...string) {
	s.t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		s.t.Skipf("%s is not installed", name)
	}
	if out, code := s.tool(name, args...); code != 0 {
		s.t.Skipf("%s cannot do that here: %s", name, strings.TrimSpace(out))
	}
}

// mount puts a file system of its own below the ledger.
func (s *struck) mount(args ...string) {
	s.t.Helper()
	s.needs("mount", append(args, s.data())...)
	s.t.Cleanup(func() { _ = syscall.Unmount(s.data(), syscall.MNT_DETACH) })
}

// strace has system calls of the daemon fail until the returned function is called.
func (s *struck) strace(what, how string) (end func()) {
	s.t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		s.t.Skip("strace is not installed")
	}
	var said output
	cmd := exec.Command("strace", "-f", "-o", "/dev/null", "-p", fmt.Sprint(s.cmd.Process.Pid), "-e", "trace="+what, "-e", "inject="+what+":"+how)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	over := make(chan struct{})
	go func() { _ = cmd.Wait(); close(over) }()
	var once sync.Once
	end = func() {
		once.Do(func() {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-over:
			case <-time.After(3 * time.Second): // it is waiting for the end of a long delay
				_ = cmd.Process.Kill()
				<-over
			}
		})
	}
	s.t.Cleanup(end)
	s.until("attached", func() bool {
		if strings.Contains(said.String(), "attached") {
			return true
		}
		select {
		case <-over:
			s.t.Skipf("strace cannot attach here: %s", said.String())
		default:
		}
		return false
	})
	return end
}

// fill takes all space that is left but for some bytes.
func (s *struck) fill(left int64) (free func()) {
	s.t.Helper()
	name := filepath.Join(s.data(), "ballast")
	f, err := os.Create(name)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	// Until no more goes: the daemon may be writing too.
	size := int64(0)
	for page := make([]byte, 64<<10); err == nil; {
		var n int
		n, err = f.Write(page)
		size += int64(n)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.t.Fatal(err)
	}
	if err := f.Truncate(max(size-left, 0)); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		if err := os.Remove(name); err != nil {
			s.t.Error(err)
		}
	}
}

// belongsTo gives all that the daemon needs to another user, who may run it too.
func (s *struck) belongsTo(uid int) {
	s.t.Helper()
	for dir := s.dir; len(dir) > len(os.TempDir()); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			s.t.Fatal(err)
		}
	}
	for _, name := range []string{".", "config.yaml", "mapping.yaml", "data"} {
		if err := os.Chown(filepath.Join(s.dir, name), uid, uid); err != nil {
			s.t.Skipf("files cannot be given away: %v", err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	s.self = filepath.Join(s.dir, "crmsyncd")
	text, err := os.ReadFile(self)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(s.self, text, 0o755); err != nil {
		s.t.Fatal(err)
	}
}
