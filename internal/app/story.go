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
	s, err := r.story(e)
	if err != nil {
		return nil, err
	}
	if len(s.events) == 0 {
		return s.own, nil
	}
	return event.Join(s.own, s.events), nil
}

// told is a stored event with the story of its call.
type told struct {
	own    *event.Event
	events []*event.Event // own among them; none where one event tells a call
	seqs   map[*event.Event]store.Event
}

// story reads an event and those of its call and of calls merged with it.
func (r reader) story(e store.Event) (told, error) {
	own, calls, err := r.read(e)
	s := told{own: own}
	if err != nil || len(calls) == 0 || e.Problem != "" {
		return s, err
	}
	s.seqs = map[*event.Event]store.Event{own: e}
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
	var ev *event.Event
	var calls []string
	if e.ContentType == ownContent {
		ev = &event.Event{}
		if err := json.Unmarshal(e.Body, ev); err != nil {
			return nil, nil, fmt.Errorf("the event that crmsyncd made cannot be read: %w", err)
		}
		if ev.Call != nil {
			calls = []string{ev.Call.ID}
		}
	} else {
		p, err := s.parse(e)
		if err != nil {
			return nil, nil, err
		}
		ev, calls = p.Event, p.Calls
		if ev.Raw == nil {
			ev.Raw = e.Body
			if p.Problem != "" && !json.Valid(e.Body) {
				ev.Raw, _ = json.Marshal(string(e.Body))
			}
		}
	}
	ev.ID, ev.Source, ev.Vendor, ev.Origin, ev.ReceivedAt = e.ID(), e.Source, e.Vendor, e.Origin, e.ReceivedAt
	if ev.OccurredAt.IsZero() {
		ev.OccurredAt = e.OccurredAt
	}
	return ev, calls, nil
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

// followUp says what an event that is about to be planned brings with it:
// events of calls that it merged, and events that happened later but came
// earlier and end a story that it completes.
func (r reader) followUp(e store.Event) (more []store.Event, again []store.Requeue, err error) {
	if _, several := r.Sources[e.Source].(sources.Closer); !several || e.ContentType == ownContent {
		return nil, nil, nil
	}
	s, err := r.story(e)
	if err != nil || len(s.events) == 0 || s.own.Call == nil {
		return nil, nil, err
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
	ended := &event.Event{
		Type: event.CallEnded, Source: source, Vendor: last.Vendor, Origin: event.Reconcile, OccurredAt: last.OccurredAt,
		Contact: joined.Contact,
		Call:    &event.Call{ID: joined.Call.ID, Status: "unknown", Direction: joined.Call.Direction, Reason: "no end was received"},
	}
	out, err := own(ended, "closed:"+last.OccurredAt.UTC().Format(time.RFC3339Nano), now)
	return &out, err
}
