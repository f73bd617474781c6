package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/deliver"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/mapping"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// mendContent is the content type of events by which reconcile has a part of
// another event written again: a mend as JSON.
const mendContent = "application/vnd.crmsyncd.mend+json"

// mend is what such an event says.
type mend struct {
	Of        uint64   `json:"of"` // Seq of the event that says what is right
	Connector string   `json:"connector"`
	Step      string   `json:"step"`
	Fields    []string `json:"fields"`
	Whole     bool     `json:"whole,omitempty"`
}

// newMend makes the event that has a part of another one written again. It
// stands in that one's lane and has its time and rank: what happened since is
// newer, and stays.
func newMend(of store.Event, only event.Only, key string, at time.Time) (store.Event, error) {
	m := mend{Of: of.Seq, Connector: only.Connector, Step: only.Step, Fields: only.Fields, Whole: only.Whole}
	if of.ContentType == mendContent {
		var before mend
		if err := json.Unmarshal(of.Body, &before); err != nil {
			return store.Event{}, fmt.Errorf("the event that mended it before cannot be read: %w", err)
		}
		m.Of = before.Of
	}
	body, err := json.Marshal(m)
	if err != nil {
		return store.Event{}, err
	}
	request := &sources.Request{Header: http.Header{"Content-Type": {mendContent}}, Body: body, At: at}
	p := sources.Parsed{Event: &event.Event{Type: of.Type, OccurredAt: of.OccurredAt}, ContentKey: of.Vendor + ":" + key}
	e := receiver.Stored(of.Source, of.Vendor, event.Reconcile, request, p)
	e.Rank, e.Lane = of.Rank, of.Lane
	return e, nil
}

// mended gives the common model of the event that a mend is a part of.
func (r reader) mended(e store.Event) (*event.Event, error) {
	var m mend
	if err := json.Unmarshal(e.Body, &m); err != nil {
		return nil, fmt.Errorf("what reconcile made cannot be read: %w", err)
	}
	v, err := r.ledger.Event(context.Background(), m.Of)
	if err != nil {
		return nil, fmt.Errorf("what it mends: %w", err)
	}
	if v.Event.Stripped || v.Event.ContentType == mendContent {
		return nil, fmt.Errorf("the payload of %s, which it mends by, is not kept any more", v.Event.ID())
	}
	ev, err := r.Parse(v.Event)
	if err != nil {
		return nil, err
	}
	out := *ev
	out.Origin = event.Reconcile
	out.Only = &event.Only{Connector: m.Connector, Step: m.Step, Fields: m.Fields, Whole: m.Whole}
	return &out, nil
}

// planner is the rules, and what of them counts for events by which reconcile
// mends a part.
type planner struct {
	*mapping.Rules
	shadowed map[string]bool // connectors to which nothing is written
}

func (s *Setup) planner() planner { return planner{s.Rules, s.shadowed} }

var _ deliver.Planner = planner{}

// Connectors implements deliver.Planner.
func (p planner) Connectors(ev *event.Event) []string {
	names := p.Rules.Connectors(ev)
	if ev.Only != nil {
		names = slices.DeleteFunc(names, func(n string) bool { return n != ev.Only.Connector })
	}
	return names
}

// Plan implements deliver.Planner.
func (p planner) Plan(ev *event.Event, connector string) (mapping.Plan, error) {
	plan, err := p.Rules.Plan(ev, connector)
	if err == nil && ev.Only != nil {
		plan = only(plan, *ev.Only)
	}
	if p.shadowed[connector] {
		for i := range plan.Records {
			plan.Records[i].Shadow = true
		}
	}
	return plan, err
}

// only leaves of a plan what is to be mended: of a record that is there the
// fields that differ, and nothing is made; of one that is gone also the fields
// that it is found by.
func only(plan mapping.Plan, o event.Only) mapping.Plan {
	var out mapping.Plan
	for _, rec := range plan.Records {
		if rec.Step != o.Step {
			continue
		}
		wanted := slices.Clone(o.Fields)
		if rec.Links = nil; o.Whole {
			rec.Create = mapping.CreateMissing
			for _, k := range rec.Keys {
				for _, t := range k {
					wanted = append(wanted, t.Field)
				}
			}
		} else {
			rec.Create = mapping.CreateNever
		}
		rec.Fields = slices.DeleteFunc(slices.Clone(rec.Fields), func(f mapping.Field) bool {
			return f.Name == connectors.ID || !slices.Contains(wanted, f.Name)
		})
		out.Records = append(out.Records, rec)
	}
	return out
}
