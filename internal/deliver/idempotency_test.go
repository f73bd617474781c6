package deliver_test

import (
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestIdempotencyNamesARecordOfAnEvent(t *testing.T) {
	t.Parallel()
	const text = `
version: 1
rules:
  - name: posts
    on: call.ended
    to: crm
    records:
      - object: first
        create: always
        match: none
        fields: {none: =call.outcome.missing, text: Call}
      - object: second
        create: always
        match: none
        fields: {none: =call.outcome.missing, text: Call}
`
	synctest.Test(t, func(t *testing.T) {
		b := start(t, text)
		ids := map[string][]string{} // by object
		failing := 3
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			ids[c.Object] = append(ids[c.Object], c.Idempotency)
			if failing--; failing >= 0 {
				return &connectors.Error{Kind: connectors.Transient}
			}
			return nil
		}
		seq := b.call("1", 0)
		b.settled(time.Hour)
		if err := b.ledger.Replay(t.Context(), []store.Requeue{{Seq: seq, Type: "call.ended", OccurredAt: epoch, Rank: 60, Lane: "x"}}); err != nil {
			t.Fatal(err)
		}
		b.d.WakeAll()
		b.settled(time.Hour)
		b.halt(true)
		b.run(text) // as after a restart
		b.call("1", 1)
		b.settled(time.Hour)

		seen := map[string]string{}
		for object, got := range ids {
			wants := map[string]int{"first": 6, "second": 3}[object] // 3 failures, 1 success, the replay, the other event
			if len(got) != wants {
				t.Fatalf("%s was written %d times, want %d: %v", object, len(got), wants, got)
			}
			last := len(got) - 1
			for _, id := range got[:last] {
				if id != got[0] {
					t.Errorf("%s: got %s, then %s; want the same at every attempt and at the replay", object, got[0], id)
				}
			}
			for _, id := range []string{got[0], got[last]} {
				if seen[id] != "" || !regexp.MustCompile(`^msg_[0-9a-f]{32}$`).MatchString(id) {
					t.Errorf("%s: %s is used by %q already, or is not of the form msg_…", object, id, seen[id])
				}
				seen[id] = object
			}
		}
		b.halt(false)
	})
}
