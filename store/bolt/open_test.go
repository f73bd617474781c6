package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/store"
)

func TestOpen(t *testing.T) {
	t.Parallel()

	t.Run("a missing file is refused unless it may be made", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "sub", "ledger.db")
		if _, err := Open(options(path)); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("want ErrNotFound, got %v", err)
		}
		o := options(path)
		o.Init = true
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("want mode 0600, got %v, %v", info.Mode(), err)
		}
	})

	t.Run("a second opener is told within the time", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openIn(t, dir)
		defer l.Close()
		if _, err := Open(options(filepath.Join(dir, "ledger.db"))); !errors.Is(err, store.ErrLocked) {
			t.Fatalf("want ErrLocked, got %v", err)
		}
	})

	t.Run("a start waits for who has the ledger for a moment, also if that one replaces the file", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openIn(t, dir)
		opened := make(chan error, 1)
		waits := make(chan struct{})
		go func() {
			o := options(filepath.Join(dir, "ledger.db"))
			o.Timeout = 30 * time.Second
			close(waits)
			next, err := Open(o)
			if err == nil {
				err = next.Close()
			}
			opened <- err
		}()
		<-waits
		if _, err := l.Compact(t.Context(), false, nil); err != nil { // another file is at the path now
			t.Fatal(err)
		}
		select {
		case err := <-opened:
			t.Fatalf("the ledger was open, and a second opener had it: %v", err)
		default:
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-opened; err != nil {
			t.Fatalf("want it once the first let go of it, got %v", err)
		}
	})

	t.Run("a newer schema is refused with both versions", func(t *testing.T) {
		t.Parallel()
		path, _ := closedLedger(t)
		rec := binary.AppendUvarint(newRecord(8), schema+6)
		alter(t, path, func(tx *bbolt.Tx) error { return (&txn{tx: tx}).put(metaBucket, schemaKey, rec) })
		before, _ := os.ReadFile(path)
		_, err := Open(options(path))
		if !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), "its schema is 10, this one knows up to 4") {
			t.Fatalf("want ErrSchema with both versions, got %v", err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Fatal("the file was changed")
		}
		if !strings.HasSuffix(err.Error(), "crmsyncd ledger restore FILE") {
			t.Errorf("it does not say how to go back: %v", err)
		}
		for _, kept := range []string{KeptAs(path, schema+1), KeptAs(path, 2), KeptAs(path, 3)} {
			if err := os.WriteFile(kept, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(options(path)); err == nil || !strings.HasSuffix(err.Error(), "crmsyncd ledger restore "+KeptAs(path, 3)) {
			t.Errorf("it does not name the newest file that this version can read: %v", err)
		}
	})

	t.Run("an older schema is refused, whatever it has", func(t *testing.T) {
		t.Parallel()
		path, _ := closedLedger(t)
		alter(t, path, func(tx *bbolt.Tx) error {
			err := (&txn{tx: tx}).put(metaBucket, schemaKey, binary.AppendUvarint(newRecord(8), schema-1))
			return errors.Join(err, tx.DeleteBucket([]byte(replanBucket.name)))
		})
		before, _ := os.ReadFile(path)
		_, err := Open(options(path))
		if !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), "its schema is 3,") || strings.Contains(err.Error(), "newer") {
			t.Fatalf("want ErrSchema with the version, got %v", err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Fatal("the file was changed")
		}
	})

	t.Run("after an unclean stop the file goes on, and its log says so", func(t *testing.T) {
		t.Parallel()
		path, _ := closedLedger(t)
		before, _ := os.Stat(path)
		l, err := Open(options(path))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Append(t.Context(), sample(50)); err != nil {
			t.Fatal(err)
		}
		abandon(t, l)
		var log bytes.Buffer
		o := options(path)
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		if l, err = Open(o); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if now, _ := os.Stat(path); !os.SameFile(before, now) {
			t.Error("the file was copied")
		}
		if !strings.Contains(log.String(), "not closed cleanly") {
			t.Errorf("the log says nothing of it: %s", log.String())
		}
		if damage, err := l.Verify(t.Context(), nil); err != nil || len(damage) > 0 {
			t.Errorf("verify: %v, %v", damage, err)
		}
	})

	t.Run("after a commit that failed the file is copied and says the same", func(t *testing.T) {
		t.Parallel()
		path, want := closedLedger(t)
		clean, _ := os.Stat(path)
		l, err := Open(options(path))
		if err != nil {
			t.Fatal(err)
		}
		same, _ := os.Stat(path)
		if !os.SameFile(clean, same) {
			t.Fatal("a file that was closed cleanly was copied")
		}
		if _, err := l.Append(t.Context(), sample(50)); err != nil {
			t.Fatal(err)
		}
		_ = l.commitFailed(syscall.EIO, 0)
		abandon(t, l)
		var log bytes.Buffer
		o := options(path)
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		if l, err = Open(o); err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if now, _ := os.Stat(path); os.SameFile(clean, now) || now.Mode().Perm() != 0o600 {
			t.Fatal("the file was not copied")
		}
		if !strings.Contains(log.String(), "the ledger failed before") {
			t.Fatalf("the log says nothing of it: %s", log.String())
		}
		if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
			t.Fatalf("files were left: %v", left)
		}
		if damage, err := l.Verify(t.Context(), nil); err != nil || len(damage) > 0 {
			t.Fatalf("verify: %v, %v", damage, err)
		}
		got, err := l.Event(t.Context(), 4)
		if err != nil || !reflect.DeepEqual(got, want[0].([]store.View)[12-4]) {
			t.Fatalf("event 4 is not what it was: %v, %v", got, err)
		}
		if _, err := Open(options(path)); !errors.Is(err, store.ErrLocked) {
			t.Fatalf("the copy is not locked: %v", err)
		}
	})

	t.Run("a lost newest header is said and the one before it serves", func(t *testing.T) {
		t.Parallel()
		path, _ := closedLedger(t)
		raw, _ := os.ReadFile(path)
		a, _ := parseHeader(raw[:4096])
		b, _ := parseHeader(raw[4096:8192])
		newest := 0
		if b.txid > a.txid {
			newest = 4096
		}
		clear(raw[newest : newest+4096])
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		o := options(path)
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if !strings.Contains(log.String(), "the last commit may be missing") {
			t.Fatalf("the log does not say so: %s", log.String())
		}
	})
}

// alter changes a closed file behind the ledger's back.
func alter(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}
