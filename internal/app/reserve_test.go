package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// tight is a ledger on a disk that is full as long as the reserve is there.
type tight struct {
	store.Ledger
	reserve string
	limits  []int
}

func (l *tight) Expire(_ context.Context, _ time.Time, _ store.Retention, limit int) (store.Expired, error) {
	l.limits = append(l.limits, limit)
	if _, err := os.Stat(l.reserve); err == nil {
		return store.Expired{}, store.ErrFull
	}
	return store.Expired{Events: limit, Over: len(l.limits) > 3}, nil
}

func TestReserve(t *testing.T) {
	t.Parallel()

	t.Run("it is released for what deletes, a few events at a time, and made again after the round", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := &tight{reserve: filepath.Join(dir, reserveFile)}
		s := newSparing(l, dir, slog.New(slog.DiscardHandler))
		if s.restock(); free(dir) < reserveRoom {
			t.Skip("this disk has no room for a reserve")
		}
		if info, err := os.Stat(l.reserve); err != nil || info.Size() != reserveSize {
			t.Fatalf("the reserve is not made: %v", err)
		}
		for n := range 3 {
			done, err := s.Expire(t.Context(), time.Now(), store.Retention{}, 200)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(l.reserve); done.Over != (err == nil) {
				t.Errorf("call %d: the round is over: %t, and the reserve there: %t", n, done.Over, err == nil)
			}
		}
		if got := fmt.Sprint(l.limits); got != "[200 20 200 200]" {
			t.Errorf("it was asked to delete %s", got)
		}
	})

	t.Run("without one, a few events go where there is no room for many", func(t *testing.T) {
		t.Parallel()
		s := newSparing(cramped{}, t.TempDir(), slog.New(slog.DiscardHandler))
		if done, err := s.Expire(t.Context(), time.Now(), store.Retention{}, 200); err != nil || done.Events != fewAtOnce {
			t.Errorf("deleted %d events: %v; want %d", done.Events, err, fewAtOnce)
		}
	})

	t.Run("without one a full disk is told as before", func(t *testing.T) {
		t.Parallel()
		s := newSparing(crammed{}, t.TempDir(), slog.New(slog.DiscardHandler))
		if _, err := s.Erase(t.Context(), store.Erasure{}); !errors.Is(err, store.ErrFull) {
			t.Errorf("want ErrFull, got %v", err)
		}
	})

	t.Run("on a real disk that is full to the last byte, what is old goes, and webhooks are taken again", func(t *testing.T) {
		if os.Getenv("FAULTS") == "" {
			t.Skip("FAULTS is not set")
		}
		t.Parallel()
		dir := t.TempDir()
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", dir).CombinedOutput(); err != nil {
			t.Skipf("mount cannot do that here: %s", out)
		}
		t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
		ledger, err := bolt.Open(bolt.Options{Path: filepath.Join(dir, LedgerFile), Init: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer ledger.Close()
		s := newSparing(ledger, dir, slog.New(slog.DiscardHandler))
		s.restock()
		now, events := time.Now(), 0
		add := func(size int) error {
			events++
			body := make([]byte, size)
			_, _ = rand.Read(body)
			r, err := s.Append(t.Context(), store.Event{Source: "s", Vendor: "v", Type: event.CallEnded, Lane: "l", DeliveryID: fmt.Sprint("d", events), OccurredAt: now.Add(-2 * time.Hour), ReceivedAt: now.Add(-2 * time.Hour), Body: body})
			if err == nil {
				err = s.Plan(t.Context(), []store.Plan{{Seq: r.Seq}})
			}
			return err
		}
		old := store.Retention{Unmatched: time.Hour}
		fill := func(sizes ...int) {
			for _, size := range sizes {
				for err := error(nil); err == nil; {
					if err = add(size); err != nil && !errors.Is(err, store.ErrFull) {
						t.Fatal(err)
					}
				}
				time.Sleep(fullRest)
			}
		}
		fill(200_000, 20_000, 1000, 10, 10) // to the last byte
		// Now and then a few pages are left, and deleting begins.
		for tries := 1; ; tries++ {
			if _, err := ledger.Expire(t.Context(), now, old, expireAtOne); errors.Is(err, store.ErrFull) {
				break
			} else if err != nil {
				t.Fatal(err)
			} else if tries == 20 {
				t.Skip("each time pages were left for what deletes: nothing is shown of the reserve")
			}
			fill(200_000, 1000, 10)
		}
		time.Sleep(fullRest)
		done, err := s.Expire(t.Context(), now, old, expireAtOne)
		if err != nil || done.Events == 0 {
			t.Fatalf("deleted %d events: %v", done.Events, err)
		}
		for range 20 {
			if err := add(10_000); err != nil {
				t.Fatalf("after what is old was deleted: %v", err)
			}
		}
	})
}

// cramped has room for what deletes a few events.
type cramped struct{ store.Ledger }

func (cramped) Expire(_ context.Context, _ time.Time, _ store.Retention, limit int) (store.Expired, error) {
	if limit > fewAtOnce {
		return store.Expired{}, store.ErrFull
	}
	return store.Expired{Events: limit}, nil
}

// crammed finds no space for anything.
type crammed struct{ store.Ledger }

func (crammed) Erase(context.Context, store.Erasure) (store.Erased, error) {
	return store.Erased{}, store.ErrFull
}
