package deliver

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/crmsyncd/crmsyncd/store"
)

func TestWhatIsHeldAgainstADeliveryEndsWithoutIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		to := newTarget(nil, "crm")
		discarded, waiting := store.DeliveryID{Seq: 1, Connector: "crm"}, store.DeliveryID{Seq: 2, Connector: "crm"}
		to.solo[discarded], to.suspects[discarded] = time.Now(), time.Now()
		time.Sleep(20 * time.Hour)
		to.solo[waiting], to.suspects[waiting] = time.Now(), time.Now()
		time.Sleep(5 * time.Hour)
		to.begin(Setup{}, Target{}, nil)
		if len(to.solo) != 1 || len(to.suspects) != 1 || !to.isSolo(waiting) {
			t.Errorf("%d go alone and %d are suspected, want the one of today: %v %v", len(to.solo), len(to.suspects), to.solo, to.suspects)
		}
	})
}
