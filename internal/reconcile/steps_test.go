package reconcile

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

const twoRules = `
version: 1
rules:
  - name: contact
    on: call.ended
    to: crm
    on_edit: ours
    on_missing: recreate
    records:
      - object: people
        match: key
        fields: {key: =contact.id, status: =contact.status}
  - name: names
    on: call.ended
    to: crm
    on_edit: ours
    on_missing: recreate
    records:
      - object: people
        match: key
        fields: {key: =contact.id, name: =contact.first_name}
`

// TestWhatTwoRulesWriteIsMended/by a step of each, as a mend is of one.
func TestWhatTwoRulesWriteIsMended(t *testing.T) {
	t.Parallel()
	for _, gone := range []bool{false, true} {
		d := newDesk(t, twoRules)
		d.happens(1, 0, "pending", true)
		if gone {
			delete(d.crm.records, "people-c001")
		} else {
			d.crm.records["people-c001"]["status"] = "mine"
			d.crm.records["people-c001"]["name"] = "mine"
		}
		d.at = noon.Add(time.Hour)
		run := d.compare(true)
		var got []string
		for _, m := range d.mends {
			got = append(got, fmt.Sprint(m.Step, m.Fields))
		}
		slices.Sort(got)
		if !gone {
			d.want(run, "compared 1 agreed 0 mended 1 edited 0 missing 0 merged 0 waiting 0 failed 0", "edited people-c001 name mended, edited people-c001 status mended")
		}
		want := "[contact/people[status] names/people[name]]"
		if gone {
			// The fields that it is found by are written with each.
			want = "[contact/people[status] names/people[key name]]"
		}
		if fmt.Sprint(got) != want {
			t.Errorf("the mends are %s, want %s", got, want)
		}
	}
}

const twoRecords = `
version: 1
rules:
  - name: call
    on: call.ended
    to: crm
    on_edit: ours
    records:
      - object: people
        as: caller
        match: key
        fields: {key: =contact.id, name: =contact.first_name}
      - object: people
        as: agent
        match: key
        fields: {key: =contact.email, name: =contact.last_name}
`

// TestARuleWithTwoRecordsOfOneObject/has each mended by what it says of that one,
// and looked for by its own keys.
func TestARuleWithTwoRecordsOfOneObject(t *testing.T) {
	t.Parallel()
	d := newDesk(t, twoRecords)
	d.happens(1, 0, "pending", true)
	d.crm.records["people-c001"]["name"] = "mine"
	run := d.compare(true)
	d.want(run, "compared 2 agreed 1 mended 1 edited 0 missing 0 merged 0 waiting 0 failed 0", "edited people-c001 name mended")
	if got := fmt.Sprint(d.mends); got != "[{crm call/caller [name] false}]" {
		t.Errorf("the mends are %s, want that of the caller", got)
	}
	d.crm.records["people-c001"]["name"] = "Anna"
	delete(d.crm.records, "people-c001@example.com")
	d.conn.Find, d.conn.OnMissing = d.crm.find, "forget"
	run = d.compare(true)
	d.want(run, "compared 2 agreed 1 mended 0 edited 0 missing 1 merged 0 waiting 0 failed 0", "missing people-c001@example.com forgotten")
}
