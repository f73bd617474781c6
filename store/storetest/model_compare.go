package storetest

import (
	"maps"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crmsyncd/crmsyncd/store"
)

func (m *machine) compare() {
	st, vague := store.Stats{Connectors: map[string]store.ConnectorStats{}}, map[string]bool{}
	for _, id := range slices.SortedFunc(maps.Keys(m.deliveries), compareIDs) {
		c := st.Connectors[id.Connector]
		switch m.deliveries[id].State {
		case store.Waiting:
			c.Waiting++
			q := m.queued[id]
			vague[id.Connector] = vague[id.Connector] || q.IsZero()
			if c.OldestWaiting.IsZero() || q.Before(c.OldestWaiting) {
				c.OldestWaiting = q
			}
		case store.Done:
			c.Done++
		case store.Dead:
			c.Dead++
		case store.Discarded, store.Unmatched, store.Quarantined:
		}
		st.Connectors[id.Connector] = c
	}
	for i := range m.events {
		e := &m.events[i]
		if e.erased {
			continue
		}
		st.Events++
		if e.Problem != "" && e.Discarded == "" {
			st.Quarantined++
		}
		if e.unplanned {
			st.Unplanned++
		}
		v, err := m.l.Event(m.ctx, e.Seq)
		m.ok(err)
		if diff := cmp.Diff(e.Event, v.Event, sameEvent); diff != "" {
			m.Fatal("event (-want +got):\n" + diff)
		}
		for _, d := range v.Deliveries {
			d.CreatedAt, d.UpdatedAt = time.Time{}, time.Time{}
			if diff := cmp.Diff(m.deliveries[d.ID], d, sameEvent, cmpopts.EquateEmpty()); diff != "" {
				m.Fatal("delivery (-want +got):\n" + diff)
			}
		}
	}
	got, err := m.l.Stats(m.ctx)
	m.ok(err)
	got.Bytes = 0
	for name := range vague {
		a, b := got.Connectors[name], st.Connectors[name]
		if vague[name] {
			a.OldestWaiting, b.OldestWaiting = time.Time{}, time.Time{}
		}
		got.Connectors[name], st.Connectors[name] = a, b
	}
	maps.DeleteFunc(got.Connectors, func(_ string, c store.ConnectorStats) bool { return c == store.ConnectorStats{} })
	maps.DeleteFunc(st.Connectors, func(_ string, c store.ConnectorStats) bool { return c == store.ConnectorStats{} })
	if diff := cmp.Diff(st, got, cmpopts.EquateApproxTime(30*time.Second)); diff != "" {
		m.Fatal("stats (-want +got):\n" + diff)
	}
	if damage, err := m.l.Verify(m.ctx, nil); err != nil || len(damage) > 0 {
		m.Fatalf("verify: %v, %v", damage, err)
	}
}
