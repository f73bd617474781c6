package deliver_test

import (
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestAReplayOfWhatIsUnderWayIsNotLost(t *testing.T) {
	t.Parallel()
	storyOf(t, "it is written again as it reads now", oneCall, func(t *testing.T, b *bench) {
		b.halt(true)
		var known atomic.Bool
		s := setup(t, b.crm, oneCall)
		s.Parse = func(e store.Event) (*event.Event, error) {
			var ev event.Event
			err := json.Unmarshal(e.Body, &ev)
			if known.Load() {
				ev.Call.Status = "no_answer"
			}
			return &ev, err
		}
		b.runWith(s)
		hang := make(chan struct{})
		b.crm.hang = hang
		seq := b.call("1", 0)
		time.Sleep(time.Second)
		known.Store(true) // an earlier event of the call came, say
		b.replay(seq)
		time.Sleep(time.Second)
		close(hang)
		b.settled(time.Minute)
		if got := b.crm.column("calls", "status"); got != "no_answer" {
			t.Errorf("the call is %q in the CRM, want what the replay was for", got)
		}
	})
}
