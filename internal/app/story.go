package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

const (
	// ownContent is the content type of events that crmsyncd makes itself: the
	// common model as JSON.
	ownContent = "application/vnd.crmsyncd.event+json"
	// storyEvents is how many events of one call are read at most, the newest;
	// vendors send ten to twenty.
	storyEvents = 200
	// storyMerges is how many merged calls deep a story is followed.
	storyMerges = 8
)

// reader reads stored events: each as its source parses it and, where a call
// is told by several, as all that the ledger has of the call tells it.
type reader struct {
	*Setup
	ledger store.Ledger
}

// Parse gives the common model of a stored event.
func (r reader) Parse(e store.Event) (*event.Event, error) {
	if e.ContentType == mendContent {
		return r.mended(e)
	}
	s, err := r.story(e)
	if err != nil {
		return nil, err
	}
	ev := s.own
	if len(s.events) > 0 {
		ev = event.Join(s.own, s.events)
	}
	if s.parsed.Alike == nil || ev.Call == nil {
		return ev, nil
	}
	id, err := r.firstID(context.Background(), e, s.parsed, ev)
	if id != ev.Call.ID && err == nil {
		call := *ev.Call
		call.ID = id
		ev.Call = &call
	}
	return ev, err
}

// told is a stored event with the story of its call.
type told struct {
	own    *event.Event
	events []*event.Event // own among them; none where one event tells a call
	seqs   map[*event.Event]store.Event
	legs   map[*event.Event]string // by event: the last of the ids that its own payload names
	parsed sources.Parsed          // own, by its source
}

// story reads an event and those of its call and of calls merged with it.
func (r reader) story(e store.Event) (told, error) {
	own, parsed, err := r.whole(e)
	calls := parsed.Calls
	s := told{own: own, parsed: parsed}
	if err != nil || len(calls) == 0 || e.Problem != "" {
		return s, err
	}
	s.seqs, s.legs = map[*event.Event]store.Event{own: e}, map[*event.Event]string{own: calls[len(calls)-1]}
	s.events = append(s.events, own)
	known := map[uint64]bool{e.Seq: true}
	for range storyMerges {
		stored, err := r.ledger.Story(context.Background(), e.Source, calls, storyEvents)
		if err != nil {
			return s, err
		}
		before := len(calls)
		for _, x := range stored {
			if known[x.Seq] {
				continue
			}
			known[x.Seq] = true
			ev, more, err := r.read(x)
			if err != nil {
				continue // it was removed from what this version can read
			}
			s.events = append(s.events, ev)
			s.seqs[ev] = x
			if len(more) > 0 {
				s.legs[ev] = more[len(more)-1]
			}
			for _, c := range more {
				if !slices.Contains(calls, c) {
					calls = append(calls, c)
				}
			}
		}
		if len(calls) == before {
			break
		}
	}
	return s, nil
}

// read gives the common model of one stored event by itself, and the calls
// that it is a part of.
func (s *Setup) read(e store.Event) (*event.Event, []string, error) {
	ev, p, err := s.whole(e)
	return ev, p.Calls, err
}

// whole gives the common model of one stored event by itself, and all else that
// its source says of it; nothing of a transcript that is not to be kept, whatever
// is stored.
func (s *Setup) whole(e store.Event) (*event.Event, sources.Parsed, error) {
	e.Body = s.unspoken(e)
	var p sources.Parsed
	if e.ContentType == ownContent {
		p.Event = &event.Event{}
		if err := json.Unmarshal(e.Body, p.Event); err != nil {
			return nil, p, fmt.Errorf("the event that crmsyncd made cannot be read: %w", err)
		}
		if p.Event.Call != nil {
			p.Calls = []string{p.Event.Call.ID}
		}
	} else {
		var err error
		if p, err = s.parse(e); err != nil {
			return nil, p, err
		}
		if p.Event.Raw == nil {
			p.Event.Raw = e.Body
			if p.Problem != "" && !json.Valid(e.Body) {
				p.Event.Raw, _ = json.Marshal(string(e.Body))
			}
		}
	}
	ev := p.Event
	ev.ID, ev.Source, ev.Vendor, ev.Origin, ev.ReceivedAt = e.ID(), e.Source, e.Vendor, e.Origin, e.ReceivedAt
	switch {
	case (ev.OccurredAt.IsZero() || ev.OccurredAt.Equal(e.ReceivedAt)) && !e.OccurredAt.IsZero() && e.OccurredAt.Before(e.ReceivedAt):
		ev.OccurredAt, ev.Moved = e.OccurredAt, true
	case ev.OccurredAt.IsZero():
		ev.OccurredAt = e.OccurredAt
	}
	return ev, p, nil
}

// own is an event that crmsyncd makes itself, as the ledger takes it.
func own(ev *event.Event, key string, at time.Time) (store.Event, error) {
	body, err := json.Marshal(ev)
	if err != nil {
		return store.Event{}, fmt.Errorf("write an event: %w", err)
	}
	request := &sources.Request{Header: http.Header{"Content-Type": {ownContent}}, Body: body, At: at}
	p := sources.Parsed{Event: ev, ContentKey: ev.Vendor + ":call:" + ev.Call.ID + ":" + key, Calls: []string{ev.Call.ID}}
	return receiver.Stored(ev.Source, ev.Vendor, ev.Origin, request, p), nil
}

// moved gives the time at which an event happened at the latest whose vendor
// tells no times: that of the first event that came before it though it follows
// it, such as a call's end before its answer. Zero if there is none.
func (s told) moved() (at time.Time) {
	own := s.seqs[s.own]
	for x, stored := range s.seqs {
		if stored.Seq < own.Seq && s.legs[x] == s.legs[s.own] && x.Rank() > s.own.Rank() && (x.Moved || stored.OccurredAt.Equal(stored.ReceivedAt)) && (at.IsZero() || x.OccurredAt.Before(at)) {
			at = x.OccurredAt
		}
	}
	if !own.OccurredAt.Equal(own.ReceivedAt) || !at.Before(own.OccurredAt) {
		return time.Time{}
	}
	return at
}

// followUp says what an event that is about to be planned brings with it:
// events of calls that it merged, and events that happened later but came
// earlier and end a story that it completes. It may be among those itself, with
// another time.
func (r reader) followUp(e store.Event) (more []store.Event, again []store.Requeue, err error) {
	if _, several := r.Sources[e.Source].(sources.Closer); !several || e.ContentType == ownContent || e.ContentType == mendContent {
		return nil, nil, nil
	}
	s, err := r.story(e)
	if err != nil || len(s.events) == 0 || s.own.Call == nil {
		return nil, nil, err
	}
	if at := s.moved(); !at.IsZero() {
		s.own.OccurredAt, s.own.Moved = at, true
		self := r.Reparse(e)
		self.OccurredAt = at
		again = append(again, self)
	}
	for _, m := range event.Merges(s.events) {
		x, err := own(m, event.Merged, e.ReceivedAt)
		if err != nil {
			return nil, nil, err
		}
		more = append(more, x)
	}
	last := map[string]*event.Event{} // by the call that it is the last of
	for _, x := range s.events {
		if s.seqs[x].Seq < e.Seq && event.Compare(x, s.own) > 0 {
			id := event.Join(x, s.events).Call.ID
			if l := last[id]; l == nil || event.Compare(x, l) > 0 {
				last[id] = x
			}
		}
	}
	for _, x := range last {
		again = append(again, r.Reparse(s.seqs[x]))
	}
	return more, again, nil
}

// close gives the event that ends a call whose end never came, or none if it
// has ended by all that the ledger has of it.
func (r reader) close(ctx context.Context, source, call string, now time.Time) (*store.Event, error) {
	stored, err := r.ledger.Story(ctx, source, []string{call}, storyEvents)
	if err != nil || len(stored) == 0 {
		return nil, err
	}
	s, err := r.story(stored[len(stored)-1])
	if err != nil {
		return nil, err
	}
	last, running := event.Running(call, s.events)
	if !running {
		return nil, nil
	}
	joined := event.Join(last, s.events)
	if id, err := r.firstID(ctx, s.seqs[last], sources.Parsed{Event: last, Alike: s.parsed.Alike, Calls: s.parsed.Calls}, joined); err != nil || id != joined.Call.ID {
		return nil, err // the vendor was asked, and told its end
	}
	ended := &event.Event{
		Type: event.CallEnded, Source: source, Vendor: last.Vendor, Origin: event.Reconcile, OccurredAt: last.OccurredAt,
		Contact: joined.Contact,
		Call:    &event.Call{ID: joined.Call.ID, Status: "unknown", Direction: joined.Call.Direction, Reason: "no end was received"},
	}
	out, err := own(ended, "closed:"+last.OccurredAt.UTC().Format(time.RFC3339Nano), now)
	return &out, err
}
