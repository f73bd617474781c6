package event

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Join returns e as the whole story of its call tells it: started, answered
// and ended, who talked, and one id where calls were merged by a transfer.
// story holds the events of the call and of those merged with it, e among
// them, each as its own payload reads, in any order. Neither e nor the story
// is changed. Only what happened up to e counts, so that the order of arrival
// does not matter.
//
// Of two merged calls the one with the external party stays, else the older
// one; the id of the other becomes MergedID. After the transfer events of
// either id belong to the call that stays.
func Join(e *Event, story []*Event) *Event {
	s := readStory(story)
	out := *e
	at := slices.Index(s.events, e)
	if at < 0 {
		return &out
	}
	for _, x := range s.events {
		s.apply(x)
	}
	id := s.belongs[at]
	var mine []*Event // what happened in this call, e last
	for i, x := range s.events[:at+1] {
		if s.belongs[i] == id {
			mine = append(mine, x)
		}
	}
	if e.Call.Status == Merged && s.merged[id] == nil && len(mine) > 1 {
		// It was taken for merged when less was known: nothing happened to it.
		mine = mine[:len(mine)-1]
	}
	out.Call = s.call(id, mine)
	out.Contact = contactOf(mine, out.Call.Direction)
	return &out
}

// Merges returns what becomes of the calls that transfers in the story ended:
// for each of which anything was told before, an event of status merged, as no
// end of it comes from the vendor. It stands behind all that is known, as that
// may have been taken for this call's while less was known; Join tells when it
// was merged, into which call, and the rest of it. Their ID is empty.
func Merges(story []*Event) []*Event {
	s := readStory(story)
	var out []*Event
	for i, x := range s.events {
		s.apply(x)
		var legs []*Event
		for j := range i {
			if s.dropped[i] != "" && s.belongs[j] == s.dropped[i] {
				legs = append(legs, s.events[j])
			}
		}
		if len(legs) == 0 {
			continue
		}
		leg := s.call(s.dropped[i], legs)
		out = append(out, &Event{
			Type: CallTransferred, Source: x.Source, Vendor: x.Vendor, OccurredAt: s.events[len(s.events)-1].OccurredAt, Origin: x.Origin,
			Call:    &Call{ID: leg.ID, Status: Merged, MergedID: s.belongs[i], EndedAt: x.OccurredAt, Direction: leg.Direction},
			Contact: contactOf(legs, leg.Direction), // for its lane
		})
	}
	return out
}

// Running reports whether the call of that id has neither ended nor been
// merged, by all that the story holds, and gives its last event.
func Running(id string, story []*Event) (last *Event, running bool) {
	s := readStory(story)
	ended := map[string]bool{}
	for i, x := range s.events {
		kept := s.apply(x)
		if s.dropped[i] != "" {
			ended[s.dropped[i]] = true
		}
		if ended[kept] = x.Type == CallEnded || x.Call.Status == Merged; kept == id {
			last = x
		}
	}
	return last, last != nil && !ended[id]
}

// story is the events of some calls in their order, and which call each
// belongs to as far as it has been applied.
type story struct {
	events  []*Event
	keeper  map[string]string // id of a merged call → id of the call it became
	belongs []string          // by event: id of its call
	dropped []string          // by event: id of the call that it merged into another, or ""
	merged  map[string]*Event // by id of a merged call: the transfer
	legs    map[string]leg    // before any transfer
}

// leg is what is known of a call before it was merged.
type leg struct {
	known, external bool
	began           time.Time
}

func readStory(events []*Event) *story {
	s := &story{keeper: map[string]string{}, legs: map[string]leg{}, merged: map[string]*Event{}}
	for _, e := range events {
		if e.Call != nil && e.Call.ID != "" {
			s.events = append(s.events, e)
		}
	}
	slices.SortStableFunc(s.events, Compare)
	transferred := map[string]bool{}
	for _, e := range s.events {
		if c := e.Call; c.Status == Merged {
			continue
		} else if c.MergedID != "" {
			transferred[c.ID], transferred[c.MergedID] = true, true
		} else if !transferred[c.ID] {
			l := s.legs[c.ID]
			if !l.known {
				l = leg{known: true, began: e.OccurredAt}
			}
			l.external = l.external || e.Contact != nil && c.Direction != "internal"
			s.legs[c.ID] = l
		}
	}
	return s
}

// Compare orders events as they happened: by time, rank, and at last by when
// they came in.
func Compare(a, b *Event) int {
	return cmp.Or(a.OccurredAt.Compare(b.OccurredAt), cmp.Compare(a.Rank(), b.Rank()), a.ReceivedAt.Compare(b.ReceivedAt), strings.Compare(a.ID, b.ID))
}

// apply takes note of the next event and returns the id of the call that it
// belongs to.
func (s *story) apply(e *Event) string {
	id, dropped := s.kept(e.Call.ID), ""
	if e.Call.Status == Merged {
		id = e.Call.ID // the end of a call that was merged, as Merges gives it
	} else if other := e.Call.MergedID; other != "" && s.kept(other) != id {
		id, dropped = s.choose(id, s.kept(other))
		s.keeper[dropped], s.merged[dropped] = id, e
	}
	s.belongs, s.dropped = append(s.belongs, id), append(s.dropped, dropped)
	return id
}

func (s *story) kept(id string) string {
	for {
		next, ok := s.keeper[id]
		if !ok {
			return id
		}
		id = next
	}
}

// choose says which of two calls stays: the one with the external party, then
// one of which nothing is known (its events were lost, and a transfer concerns
// an external party mostly), then the older one.
func (s *story) choose(a, b string) (stays, goes string) {
	la, lb := s.legs[a], s.legs[b]
	worth := func(l leg) int {
		switch {
		case l.external:
			return 2
		case !l.known:
			return 1
		}
		return 0
	}
	// Ids of one exchange count up.
	if cmp.Or(worth(lb)-worth(la), la.began.Compare(lb.began), strings.Compare(a, b)) > 0 {
		return b, a
	}
	return a, b
}

// call is the call of that id after its events mine.
func (s *story) call(id string, mine []*Event) *Call {
	e := mine[len(mine)-1]
	c := *e.Call
	c.ID, c.MergedID, c.Transfer, c.StartedAt, c.AnsweredAt = id, "", "", time.Time{}, time.Time{}
	var agent, ended *Person
	for _, x := range mine {
		xc := x.Call
		start, answered := xc.StartedAt, xc.AnsweredAt
		if start.IsZero() && x.Type != CallEnded && x.Type != CallTransferred {
			start = x.OccurredAt
		}
		if answered.IsZero() && x.Type == CallAnswered {
			answered = x.OccurredAt
		}
		for _, t := range []struct {
			said time.Time
			into *time.Time
		}{{start, &c.StartedAt}, {answered, &c.AnsweredAt}} {
			if !t.said.IsZero() && !x.Moved && (t.into.IsZero() || t.said.Before(*t.into)) {
				*t.into = t.said
			}
		}
		if xc.Direction == "internal" {
			c.Direction = "internal"
		}
		person := xc.Agent
		if xc.Status == Voicemail && c.Status == Completed {
			c.Status = Voicemail // it was a machine that answered
		}
		if xc.Status == Merged {
			c.MergedID, c.EndedAt = s.kept(id), s.merged[id].OccurredAt
		} else if x.Type == CallTransferred && xc.MergedID != "" {
			c.MergedID, c.Transfer = s.mergedBy(x), s.kind(x)
			if c.Transfer != "warm" {
				person = nil // nobody has answered there yet
			}
		}
		switch {
		case person == nil:
		case x.Type == CallEnded:
			ended = person
		default:
			agent = person
		}
	}
	// What was dialled stays what was dialled, whoever has the call now.
	first := mine[0].Call
	c.From, c.To = cmp.Or(first.From, c.From), cmp.Or(first.To, c.To)
	if c.Direction != "internal" && first.Direction != "" && first.Direction != "unknown" {
		c.Direction = first.Direction
	}
	if c.Agent = agent; agent == nil {
		c.Agent = ended
	}
	fillFrom(&c, mine)
	if e.Type == CallEnded && c.Duration == nil {
		c.Duration = talk(&c)
	}
	if c.StartedAt.IsZero() && c.Status == Busy {
		c.StartedAt = c.EndedAt // it never rang
	}
	return &c
}

// mergedBy is the id of the call that a transfer merged into another.
func (s *story) mergedBy(e *Event) string {
	i := slices.Index(s.events, e)
	switch {
	case s.dropped[i] != "":
		return s.dropped[i]
	case s.belongs[i] == e.Call.MergedID:
		return e.Call.ID // told before, with the ids the other way round
	}
	return e.Call.MergedID
}

// kind is warm or cold: as the vendor says, else by whether somebody had
// answered in the call that was merged.
func (s *story) kind(e *Event) string {
	if e.Call.Transfer != "" {
		return e.Call.Transfer
	}
	gone, kind := s.mergedBy(e), ""
	for i, x := range s.events {
		switch {
		case x == e:
			return kind
		case s.belongs[i] != gone:
		case x.Type == CallAnswered:
			return "warm"
		default:
			kind = "cold"
		}
	}
	return kind
}

// talk is how long people talked in a call that ended: from when it was
// answered, none where it was not; nil where that is not known.
func talk(c *Call) *Seconds {
	var s Seconds
	switch {
	case !c.AnsweredAt.IsZero() && !c.EndedAt.Before(c.AnsweredAt):
		s = Seconds(c.EndedAt.Sub(c.AnsweredAt).Round(time.Millisecond).Seconds())
	case c.AnsweredAt.IsZero() && slices.Contains([]string{NotReached, Busy, Cancelled, Abandoned, Failed}, c.Status):
	default:
		return nil
	}
	return &s
}

// states are fields of a call that are true at one event only.
var states = []string{"ID", "Status", "Direction", "From", "To", "StartedAt", "AnsweredAt", "EndedAt", "Duration", "Reason", "MergedID", "Transfer", "Agent"}

// fillFrom gives a call what its last event leaves out and earlier ones said.
func fillFrom(c *Call, mine []*Event) {
	into := reflect.ValueOf(c).Elem()
	for i := range into.NumField() {
		if slices.Contains(states, into.Type().Field(i).Name) {
			continue
		}
		for _, x := range slices.Backward(mine) {
			if !into.Field(i).IsZero() {
				break
			}
			into.Field(i).Set(reflect.ValueOf(x.Call).Elem().Field(i))
		}
	}
}

// contactOf is the external party of a call, with all that its events say,
// later ones first; the number is that of the first.
func contactOf(mine []*Event, direction string) *Contact {
	if direction == "internal" {
		return nil
	}
	var out *Contact
	phone := ""
	for _, x := range slices.Backward(mine) {
		if x.Contact == nil {
			continue
		}
		if out == nil {
			copied := *x.Contact
			out = &copied
		}
		phone = cmp.Or(x.Contact.Phone, phone)
		into, from := reflect.ValueOf(out).Elem(), reflect.ValueOf(x.Contact).Elem()
		for i := range into.NumField() {
			if into.Field(i).IsZero() {
				into.Field(i).Set(from.Field(i))
			}
		}
	}
	if out != nil {
		out.Phone = phone
	}
	return out
}
