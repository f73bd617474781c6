package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// running is the status of a call that has not ended, by the event's type.
var running = map[event.Type]string{
	event.CallCreated: event.Created, event.CallRinging: event.Ringing,
	event.CallAnswered: event.InProgress, event.CallTransferred: event.Transferred,
}

// opened is the status of a conversation, by the event's type.
var opened = map[event.Type]string{event.ConversationOpened: "open", event.ConversationClosed: "closed"}

// finish fills in what follows from the fields.
func (w *reading) finish() {
	e := w.e
	if c := e.Call; c != nil {
		first(&c.Direction, "unknown")
		if s := running[e.Type]; s != "" {
			c.Status = s
		} else if e.Type == event.CallEnded && c.Status == "" {
			c.Status = "unknown"
		}
		number := ""
		switch c.Direction {
		case "inbound":
			number = c.From
		case "outbound":
			number = c.To
		}
		if number != "" {
			if e.Contact == nil {
				e.Contact = &event.Contact{}
			}
			first(&e.Contact.Phone, number)
		}
	}
	if status := opened[e.Type]; status != "" {
		if e.Conversation == nil {
			e.Conversation = &event.Conversation{}
		}
		first(&e.Conversation.Status, status)
	}
	if c := e.Contact; c != nil {
		first(&c.FullName, strings.TrimSpace(c.FirstName+" "+c.LastName))
	}
}

// when decides the time that orders the event, and whether the times are to be
// believed.
func (w *reading) when(now time.Time) {
	e := w.e
	if v := w.value(w.occurred); v != nil && !zero(v) {
		t, _ := w.time(v)
		w.moments = append(w.moments, sources.Moment{Name: "occurred_at", Time: t})
		e.OccurredAt = t
	} else {
		e.OccurredAt = told(e)
	}
	if e.Type == event.Unknown {
		e.OccurredAt = time.Time{}
		return // whatever its times say, it is kept
	}
	for _, m := range w.moments {
		if problem := m.Problem(now); problem != "" {
			w.wrong(problem)
			e.OccurredAt = time.Time{}
		}
	}
	if c := e.Call; c != nil && e.Type == event.CallEnded && c.EndedAt.IsZero() && w.problem == "" {
		// Of a vendor that tells no times, its arrival is the best that is known.
		if c.EndedAt = e.OccurredAt; c.EndedAt.IsZero() && w.joined {
			c.EndedAt = now
		}
	}
}

// told is when an event happened by its fields.
func told(e *event.Event) time.Time {
	times := []time.Time{}
	switch c, v, m := e.Call, e.Conversation, e.Message; {
	case e.Type == event.CallEnded && c != nil:
		times = append(times, c.EndedAt, c.StartedAt)
	case e.Type == event.CallAnswered && c != nil:
		times = append(times, c.AnsweredAt)
	case (e.Type == event.CallCreated || e.Type == event.CallRinging) && c != nil:
		times = append(times, c.StartedAt)
	case e.Type == event.ContactStatusChanged && e.Contact != nil:
		times = append(times, e.Contact.StatusChangedAt)
	case e.Type == event.ConversationOpened && v != nil:
		times = append(times, v.OpenedAt)
	case e.Type == event.ConversationClosed && v != nil:
		times = append(times, v.ClosedAt)
	case m != nil:
		times = append(times, m.SentAt)
	}
	for _, t := range times {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// unidentified says why nothing in the event says whom or what it concerns; ""
// if something does.
func unidentified(e *event.Event) string {
	person := e.Contact != nil && (e.Contact.ID != "" || e.Contact.ExternalID != "" || e.Contact.Phone != "" || e.Contact.Email != "")
	part, what, _ := strings.Cut(string(e.Type), ".")
	switch {
	case part == "call" && (e.Call == nil || e.Call.ID == ""):
		return string(e.Type) + " without call.id"
	case part == "contact" && !person:
		return string(e.Type) + " without a contact"
	case e.Type == event.ContactStatusChanged && e.Contact.Status == "":
		return string(e.Type) + " without contact.status"
	case part == "conversation" && !person && (e.Conversation == nil || e.Conversation.ID == ""):
		return string(e.Type) + " without conversation.id"
	case part == "message" && (e.Message == nil || e.Message.ID == ""):
		return string(e.Type) + " without message.id"
	case part == "comment" && !person && (e.Message == nil || e.Message.ID == ""):
		return string(e.Type) + " without message.id"
	case what == "":
		return "an event of a type that is none"
	}
	return ""
}

// key identifies the occurrence: by the settings' identity, else by the
// vendor's word and the ids; "" where the payload has nothing to tell two
// occurrences apart.
func (w *reading) key() string {
	if w.identity != nil {
		if id := scalarText(w.value(w.identity)); id != "" {
			return w.prefix + ":" + short(id)
		}
		return ""
	}
	e, what := w.e, w.word
	if what == "" {
		what = string(e.Type)
	}
	stamp := ""
	if !e.OccurredAt.IsZero() {
		stamp = ":" + e.OccurredAt.UTC().Format(time.RFC3339Nano)
	}
	switch part, _, _ := strings.Cut(string(e.Type), "."); {
	case part == "call" && (e.Type == event.CallRinging || e.Type == event.CallTransferred):
		return w.prefix + ":call:" + short(e.Call.ID) + ":" + what + stamp // may happen again
	case part == "call":
		return w.prefix + ":call:" + short(e.Call.ID) + ":" + what
	case (part == "message" || part == "comment") && e.Message != nil && e.Message.ID != "":
		return w.prefix + ":message:" + short(e.Message.ID) + ":" + what
	case part == "conversation" && e.Conversation != nil && e.Conversation.ID != "" && stamp != "":
		return w.prefix + ":conversation:" + short(e.Conversation.ID) + ":" + what + stamp
	case part == "contact" && e.Contact.ID != "" && e.Type == event.ContactCreated:
		return w.prefix + ":contact:" + short(e.Contact.ID) + ":" + what
	case part == "contact" && e.Contact.ID != "" && stamp != "":
		if e.Type == event.ContactStatusChanged {
			what += ":" + short(e.Contact.Status)
		}
		return w.prefix + ":contact:" + short(e.Contact.ID) + ":" + what + stamp
	}
	return ""
}

// longest is how long an id stands in a key as it is.
const longest = 80

func short(id string) string {
	if len(id) <= longest {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:16])
}
