package admin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/store"
	"github.com/crmsyncd/crmsyncd/store/bolt"
)

// keeperDesk is a Desk on a ledger whose events hold the common model.
func keeperDesk(t *testing.T) *admin.Desk {
	t.Helper()
	l, err := bolt.Open(bolt.Options{Path: filepath.Join(t.TempDir(), "ledger.db"), Init: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return &admin.Desk{
		Ledger: l, File: l,
		Parse: func(e store.Event) (*event.Event, error) {
			ev := &event.Event{}
			if err := json.Unmarshal(e.Body, ev); err != nil {
				return nil, errors.New("not to be read")
			}
			ev.ID, ev.Source = e.ID(), e.Source
			return ev, nil
		},
		Reparse: func(e store.Event) store.Requeue {
			return store.Requeue{Seq: e.Seq, Type: e.Type, OccurredAt: e.OccurredAt, Rank: e.Rank, Lane: e.Lane, Problem: e.Problem}
		},
		Plan: func(_ context.Context, ev *event.Event, _ store.View) ([]admin.PreviewRecord, error) {
			if ev.Contact == nil {
				return nil, nil
			}
			return []admin.PreviewRecord{{Connector: "hubspot", Rule: "r", Object: "contacts", Fields: []admin.PreviewField{{Name: "email", Value: ev.Contact.Email, Effect: "new"}}}}, nil
		},
		Phone: func(s string) string {
			if s = strings.ReplaceAll(s, " ", ""); !strings.HasPrefix(s, "+") {
				return ""
			}
			return s
		},
		Copies: func() []string { return []string{"ledger.db.v2"} },
	}
}

func keep(t *testing.T, d *admin.Desk, e store.Event, connectors ...string) {
	t.Helper()
	if e.Source == "" {
		e.Source = "telli"
	}
	if e.Lane == "" {
		e.Lane = "lane"
	}
	if e.ReceivedAt.IsZero() {
		e.ReceivedAt = time.Now()
	}
	e.Type, e.Vendor = event.CallEnded, "telli"
	r, err := d.Ledger.Append(t.Context(), e)
	if err == nil && e.Problem == "" {
		err = d.Ledger.Plan(t.Context(), []store.Plan{{Seq: r.Seq, Connectors: connectors}})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// through returns a Desk and the same Desk seen through its socket.
func through(t *testing.T, d *admin.Desk) map[string]admin.Keeper {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: admin.Handler(d, nil), ConnContext: admin.ConnContext, ReadTimeout: time.Minute}}
	srv.Start()
	t.Cleanup(srv.Close)
	return map[string]admin.Keeper{"desk": d, "socket": admin.NewClient("unix:" + path)}
}

func TestKeeper(t *testing.T) {
	t.Parallel()

	t.Run("verify, backup and compact do the same through the socket", func(t *testing.T) {
		t.Parallel()
		d := keeperDesk(t)
		keep(t, d, store.Event{Body: []byte(`{}`)}, "hubspot")
		for name, k := range through(t, d) {
			if damage, err := k.Verify(t.Context(), nil); err != nil || len(damage) > 0 {
				t.Errorf("%s: verify: %v, %v", name, damage, err)
			}
			var b bytes.Buffer
			n, err := k.Backup(t.Context(), &b)
			if err != nil || n != int64(b.Len()) || n < 8<<10 {
				t.Errorf("%s: backup: %d of %d bytes, %v", name, n, b.Len(), err)
			}
			if c, err := k.Compact(t.Context(), name == "desk", nil); err != nil || c.After == 0 {
				t.Errorf("%s: compact: %+v, %v", name, c, err)
			}
		}
	})

	t.Run("a backup that ends early is an error", func(t *testing.T) {
		t.Parallel()
		d := keeperDesk(t)
		d.File = cut{}
		for name, k := range through(t, d) {
			if _, err := k.Backup(t.Context(), io.Discard); err == nil {
				t.Errorf("%s: half a backup was taken for a whole one", name)
			}
		}
	})

	t.Run("what goes nowhere is set aside, and who did it is known", func(t *testing.T) {
		t.Parallel()
		me, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		d := keeperDesk(t)
		for n, k := range map[uint64]admin.Keeper{1: through(t, d)["socket"], 2: d} {
			keep(t, d, store.Event{Body: fmt.Appendf(nil, "odd %d", n), Problem: "odd"})
			ctx := admin.WithActor(t.Context(), me.Username)
			if _, err := k.DiscardEvents(ctx, []uint64{1}, "a test"); err != nil {
				t.Fatal(err)
			}
		}
		list, err := through(t, d)["socket"].Audits(t.Context(), store.AuditFilter{Limit: 1})
		if err != nil || len(list) != 1 || list[0].Who != me.Username || list[0].What != "events discard" || list[0].Reason != "a test" || list[0].On[0] != "evt_1" {
			t.Errorf("audit trail: %+v, %v", list, err)
		}
		e, err := d.Event(t.Context(), 1)
		if err != nil || e.State != store.Discarded || e.Discarded != "a test" {
			t.Errorf("the event is %+v, %v", e, err)
		}
	})

	t.Run("a preview says what would be written, or why nothing", func(t *testing.T) {
		t.Parallel()
		d := keeperDesk(t)
		keep(t, d, store.Event{Body: []byte(`{"contact":{"email":"anna@example.com"}}`)})
		keep(t, d, store.Event{Body: []byte(`{"call":{}}`)})
		keep(t, d, store.Event{Body: []byte(`odd`), Problem: "odd"})
		for name, k := range through(t, d) {
			list, err := k.Preview(t.Context(), []uint64{1, 2, 3})
			if err != nil || len(list) != 3 {
				t.Fatalf("%s: %v, %v", name, list, err)
			}
			if got := list[0]; got.Problem != "" || len(got.Records) != 1 || got.Records[0].Fields[0].Value != "anna@example.com" {
				t.Errorf("%s: %+v", name, got)
			}
			if list[1].Problem != "no rule wants it" || !strings.Contains(list[2].Problem, "odd") {
				t.Errorf("%s: %+v", name, list[1:])
			}
			if _, err := k.Preview(t.Context(), []uint64{99}); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: an unknown event: %v, want ErrNotFound", name, err)
			}
		}
	})
}

// cut is a file of which only the beginning can be read.
type cut struct{ store.File }

func (cut) Snapshot(_ context.Context, w io.Writer, size func(int64)) (int64, error) {
	if size != nil {
		size(100)
	}
	n, _ := w.Write([]byte("half"))
	return int64(n), errors.New("the disk is gone")
}

func TestErase(t *testing.T) {
	t.Parallel()
	const own, other = `{"contact":{"id":"c-17-long","email":"Anna@Example.com","phone":"+4915123456789"}}`, `{"contact":{"id":"c-18-long","email":"max@example.com"}}`
	desk := func(t *testing.T) *admin.Desk {
		d := keeperDesk(t)
		keep(t, d, store.Event{Body: []byte(own), Lane: "telli:contact:c-17-long"}, "hubspot")
		keep(t, d, store.Event{Body: []byte(other)}, "hubspot")
		keep(t, d, store.Event{Body: []byte(`call me: 0151 / 23456789`), Problem: "odd"})
		keep(t, d, store.Event{Body: []byte(`mail=anna%40example.com`), Problem: "odd"})
		keep(t, d, store.Event{Body: []byte(`{"contact":{"id":"c-17-long"}}`), Lane: "telli:contact:c-17-long"})
		keep(t, d, store.Event{Body: []byte(`{"note":"2026-03-02 51234 56789"}`)})
		return d
	}
	for _, c := range []struct {
		person admin.Person
		want   string
	}{
		{admin.Person{Email: "anna@example.com"}, "5 same contact, 4 mentioned, 1 contact"},
		{admin.Person{Phone: "+49 151 23456789"}, "5 same contact, 3 mentioned, 1 contact"},
		{admin.Person{ID: "c-17-long"}, "5 contact, 1 contact"},
		{admin.Person{ID: "17"}, ""},
	} {
		t.Run(fmt.Sprintf("%+v", c.person), func(t *testing.T) {
			t.Parallel()
			d := desk(t)
			k := through(t, d)["socket"]
			names := func(got admin.Erased) string {
				var out []string
				for _, e := range got.Events {
					out = append(out, strings.TrimPrefix(e.ID, "evt_")+" "+e.Why)
				}
				return strings.Join(out, ", ")
			}
			for _, dry := range []bool{true, false, true} {
				got, err := k.Erase(t.Context(), c.person, dry, nil)
				if err != nil {
					t.Fatal(err)
				}
				if names(got) != c.want {
					t.Errorf("got %q, want %q", names(got), c.want)
				}
				if !dry {
					if (got.Compacted != nil) != (c.want != "") || len(got.Copies) != 1 {
						t.Errorf("got %+v", got)
					}
					c.want = ""
				}
			}
			if damage, err := k.Verify(t.Context(), nil); err != nil || len(damage) > 0 {
				t.Errorf("verify: %v, %v", damage, err)
			}
		})
	}
	for _, p := range []admin.Person{{}, {Email: "x"}, {Phone: "hello"}, {Email: "a@example.com", ID: "1"}} {
		if _, err := desk(t).Erase(t.Context(), p, true, nil); err == nil {
			t.Errorf("%+v was taken for a person", p)
		}
	}
}

// TestEraseFindsEverySpelling: whatever a payload makes of an address or a number,
// it is what it says.
func TestEraseFindsEverySpelling(t *testing.T) {
	t.Parallel()
	bodies := []string{
		`{"note":"write to anna\u002bcalls\u0040example.com"}`, // as .NET writes a plus
		`{"note":"ANNA\u002BCALLS@EXAMPLE.COM"}`,
		`note=anna%2Bcalls@example%2Ecom`,
		`note=mail+anna%2bcalls%40example.com%`, // no form that can be read
		`{"note":"0151\u00a023456\u2011789"}`,
		"{\"note\":\"+49\u00a0151\u00a023456\u2013789\"}",
		`note=%2B49%20151%2023456789`,
		`note=0151+23456+789`,
		`{"note":"0151\/23456789"}`,
	}
	for person, want := range map[admin.Person]int{{Email: "anna+calls@example.com"}: 4, {Phone: "+49 151 23456789"}: 5} {
		d := keeperDesk(t)
		for _, body := range bodies {
			keep(t, d, store.Event{Body: []byte(body)})
		}
		got, err := d.Erase(t.Context(), person, true, nil)
		if err != nil || len(got.Events) != want {
			t.Errorf("%+v is in %d events, want %d: %+v, %v", person, len(got.Events), want, got.Events, err)
		}
	}
}

// TestEraseFindsWhatPeopleWrote: an event of somebody else stays, but for a
// reason that mentions the person.
func TestEraseFindsWhatPeopleWrote(t *testing.T) {
	t.Parallel()
	d := keeperDesk(t)
	keep(t, d, store.Event{Body: []byte(`odd`), Problem: "odd"})
	keep(t, d, store.Event{Body: []byte(`{"contact":{"id":"max-1","email":"max@example.com"}}`)}, "hubspot")
	keep(t, d, store.Event{Body: []byte(`{"contact":{"id":"anna-1"}}`), Lane: "telli:contact:anna-1"}, "hubspot")
	keep(t, d, store.Event{Body: []byte(`{"contact":{"id":"anna-1","email":"anna@example.com"}}`), Lane: "telli:contact:anna-1"}, "hubspot")
	if _, err := d.DiscardEvents(t.Context(), []uint64{1}, "anna@example.com asked for it"); err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{2, 3} {
		if _, err := d.Discard(t.Context(), []store.DeliveryID{{Seq: seq, Connector: "hubspot"}}, "dup, see Anna@example.com"); err != nil {
			t.Fatal(err)
		}
	}
	for _, dry := range []bool{true, false} {
		got, err := d.Erase(t.Context(), admin.Person{Email: "anna@example.com"}, dry, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Events) != 2 || got.Counts.Reasons != 2 || strings.Join(got.Reasons, " ") != "evt_2.hubspot evt_1" {
			t.Errorf("dry run %v: %+v; want events 3 and 4 deleted, and the reasons of 2 and 1", dry, got)
		}
	}
	if e, err := d.Event(t.Context(), 1); err != nil || e.Discarded != "(erased)" || e.State != store.Discarded {
		t.Errorf("the event that was set aside: %q, %s, %v", e.Discarded, e.State, err)
	}
	if e, err := d.Event(t.Context(), 2); err != nil || e.Deliveries[0].Reason != "(erased)" || e.Deliveries[0].State != store.Discarded {
		t.Errorf("the event of somebody else: %+v, %v", e.Deliveries, err)
	}
	if damage, err := d.Verify(t.Context(), nil); err != nil || len(damage) > 0 {
		t.Errorf("verify: %v, %v", damage, err)
	}
}

// TestEraseFindsWhatTheCRMHas of the person, which a delivery in shadow mode keeps.
func TestEraseFindsWhatTheCRMHas(t *testing.T) {
	t.Parallel()
	d := keeperDesk(t)
	keep(t, d, store.Event{Body: []byte(`{}`)}, "hubspot")
	v, err := d.Ledger.Event(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	u := store.Update{Delivery: v.Deliveries[0]}
	u.Delivery.State, u.Delivery.Records = store.Done, []store.Record{{Rule: "r", Object: "contacts", Action: store.WouldUpdate, Changes: []store.Change{{Field: "email", Before: "Anna@Example.com", After: "other@example.com"}}}}
	if err := d.Ledger.Settle(t.Context(), []store.Update{u}); err != nil {
		t.Fatal(err)
	}
	got, err := d.Erase(t.Context(), admin.Person{Email: "anna@example.com"}, true, nil)
	if err != nil || len(got.Events) != 1 {
		t.Errorf("found %+v, %v; want the event", got.Events, err)
	}
}

// TestEraseFindsWhatWroteARecord of the CRM: its id stands in no payload.
func TestEraseFindsWhatWroteARecord(t *testing.T) {
	t.Parallel()
	d := keeperDesk(t)
	for n, id := range []string{"701234567", "70123456", "17", "003d000001ABCdeAAH", "003d000001ABCdEAAX"} {
		keep(t, d, store.Event{Body: fmt.Appendf(nil, `{"n":%d}`, n)}, "hubspot")
		v, err := d.Ledger.Event(t.Context(), uint64(n+1))
		if err != nil {
			t.Fatal(err)
		}
		u := store.Update{Delivery: v.Deliveries[0]}
		u.Delivery.State, u.Delivery.Records = store.Done, []store.Record{{Rule: "r", Object: "contacts", ID: id, Action: "created"}}
		if err := d.Ledger.Settle(t.Context(), []store.Update{u}); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]int{
		"70123456": 1, "7012345": 0, "17": 0,
		"003d000001ABCde": 1, "003d000001ABCdeAAH": 1, "003d000001ABCDE": 0, "003d000001ABCd": 0, // as pages of Salesforce show it, and its API
	} {
		got, err := d.Erase(t.Context(), admin.Person{ID: id}, true, nil)
		if err != nil || len(got.Events) != want {
			t.Errorf("%s: found %+v, %v; want %d", id, got.Events, err, want)
		}
		for _, e := range got.Events {
			if e.Why != "record" {
				t.Errorf("%s: found as %q, want record", id, e.Why)
			}
		}
		if short := len(id) < 6; strings.Contains(got.Note, "from 6 characters on") != short {
			t.Errorf("%s: the note is %q", id, got.Note)
		}
	}
}

// TestEraseFindsContactsOfLongIDs: the lane of one is a hash in part.
func TestEraseFindsContactsOfLongIDs(t *testing.T) {
	t.Parallel()
	d := keeperDesk(t)
	id := strings.Repeat("c", 300)
	lane := "telli:contact:" + id[:26] + "~0123456789abcdef0123456789abcdef"
	keep(t, d, store.Event{Body: []byte(`{"contact":{"id":"` + id + `","email":"anna@example.com"}}`), Lane: lane})
	keep(t, d, store.Event{Body: []byte(`{"contact":{"id":"` + id + `"}}`), Lane: lane})
	keep(t, d, store.Event{Body: []byte(`{"contact":{"id":"another"}}`), Lane: "telli:contact:another"})
	got, err := d.Erase(t.Context(), admin.Person{Email: "anna@example.com"}, true, nil)
	if err != nil || len(got.Events) != 2 {
		t.Errorf("found %+v, %v; want the contact's two events", got.Events, err)
	}
}
