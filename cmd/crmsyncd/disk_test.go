package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hanging keeps a system call from beginning until its tracer ends.
const hanging = "delay_enter=600000000"

// TestFaultyDisk tries every way in which a disk fails on a real daemon. It
// needs FAULTS=1 and, for most of it, root, mount, prlimit and strace: what
// cannot be done on a machine is skipped with the reason.
func TestFaultyDisk(t *testing.T) {
	if os.Getenv("FAULTS") == "" {
		t.Skip("FAULTS is not set")
	}
	t.Parallel()

	t.Run("a full disk is answered 503 and shown, and it goes on by itself", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.mount("-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs")
		s.up()
		s.size = 20_000
		s.accepts(5)
		free := s.fill(100 << 10)
		s.refuses(50, isFull)
		if status, text := s.readyz(); status != http.StatusServiceUnavailable || !strings.Contains(text, "the disk is full") {
			t.Errorf("readyz: %d %s", status, text)
		}
		free()
		s.until("taken", func() bool { status, _, _ := s.post(s.sent); return status == http.StatusOK })
		if status, text := s.readyz(); status != http.StatusOK {
			t.Errorf("readyz after a webhook was taken: %d %s", status, text)
		}
		free = s.fill(100 << 10)
		s.refuses(50, isFull)
		free()
		s.until("ready again with no webhook", func() bool { status, _ := s.readyz(); return status == http.StatusOK })
		s.whole()
	})

	t.Run("on a disk without a byte left a person can be erased all the same, and what is under way is written once", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.mount("-t", "tmpfs", "-o", "size=96m,mode=0700", "tmpfs")
		s.up()
		s.size = 1000
		s.accepts(30)
		if err := settledAt(s.private, 30); err != nil {
			t.Fatal(err)
		}
		s.fault(`[{"crm": "hubspot", "latency_ms": 10000, "times": 2}]`)
		before := len(s.sb.Requests("hubspot"))
		s.accepts(3)
		s.until("under way", func() bool { return len(s.sb.Requests("hubspot")) > before })
		free := s.fill(0)
		s.refuses(3000, isFull)
		out, code := s.run("erase", "--phone", "+493023125001", "--yes")
		if code != exitUnexpected || !strings.Contains(out, "deleted 1 event") || !strings.Contains(out, "could not be written anew") {
			t.Fatalf("erase: %d %s", code, out)
		}
		s.erased = 1
		s.says("what was kept in reserve is used")
		free()
		s.whole()
	})

	t.Run("a quota is answered 503, and it goes on by itself", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.needs("prlimit", "--fsize=17825792:", "true")
		s.up("prlimit", "--fsize=17825792:")
		s.size = 400_000
		s.refuses(100, isFull)
		if s.sent < 10 {
			t.Errorf("only %d webhooks were taken", s.sent-1)
		}
		s.needs("prlimit", "--fsize=unlimited:", "--pid", fmt.Sprint(s.cmd.Process.Pid))
		s.until("taken", func() bool { status, _, _ := s.post(s.sent); return status == http.StatusOK })
		s.whole()
	})

	for _, c := range []struct{ name, call, how string }{
		{"every sync of the disk fails", "fdatasync", "error=EIO"},
		{"every second sync of the disk fails", "fdatasync", "error=EIO:when=2+2"},
		{"a sync finds no space for what it took before", "fdatasync", "error=ENOSPC:when=2+2"},
		{"every write fails", "pwrite64", "error=EIO"},
		{"now and then a write fails", "pwrite64", "error=EIO:when=3+5"},
	} {
		t.Run(c.name+": 503, it ends with 74, and the next start writes the ledger anew", func(t *testing.T) {
			t.Parallel()
			s := newStruck(t)
			s.up()
			s.accepts(5)
			before, err := os.Stat(s.ledger())
			if err != nil {
				t.Fatal(err)
			}
			s.strace(c.call, c.how)
			s.breaks("must be opened anew")
			s.up()
			if now, err := os.Stat(s.ledger()); err != nil || os.SameFile(before, now) {
				t.Errorf("the ledger was not copied (%v)", err)
			}
			s.whole()
		})
	}

	t.Run("a write that finds no space passes", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.up()
		s.accepts(3)
		end := s.strace("pwrite64", "error=ENOSPC")
		s.refuses(20, isFull)
		end()
		s.until("taken", func() bool { status, _, _ := s.post(s.sent); return status == http.StatusOK })
		s.whole()
	})

	t.Run("a disk that hangs is answered 503, and what it takes late is not taken twice", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.up()
		s.accepts(3)
		end := s.strace("fdatasync", hanging)
		s.refuses(1, isLate)
		if status, text := s.readyz(); status != http.StatusServiceUnavailable || !strings.Contains(text, "does not answer") {
			t.Errorf("readyz: %d %s", status, text)
		}
		end()
		s.until("ready again", func() bool { status, _ := s.readyz(); return status == http.StatusOK })
		s.until("known", func() bool {
			status, _, answer := s.post(s.sent)
			return status == http.StatusOK && strings.Contains(answer, "duplicate")
		})
		s.whole()
	})

	t.Run("a sync that takes longer than 30 seconds is answered 503 all the while, the watchdog is not fed, and then it goes on", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		fed := s.watched(8 * time.Second)
		s.up()
		s.accepts(3)
		fed(true)
		end := s.strace("fdatasync", hanging)
		first := s.sent + 1
		for began := time.Now(); time.Since(began) < 21*time.Second; { // each takes five
			s.refuses(1, isLate)
		}
		fed(false) // for the rest
		end()
		s.until("known", func() bool {
			status, _, answer := s.post(first)
			return status == http.StatusOK && strings.Contains(answer, "duplicate")
		})
		fed(true)
		s.whole()
	})

	t.Run("a sync that never ends does not keep it from stopping, with 74, and nothing is lost", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.up()
		s.accepts(3)
		end := s.strace("fdatasync", hanging)
		s.refuses(1, isLate)
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		// The tracer holds its thread, as a real disk would, until it lets go.
		s.until("at its end", func() bool { return strings.Contains(s.said.String(), "it could not be closed") })
		end()
		s.ends(exitIO)
		s.up()
		s.whole()
	})

	t.Run("after a failed commit no CRM is asked any more, though no webhook comes", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.up()
		s.accepts(1)
		if err := settledAt(s.private, 1); err != nil {
			t.Fatal(err)
		}
		// Nothing but the audit entry of a person's replay is written.
		s.strace("fdatasync", "error=EIO")
		s.run("events", "replay", "evt_1")
		s.ends(exitIO)
		s.up()
		s.whole()
	})

	t.Run("a file system that turns read-only ends it with 74, until somebody has mended it", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		image := filepath.Join(s.dir, "image")
		if err := os.WriteFile(image, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(image, 48<<20); err != nil {
			t.Fatal(err)
		}
		s.needs("mkfs.ext4", "-q", image)
		s.mount("-o", "loop,errors=remount-ro", image)
		device, _ := s.tool("findmnt", "-no", "SOURCE", s.data())
		trigger := filepath.Join("/sys/fs/ext4", filepath.Base(strings.TrimSpace(device)), "trigger_fs_error")
		s.up()
		s.accepts(3)
		if err := os.WriteFile(trigger, []byte("1"), 0o200); err != nil {
			t.Skipf("ext4 cannot be made to fail here: %v", err)
		}
		s.breaks("read-only file system")
		s.start()
		s.ends(exitIO)
		s.needs("umount", s.data())
		s.needs("mount", "-o", "loop", image, s.data())
		s.up()
		s.whole()
	})

	t.Run("a file system that is read-only at the start is said, with 74", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.mount("-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs")
		s.up()
		s.accepts(3)
		s.stop()
		s.needs("mount", "-o", "remount,ro", s.data())
		s.start()
		s.ends(exitIO)
		s.says("read-only file system")
		s.needs("mount", "-o", "remount,rw", s.data())
		s.up()
		s.whole()
	})

	t.Run("a folder that may not be entered any more ends it with 74, and is said at the start", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		nobody := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
		s.needs(nobody[0], append(nobody[1:], "true")...)
		s.belongsTo(65534)
		s.up(nobody...)
		s.accepts(3)
		if err := os.Chmod(s.data(), 0); err != nil {
			t.Fatal(err)
		}
		s.breaks("permission denied")
		s.start(nobody...)
		s.ends(exitIO)
		if err := os.Chmod(s.data(), 0o700); err != nil {
			t.Fatal(err)
		}
		s.up(nobody...)
		s.whole()
	})

	t.Run("without space for the copy after a failed sync it ends with 74 and says how much it needs", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.mount("-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs")
		s.up()
		s.size = 100_000
		s.accepts(20)
		end := s.strace("fdatasync", "error=EIO")
		s.breaks("must be opened anew")
		end()
		free := s.fill(1 << 20)
		before, err := os.ReadFile(s.ledger())
		if err != nil {
			t.Fatal(err)
		}
		s.start()
		s.ends(exitIO)
		s.says("bytes; the ledger is untouched")
		if now, err := os.ReadFile(s.ledger()); err != nil || !bytes.Equal(now, before) {
			t.Errorf("the ledger was changed (%v)", err)
		}
		free()
		s.up()
		s.whole()
	})

	t.Run("without space a backup, a restore, a compaction and an erasure say how much they need, and the ledger stays whole", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.mount("-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs")
		s.up()
		s.size = 50_000
		s.accepts(30)
		if err := settledAt(s.private, 30); err != nil {
			t.Fatal(err)
		}
		out, code := s.run("ledger", "backup", "backup.db")
		if code != 0 {
			t.Fatalf("backup: %d %s", code, out)
		}
		free := s.fill(1 << 20)
		refused := func(args ...string) {
			t.Helper()
			out, code := s.run(args...)
			if code != exitUnexpected || !strings.Contains(out, "no space left") || !strings.Contains(out, "needs") {
				t.Errorf("%s: %d %s", strings.Join(args, " "), code, out)
			}
		}
		refused("ledger", "backup", "data/backup.db")
		refused("ledger", "compact")
		// The person is gone from the ledger, though not yet from its file.
		refused("erase", "--phone", "+493023125001", "--yes")
		s.erased = 1
		s.stop()
		refused("ledger", "backup", "data/backup.db")
		refused("ledger", "compact")
		refused("ledger", "restore", "backup.db")
		if left, _ := filepath.Glob(filepath.Join(s.data(), "*")); len(left) != 3 { // the ledger, that it was made, ballast
			t.Errorf("files were left: %v", left)
		}
		s.up()
		free()
		s.whole()
	})
}
