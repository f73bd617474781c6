package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
)

// soakPerson is a contact with all that was sent about it. One sender alone
// sends it, so that its events come in the order of their time unless they
// are late on purpose.
type soakPerson struct {
	n      int
	last   time.Time
	used   map[int64]bool // seconds at which something happened already
	events []*occurrence
}

// occurrence is one thing that happened, however often it is told.
type occurrence struct {
	person *soakPerson
	kind   string
	at     time.Time
	late   bool
	call   string // id, or ""
	status string // of the contact

	mu    sync.Mutex
	event string // id in the answer to its acknowledgement
}

var soakKinds = []string{
	"call_completed", "call_answered", "call_not_reached", "call_voicemail", "call_error", "call_newer",
	"status_new", "status_pending", "status_reached", "status_closed",
}

// next is the person's next event, or now and then an older one that comes late.
func (p *soakPerson) next(r *rand.Rand) *occurrence {
	o := &occurrence{person: p, kind: soakKinds[r.IntN(len(soakKinds))]}
	if span := int64(p.last.Sub(p.begun()).Seconds()); span > 10 && r.IntN(8) == 0 {
		at := p.last.Add(-time.Duration(1+r.Int64N(span)) * time.Second)
		if !p.used[at.Unix()] {
			o.at, o.late = at, true
		}
	}
	if !o.late {
		p.last = p.last.Add(time.Duration(1+r.IntN(20)) * time.Second)
		o.at = p.last
	}
	p.used[o.at.Unix()] = true
	return o
}

// begun is when the person's first event was.
func (p *soakPerson) begun() time.Time {
	if len(p.events) == 0 {
		return p.last
	}
	return p.events[0].at
}

// send posts events of a sender's own people until ctx ends. Each is sent until
// it is acknowledged, as the vendor does, also beyond that time.
func (s *soak) send(ctx context.Context, r *rand.Rand, sender int) {
	for ctx.Err() == nil && !s.t.Failed() {
		p := s.people[r.IntN(len(s.people)/soakSenders)*soakSenders+sender]
		o := p.next(r)
		body, err := s.src.(sources.Sampler).Sample(o.kind, p.n, o.at)
		if err == nil {
			err = o.read(body)
		}
		if err != nil {
			s.t.Error(err)
			return
		}
		p.events = append(p.events, o)
		id := fmt.Sprintf("msg_%d_%d", p.n, o.at.Unix())
		var twice sync.WaitGroup
		if r.IntN(10) == 0 { // two endpoints of the vendor at the same time
			twice.Go(func() { s.acknowledge(o, body, id+"_other") })
		}
		s.acknowledge(o, body, id)
		twice.Wait()
		switch r.IntN(8) {
		case 0: // the vendor's retry
			s.acknowledge(o, body, id)
		case 1: // sent again by hand, under another id
			s.acknowledge(o, body, id+"_again")
		case 2:
			old := p.events[r.IntN(len(p.events))]
			if body, err := s.src.(sources.Sampler).Sample(old.kind, p.n, old.at); err == nil {
				s.acknowledge(old, body, fmt.Sprintf("msg_%d_%d", p.n, old.at.Unix()))
			}
		}
		linger(ctx, r, s.o.rest)
	}
}

// read takes from the payload what is to be seen in the CRMs.
func (o *occurrence) read(body []byte) error {
	var payload struct {
		Call struct {
			ID string `json:"call_id"`
		} `json:"call"`
		Contact struct {
			Status string `json:"status"`
		} `json:"contact"`
	}
	err := json.Unmarshal(body, &payload)
	o.call, o.status = payload.Call.ID, payload.Contact.Status
	return err
}

// acknowledge posts until the daemon says 200, through kills and stops, and
// holds it to one event for one occurrence.
func (s *soak) acknowledge(o *occurrence, body []byte, id string) {
	for end := time.Now().Add(soakPatience); s.life.Err() == nil; time.Sleep(10 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(s.life, 10*time.Second)
		answer, status, err := sender{source: s.src}.post(ctx, "http://"+s.listen+"/hooks/telli", body, id)
		cancel()
		switch {
		case err == nil && status == 200:
			s.acknowledged(o, answer)
			return
		case err == nil && status != 503:
			s.o.tell("%s at %v: answered %d %s", o.kind, o.at, status, answer)
			return
		case time.Now().After(end):
			s.o.tell("%s at %v: not acknowledged within %v: %v %d %s", o.kind, o.at, soakPatience, err, status, answer)
			return
		}
	}
}

func (s *soak) acknowledged(o *occurrence, answer string) {
	var a struct {
		Status string `json:"status"`
		Event  string `json:"event_id"`
	}
	if err := json.Unmarshal([]byte(answer), &a); err != nil || !strings.HasPrefix(a.Event, "evt_") || a.Status != "accepted" && a.Status != "duplicate" {
		s.o.tell("%s at %v: answered 200 %s", o.kind, o.at, answer)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.event != "" && o.event != a.Event {
		s.o.tell("%s at %v: acknowledged as %s and as %s", o.kind, o.at, o.event, a.Event)
	}
	o.event = a.Event
}

// sent counts what happened so far.
func (s *soak) sent() (n int) {
	for _, p := range s.people {
		n += len(p.events)
	}
	return n
}
