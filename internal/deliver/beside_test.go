package deliver_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

const companies = `
version: 1
rules:
  - name: companies
    on: call.ended
    to: crm
    records:
      - object: companies
        match: name
        fields: {name: =contact.company}
`

// slowReads is a ledger of which one reading of links takes long: what is kept
// meanwhile is not in it.
type slowReads struct {
	store.Ledger
	slow atomic.Bool
	read chan struct{} // closed once it was read
	goOn chan struct{} // the answer waits for it
}

func (l *slowReads) Links(ctx context.Context, keys []store.LinkKey) ([]string, error) {
	ids, err := l.Ledger.Links(ctx, keys)
	if l.slow.CompareAndSwap(true, false) {
		close(l.read)
		<-l.goOn
	}
	return ids, err
}

func TestAWaveThatEndsWhileAnotherReadsWhatIsKnown(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		name := "what it made is not made again"
		if lost {
			name = "what it perhaps made is looked for"
		}
		storyOf(t, name, companies, func(t *testing.T, b *bench) {
			b.halt(true)
			l := &slowReads{Ledger: b.ledger, read: make(chan struct{}), goOn: make(chan struct{})}
			b.ledger = l
			s := setup(t, b.crm, companies)
			to := s.Connectors["crm"]
			to.Connector = &oddCRM{crm: b.crm, find: func(m []connectors.Match, found []connectors.Found, err error) ([]connectors.Found, error) {
				return make([]connectors.Found, len(m)), err // searches do not know of it yet
			}}
			s.Connectors["crm"] = to
			b.runWith(s)
			hang := make(chan struct{})
			b.crm.hang = hang
			if lost {
				var once atomic.Bool
				b.crm.fault = func(connectors.Change) *connectors.Error {
					if once.CompareAndSwap(false, true) {
						return &connectors.Error{Kind: connectors.Unknown, Message: "no answer"}
					}
					return nil
				}
			}
			same := func(e *event.Event) { e.Contact.Company = "Acme" }
			b.call("1", 0, same)
			time.Sleep(time.Second)
			l.slow.Store(true)
			b.call("2", 0, same) // in a wave beside the first one, which hangs
			<-l.read
			b.crm.mu.Lock()
			b.crm.hang = nil
			b.crm.mu.Unlock()
			close(hang)
			time.Sleep(time.Second) // the first wave ends
			close(l.goOn)
			b.settled(time.Hour)
			if n := len(b.crm.list("companies")); n != 1 {
				t.Errorf("%d companies, want 1", n)
			}
		})
	}
}
