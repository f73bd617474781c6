package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

func options(path string) Options {
	return Options{Path: path, Timeout: 100 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}
}

func sample(n int) store.Event {
	at := time.Date(2026, 3, 1, 12, n, 0, 0, time.UTC)
	return store.Event{
		Source: "telli", Vendor: "telli", Type: "call.ended", Origin: "webhook", OccurredAt: at, ReceivedAt: at.Add(time.Second),
		Rank: 3, Lane: fmt.Sprintf("contact-%d", n%3), DeliveryID: fmt.Sprintf("msg_%d", n), ContentKey: fmt.Sprintf("call_%d", n),
		ContentType: "application/json", Body: fmt.Appendf(nil, `{"call":%d,"summary":%q}`, n, strings.Repeat("well ", n*10)),
	}
}

// fill puts something into every bucket of a ledger.
func fill(t testing.TB, l *Ledger) {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; n <= 12; n++ {
		e := sample(n)
		if n == 9 {
			e.Problem = "not JSON"
		}
		_, err := l.Append(ctx, e)
		check(err)
		if n < 8 {
			check(l.Plan(ctx, []store.Plan{{Seq: uint64(n), Connectors: []string{"hubspot", "airtable"}[:n%3]}}))
		}
	}
	d, err := l.Event(ctx, 1)
	check(err)
	u := store.Update{
		Delivery: d.Deliveries[0],
		Links:    map[store.LinkKey]string{aLink: "17"},
		Heads:    map[store.RecordKey]store.Head{aHead: {"status": {Seq: 1, Hash: 2}}},
	}
	u.Delivery.State = store.Dead
	check(l.Settle(ctx, []store.Update{u}))
}

var (
	aLink = store.LinkKey{Connector: "hubspot", Object: "contacts", Field: "email", Value: "a@example.com"}
	aHead = store.RecordKey{Connector: "hubspot", Object: "contacts", ID: "17"}
)

// picture is everything that a ledger answers.
func picture(t testing.TB, l *Ledger) (_ []any, err error) {
	t.Helper()
	ctx := t.Context()
	events, err1 := l.Events(ctx, store.EventFilter{})
	unplanned, err2 := l.Unplanned(ctx, 100, 1<<20)
	work, next, err3 := l.Due(ctx, "hubspot", time.Now(), nil, 100, 1<<20)
	stats, err4 := l.Stats(ctx)
	links, err5 := l.Links(ctx, []store.LinkKey{aLink})
	heads, err6 := l.Heads(ctx, []store.RecordKey{aHead})
	stats.Bytes = 0
	return []any{events, unplanned, work, next, stats, links, heads}, errors.Join(err1, err2, err3, err4, err5, err6)
}

// closedLedger writes a small ledger that was closed cleanly.
func closedLedger(t *testing.T) (path string, want []any) {
	t.Helper()
	dir := t.TempDir()
	l := openIn(t, dir)
	fill(t, l)
	want, err := picture(t, l)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "ledger.db"), want
}

func TestDamage(t *testing.T) {
	t.Parallel()

	for _, c := range []struct {
		name string
		keys []Key
	}{{"a flipped bit of any record is found, and nothing wrong is answered", nil}, {"encrypted as well", []Key{someKey(t)}}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			flipBits(t, c.keys)
		})
	}

	t.Run("a damaged event is passed over and the rest goes on", func(t *testing.T) {
		t.Parallel()
		path, _ := closedLedger(t)
		mangle(t, path, []byte(`{"call":4,`), []byte(`{"call":5,`))
		l, err := Open(options(path))
		if err != nil {
			t.Fatal(err)
		}
		defer abandon(t, l)
		if _, err := l.Event(t.Context(), 4); !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "evt_4") {
			t.Fatalf("want an error that names evt_4, got %v", err)
		}
		work, _, err := l.Due(t.Context(), "hubspot", time.Now(), nil, 100, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range work {
			if w.Event.Seq == 4 {
				t.Fatal("a damaged event is handed out")
			}
		}
		if len(work) != 3 { // 2, 5 and 7; 1 is dead
			t.Fatalf("want 3 deliveries that are due, got %d", len(work))
		}
		damage, err := l.Verify(t.Context(), nil)
		if err != nil || len(damage) != 1 || damage[0].Bucket != "events" || damage[0].Key != "evt_4" {
			t.Fatalf("verify: want evt_4, got %v, %v", damage, err)
		}
	})

	for _, c := range []struct {
		name string
		size int64
	}{{"an empty file", 0}, {"a file of one page", 4096}, {"a file cut in the middle of a page", 4096*5 + 100}, {"a few bytes", 10}} {
		t.Run(c.name+" is refused, with the mend, and left as it is", func(t *testing.T) {
			t.Parallel()
			path, _ := closedLedger(t)
			if err := os.Truncate(path, c.size); err != nil {
				t.Fatal(err)
			}
			o := options(path)
			o.Init = true
			_, err := Open(o)
			if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), "crmsyncd ledger restore FILE") {
				t.Fatalf("want ErrCorrupt with the mend, got %v", err)
			}
			if info, err := os.Stat(path); err != nil || info.Size() != c.size {
				t.Fatalf("the file was changed: %v, %v", info.Size(), err)
			}
		})
	}

	t.Run("garbage is refused", func(t *testing.T) {
		t.Parallel()
		path := filepath.Join(t.TempDir(), "ledger.db")
		if err := os.WriteFile(path, []byte(strings.Repeat("garbage ", 10000)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(options(path)); !errors.Is(err, store.ErrCorrupt) {
			t.Fatalf("want ErrCorrupt, got %v", err)
		}
	})

	t.Run("a file truncated while it is open is an error, not a crash", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		l := openIn(t, dir)
		fill(t, l)
		if err := os.Truncate(filepath.Join(dir, "ledger.db"), 8192); err != nil {
			t.Fatal(err)
		}
		if _, err := picture(t, l); !errors.Is(err, store.ErrBroken) {
			t.Fatalf("read: want ErrBroken, got %v", err)
		}
		if _, err := l.Append(t.Context(), sample(99)); !errors.Is(err, store.ErrBroken) {
			t.Fatalf("append: want ErrBroken, got %v", err)
		}
		_ = l.Close()
	})
}

func someKey(t *testing.T) Key {
	t.Helper()
	k, err := ParseKey("MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// flipBits damages a ledger bit by bit. Verify must find each that holds
// something, and where it finds nothing, the ledger answers as before.
func flipBits(t *testing.T, keys []Key) {
	path, want := everything(t, keys)
	whole := used(t, path)
	live := liveBytes(t, whole)
	// As many as fit into the time, in an order that is the same each time.
	patience := 1500 * time.Millisecond
	if os.Getenv("FAULTS") != "" {
		patience = time.Minute
	}
	refused, verified, free := 0, 0, 0
	until := time.Now().Add(patience)
	for n, at := range rand.New(rand.NewPCG(1, 2)).Perm(len(whole)) {
		if time.Now().After(until) && refused > 0 && verified > 0 {
			break
		}
		if live[at] == "" && n%8 > 0 {
			continue // most of the file is free
		}
		damagedFile := bytes.Clone(whole)
		damagedFile[at] ^= 1 << (n % 8)
		if err := os.WriteFile(path, damagedFile, 0o600); err != nil {
			t.Fatal(err)
		}
		damage, err := Inspect(t.Context(), path, nil, keys...)
		switch {
		case errors.Is(err, store.ErrCorrupt), errors.Is(err, store.ErrSchema), errors.Is(err, store.ErrKey):
			refused++
			continue
		case err != nil:
			t.Fatalf("byte %d of page %d: want ErrCorrupt, got %v", at%4096, at/4096, err)
		case len(damage) > 0:
			verified++
			continue
		case live[at] != "":
			t.Fatalf("byte %d of page %d is %s, and verify finds nothing", at%4096, at/4096, live[at])
		}
		free++
		o := options(path)
		o.Keys = keys
		l, err := Open(o)
		if err != nil {
			t.Fatalf("byte %d of page %d: verify finds nothing, and it cannot be opened: %v", at%4096, at/4096, err)
		}
		if got, err := picture(t, l); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("byte %d of page %d: verify finds nothing, and the ledger answers otherwise than before (%v)", at%4096, at/4096, err)
		}
		abandon(t, l)
	}
	t.Logf("refused %d, found by verify %d, in free space %d, of %d bytes", refused, verified, free, len(whole))
	if refused == 0 || verified == 0 {
		t.Fatal("the flips did not hit structure and records")
	}
}

// everything writes a ledger that has something in each of its buckets.
func everything(t *testing.T, keys []Key) (path string, want []any) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "ledger.db")
	l, err := Open(Options{Path: path, Init: true, Log: slog.New(slog.DiscardHandler), Keys: keys, tableLen: 8, runLen: 4})
	if err != nil {
		t.Fatal(err)
	}
	fill(t, l)
	ctx := t.Context()
	running := sample(40)
	running.Calls = []string{"call_40", "call_39"}
	_, err = l.Append(ctx, running)
	_, runErr := l.PutRun(ctx, store.Run{Source: "telli", Trigger: "hand"}, []store.Finding{{Kind: "missing", Contact: "c"}})
	view, viewErr := l.Event(ctx, 2)
	e := view.Event
	err = errors.Join(err, runErr, viewErr,
		l.PutSecret(ctx, "hubspot", []byte("token")), l.PutMark(ctx, "telli", []byte("page 7")),
		l.KeepAudit(ctx, store.Audit{Who: "anna", What: "replay", Note: "why"}),
		l.Replay(ctx, []store.Requeue{{Seq: 2, Type: e.Type, OccurredAt: e.OccurredAt, Rank: e.Rank, Lane: e.Lane}}))
	for n := 41; n < 80; n++ { // until ids move into the index
		_, appendErr := l.Append(ctx, numbered(n))
		err = errors.Join(err, appendErr)
	}
	if err != nil {
		t.Fatal(err)
	}
	if want, err = picture(t, l); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path, want
}

// liveBytes says of the bytes of a file that hold something what that is: keys
// and values of records, and what leads to them. Keys of branch pages are not
// among them: where they still separate the same records, they do what they should.
func liveBytes(t *testing.T, file []byte) []string {
	t.Helper()
	live := make([]string, len(file))
	records := map[string]int{}
	mark := func(from, n int, what string) {
		for i := range n {
			live[from+i] = what
		}
	}
	var page func(at int, bucket string)
	page = func(at int, bucket string) {
		flags, count := le16(file[at+8:]), int(le16(file[at+10:]))
		mark(at+8, 4, "the head of a page of "+bucket)
		for i := range count {
			e := at + pageHeaderLen + i*elementLen
			if flags == branchPage {
				mark(e, 4, "where a page of "+bucket+" lies") // behind it the length of the key
				mark(e+8, 8, "where a page of "+bucket+" lies")
				child := int(le64(file[e+8:])) * 4096
				mark(child, pageHeaderLen, "the head of a page of "+bucket)
				page(child, bucket)
				continue
			}
			mark(e, elementLen, "where an entry of "+bucket+" lies")
			key := e + int(le32(file[e+4:]))
			value, size := key+int(le32(file[e+8:])), int(le32(file[e+12:]))
			name := string(file[key:value])
			mark(key, value-key, "a key of "+bucket)
			if le32(file[e:]) != bucketElement {
				mark(value, size, "a record of "+bucket)
				records[bucket]++
				continue
			}
			mark(value, 8, "the root of "+name) // its sequence, behind it, is not used
			if root := int(le64(file[value:])) * 4096; root != 0 {
				mark(root, pageHeaderLen, "the head of a page of "+name)
				page(root, name)
			} else {
				page(value+bucketHeadLen, name)
			}
		}
	}
	mark(pageHeaderLen, metaLen, "a header")
	mark(4096+pageHeaderLen, metaLen, "a header")
	newest, _ := parseHeader(file[:4096])
	if other, ok := parseHeader(file[4096:8192]); ok && other.txid > newest.txid {
		newest = other
	}
	mark(int(newest.root)*4096, pageHeaderLen, "the head of the first page")
	page(int(newest.root)*4096, "the buckets")
	for _, b := range buckets {
		if records[b.name] == 0 {
			t.Errorf("nothing is in %s", b.name)
		}
	}
	return live
}

// used returns a closed ledger without the space that it has in reserve.
func used(t *testing.T, path string) []byte {
	t.Helper()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := parseHeader(whole[:4096])
	b, _ := parseHeader(whole[4096:8192])
	return whole[:int64(max(a.pages, b.pages))*a.pageSize]
}

// mangle replaces bytes of a file.
func mangle(t *testing.T, path string, old, by []byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	out := strings.ReplaceAll(string(b), string(old), string(by))
	if out == string(b) {
		t.Fatalf("%q is not in the file", old)
	}
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
}

// abandon ends a ledger as a crash would: without the mark of a clean close.
func abandon(t *testing.T, l *Ledger) {
	t.Helper()
	gone := errors.New("abandoned by the test")
	l.broken.CompareAndSwap(nil, &gone)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}
