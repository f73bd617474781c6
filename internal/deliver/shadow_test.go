package deliver_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/store"
)

// shadowed has the rule calls in shadow mode, and a rule beside it that is live.
var shadowed = strings.Replace(rules, "to: crm\n", "to: crm\n    mode: shadow\n", 1)

const liveBeside = `
  - name: beside
    on: call.ended
    to: crm
    records:
      - object: deals
        match: key
        fields: {key: =call.id}
`

func changes(r store.Record) map[string]string {
	out := map[string]string{}
	for _, c := range r.Changes {
		out[c.Field] = c.Before + "→" + c.After
	}
	return out
}

func TestShadow(t *testing.T) {
	t.Parallel()
	t.Run("a rule in shadow mode writes nothing and keeps what it would write", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := start(t, shadowed+liveBeside)
			defer b.halt(false)
			seq := b.call("1", 1)
			b.settled(time.Minute)
			if got := len(b.crm.list("contacts")) + len(b.crm.list("calls")); got != 0 {
				t.Errorf("%d records of the rule in shadow mode were written", got)
			}
			if got := len(b.crm.list("deals")); got != 1 {
				t.Errorf("got %d records of the rule beside it, want 1", got)
			}
			d := b.delivery(seq)
			if d.State != store.Done || !strings.Contains(d.Reason, `shadow mode: nothing was written for ["calls"]`) {
				t.Errorf("got %s, %q", d.State, d.Reason)
			}
			contact := d.Records[0]
			want := map[string]string{"cid": "→1", "phone": "→+49301", "status": "→at1"}
			if contact.Action != store.WouldCreate || contact.ID != "" || !contact.Attempted.IsZero() || !maps.Equal(changes(contact), want) {
				t.Errorf("got %+v, want %s of %v and no id", contact, store.WouldCreate, want)
			}
			if d.Records[1].Note != "linked to contacts" || d.Records[2].Action != "created" {
				t.Errorf("got %+v", d.Records)
			}
			links, err := b.ledger.Links(context.Background(), []store.LinkKey{store.NewLinkKey("crm", "contacts", []string{"cid"}, []string{"1"})})
			if err != nil || links[0] != "" {
				t.Errorf("got the link %q (%v), want none", links, err)
			}
		})
	})
	t.Run("what is there is shown beside what would be", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := start(t, shadowed)
			defer b.halt(false)
			b.crm.records = []*row{{object: "contacts", id: "x", fields: map[string]any{"phone": "+49301", "status": "new", "name": "Erika"}}}
			seq := b.call("1", 1, func(e *event.Event) { e.Contact.FullName = "Another" })
			again := b.call("1", 1, func(e *event.Event) { e.Contact.Status, e.Contact.ID = "new", "" })
			b.settled(time.Minute)
			r := b.delivery(seq).Records[0]
			want := map[string]string{"cid": "→1", "status": "new→at1"}
			if r.Action != store.WouldUpdate || r.Note != "record x; newer values, or a person's, are there already" || !maps.Equal(changes(r), want) {
				t.Errorf("got %+v, want %v", r, want)
			}
			if r := b.delivery(again).Records[0]; r.Action != store.WouldKeep || len(r.Changes) != 0 {
				t.Errorf("got %+v, want %s", r, store.WouldKeep)
			}
			if got := b.crm.column("contacts", "status"); got != "new" {
				t.Errorf("the CRM has %q", got)
			}
		})
	})
	t.Run("without it events are written again, and a replay makes the earlier ones real", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := start(t, shadowed)
			defer b.halt(false)
			seq := b.call("1", 1)
			b.settled(time.Minute)
			b.d.Reload(setup(t, b.crm, rules))
			b.call("2", 2)
			b.settled(time.Minute)
			if got := b.crm.column("contacts", "cid"); got != "2" {
				t.Fatalf("got contacts %q, want 2", got)
			}
			b.replay(seq)
			b.settled(time.Minute)
			if got := b.crm.column("contacts", "cid"); got != "2 1" {
				t.Errorf("got contacts %q, want 2 1", got)
			}
			d := b.delivery(seq)
			if r := d.Records[0]; d.Reason != "" || r.Action != "created" || r.ID == "" || len(r.Changes) != 0 {
				t.Errorf("got %q, %+v", d.Reason, r)
			}
			b.d.Reload(setup(t, b.crm, shadowed))
			b.replay(seq)
			b.settled(time.Minute)
			if r := b.delivery(seq).Records[0]; r.ID == "" || !r.Shadow() {
				t.Errorf("got %+v; the id of the real delivery is not to be forgotten", r)
			}
			b.d.Reload(setup(t, b.crm, rules))
			b.replay(seq)
			b.settled(time.Minute)
			if b.crm.made != 4 {
				t.Errorf("%d records were made, want 4", b.crm.made)
			}
		})
	})
	t.Run("a look-up that fails holds up only a connector that is in shadow mode", func(t *testing.T) {
		t.Parallel()
		for _, whole := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				b := start(t, shadowed)
				defer b.halt(false)
				s := setup(t, b.crm, shadowed)
				s.Connectors["crm"] = withShadow(s.Connectors["crm"], whole)
				b.d.Reload(s)
				b.crm.mu.Lock()
				b.crm.down = &connectors.Error{Kind: connectors.Auth, Account: true, Message: "may not read"}
				b.crm.mu.Unlock()
				seq := b.call("1", 1)
				time.Sleep(time.Minute)
				synctest.Wait()
				d := b.delivery(seq)
				switch parked := b.d.Conditions()["crm"].State == "parked"; {
				case whole != parked:
					t.Errorf("whole %t: got parked %t", whole, parked)
				case whole && d.State != store.Waiting:
					t.Errorf("got %s, want it to wait for the CRM", d.State)
				case !whole && (d.State != store.Done || d.Records[0].Action != store.WouldFail || !strings.Contains(d.Records[0].Note, "may not read")):
					t.Errorf("got %s, %+v", d.State, d.Records[0])
				}
			})
		}
	})
}

func withShadow(t deliver.Target, on bool) deliver.Target {
	t.Shadow = on
	return t
}
