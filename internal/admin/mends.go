package admin

import (
	"fmt"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// Mends says of an event that reconcile made which part of another one it has
// written again.
type Mends struct {
	Event      string    `json:"event"`                // the other one
	ReceivedAt time.Time `json:"received_at,omitzero"` // of the other one
	Connector  string    `json:"connector"`
	Step       string    `json:"step"`   // of the record in the rules' plan
	Fields     []string  `json:"fields"` // that are written
	// Whole: the record is gone, and is made again, also with the fields that
	// it is found by.
	Whole bool `json:"whole,omitempty"`
}

// mends tells apart what an event that mends repeats, and what it is itself: its
// id and when it came to be. All else of it is the other one's.
func (e *Event) mends(stored store.Event) {
	o := e.Only
	if o == nil {
		return
	}
	e.Mends = &Mends{Event: e.ID, ReceivedAt: e.ReceivedAt, Connector: o.Connector, Step: o.Step, Fields: o.Fields, Whole: o.Whole}
	e.ID, e.ReceivedAt = stored.ID(), stored.ReceivedAt
}

// Planned is the event as rules see it: one that mends as the one that it
// repeats, with what of it is written.
func (e *Event) Planned() *event.Event {
	ev := e.Event
	if m := e.Mends; m != nil {
		ev.ID, ev.ReceivedAt = m.Event, m.ReceivedAt
		ev.Only = &event.Only{Connector: m.Connector, Step: m.Step, Fields: m.Fields, Whole: m.Whole}
	}
	return &ev
}

// String says for people what is written.
func (m *Mends) String() string {
	record := m.Step[strings.LastIndexByte(m.Step, '/')+1:] + " in " + m.Connector
	if m.Whole {
		return fmt.Sprintf("mends %s: makes %s again, with %s and what it is found by", m.Event, record, strings.Join(m.Fields, ", "))
	}
	return fmt.Sprintf("mends %s: writes only %s of %s", m.Event, strings.Join(m.Fields, ", "), record)
}
