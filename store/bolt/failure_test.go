package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/crmsyncd/crmsyncd/store"
)

// TestFailure has the system calls of a commit fail by putting another file
// under the ledger's descriptor. make faults does it with a real daemon.
func TestFailure(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		open func(path string) (*os.File, error)
	}{
		// What is written is lost and the sync fails, as after a failed writeback.
		{"a sync", func(string) (*os.File, error) { return os.OpenFile(os.DevNull, os.O_RDWR, 0) }},
		{"a write", os.Open},
	} {
		t.Run(c.name+" that fails ends it, is told, and the next start writes the file anew", func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "ledger.db")
			o := options(path)
			var told atomic.Int32
			o.Init, o.Failed = true, func(err error) {
				if errors.Is(err, store.ErrBroken) {
					told.Add(1)
				}
			}
			l, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			for n := 1; n <= 5; n++ {
				if _, err := l.Append(t.Context(), sample(n)); err != nil {
					t.Fatal(err)
				}
			}
			before, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := c.open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := syscall.Dup3(int(f.Fd()), int(l.at.Load().file.Fd()), syscall.O_CLOEXEC); err != nil {
				t.Fatal(err)
			}
			for n := 6; n <= 8; n++ {
				if _, err := l.Append(t.Context(), sample(n)); !errors.Is(err, store.ErrBroken) {
					t.Fatalf("event %d: want ErrBroken, got %v", n, err)
				}
			}
			if _, err := l.Event(t.Context(), 6); !errors.Is(err, store.ErrBroken) {
				t.Errorf("reading goes on: %v", err)
			}
			if told.Load() != 1 {
				t.Errorf("it was told %d times, want once", told.Load())
			}
			_ = l.Close()
			again, err := Open(options(path))
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if now, err := os.Stat(path); err != nil || os.SameFile(before, now) {
				t.Errorf("the file was not written anew (%v)", err)
			}
			sound(t, again)
			for n := 1; n <= 8; n++ {
				if r, err := again.Append(t.Context(), sample(n)); err != nil || r.Duplicate != (n <= 5) {
					t.Errorf("event %d: %+v, %v", n, r, err)
				}
			}
		})
	}
}
