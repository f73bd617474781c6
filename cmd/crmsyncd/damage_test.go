package main

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"
)

// TestDamagedLedger damages the ledger of a real daemon, while it runs and
// while it does not.
func TestDamagedLedger(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name   string
		damage func(path string) error
		next   int // how the next start ends
		says   string
	}{
		{"deleted", os.Remove, exitPerson, "crmsyncd ledger restore"},
		{"replaced by another file", func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return os.WriteFile(path+".new", b, 0o600)
		}, 0, ""},
		{"truncated to nothing", func(path string) error { return os.Truncate(path, 0) }, exitPerson, "it is empty"},
		{"truncated", func(path string) error { return os.Truncate(path, 16<<10) }, exitPerson, "truncated"},
	} {
		t.Run("a ledger that is "+c.name+" while the daemon runs ends it with 74, and no webhook is acknowledged", func(t *testing.T) {
			t.Parallel()
			s := newStruck(t)
			s.up()
			s.accepts(5)
			if err := settledAt(s.private, 5); err != nil {
				t.Fatal(err)
			}
			if err := c.damage(s.ledger()); err != nil {
				t.Fatal(err)
			}
			if c.next == 0 {
				if err := os.Rename(s.ledger()+".new", s.ledger()); err != nil {
					t.Fatal(err)
				}
			}
			s.breaks("must be opened anew")
			if c.next == 0 {
				s.up()
				s.stop()
				return
			}
			s.start()
			s.ends(c.next)
			s.says(c.says)
		})
	}

	t.Run("a damaged file is refused at the start with the command that mends, or served but for what is damaged", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.up()
		s.accepts(30)
		if err := settledAt(s.private, 30); err != nil {
			t.Fatal(err)
		}
		s.stop()
		whole, err := os.ReadFile(s.ledger())
		if err != nil {
			t.Fatal(err)
		}
		used := len(bytes.TrimRight(whole, "\x00"))/4096 + 1 // pages; the rest of the file is for later
		tries := 12
		if os.Getenv("FAULTS") != "" {
			tries = 150
		}
		r := rand.New(rand.NewPCG(7, 7))
		refused, found, sound := 0, 0, 0
		for n := range tries {
			b := bytes.Clone(whole)
			page := 4096 * r.IntN(used)
			switch n % 6 {
			case 0, 1: // bits of a page
				for range 1 + r.IntN(8) {
					b[page+r.IntN(4096)] ^= 1 << r.IntN(8)
				}
			case 2:
				clear(b[page : page+4096])
			case 3:
				b = b[:r.IntN(4096*used)]
			case 4: // noise
				for i := range 4096 {
					b[page+i] = byte(r.Uint32())
				}
			case 5: // a page in the place of another
				copy(b[page:page+4096], b[4096*r.IntN(used):])
			}
			if err := os.WriteFile(s.ledger(), b, 0o600); err != nil {
				t.Fatal(err)
			}
			out, code := s.run("ledger", "verify")
			switch {
			case code == 0:
				sound++
			case code == exitProblems && strings.Contains(out, "crmsyncd ledger restore"):
				found++
			default:
				t.Fatalf("try %d: verify ends with %d: %s", n, code, out)
			}
			s.start()
			if s.ready() {
				s.stop()
			} else {
				s.ends(exitPerson)
				s.says("crmsyncd ledger restore")
				refused++
				if code == 0 {
					t.Errorf("try %d: the daemon refuses what verify finds sound", n)
				}
				if now, err := os.ReadFile(s.ledger()); err != nil || !bytes.Equal(now, b) {
					t.Errorf("try %d: the file that was refused was changed (%v)", n, err)
				}
			}
			// In kilobytes; a damaged length must not make it ask for memory. A
			// process begins with the figure of the one that started it.
			var own syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
				t.Fatal(err)
			}
			if most := s.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss; most > max(200<<10, own.Maxrss) {
				t.Errorf("try %d: it took %d MB", n, most>>10)
			}
		}
		t.Logf("of %d files verify found %d sound and %d damaged, and %d were refused at the start", tries, sound, found, refused)
	})

	t.Run("a big ledger that was closed cleanly is served at once, and damage that is found in it then ends the daemon for good", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.up()
		s.accepts(30)
		if err := settledAt(s.private, 30); err != nil {
			t.Fatal(err)
		}
		s.stop()
		if err := os.Truncate(s.ledger(), 300<<20); err != nil { // of which most is a hole
			t.Fatal(err)
		}
		s.up()
		s.until("read", func() bool { return strings.Contains(s.said.String(), "its structure is sound") })
		s.stop()

		db, err := bbolt.Open(s.ledger(), 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		var page int64
		err = db.View(func(tx *bbolt.Tx) error {
			page = 4096 * int64(tx.Bucket([]byte("deliveries")).Root())
			return nil
		})
		if err = errors.Join(err, db.Close()); err != nil || page == 0 {
			t.Fatal(page, err)
		}
		f, err := os.OpenFile(s.ledger(), os.O_RDWR, 0)
		if err == nil {
			_, err = f.WriteAt(make([]byte, 4096), page)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		s.said.trim(0)
		s.start()
		s.ends(exitPerson)
		s.says("crmsyncd is ready")
		s.says("crmsyncd ledger restore")
		s.start()
		if s.ready() {
			t.Error("the next start serves it")
		}
		s.ends(exitPerson)
	})

	t.Run("a ledger that is missing at the start is refused until somebody says that it may begin anew", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.up()
		s.accepts(1)
		s.stop()
		if err := os.Rename(s.ledger(), filepath.Join(s.dir, "backup.db")); err != nil {
			t.Fatal(err)
		}
		s.start()
		s.ends(exitPerson)
		s.says("it is missing, and there was one")
		if out, code := s.run("ledger", "restore", "backup.db"); code != 0 {
			t.Fatalf("restore: %d %s", code, out)
		}
		s.up()
		s.whole()
		for _, name := range []string{s.ledger(), filepath.Join(s.data(), "ledger.made")} {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		s.up()
		s.stop()
	})

	t.Run("without descriptors senders are refused, not left hanging, and the ledger goes on", func(t *testing.T) {
		t.Parallel()
		s := newStruck(t)
		s.needs("prlimit", "--nofile=128", "true")
		// None is closed meanwhile for saying nothing.
		s.settings("delivery:", "limits: {header_time: 1m, idle_time: 10m}\ndelivery:")
		s.up("prlimit", "--nofile=128")
		s.accepts(1)
		var idle []net.Conn
		var closed atomic.Int64
		for range 200 {
			c, err := net.Dial("tcp", s.listen)
			if err != nil {
				t.Fatal(err)
			}
			idle = append(idle, c)
			go func() {
				if _, err := c.Read(make([]byte, 1)); err != nil && !errors.Is(err, net.ErrClosed) {
					closed.Add(1)
				}
			}()
		}
		if status, text := s.readyz(); status != http.StatusOK {
			t.Errorf("readyz: %d %s", status, text)
		}
		s.until("closing those for which it has no descriptor", func() bool { return closed.Load() >= 100 })
		for _, c := range idle {
			_ = c.Close()
		}
		s.until("taken", func() bool { status, _ := s.send(); return status == http.StatusOK })
		s.whole()
	})
}
