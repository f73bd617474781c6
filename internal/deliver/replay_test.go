package deliver_test

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
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

func TestAReplayThatMovesTheLaneOfWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	storyOf(t, "it is not sent beside itself", notes, func(t *testing.T, b *bench) {
		b.halt(true)
		c := &slowCRM{crm: b.crm, under: map[string]bool{}}
		s := setup(t, b.crm, notes)
		s.Connectors["crm"] = deliver.Target{Connector: c, Wave: 100}
		b.runWith(s)
		hang := make(chan struct{})
		b.crm.hang = hang
		seq := b.call("1", 0)
		time.Sleep(time.Second)
		q := store.Requeue{Seq: seq, Type: event.CallEnded, OccurredAt: epoch, Rank: 60, Lane: "another"}
		if err := b.ledger.Replay(t.Context(), []store.Requeue{q}); err != nil {
			t.Fatal(err)
		}
		b.d.WakeAll()
		b.call("2", 0)
		time.Sleep(5 * time.Second) // another wave may begin beside one that takes so long
		b.crm.mu.Lock()
		b.crm.hang = nil
		b.crm.mu.Unlock()
		close(hang)
		b.settled(time.Minute)
		if n := len(b.crm.list("notes")); n != 2 || c.twice {
			t.Errorf("%d notes, want 2; sent beside a request under way: %v", n, c.twice)
		}
	})
}

func TestTheLogTellsHowLongAReplayTook(t *testing.T) {
	t.Parallel()
	storyOf(t, "not how old its event is", oneCall, func(t *testing.T, b *bench) {
		b.halt(true)
		log := b.runNoting(b.ledger, setup(t, b.crm, oneCall))
		seq := b.call("1", 0)
		b.settled(time.Minute)
		time.Sleep(3 * time.Hour)
		b.replay(seq)
		b.settled(time.Minute)
		text := log.String()
		if n := strings.Count(text, "msg=delivered"); n != 2 || strings.Contains(text, "after=3h") {
			t.Errorf("want two deliveries, each after seconds:\n%s", text)
		}
	})
}
