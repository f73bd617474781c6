package bolt

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"github.com/crmsyncd/crmsyncd/store"
)

// schema2 is a ledger that a crmsyncd of layout 2 wrote: six events, one of
// them done, one that waits, one that no rule wanted, two not planned, one in
// quarantine.
func schema2(t *testing.T) (path string, file []byte) { return older(t, "schema2") }

// older is a ledger of testdata. That of layout 3 has something in each of its
// buckets: 32 events, one of them dead, one to be planned again.
func older(t *testing.T, name string) (path string, file []byte) {
	t.Helper()
	packed, err := os.Open("testdata/" + name + ".db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	z, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	if file, err = io.ReadAll(z); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "ledger.db")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, file
}

func TestUpgrade(t *testing.T) {
	t.Parallel()

	t.Run("an older file is refused unless it may be migrated, and says how", func(t *testing.T) {
		t.Parallel()
		path, file := schema2(t)
		_, err := Open(options(path))
		if !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), "its schema is 2, this one knows 4; crmsyncd ledger migrate") {
			t.Fatalf("want ErrSchema with the way out, got %v", err)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(now, file) {
			t.Fatal("the file was changed")
		}
	})

	t.Run("migrating keeps everything, and the old file beside", func(t *testing.T) {
		t.Parallel()
		path, file := schema2(t)
		o := options(path)
		o.Migrate = true
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		views, err := l.Events(t.Context(), store.EventFilter{})
		if err != nil || len(views) != 6 {
			t.Fatalf("got %d events, %v; want 6", len(views), err)
		}
		for i, want := range []store.State{store.Quarantined, store.Waiting, store.Waiting, store.Unmatched, store.Waiting, store.Done} {
			if views[i].State != want || !bytes.Equal(views[i].Event.Body, sample(5-i).Body) {
				t.Errorf("%s is %s with %d bytes, want %s", views[i].Event.ID(), views[i].State, len(views[i].Event.Body), want)
			}
		}
		if links, err := l.Links(t.Context(), []store.LinkKey{{Connector: "hubspot", Object: "contacts", Field: "email", Value: "anna@example.com"}}); err != nil || links[0] != "17" {
			t.Errorf("links: got %v, %v", links, err)
		}
		for n := range 6 {
			if r, err := l.Append(t.Context(), sample(n)); n != 5 && (err != nil || !r.Duplicate) {
				t.Errorf("event %d is not known any more: %+v, %v", n, r, err)
			}
		}
		e := sample(9)
		e.Calls = []string{"a"}
		if _, err := l.Append(t.Context(), e); err != nil {
			t.Error(err)
		}
		if err := l.KeepAudit(t.Context(), store.Audit{What: "test"}); err != nil {
			t.Error(err)
		}
		sound(t, l)
		kept := KeptAs(path, 2)
		if damage, err := Inspect(t.Context(), kept, nil); err != nil || len(damage) > 0 {
			t.Errorf("the file that was kept: %v, %v", damage, err)
		}
		if now, _ := os.ReadFile(kept); !bytes.Equal(now[8192:], file[8192:len(now)]) {
			t.Error("the file that was kept is another")
		}
		if _, err := Open(options(kept)); !errors.Is(err, store.ErrSchema) {
			t.Errorf("the file that was kept was migrated: %v", err)
		}
	})

	t.Run("a ledger of layout 3 answers as before", func(t *testing.T) {
		t.Parallel()
		path, file := older(t, "schema3")
		o := options(path)
		o.Migrate, o.tableLen, o.runLen = true, 8, 4
		l, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		sound(t, l)
		st, err := l.Stats(t.Context())
		if err != nil || st.Events != 32 || st.Quarantined != 1 || st.Connectors["hubspot"].Dead != 1 {
			t.Errorf("got %+v, %v", st, err)
		}
		for n := 1; n <= 12; n++ {
			v, err := l.Event(t.Context(), uint64(n))
			if err != nil || !bytes.Equal(v.Event.Body, sample(n).Body) || v.Event.DeliveryID != sample(n).DeliveryID {
				t.Errorf("event %d: %v", n, err)
			}
			if r, err := l.Append(t.Context(), sample(n)); err != nil || !r.Duplicate {
				t.Errorf("event %d is not known any more: %+v, %v", n, r, err)
			}
		}
		audits, auditErr := l.Audits(t.Context(), store.AuditFilter{})
		secret, secretErr := l.Secret(t.Context(), "hubspot")
		mark, markErr := l.Mark(t.Context(), "telli")
		running, runningErr := l.Running(t.Context(), "telli", time.Now(), 10)
		story, storyErr := l.Story(t.Context(), "telli", []string{"call_39"}, 10)
		links, linksErr := l.Links(t.Context(), []store.LinkKey{aLink})
		heads, headsErr := l.Heads(t.Context(), []store.RecordKey{aHead})
		if err := errors.Join(auditErr, secretErr, markErr, runningErr, storyErr, linksErr, headsErr); err != nil {
			t.Fatal(err)
		}
		if len(audits) != 1 || string(secret) != "token" || string(mark) != "page 7" || len(running) != 1 || len(story) != 1 || links[0] != "17" || heads[0]["status"].Seq != 1 {
			t.Errorf("got %v %s %s %v %d %v %v", audits, secret, mark, running, len(story), links, heads)
		}
		if now, err := os.ReadFile(KeptAs(path, 3)); err != nil || !bytes.Equal(now[8192:], file[8192:len(now)]) {
			t.Errorf("the file that was kept is another (%v)", err)
		}
	})

	t.Run("buckets that were added since are made", func(t *testing.T) {
		t.Parallel()
		path, want := closedLedger(t)
		last := buckets[len(buckets)-1].name
		alter(t, path, func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(last)) })
		l, err := Open(options(path))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		sound(t, l)
		if got, err := picture(t, l); err != nil || len(got) != len(want) {
			t.Fatal(err)
		}
		if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
			t.Errorf("files were left: %v", left)
		}
	})

	t.Run("a bucket that was renamed by damage is not made again", func(t *testing.T) {
		t.Parallel()
		path, _ := closedLedger(t)
		alter(t, path, func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte("auxit"))
			return errors.Join(err, tx.DeleteBucket([]byte(auditBucket.name)))
		})
		if _, err := Open(options(path)); !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("want ErrCorrupt, got %v", err)
		}
	})

	t.Run("what only unreleased versions wrote is refused", func(t *testing.T) {
		t.Parallel()
		path, _ := closedLedger(t)
		alter(t, path, func(tx *bbolt.Tx) error {
			return (&txn{tx: tx}).put(metaBucket, schemaKey, binary.AppendUvarint(newRecord(8), 1))
		})
		o := options(path)
		o.Migrate = true
		if _, err := Open(o); !errors.Is(err, store.ErrSchema) || !strings.Contains(err.Error(), "its schema is 1,") {
			t.Fatalf("want ErrSchema with the version, got %v", err)
		}
	})
}
