package deliver_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

const equalNotes = `
version: 1
rules:
  - name: notes
    on: call.ended
    to: crm
    records:
      - object: notes
        create: always
        fields: {text: Missed call}
`

func TestEqualRecordsWhoseAnswerWasLost(t *testing.T) {
	t.Parallel()
	storyOf(t, "are one each, also where they are tried again one after the other", equalNotes, func(t *testing.T, b *bench) {
		var lost atomic.Int64
		b.crm.fault = func(connectors.Change) *connectors.Error {
			if lost.Add(1) <= 2 {
				return &connectors.Error{Kind: connectors.Unknown, Message: "no answer"}
			}
			return nil
		}
		one, two := b.call("1", 0), b.call("2", 0)
		b.settled(time.Hour)
		first, second := b.delivery(one), b.delivery(two)
		if first.State != store.Done || second.State != store.Done || first.Records[0].ID == second.Records[0].ID || len(b.crm.list("notes")) != 2 {
			t.Errorf("%s and %s of %d notes, want one each of two", first.Records[0].ID, second.Records[0].ID, len(b.crm.list("notes")))
		}
	})
}
