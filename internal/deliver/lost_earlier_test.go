package deliver_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
)

const contactSecond = `
version: 1
rules:
  - name: calls
    on: call.ended
    to: crm
    records:
      - object: contacts
        match: phone
        fields: {phone: =contact.phone}
  - name: contacts
    on: contact.status_changed
    to: crm
    records:
      - object: companies
        match: id
        fields: {id: =contact.company}
      - object: contacts
        match: phone
        fields: {phone: =contact.phone}
`

func TestALostAnswerOfAnEarlierStep(t *testing.T) {
	t.Parallel()
	storyOf(t, "what was perhaps made is looked for in the next one", contactSecond, func(t *testing.T, b *bench) {
		b.halt(true)
		s := setup(t, b.crm, contactSecond)
		to := s.Connectors["crm"]
		to.Connector = &oddCRM{crm: b.crm, find: func(m []connectors.Match, _ []connectors.Found, err error) ([]connectors.Found, error) {
			return make([]connectors.Found, len(m)), err // searches do not know of it yet
		}}
		s.Connectors["crm"] = to
		var once atomic.Bool
		b.crm.fault = func(ch connectors.Change) *connectors.Error {
			if ch.Object == "contacts" && once.CompareAndSwap(false, true) {
				return &connectors.Error{Kind: connectors.Unknown, Message: "no answer"}
			}
			return nil
		}
		b.runWith(s)
		b.call("1", 0)
		b.call("2", 0, func(e *event.Event) {
			e.Type, e.Call = event.ContactStatusChanged, nil
			e.Contact.Phone, e.Contact.Company = "+49301", "Acme"
		})
		time.Sleep(time.Second)
		b.settled(time.Hour)
		if n := len(b.crm.list("contacts")); n != 1 {
			t.Errorf("%d contacts, want 1", n)
		}
	})
}
