package deliver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/crmsyncd/crmsyncd/store"
)

// eventIdentity tells a stored event from all others. Its number alone would
// not: a new ledger counts from 1 again, and receivers remember ids for days.
func eventIdentity(e store.Event) string {
	return fmt.Sprintf("%s\x00%s\x00%d", e.ID(), e.Source, e.ReceivedAt.UnixMilli())
}

// idempotency names an item's record of its event for the CRM: the same at
// every attempt, after a restart and at a replay, as it hangs on nothing that
// changes with them. The event's id stands in front for people who search for it.
func (w *wave) idempotency(it item) string {
	sum := sha256.Sum256([]byte(it.job.event + "\x00" + w.t.name + "\x00" + it.rec.Step))
	return store.EventID(it.job.d.ID.Seq) + "_" + hex.EncodeToString(sum[:8])
}
