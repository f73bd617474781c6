package bolt

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

func TestSnapshot(t *testing.T) {
	t.Parallel()

	t.Run("a copy taken while events come in is whole", func(t *testing.T) {
		t.Parallel()
		l := openIn(t, t.TempDir())
		defer l.Close()
		fill(t, l)
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					if _, err := l.Append(t.Context(), numbered(1000+w*100_000+i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 5 {
			path := filepath.Join(t.TempDir(), "backup.db")
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			said := int64(0)
			n, err := l.Snapshot(t.Context(), f, func(size int64) { said = size })
			if err = errors.Join(err, f.Close()); err != nil || n != said {
				t.Fatalf("%d bytes of %d: %v", n, said, err)
			}
			if damage, err := Inspect(t.Context(), path, nil); err != nil || len(damage) > 0 {
				t.Fatalf("the copy: %v, %v", damage, err)
			}
		}
		stop()
		wg.Wait()
	})

	t.Run("it ends with its context and with the ledger", func(t *testing.T) {
		t.Parallel()
		l := openIn(t, t.TempDir())
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := l.Snapshot(ctx, new(bytes.Buffer), func(int64) { cancel() }); !errors.Is(err, context.Canceled) {
			t.Errorf("want the context's error, got %v", err)
		}
		var wg sync.WaitGroup
		begun := make(chan struct{})
		wg.Go(func() {
			_, err := l.Snapshot(t.Context(), new(bytes.Buffer), func(int64) { close(begun); <-l.closing })
			if !errors.Is(err, store.ErrClosed) {
				t.Errorf("want ErrClosed, got %v", err)
			}
		})
		<-begun
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

func TestInspect(t *testing.T) {
	t.Parallel()
	path, _ := closedLedger(t)
	before, _ := os.ReadFile(path)
	if damage, err := Inspect(t.Context(), path, nil); err != nil || len(damage) > 0 {
		t.Fatalf("a sound file: %v, %v", damage, err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
	mangle(t, path, []byte(`"summary":"well`), []byte(`"summary":"Well`))
	if damage, err := Inspect(t.Context(), path, nil); err != nil || len(damage) == 0 {
		t.Errorf("a changed word: %v, %v; want damage", damage, err)
	}
	if err := os.Truncate(path, 9000); err != nil {
		t.Fatal(err)
	}
	if _, err := Inspect(t.Context(), path, nil); !errors.Is(err, store.ErrCorrupt) {
		t.Errorf("a truncated file: %v, want ErrCorrupt", err)
	}
	if _, err := Inspect(t.Context(), path+"x", nil); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a missing file: %v, want ErrNotFound", err)
	}
	l := openIn(t, t.TempDir())
	defer l.Close()
	if _, err := Inspect(t.Context(), l.path, nil); !errors.Is(err, store.ErrLocked) {
		t.Errorf("a file in use: %v, want ErrLocked", err)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)

	t.Run("a backup takes the place of the ledger, which is kept", func(t *testing.T) {
		t.Parallel()
		backup, want := closedLedger(t)
		dir := t.TempDir()
		path := filepath.Join(dir, "ledger.db")
		l := openIn(t, dir)
		if _, err := l.Append(t.Context(), sample(77)); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(path, backup, now); !errors.Is(err, store.ErrLocked) {
			t.Fatalf("while it is open: %v, want ErrLocked", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		kept, err := Restore(path, backup, now)
		if err != nil || !strings.HasSuffix(kept, "ledger.db.before-restore-20260304T093000.000Z") {
			t.Fatalf("kept as %q, %v", kept, err)
		}
		l = openIn(t, dir)
		defer l.Close()
		if got, err := picture(t, l); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("the ledger is not the backup: %v", err)
		}
		old, err := Open(options(kept))
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		if st, err := old.Stats(t.Context()); err != nil || st.Events != 1 {
			t.Errorf("the kept one has %d events, %v; want 1", st.Events, err)
		}
	})

	t.Run("without a ledger there is nothing to keep", func(t *testing.T) {
		t.Parallel()
		backup, want := closedLedger(t)
		path := filepath.Join(t.TempDir(), "new", "ledger.db")
		kept, err := Restore(path, backup, now)
		if err != nil || kept != "" {
			t.Fatalf("kept as %q, %v", kept, err)
		}
		l, err := Open(options(path))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if got, err := picture(t, l); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("the ledger is not the backup: %v", err)
		}
	})
}
