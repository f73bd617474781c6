package app

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/internal/receiver"
	"github.com/crmsyncd/crmsyncd/sources"
	"github.com/crmsyncd/crmsyncd/store"
)

// alikeEvents is how many events of one number within the hours of a call are
// looked at, the newest.
const alikeEvents = 400

// candidate is a call that the ledger has, which may be another one's twin.
type candidate struct {
	first uint64 // Seq of its first event
	id    string
	event *event.Event // as its events together tell it
	alike *sources.Alike
	last  time.Time // when the last thing of it happened
	ended bool      // by the vendor's own word
}

// alikeTo finds the calls that may be the one that p tells under another id.
func (r reader) alikeTo(ctx context.Context, source string, p sources.Parsed) ([]candidate, error) {
	keys := p.Alike.Others()
	if len(keys) == 0 {
		return nil, nil
	}
	stored, err := r.ledger.Story(ctx, source, keys, alikeEvents)
	if err != nil {
		return nil, err
	}
	var out []candidate
	for _, x := range stored {
		_, q, err := r.whole(x)
		if err != nil || q.Event.Call == nil || q.Problem != "" {
			continue
		}
		if slices.ContainsFunc(out, func(c candidate) bool { return slices.Contains(callsOf(q), c.id) }) {
			continue
		}
		c, err := r.candidate(x, q)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

// callsOf are the ids under which a call is told.
func callsOf(p sources.Parsed) []string {
	if len(p.Calls) > 0 || p.Event.Call == nil {
		return p.Calls
	}
	return []string{p.Event.Call.ID}
}

// candidate puts together what the ledger has of the call of an event.
func (r reader) candidate(x store.Event, p sources.Parsed) (candidate, error) {
	c := candidate{first: x.Seq, id: p.Event.Call.ID, event: p.Event, alike: p.Alike, last: x.OccurredAt, ended: x.Type == event.CallEnded}
	s, err := r.story(x)
	if err != nil || len(s.events) == 0 {
		return c, err
	}
	last := s.own
	for _, e := range s.events {
		if event.Compare(e, last) > 0 {
			last = e
		}
		stored := s.seqs[e]
		c.first = min(c.first, stored.Seq)
		if e.OccurredAt.After(c.last) {
			c.last = e.OccurredAt
		}
		// What we closed for want of an end is not the vendor's word.
		c.ended = c.ended || e.Type == event.CallEnded && stored.ContentType != ownContent
	}
	c.event = event.Join(last, s.events)
	c.id = c.event.Call.ID
	return c, nil
}

// firstID is the id under which the ledger knew the call of an event first: its
// own, or where webhooks and the read API name calls differently that of the
// other. So that both write to one record, whichever came first.
func (r reader) firstID(ctx context.Context, e store.Event, p sources.Parsed, joined *event.Event) (string, error) {
	if joined.Call == nil {
		return "", nil
	}
	id := joined.Call.ID
	others, err := r.alikeTo(ctx, e.Source, p)
	if err != nil || len(others) == 0 {
		return id, err
	}
	own, err := r.candidate(e, p)
	if err != nil {
		return id, err
	}
	for _, c := range others {
		same := false
		if p.Alike.Read {
			same = p.Alike.Is(c.event)
		} else if c.alike != nil {
			same = c.alike.Is(own.event)
		}
		if same && c.first < own.first {
			return c.id, nil
		}
	}
	return id, nil
}

// take makes what a vendor's read API told an event for the ledger: as a part
// of the call that webhooks told, where they told one. known: they told its end.
func (r reader) take(ctx context.Context, source string, origin event.Origin, item sources.Item, at time.Time) (e store.Event, known bool, err error) {
	src := r.Sources[source]
	if src == nil {
		return e, false, fmt.Errorf("source %q is not in the settings any more", source)
	}
	request := item.Request(at)
	p := src.Parse(request)
	others, err := r.alikeTo(ctx, source, p)
	if err != nil {
		return e, false, err
	}
	for _, c := range others {
		if !p.Alike.Is(c.event) {
			continue
		}
		if c.ended {
			known = true
			break
		}
		if item, err = item.As(c.id, p.Alike.Ended(c.event, c.last)); err != nil {
			return e, false, err
		}
		request = item.Request(at)
		p = src.Parse(request)
		break
	}
	p.ContentKey = r.receiving[source].Key(p.ContentKey)
	return receiver.Stored(source, r.Type(source), origin, request, p), known, nil
}
