package bolt

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

func TestCompact(t *testing.T) {
	t.Parallel()

	t.Run("the ledger says the same before, after and once reopened", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openIn(t, dir)
		fill(t, l)
		want, err := picture(t, l)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := l.Compact(t.Context(), false, nil); err != nil {
				t.Fatal(err)
			}
			if got, err := picture(t, l); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("the ledger says something else: %v", err)
			}
			sound(t, l)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "ledger.db.*")); len(left) > 0 {
			t.Errorf("files were left: %v", left)
		}
		if _, err := Open(options(filepath.Join(dir, "ledger.db"))); !errors.Is(err, store.ErrLocked) {
			t.Errorf("the new file is not locked: %v", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		l = openIn(t, dir)
		defer l.Close()
		if got, err := picture(t, l); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("reopened, the ledger says something else: %v", err)
		}
	})

	t.Run("writes and reads go on meanwhile, and none is lost", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openSmall(t, dir, 50, 20)
		var kept atomic.Int64
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := 0; ctx.Err() == nil; i++ {
					e := numbered(w*100_000 + i)
					r, err := l.Append(t.Context(), e)
					if err != nil {
						t.Error(err)
						return
					}
					kept.Add(1)
					if err := l.Plan(t.Context(), []store.Plan{{Seq: r.Seq, Connectors: []string{"hubspot"}}}); err != nil {
						t.Error(err)
					}
					if i%3 == 0 {
						if _, err := l.Erase(t.Context(), store.Erasure{Events: []uint64{r.Seq}}); err != nil {
							t.Error(err)
						}
						kept.Add(-1)
					} else if _, err := l.Event(t.Context(), r.Seq); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for range 6 {
			if _, err := l.Compact(t.Context(), false, nil); err != nil {
				t.Error(err)
			}
		}
		stop()
		wg.Wait()
		for range 2 {
			sound(t, l)
			st, err := l.Stats(t.Context())
			if err != nil || int64(st.Events) != kept.Load() {
				t.Fatalf("got %d events, %v; want %d", st.Events, err, kept.Load())
			}
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = openIn(t, dir)
		}
		defer l.Close()
	})

	t.Run("free pages go, and the old bytes with them", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		path := filepath.Join(dir, "ledger.db")
		l := openIn(t, dir)
		defer l.Close()
		secret := []byte("the words of Anna Beispiel")
		body := bytes.Repeat(append(secret, ' '), 2000)
		for n := range 400 {
			e := numbered(n)
			e.Body = body
			if _, err := l.Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			if n > 0 {
				if _, err := l.Erase(t.Context(), store.Erasure{Events: []uint64{uint64(n)}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := l.Erase(t.Context(), store.Erasure{Events: []uint64{400}}); err != nil {
			t.Fatal(err)
		}
		if raw, _ := os.ReadFile(path); !bytes.Contains(raw, secret) {
			t.Fatal("deleting alone took the words out of the file: this test shows nothing")
		}
		old, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		c, err := l.Compact(t.Context(), true, nil)
		if err != nil || c.After > c.Before {
			t.Fatalf("got %+v, %v", c, err)
		}
		for name, f := range map[string]func() ([]byte, error){
			"new": func() ([]byte, error) { return os.ReadFile(path) },
			"old": func() ([]byte, error) { return os.ReadFile(fmt.Sprintf("/proc/self/fd/%d", old.Fd())) },
		} {
			if raw, err := f(); err != nil || bytes.Contains(raw, secret) {
				t.Errorf("the %s file still has the words, %v", name, err)
			}
		}
		sound(t, l)
	})

	t.Run("one that is given up leaves the ledger as it was", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openIn(t, dir)
		defer l.Close()
		fill(t, l)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := l.Compact(ctx, false, func(int, int) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("want the context's error, got %v", err)
		}
		if l.dirty != nil {
			t.Error("changes are still noted")
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "ledger.db.*")); len(left) > 0 {
			t.Errorf("files were left: %v", left)
		}
		if _, err := l.Append(t.Context(), sample(99)); err != nil {
			t.Error(err)
		}
		sound(t, l)
	})

	t.Run("a second one at the same time is refused", func(t *testing.T) {
		t.Parallel()
		l := openIn(t, t.TempDir())
		defer l.Close()
		fill(t, l)
		var second error
		_, err := l.Compact(t.Context(), false, func(int, int) {
			if second == nil {
				_, second = l.Compact(t.Context(), false, nil)
			}
		})
		if err != nil || !errors.Is(second, errCompacting) {
			t.Errorf("got %v and %v", err, second)
		}
	})

	t.Run("closing does not wait for one to end", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openIn(t, dir)
		fill(t, l)
		begun := make(chan struct{})
		var once sync.Once
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := l.Compact(t.Context(), false, func(int, int) {
				once.Do(func() { close(begun) })
				<-l.closing
			})
			if !errors.Is(err, store.ErrClosed) {
				t.Errorf("want ErrClosed, got %v", err)
			}
		})
		<-begun
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		wg.Wait()
		again := openIn(t, dir)
		defer again.Close()
		sound(t, again)
	})

	t.Run("a copy that was cut short is removed at the start", func(t *testing.T) {
		t.Parallel()
		path, _ := closedLedger(t)
		if err := os.WriteFile(path+".compact", []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := Open(options(path))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if _, err := os.Stat(path + ".compact"); err == nil {
			t.Error("it is still there")
		}
	})
}

// TestWeek/with retention the file stays under three times what it has to hold.
func TestWeek(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := openIn(t, dir)
	defer l.Close()
	const perDay, body = 800, 24 << 10
	start := time.Now().Add(-8 * 24 * time.Hour)
	r := store.Retention{Done: 48 * time.Hour, Identity: 400 * 24 * time.Hour}
	largest, n := int64(0), 0
	const step = 6 * time.Hour
	for i := range 7 * 4 {
		now := start.Add(time.Duration(i) * step)
		appendSome(t, l, now, &n, perDay/4, body)
		for {
			done, err := l.Expire(t.Context(), now, r, 200)
			if err != nil {
				t.Fatal(err)
			}
			if done.Over {
				break
			}
		}
		if info, err := os.Stat(filepath.Join(dir, "ledger.db")); err == nil {
			largest = max(largest, info.Size())
		}
	}
	st, err := l.Stats(t.Context())
	if err != nil || st.Events > 3*perDay {
		t.Fatalf("%d events are left of %d, %v", st.Events, n, err)
	}
	sound(t, l)
	c, err := l.Compact(t.Context(), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	live := int64(st.Events) * body
	t.Logf("%d events came, %d are left (%d MB); the file had at most %d MB, compacted %d MB, pause %s", n, st.Events, live>>20, largest>>20, c.After>>20, c.Pause)
	if largest > 3*live {
		t.Errorf("the file grew to %d bytes for %d", largest, live)
	}
}

// appendSome keeps events, all of them done.
func appendSome(t *testing.T, l *Ledger, now time.Time, n *int, events, body int) {
	var wg sync.WaitGroup
	for range events {
		*n++
		e := numbered(*n)
		e.ReceivedAt, e.OccurredAt, e.Body = now, now.Add(-time.Minute), noise(body)
		wg.Go(func() {
			r, err := l.Append(t.Context(), e)
			if err == nil {
				err = l.Plan(t.Context(), []store.Plan{{Seq: r.Seq, Connectors: []string{"hubspot"}}})
			}
			if err == nil {
				d := store.Delivery{ID: store.DeliveryID{Seq: r.Seq, Connector: "hubspot"}, State: store.Done, UpdatedAt: now}
				err = l.Settle(t.Context(), []store.Update{{Delivery: d}})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// noise is a body that cannot be compressed.
func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// numbered is a small event; those of sample grow with n.
func numbered(n int) store.Event {
	e := sample(n % 10)
	e.DeliveryID, e.ContentKey, e.Lane = fmt.Sprint("m", n), fmt.Sprint("c", n), fmt.Sprint("lane ", n%50)
	return e
}

func TestACompactionSaysHowMuchSpaceItNeeds(t *testing.T) {
	t.Parallel()
	const ledger = 100 << 20
	if err := enough(ledger, ledger+64<<20); err != nil {
		t.Errorf("with enough: %v", err)
	}
	err := enough(ledger, ledger+64<<20-1)
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("with a byte too few: %v, want %v", err, store.ErrFull)
	}
	for _, part := range []string{"171966464 bytes", "64 MiB", "171966463 are free"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}
