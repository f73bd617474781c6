package reconcile

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestALedgerOfMoreRecordsThanFitIsComparedInParts(t *testing.T) {
	t.Parallel()
	for _, few := range []int{1, 3, 7, 20} {
		d := newDesk(t, rules)
		d.few = few
		d.happen(upTo(23), 0, "pending", true)
		d.happen([]int{3, 17, 22}, 1, "reached", true)
		d.crm.records["people-c004"]["status"] = "vip"
		d.crm.records["people-c021"]["status"] = "vip"
		delete(d.crm.records, "people-c011")
		d.want(d.compare(true), "compared 23 agreed 20 mended 0 edited 2 missing 1 merged 0 waiting 0 failed 0", "edited people-c004 status, edited people-c021 status, missing people-c011")
		var ids []string
		for _, asked := range d.crm.asked {
			ids = append(ids, asked...)
		}
		if !slices.IsSorted(ids) || len(ids) != 23 {
			t.Errorf("%d at once: asked for %v", few, ids)
		}
		d.crm.asked = nil
		if err := d.Ledger.PutMark(t.Context(), Target{Connector: "crm"}.mark("next"), []byte("people/people-c012")); err != nil {
			t.Fatal(err)
		}
		d.compare(false)
		if first := d.crm.asked[0][0]; first != "people-c013" {
			t.Errorf("%d at once: it goes on with %s", few, first)
		}
		if ids = slices.Sorted(slices.Values(slices.Concat(d.crm.asked...))); len(ids) != 23 || len(slices.Compact(ids)) != 23 {
			t.Errorf("%d at once: then asked for %v", few, ids)
		}
	}
}

// reads counts the events that are read.
type reads struct {
	store.Ledger
	seqs []uint64
}

func (r *reads) Event(ctx context.Context, seq uint64) (store.View, error) {
	r.seqs = append(r.seqs, seq)
	return r.Ledger.Event(ctx, seq)
}

func TestARunThatIsNotFullDoesNotReadTheEventsOfThoseThatAreDone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.setup.Basis, d.setup.FullEvery = 1, 0
	counted := &reads{Ledger: d.Ledger}
	d.Reconciler.Ledger = counted
	d.at = time.Now().Add(time.Hour) // by the ledger's clock of deliveries
	d.happen(upTo(50), 0, "reached", true)
	d.happen([]int{7, 8}, 1, "pending", true)
	d.happen([]int{9}, 1, "", true)
	read := func() int {
		counted.seqs, d.crm.asked = nil, nil
		d.compare(false)
		return len(counted.seqs)
	}
	if n := read(); n < 50 {
		t.Errorf("%d events were read at first", n)
	}
	if n := read(); n > 2*sureApart || fmt.Sprint(d.crm.asked) != "[[people-c007 people-c008]]" {
		t.Errorf("then %d, and %v asked for", n, d.crm.asked)
	}
	quiet := len(counted.seqs)
	d.happen([]int{12}, 2, "new", true) // as the deliveries of old events that are sent again
	if read(); fmt.Sprint(d.crm.asked) != "[[people-c007 people-c008 people-c012]]" || len(counted.seqs) > quiet+3 {
		t.Errorf("after news %d were read, and %v asked for", len(counted.seqs), d.crm.asked)
	}
	d.setup.Basis = 2
	if n := read(); n < 50 {
		t.Errorf("%d events were read by other rules", n)
	}
}

func TestAFieldThatIsNewlyWantedOfAnEventBeforeTheNewestIsBehind(t *testing.T) {
	t.Parallel()
	const text = `
version: 1
rules:
  - name: calls
    on: call.ended
    to: crm
    records:
      - {object: people, match: key, fields: {key: =contact.id, name: =contact.first_name}}
  - name: news
    on: contact.status_changed
    to: crm
    records:
      - {object: people, match: key, fields: {key: =contact.id, status: =contact.status}}
  - name: answered
    on: call.answered
    to: crm
    records:
      - {object: people, match: key, fields: {key: =contact.id, status: =contact.status}}
`
	d := newDesk(t, text)
	for i, typ := range []event.Type{event.CallEnded, event.ContactStatusChanged, event.CallAnswered} {
		body, err := json.Marshal(event.Event{Type: typ, Contact: &event.Contact{ID: "c1", FirstName: fmt.Sprint("Anna ", i), Status: "pending"}})
		if err != nil {
			t.Fatal(err)
		}
		at := noon.Add(time.Duration(i) * time.Minute)
		r, err := d.Ledger.Append(t.Context(), store.Event{Source: "v", Type: typ, Lane: "c1", OccurredAt: at, ReceivedAt: at, ContentKey: fmt.Sprint(i), Body: body})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Ledger.Plan(t.Context(), []store.Plan{{Seq: r.Seq, Connectors: []string{"crm"}}}); err != nil {
			t.Fatal(err)
		}
		d.deliver(r.Seq)
	}
	d.want(d.compare(true), "compared 1 agreed 1 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "")
	read, problems := mapping.Read([]mapping.File{{Name: "mapping.yaml", Text: []byte(strings.Replace(text, "status: =contact.status", "name: =contact.first_name, status: =contact.status", 1))}}, mapping.Options{})
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	d.setup.Plan = read.Plan
	d.want(d.compare(true), "compared 1 agreed 0 mended 1 edited 0 missing 0 merged 0 waiting 0 failed 0", "behind people-c1 name mended")
}

func TestARosterTellsTheEventsOfARecordInAnyOrder(t *testing.T) {
	t.Parallel()
	r := newRoster(noon, "", 10)
	note := func(seq uint64, source string, minute int) {
		r.note("people", "1", "rule", &store.Delivery{ID: store.DeliveryID{Seq: seq}, Source: source, OccurredAt: noon.Add(time.Duration(minute) * time.Minute), CreatedAt: noon.Add(time.Duration(minute) * time.Minute)}, "")
	}
	note(1<<40, "a", -1)
	note(900, "a", 3)
	note(900, "b", 3)
	note(7, "b", 4)
	note(800, "b", -9)
	r.close()
	e := r.entries["people/1"]
	if got, want := fmt.Sprint(e.list()), fmt.Sprint([]written{{1 << 40, true, false}, {900, false, true}, {800, false, false}, {7, true, true}}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if e.newest.Seq != 7 || !e.recent {
		t.Errorf("%+v", e)
	}
}
