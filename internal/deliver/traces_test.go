package deliver_test

import (
	"slices"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestChangesNameTheTracesOfTheirEvents(t *testing.T) {
	t.Parallel()
	story(t, "a merged change has those of all its events, any other that of its own", func(t *testing.T, b *bench) {
		var changes []connectors.Change // the crm's lock holds it
		b.crm.fault = func(c connectors.Change) *connectors.Error {
			changes = append(changes, c)
			return nil
		}
		var want []string
		for _, seq := range []uint64{b.call("1", 0), b.call("1", 1)} {
			v, err := b.ledger.Event(t.Context(), seq)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, v.Event.InTrace().String())
		}
		b.settled(time.Second)
		got := map[string][]string{}
		for _, c := range changes {
			for _, in := range c.Traces {
				got[c.Object] = append(got[c.Object], in.String())
			}
		}
		for _, object := range []string{"contacts", "calls"} {
			if !slices.Equal(got[object], want) {
				t.Errorf("the changes of %s name %v, want %v", object, got[object], want)
			}
		}
		if len(changes) != 3 {
			t.Errorf("%d changes, want the contact's and two calls", len(changes))
		}
		if v := b.delivery(1); v.State != store.Done {
			t.Errorf("delivery is %s", v.State)
		}
	})
}
