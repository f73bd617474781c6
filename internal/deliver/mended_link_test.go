package deliver_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestALinkThatIsMissingIsMade(t *testing.T) {
	t.Parallel()
	const without = `
version: 1
rules:
  - name: calls
    on: call.ended
    to: crm
    records:
      - object: contacts
        match: cid
        fields: {cid: =contact.id}
      - object: calls
        match: id
        fields: {id: =call.id}
      - object: notes
        match: id
        fields: {id: =call.id}
`
	const with = "fields: {id: =call.id}\n        link: [contacts]\n"
	linked := strings.Replace(without, "fields: {id: =call.id}\n", with, 1)
	refuse := func(ch connectors.Change) *connectors.Error {
		if ch.Object == "notes" {
			return &connectors.Error{Kind: connectors.Invalid, Message: "no"}
		}
		return nil
	}
	storyOf(t, "that a mended mapping adds, though the record was written before", without, func(t *testing.T, b *bench) {
		b.crm.fault = refuse
		seq := b.call("1", 0)
		time.Sleep(time.Second)
		if d := b.delivery(seq); d.State != store.Dead || d.Records[1].Action == "" {
			t.Fatalf("%+v, want it dead with the call written", d)
		}
		b.halt(true)
		b.crm.fault = nil
		b.run(linked)
		b.retry(seq)
		b.settled(time.Minute)
		if got := b.crm.list("calls")[0].links; len(got) != 1 {
			t.Errorf("the call has links %v, want the one to its contact: %+v", got, b.delivery(seq))
		}
	})
	storyOf(t, "also to a record that was gone and was made anew", linked, func(t *testing.T, b *bench) {
		b.crm.fault = refuse
		seq := b.call("1", 0)
		time.Sleep(time.Second)
		b.halt(true)
		b.crm.fault = nil
		b.crm.records = b.crm.list("calls") // a person deletes the contact
		b.run(strings.Replace(linked, "{cid: =contact.id}", "{cid: =contact.id, status: =contact.status}", 1))
		b.retry(seq)
		b.settled(time.Minute)
		anew, links := b.crm.list("contacts"), b.crm.list("calls")[0].links
		if len(anew) != 1 || !slices.Contains(links, anew[0].id) {
			t.Errorf("the call has links %v, want one to its contact, of %d", links, len(anew))
		}
	})
}
