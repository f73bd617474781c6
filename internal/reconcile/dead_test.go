package reconcile

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// TestAMendThatTheCRMRefusesIsNotSentAnewByEveryRun/until a person retried or
// discarded it: dead deliveries would pile up.
func TestAMendThatTheCRMRefusesIsNotSentAnewByEveryRun(t *testing.T) {
	t.Parallel()
	d := newDesk(t, twoRules)
	d.happens(1, 0, "pending", true)
	d.crm.records["people-c001"]["status"] = "mine"
	next := func(wantCounts, wantFound string, wantEvents uint64) {
		d.Helper()
		d.at = d.at.Add(25 * time.Hour)
		d.want(d.compare(true), wantCounts, wantFound)
		if st, err := d.Ledger.Stats(d.Context()); err != nil || uint64(st.Events) != wantEvents {
			d.Errorf("%d events, %v; want %d", st.Events, err, wantEvents)
		}
	}
	const mended = "compared 1 agreed 0 mended 1 edited 0 missing 0 merged 0 waiting 0 failed 0"
	next(mended, "edited people-c001 status mended", 2)
	d.end(2, store.Dead)
	for range 3 {
		next("compared 1 agreed 0 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 2", "edited people-c001 status, failed", 2)
	}
	d.end(2, store.Discarded)
	next(mended, "edited people-c001 status mended", 3)
	if err := d.Ledger.Plan(t.Context(), []store.Plan{{Seq: 3, Connectors: []string{"crm"}}}); err != nil {
		t.Fatal(err)
	}
	d.deliver(3)
	next("compared 1 agreed 1 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "", 3)
	d.crm.records["people-c001"]["status"] = "mine again"
	next(mended, "edited people-c001 status mended", 4)
}

// TestAMendThatRetentionLetGoOfIsSentAnew/though its id is known still.
func TestAMendThatRetentionLetGoOfIsSentAnew(t *testing.T) {
	t.Parallel()
	d := newDesk(t, twoRules)
	d.happens(1, 0, "pending", true)
	d.crm.records["people-c001"]["status"] = "mine"
	const mended = "compared 1 agreed 0 mended 1 edited 0 missing 0 merged 0 waiting 0 failed 0"
	d.at = d.at.Add(25 * time.Hour)
	d.want(d.compare(true), mended, "edited people-c001 status mended")
	if err := d.Ledger.Plan(d.Context(), []store.Plan{{Seq: 2, Connectors: []string{"crm"}}}); err != nil {
		t.Fatal(err)
	}
	v, err := d.Ledger.Event(d.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	v.Deliveries[0].State, v.Deliveries[0].UpdatedAt = store.Discarded, d.at
	if err := d.Ledger.Settle(d.Context(), []store.Update{{Delivery: v.Deliveries[0]}}); err != nil {
		t.Fatal(err)
	}
	d.at = d.at.Add(8 * 24 * time.Hour)
	for over := false; !over; {
		done, err := d.Ledger.Expire(d.Context(), d.at, store.Retention{Done: 90 * 24 * time.Hour, Discarded: 7 * 24 * time.Hour, Identity: 400 * 24 * time.Hour}, 100)
		if err != nil {
			t.Fatal(err)
		}
		over = done.Over
	}
	d.want(d.compare(true), mended, "edited people-c001 status mended")
	if views, err := d.Ledger.Events(d.Context(), store.EventFilter{Limit: 1}); err != nil || len(views) == 0 || views[0].Event.Seq != 3 {
		t.Errorf("the newest of %d events is no mend that was sent anew: %v", len(views), err)
	}
}

// TestWhatAnEndedReplayHadWrittenStaysCompared/in the round before: only what it
// wrote then, as what it was to write this time nobody wants, or a person decides.
func TestWhatAnEndedReplayHadWrittenStaysCompared(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state store.State
		fails int // findings of dead deliveries
	}{{store.Discarded, 0}, {store.Dead, 1}} {
		t.Run(string(c.state), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, rules)
			d.happens(1, 0, "reached", true)
			v, err := d.Ledger.Event(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			e := v.Event
			if err := d.Ledger.Replay(t.Context(), []store.Requeue{{Seq: 1, Type: e.Type, OccurredAt: e.OccurredAt.Add(time.Second), Rank: e.Rank, Lane: e.Lane}}); err != nil {
				t.Fatal(err)
			}
			d.end(1, c.state)
			d.want(d.compare(true), fmt.Sprintf("compared 1 agreed 1 mended 0 edited 0 missing 0 merged 0 waiting 0 failed %d", c.fails), strings.Repeat("failed", c.fails))
			d.conn.OnMissing = "recreate"
			delete(d.crm.records, "people-c001")
			found := "missing people-c001 recreated"
			if c.fails > 0 {
				found = "failed, " + found
			}
			d.want(d.compare(true), fmt.Sprintf("compared 1 agreed 0 mended 1 edited 0 missing 1 merged 0 waiting 0 failed %d", c.fails), found)
		})
	}
}

// TestWhatWasDiscardedIsNoNews/of a contact whose record others wrote.
func TestWhatWasDiscardedIsNoNews(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.happens(1, 0, "pending", true)
	d.end(d.happens(1, 5, "reached", false), store.Discarded)
	d.want(d.compare(true), "compared 1 agreed 1 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "")
}

// end has the delivery of an event come to nothing.
func (d *desk) end(seq uint64, state store.State) {
	d.Helper()
	if err := d.Ledger.Plan(d.Context(), []store.Plan{{Seq: seq, Connectors: []string{"crm"}}}); err != nil {
		d.Fatal(err)
	}
	v, err := d.Ledger.Event(d.Context(), seq)
	if err != nil {
		d.Fatal(err)
	}
	v.Deliveries[0].State = state
	if err := d.Ledger.Settle(d.Context(), []store.Update{{Delivery: v.Deliveries[0]}}); err != nil {
		d.Fatal(err)
	}
}

// TestWhatWasNotMadeAgainStaysMissing/once its delivery is discarded: the
// deliverer had forgotten the record when it found that it is gone.
func TestWhatWasNotMadeAgainStaysMissing(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	next := func(wantCounts, wantFound string) {
		d.Helper()
		d.at = d.at.Add(time.Hour)
		d.want(d.compare(false), wantCounts, wantFound)
	}
	d.happens(1, 0, "pending", true)
	d.conn.OnMissing = "recreate"
	delete(d.crm.records, "people-c001")
	const recreated = "compared 1 agreed 0 mended 1 edited 0 missing 1 merged 0 waiting 0 failed 0"
	next(recreated, "missing people-c001 recreated")
	d.lose(2, store.Dead)
	next("compared 0 agreed 0 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 1", "failed")
	d.end(2, store.Discarded)
	d.conn.OnMissing = "report"
	next("compared 1 agreed 0 mended 0 edited 0 missing 1 merged 0 waiting 0 failed 0", "missing people-c001")
	d.conn.OnMissing = "forget"
	next("compared 0 agreed 0 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "")
	d.conn.OnMissing = "recreate"
	next(recreated, "missing people-c001 recreated")
	if got := fmt.Sprint(d.mends[len(d.mends)-1]); got != "{crm contact/people [email key name owner status] true}" {
		t.Errorf("it is made again as %s", got)
	}
	if err := d.Ledger.Plan(t.Context(), []store.Plan{{Seq: 3, Connectors: []string{"crm"}}}); err != nil {
		t.Fatal(err)
	}
	next("compared 0 agreed 0 mended 0 edited 0 missing 0 merged 0 waiting 1 failed 0", "")
	d.deliver(3)
	next("compared 1 agreed 1 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "")
	// What is forgotten afterwards stays so, though the discarded one is kept.
	d.conn.OnMissing = "forget"
	delete(d.crm.records, "people-c001")
	next("compared 1 agreed 0 mended 0 edited 0 missing 1 merged 0 waiting 0 failed 0", "missing people-c001 forgotten")
	d.conn.OnMissing = "recreate"
	next("compared 0 agreed 0 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 0", "")
}

// TestWhatIsLostIsNotAtRest/though the vendor is done with its contact, and a run
// passed it over meanwhile.
func TestWhatIsLostIsNotAtRest(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.setup.Basis, d.conn.OnMissing = d, "recreate"
	d.happens(1, 0, "reached", true)
	d.at = time.Now().Add(24 * time.Hour) // the ledger's clock says when deliveries were made
	delete(d.crm.records, "people-c001")
	const recreated = "compared 1 agreed 0 mended 1 edited 0 missing 1 merged 0 waiting 0 failed 0"
	d.want(d.compare(true), recreated, "missing people-c001 recreated")
	d.lose(2, store.Dead)
	d.at = d.at.Add(3 * time.Hour)
	d.compare(false)
	d.end(2, store.Discarded)
	d.at = d.at.Add(3 * time.Hour)
	d.want(d.compare(false), recreated, "missing people-c001 recreated")
}

// lose ends the delivery of an event to contact 1 as the deliverer does that finds
// the record gone, and may not make it again.
func (d *desk) lose(seq uint64, state store.State) {
	d.Helper()
	if err := d.Ledger.Plan(d.Context(), []store.Plan{{Seq: seq, Connectors: []string{"crm"}}}); err != nil {
		d.Fatal(err)
	}
	v, err := d.Ledger.Event(d.Context(), seq)
	if err != nil {
		d.Fatal(err)
	}
	u := store.Update{Delivery: v.Deliveries[0]}
	u.Delivery.State, u.Delivery.Records = state, []store.Record{{Rule: "contact", Object: "people"}}
	u.Links = map[store.LinkKey]string{store.NewLinkKey("crm", "people", []string{"key"}, []string{"c001"}): ""}
	u.Heads = map[store.RecordKey]store.Head{{Connector: "crm", Object: "people", ID: "people-c001"}: nil}
	if err := d.Ledger.Settle(d.Context(), []store.Update{u}); err != nil {
		d.Fatal(err)
	}
}
