package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

// settle waits until nothing waits any more. A person mends credentials and
// reloads; for a connector that is held up otherwise too, that saves waiting.
func (s *soak) settle() error {
	s.write("mapping.yaml", s.mapping)
	var err error
	reloaded := time.Time{}
	client := admin.NewClient(s.private) // one, as each keeps a connection
	for end := time.Now().Add(soakPatience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var st admin.Status
		if st, err = client.Status(s.t.Context()); err != nil {
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
		s.o.tell("the daemon ended by itself: %v", err)
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
	case <-time.After(time.Minute):
		s.t.Errorf("still running a minute after %v", sig)
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
