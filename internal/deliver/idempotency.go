package deliver

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

// eventIdentity tells an event from all others by what is the same if its vendor
// sends it again to a ledger that a backup took the place of: never by its number
// or, where anything else tells it, by when it was received. As in Append, a
// content key counts for all sources of a vendor, and may come again on another day.
func eventIdentity(e store.Event) string {
	dated := !e.OccurredAt.Equal(e.ReceivedAt)
	body := sha256.Sum256(e.Body)
	switch {
	case e.ContentKey != "" && dated:
		return fmt.Sprintf("key\x00%s\x00%s\x00%s", e.Vendor, e.ContentKey, e.OccurredAt.UTC().Format(time.DateOnly))
	case e.ContentKey != "":
		return fmt.Sprintf("key\x00%s\x00%s", e.Vendor, e.ContentKey)
	case e.DeliveryID != "":
		// Another payload under the same id is another event.
		return fmt.Sprintf("delivery\x00%s\x00%s\x00%x", e.Source, e.DeliveryID, body)
	case dated:
		return fmt.Sprintf("body\x00%s\x00%x", e.Source, body)
	}
	return fmt.Sprintf("body\x00%s\x00%x\x00%d", e.Source, body, e.ReceivedAt.UnixMilli())
}

// idempotency names an item's record of its event for the CRM: the same at
// every attempt, after a restart, at a replay and after a restore, as it hangs
// on nothing that changes with them. What was posted under the number of its
// event, as by crmsyncd until 2026-11, keeps that id.
func (w *wave) idempotency(it item) string {
	if id := it.job.d.Records[it.step].ID; strings.HasPrefix(id, store.EventID(it.job.d.ID.Seq)+"_") {
		return id
	}
	sum := sha256.Sum256([]byte(it.job.event + "\x00" + w.t.name + "\x00" + it.rec.Step))
	return "msg_" + hex.EncodeToString(sum[:16])
}
