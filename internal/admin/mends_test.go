package admin_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

func TestAnEventThatMendsIsShownUnderItsOwnID(t *testing.T) {
	t.Parallel()
	d := keeperDesk(t)
	keep(t, d, store.Event{ContentKey: "a"})
	keep(t, d, store.Event{ContentKey: "b"})
	came := time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		name    string
		only    *event.Only
		err     error
		id      string
		mends   string
		planned string
	}{
		{"what it repeats stands beside", &event.Only{Connector: "crm", Step: "Status/contacts", Fields: []string{"status", "owner"}}, nil, "evt_2", "mends evt_1: writes only status, owner of contacts in crm", "evt_1"},
		{"also of a record that is made again", &event.Only{Connector: "crm", Step: "Status/contacts", Fields: []string{"status"}, Whole: true}, nil, "evt_2", "mends evt_1: makes contacts in crm again, with status and what it is found by", "evt_1"},
		{"where what it repeats is not kept any more", nil, errors.New("not kept"), "evt_2", "", "evt_2"},
	} {
		d.Parse = func(store.Event) (*event.Event, error) {
			return &event.Event{ID: "evt_1", ReceivedAt: came, Only: c.only}, c.err
		}
		e, err := d.Event(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		said := ""
		if e.Mends != nil {
			said = e.Mends.String()
		}
		if e.ID != c.id || said != c.mends || e.ReceivedAt.Equal(came) {
			t.Errorf("%s: got %s received %v, %q", c.name, e.ID, e.ReceivedAt, said)
		}
		planned := e.Planned()
		if planned.ID != c.planned || c.only != nil && !planned.ReceivedAt.Equal(came) {
			t.Errorf("%s: the rules see %s of %v", c.name, planned.ID, planned.ReceivedAt)
		}
		if diff := cmp.Diff(c.only, planned.Only); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.name, diff)
		}
	}
}
