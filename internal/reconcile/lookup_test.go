package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

// find looks for records as connectors do: the first key that finds wins.
func (c *crm) find(_ context.Context, matches []connectors.Match) ([]connectors.Found, error) {
	c.lookups += len(matches)
	out := make([]connectors.Found, len(matches))
	for n, m := range matches {
		for i, k := range m.Keys {
			for _, id := range slices.Sorted(maps.Keys(c.records)) {
				if !slices.ContainsFunc(k, func(t connectors.Term) bool {
					return connectors.Canonical(c.records[id][t.Field]) != connectors.Canonical(t.Value)
				}) {
					out[n].Key = i
					out[n].Records = append(out[n].Records, connectors.Record{ID: id, Fields: c.records[id]})
				}
			}
			if len(out[n].Records) > 0 {
				break
			}
		}
	}
	return out, nil
}

// TestWhatIsGoneIsLookedFor/by what its rule finds it by, as not every CRM tells
// where a merged record went.
func TestWhatIsGoneIsLookedFor(t *testing.T) {
	t.Parallel()
	// moves gives the record of contact 1 another id, as a merge does.
	moves := func(d *desk, to string) {
		d.crm.records[to] = d.crm.records["people-c001"]
		delete(d.crm.records, "people-c001")
	}
	for _, c := range []struct {
		name, policy  string
		do            func(d *desk)
		counts, found string
		note          string
	}{
		{"the one that has its key is followed", "forget", func(d *desk) { moves(d, "77") },
			"compared 3 agreed 2 mended 0 edited 0 missing 0 merged 1 waiting 0 failed 0", "merged people-c001 followed", "it is 77 now"},
		{"the one that has its address and no key, too", "forget", func(d *desk) {
			moves(d, "77")
			delete(d.crm.records["77"], "key")
		}, "compared 3 agreed 2 mended 0 edited 0 missing 0 merged 1 waiting 0 failed 0", "merged people-c001 followed", "it is 77 now"},
		{"not who has its address and another key, and then it is not forgotten", "forget", func(d *desk) {
			moves(d, "77")
			d.crm.records["77"]["key"] = "somebody"
		}, "compared 3 agreed 2 mended 0 edited 0 missing 1 merged 0 waiting 0 failed 0", "missing people-c001", someoneElses},
		{"nor one of several", "forget", func(d *desk) {
			moves(d, "77")
			d.crm.records["78"] = d.crm.records["77"]
		}, "compared 3 agreed 2 mended 0 edited 0 missing 1 merged 0 waiting 0 failed 0", "missing people-c001", severalMatch},
		{"what no record has is gone", "forget", func(d *desk) { delete(d.crm.records, "people-c001") },
			"compared 3 agreed 2 mended 0 edited 0 missing 1 merged 0 waiting 0 failed 0", "missing people-c001 forgotten", ""},
		{"without a request left it is not looked for, and not forgotten", "forget", func(d *desk) {
			moves(d, "77")
			d.conn.PerDay, d.Count = 1, func(ctx context.Context) (context.Context, func() int) { return ctx, func() int { return 1 } }
		}, "compared 3 agreed 2 mended 0 edited 0 missing 1 merged 0 waiting 0 failed 0", "missing people-c001", notLooked},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, rules)
			d.conn.Find, d.conn.OnMissing = d.crm.find, c.policy
			for n := 1; n <= 3; n++ {
				d.happens(n, n, "reached", true)
			}
			c.do(d)
			run := d.compare(true)
			d.want(run, c.counts, c.found)
			list, err := d.Ledger.Findings(t.Context(), run.ID, 0, 0)
			if err != nil || len(list) != 1 || list[0].Note != c.note {
				t.Errorf("found %+v, want the note %q (%v)", list, c.note, err)
			}
		})
	}
}

// TestAFollowedRecordIsComparedFromThenOn/under its new id.
func TestAFollowedRecordIsComparedFromThenOn(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.conn.Find = d.crm.find
	d.happens(1, 1, "reached", true)
	d.crm.records["77"] = d.crm.records["people-c001"]
	delete(d.crm.records, "people-c001")
	d.compare(true)
	d.crm.records["77"]["status"] = "vip"
	d.want(d.compare(true), "compared 1 agreed 0 mended 0 edited 1 missing 0 merged 0 waiting 0 failed 0", "edited 77 status")
}

// TestARunLooksForSoManyAtMost/and the others wait for the next one.
func TestARunLooksForSoManyAtMost(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.conn.Find, d.conn.OnMissing = d.crm.find, "forget"
	d.happen(upTo(lookAtMost+5), 0, "pending", true)
	clear(d.crm.records)
	run := d.compare(true)
	list, err := d.Ledger.Findings(t.Context(), run.ID, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	unsure := slices.DeleteFunc(list, func(f store.Finding) bool { return f.Note != notLooked })
	if d.crm.lookups != lookAtMost || run.Missing != lookAtMost+5 || len(unsure) != 5 {
		t.Errorf("%d were looked for, %d missing, %d not looked for", d.crm.lookups, run.Missing, len(unsure))
	}
	if next := d.compare(true); next.Missing != 5 || d.crm.lookups != lookAtMost+5 {
		t.Errorf("the next run: %d missing, %d looked for by now", next.Missing, d.crm.lookups)
	}
}

// TestEachRunLooksForOthers/where more stay gone than one run looks for.
func TestEachRunLooksForOthers(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.conn.Find, d.conn.OnMissing = d.crm.find, "report"
	const gone = 2*lookAtMost + 50
	d.happen(upTo(gone), 0, "pending", true)
	clear(d.crm.records)
	looked := map[string]int{}
	run := func(want int) {
		t.Helper()
		before := d.crm.lookups
		r := d.compare(true)
		list, err := d.Ledger.Findings(t.Context(), r.ID, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			if f.Note != notLooked {
				looked[f.Record]++
			}
		}
		if n := d.crm.lookups - before; n != want || r.Missing != gone {
			t.Errorf("%d were looked for of %d missing, want %d", n, r.Missing, want)
		}
	}
	run(lookAtMost)
	run(lookAtMost)
	run(50)
	for id, n := range looked {
		if n != 1 {
			t.Errorf("%s was looked for %d times in a round", id, n)
		}
	}
	if len(looked) != gone {
		t.Errorf("%d were looked for after three runs, want %d", len(looked), gone)
	}
	run(lookAtMost) // from the first again
}

// TestIntoAnswersOfFind/are told apart.
func TestIntoAnswersOfFind(t *testing.T) {
	t.Parallel()
	m := connectors.Match{Keys: []connectors.Key{{{Field: "key", Value: "k"}}}}
	for _, c := range []struct {
		name  string
		found connectors.Found
		want  string
	}{
		{"nothing", connectors.Found{}, "gone"},
		{"an index that still has it", connectors.Found{Records: []connectors.Record{{ID: "1"}}}, "gone"},
		{"another one", connectors.Found{Records: []connectors.Record{{ID: "2"}}}, "merged 2"},
		{"not found, as an error", connectors.Found{Err: &connectors.Error{Kind: connectors.NotFound}}, "gone"},
		{"several, as an error", connectors.Found{Err: &connectors.Error{Kind: connectors.Ambiguous}}, "gone: " + severalMatch},
		{"out of breath", connectors.Found{Err: &connectors.Error{Kind: connectors.Transient}}, "error"},
	} {
		r, unsure := into("1", m, c.found)
		got := "gone"
		switch {
		case r.Err != nil:
			got = "error"
		case r.Merged:
			got = "merged " + r.Record.ID
		case unsure != "":
			got = fmt.Sprint("gone: ", unsure)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
