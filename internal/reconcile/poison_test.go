package reconcile

import (
	"context"
	"testing"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/store"
)

// stubborn is a CRM that never gives one of its records.
type stubborn struct {
	*crm
	id string
}

func (s stubborn) Read(ctx context.Context, object string, ids, fields []string) ([]connectors.Read, error) {
	out, err := s.crm.Read(ctx, object, ids, fields)
	for i, id := range ids {
		if id == s.id {
			out[i] = connectors.Read{Err: &connectors.Error{Kind: connectors.Transient, Message: "HTTP 500"}}
		}
	}
	return out, err
}

func TestARecordThatTheCRMNeverGivesKeepsNoOtherFromBeingCompared(t *testing.T) {
	t.Parallel()
	d := newDesk(t, rules)
	d.happen(upTo(5), 0, "pending", true)
	d.conn.Reader = stubborn{d.crm, "people-c002"}
	d.at = noon.Add(time.Hour)
	run, err := d.Run(t.Context(), Order{Target: Target{Connector: "crm"}, Trigger: ByHand, Full: true}, nil)
	if run.State != store.RunDone || err != nil {
		t.Errorf("the run is %s: %v", run.State, err)
	}
	d.want(run, "compared 4 agreed 4 mended 0 edited 0 missing 0 merged 0 waiting 0 failed 1", "failed people-c002")
}
