//go:build linux

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// TestPowerCut takes the power from the disk under a real daemon as many times
// as POWERCUT says, at any moment: what was not synced is gone, which no kill can
// bring about. The ledger lies on an ext4 of its own in a file, whose journal
// is stopped where it stands. Everything acknowledged must be in all CRMs
// afterwards, once and in order, and of requests to CRMs the ledger must know. The same with a
// daemon that leaves out its syncs must lose events, or the test shows nothing.
func TestPowerCut(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("POWERCUT"))
	if err != nil || rounds <= 0 {
		t.Skip("POWERCUT is not set to a number of rounds such as 25")
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a disk: run it as root")
	}
	for _, tool := range []string{"mkfs.ext4", "mount", "umount"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed")
		}
	}
	seed := soakSeed(t)
	bin := buildForCrashes(t)
	t.Run("nothing that was acknowledged is lost", func(t *testing.T) {
		s, got := cuts(t, bin, seed, rounds, t.Errorf)
		t.Logf("%d power cuts, %d events: %v; %d posts, %d repeated under their own id", rounds, got.events, got, s.posts, s.repeated)
	})
	t.Run("a daemon that does not sync is found out", func(t *testing.T) {
		found := 0
		_, got := cuts(t, bin, seed, min(rounds, 5), func(format string, args ...any) {
			if found++; found <= 3 {
				t.Logf("as it must: "+format, args...)
			}
		}, "CRASHPOINT_NOSYNC=1")
		if found == 0 {
			t.Errorf("a daemon without fsync lost nothing of %d events", got.events)
		}
		t.Logf("without fsync: %d wrong of %d events: %v", found, got.events, got)
	})
}

// cuts takes the power away a number of times, or until something is wrong.
func cuts(t *testing.T, bin string, seed uint64, rounds int, tell func(string, ...any), env ...string) (*soak, tally) {
	disk := newDisk(t)
	var wrong atomic.Bool
	s := newSoak(t, seed, soakOptions{bin: bin, quick: true, lag: killLag, rest: 5 * time.Millisecond, data: filepath.Join(disk.at, "data"), tell: func(format string, args ...any) {
		wrong.Store(true)
		tell(format, args...)
	}})
	s.p.env = env
	s.start()
	defer func() { _ = s.p.cmd.Process.Kill(); <-s.exited; s.exited <- nil }() // before the disk is taken away
	s.meet(soakPeople)
	r := rand.New(rand.NewPCG(seed, 99))
	var got tally
	for n := range rounds {
		ctx, cancel := context.WithCancel(t.Context())
		sending := s.sending(ctx, n)
		if _, err := readyAt(s.private); err != nil {
			s.o.tell("round %d: %v", n, err)
		}
		linger(ctx, r, 400*time.Millisecond)
		cancel() // what is under way is sent until it is acknowledged
		disk.cut(t)
		_ = s.p.cmd.Process.Kill()
		err := <-s.exited
		s.exited <- err
		s.kills++
		disk.mend(t)
		s.start()
		if !s.up() {
			s.o.tell("round %d: the daemon does not start:\n%s", n, s.said())
			s.giveUp()
		}
		sending.Wait()
		if !wrong.Load() && (n%5 == 4 || n == rounds-1 || len(env) > 0) {
			got = s.calm()
		}
		if wrong.Load() {
			return s, got
		}
	}
	s.verify()
	return s, got
}

// up waits until the daemon is ready, or has ended.
func (s *soak) up() bool {
	for end := time.Now().Add(soakPatience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-s.exited:
			s.exited <- err
			return false
		default:
		}
		if s.catches() {
			return true
		}
	}
	return false
}

// disk is an ext4 in a file.
type disk struct{ image, at string }

func newDisk(t *testing.T) *disk {
	t.Helper()
	dir := t.TempDir()
	d := &disk{image: filepath.Join(dir, "image"), at: filepath.Join(dir, "disk")}
	if err := os.WriteFile(d.image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(d.image, 512<<20); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(d.at, 0o700); err != nil {
		t.Fatal(err)
	}
	command(t, "mkfs.ext4", "-q", d.image)
	if out, err := exec.Command("mount", "-o", "loop", d.image, d.at).CombinedOutput(); err != nil {
		t.Skipf("no disk can be mounted here: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if exec.Command("umount", d.at).Run() != nil {
			_ = exec.Command("umount", "-l", d.at).Run()
		}
	})
	return d
}

// cut stops the file system where it stands, as a power cut does: what is only
// in memory never reaches the disk.
func (d *disk) cut(t *testing.T) {
	t.Helper()
	const (
		shutdown = 0x8004587d // EXT4_IOC_SHUTDOWN
		noFlush  = uint32(2)  // EXT4_GOING_FLAGS_NOLOGFLUSH
	)
	f, err := os.Open(d.at)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	how := noFlush
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), shutdown, uintptr(unsafe.Pointer(&how))); errno != 0 {
		t.Fatalf("shut the file system down: %v", errno)
	}
}

// mend mounts the disk again, which replays its journal.
func (d *disk) mend(t *testing.T) {
	t.Helper()
	command(t, "umount", d.at)
	command(t, "mount", "-o", "loop", d.image, d.at)
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("%s: %w: %s", name, err, out))
	}
}
