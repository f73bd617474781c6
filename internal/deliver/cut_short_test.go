package deliver_test

import (
	"strings"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestAWaveThatIsCutShortTakesNothingAsDoneThatAMendedMappingChanged(t *testing.T) {
	t.Parallel()
	storyOf(t, "a record of a step that was not reached is written later", twoOfACall, func(t *testing.T, b *bench) {
		fault := func(f func(connectors.Change) *connectors.Error) {
			b.crm.mu.Lock()
			defer b.crm.mu.Unlock()
			b.crm.fault = f
		}
		fault(func(ch connectors.Change) *connectors.Error {
			if ch.Object == "notes" && ch.Fields["id"] == "c001" || ch.Fields["id"] == "c003" {
				return &connectors.Error{Kind: connectors.Transient, Message: "500"}
			}
			return nil
		})
		b.call("1", 0)
		second := b.call("1", 1) // written, and waits behind the first
		b.call("2", 0)
		time.Sleep(time.Second)
		if d := b.delivery(second); d.State != store.Waiting || d.Records[1].Action == "" {
			t.Fatalf("%+v, want it written and waiting", d)
		}
		b.halt(true)
		fault(func(ch connectors.Change) *connectors.Error {
			if ch.Fields["id"] == "c003" {
				return &connectors.Error{Kind: connectors.Auth, Message: "401"}
			}
			return nil
		})
		for seq := range uint64(3) {
			b.retry(seq + 1)
		}
		b.run(strings.ReplaceAll(twoOfACall, "status: =call.status", "status: =call.id"))
		time.Sleep(time.Second)
		fault(nil)
		b.settled(time.Hour)
		if got := b.crm.column("notes", "status"); got != "c001 c002 c003" && got != "c002 c001 c003" {
			t.Errorf("notes have %q, want all as the mended mapping says", got)
		}
	})
}
