package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// newTerminal gives a terminal's two ends: what a person types into and sees,
// and what a program is given.
func newTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no terminals here:", err)
	}
	t.Cleanup(func() { _ = person.Close() })
	control := func(what uintptr, value *int32) {
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, person.Fd(), what, uintptr(unsafe.Pointer(value))); e != 0 {
			t.Skip("no terminals here:", e)
		}
	}
	var locked, number int32
	control(syscall.TIOCSPTLCK, &locked)
	control(syscall.TIOCGPTN, &number)
	if program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Skip("no terminals here:", err)
	}
	t.Cleanup(func() { _ = program.Close() })
	return person, program
}

// TestCtrlCEndsAQuestion types Ctrl-C where a command asks.
func TestCtrlCEndsAQuestion(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args  []string
		asks  string
		says  string
		whole func(t *testing.T, dir string)
	}{
		"init": {[]string{"init", "new"}, "Number or name", "stopped: nothing was written", func(t *testing.T, dir string) {
			if _, err := os.Stat(filepath.Join(dir, "new")); !errors.Is(err, os.ErrNotExist) {
				t.Error("something was written:", err)
			}
		}},
		"provision": {[]string{"provision", "--connector", "hubspot"}, "Make 1 field now? [y/N]", "stopped: nothing was made", nil},
		"erase":     {[]string{"erase", "--email", "anna@example.com"}, "Delete this for good? [y/N]", "stopped: nothing was deleted", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			sb := sandbox.New(sandbox.Options{Unlimited: true})
			crm := httptest.NewServer(sb)
			defer crm.Close()
			if err := writeConfig(dir, "127.0.0.1:0", "unix:"+filepath.Join(dir, "admin.sock"), crm.URL); err != nil {
				t.Fatal(err)
			}
			lacking := []byte("version: 1\nrules:\n  - name: one\n    on: call.ended\n    from: telli\n    to: hubspot\n    records:\n      - object: contacts\n        match: email\n        fields: {email: =contact.email, not_there_yet: =contact.first_name}\n")
			if err := os.WriteFile(filepath.Join(dir, "mapping.yaml"), lacking, 0o600); err != nil {
				t.Fatal(err)
			}
			if name == "erase" {
				if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
					t.Fatal(err)
				}
				l, err := bolt.Open(bolt.Options{Path: filepath.Join(dir, "data", "ledger.db"), Init: true, Log: quiet()})
				if err != nil {
					t.Fatal(err)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}

			person, program := newTerminal(t)
			p := &process{t: t, dir: dir}
			var cmd *exec.Cmd
			if name == "init" {
				cmd = p.command()
				cmd.Args = append(cmd.Args[:1], c.args...)
			} else {
				cmd = p.command(c.args...)
			}
			cmd.Stdin, cmd.Stdout, cmd.Stderr = program, program, program
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_ = program.Close()
			late := time.AfterFunc(scriptPatience, func() { _ = cmd.Process.Kill() })
			defer late.Stop()

			var seen bytes.Buffer
			var typed sync.Once
			for part := make([]byte, 4096); ; {
				n, err := person.Read(part) // the end is an error of its own on a terminal
				seen.Write(part[:n])
				if strings.Contains(seen.String(), c.asks) {
					typed.Do(func() { _, _ = person.WriteString("\x03") })
				}
				if err != nil {
					break
				}
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != exitUnexpected || !strings.Contains(seen.String(), c.says) {
				t.Errorf("it ended with %d, and there was seen:\n%s", code, seen.String())
			}
			for _, r := range sb.Requests("hubspot") {
				if r.Method == "POST" {
					t.Errorf("the CRM was asked: %s %s", r.Method, r.Path)
				}
			}
			if c.whole != nil {
				c.whole(t, dir)
			}
		})
	}
}
