// Package event holds the common model: what happened on the phone or in a
// conversation, in the same words whichever vendor reported it.
//
// The types here are pure data. Parsing vendors' payloads belongs to the
// packages below sources, storing to store, and writing to CRMs to connectors.
package event

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Type says what happened, as rules name it in `on:`.
type Type string

// The event types that sources produce. Unknown events are kept and
// acknowledged; no rule matches them unless it names the type.
const (
	CallCreated             Type = "call.created"
	CallRinging             Type = "call.ringing"
	CallAnswered            Type = "call.answered"
	CallTransferred         Type = "call.transferred"
	CallEnded               Type = "call.ended"
	ContactCreated          Type = "contact.created"
	ContactUpdated          Type = "contact.updated"
	ContactStatusChanged    Type = "contact.status_changed"
	ContactTagChanged       Type = "contact.tag_changed"
	ContactOwnerChanged     Type = "contact.owner_changed"
	ContactLifecycleChanged Type = "contact.lifecycle_changed"
	ConversationOpened      Type = "conversation.opened"
	ConversationClosed      Type = "conversation.closed"
	MessageReceived         Type = "message.received"
	MessageSent             Type = "message.sent"
	CommentCreated          Type = "comment.created"
	Unknown                 Type = "unknown"
)

// Types lists every event type in the order of a contact's story.
var Types = []Type{
	CallCreated, CallRinging, CallAnswered, CallTransferred, CallEnded,
	ContactCreated, ContactUpdated, ContactStatusChanged, ContactTagChanged, ContactOwnerChanged, ContactLifecycleChanged,
	ConversationOpened, ConversationClosed, MessageReceived, MessageSent, CommentCreated, Unknown,
}

// Origin says which way an event came in.
type Origin string

// The ways an event comes in.
const (
	Webhook   Origin = "webhook"
	Backfill  Origin = "backfill"
	Reconcile Origin = "reconcile"
	Replay    Origin = "replay"
)

// Values of Call.Status. The first four are states of a running call.
const (
	Created     = "created"
	Ringing     = "ringing"
	InProgress  = "in_progress"
	Transferred = "transferred"
	Completed   = "completed"
	Answered    = "answered" // talked, and another attempt follows
	NotReached  = "not_reached"
	Voicemail   = "voicemail"
	Busy        = "busy"
	Cancelled   = "cancelled"
	Abandoned   = "abandoned"
	Failed      = "failed"
	Merged      = "merged"
)

// CallStatuses lists every value of Call.Status.
var CallStatuses = []string{
	Created, Ringing, InProgress, Transferred,
	Completed, Answered, NotReached, Voicemail, Busy, Cancelled, Abandoned, Failed, Merged, "unknown",
}

// Directions lists every value of Call.Direction.
var Directions = []string{"inbound", "outbound", "internal", "unknown"}

// Event is one thing that happened. Zero strings, zero times, nil pointers and
// empty maps mean "not known", never "empty in the CRM".
type Event struct {
	ID         string    `json:"id" doc:"crmsyncd's own id of the event"`
	Type       Type      `json:"type" doc:"what happened, as in on:"`
	Source     string    `json:"source" doc:"name of the source in config.yaml"`
	Vendor     string    `json:"vendor" doc:"type of the source"`
	OccurredAt time.Time `json:"occurred_at,omitzero" doc:"when it happened, by the vendor's clock"`
	ReceivedAt time.Time `json:"received_at,omitzero" doc:"when crmsyncd got it"`
	Origin     Origin    `json:"origin,omitempty" doc:"webhook, backfill, reconcile or replay"`

	Call         *Call         `json:"call,omitempty"`
	Contact      *Contact      `json:"contact,omitempty"`
	Conversation *Conversation `json:"conversation,omitempty"`
	Message      *Message      `json:"message,omitempty"`

	// Moved says that the vendor told no time and that the event came after
	// one that follows it: OccurredAt is then that one's time.
	Moved bool `json:"-"`

	// Only says what of a CRM an event that reconcile made is to mend; nil for
	// all others.
	Only *Only `json:"-"`

	// Raw is the payload as received; JSON, also where the vendor posts forms.
	Raw json.RawMessage `json:"raw,omitempty" doc:"the payload as received"`
}

// Only is one record of a CRM, and what of it is to be written.
type Only struct {
	Connector string
	Step      string   // of the record in the rules' plan
	Fields    []string // those that differ
	// Whole: the record is gone, and is to be made again.
	Whole bool
}

// Call is a phone call as far as it is known at the event.
type Call struct {
	ID            string         `json:"id,omitempty" doc:"the vendor's id of the call"`
	Status        string         `json:"status,omitempty" doc:"created, ringing, in_progress, transferred; at the end completed, answered, not_reached, voicemail, busy, cancelled, abandoned, failed, merged, unknown"`
	Direction     string         `json:"direction,omitempty" doc:"inbound, outbound, internal or unknown"`
	From          string         `json:"from,omitempty" doc:"calling number, E.164"`
	To            string         `json:"to,omitempty" doc:"called number, E.164"`
	StartedAt     time.Time      `json:"started_at,omitzero" doc:"when it began to ring"`
	AnsweredAt    time.Time      `json:"answered_at,omitzero" doc:"when it was picked up"`
	EndedAt       time.Time      `json:"ended_at,omitzero" doc:"when it ended"`
	Duration      *Seconds       `json:"duration,omitempty" doc:"length; seconds in arithmetic"`
	Attempt       int            `json:"attempt,omitempty" doc:"which attempt to reach the contact this was, from 1"`
	Reason        string         `json:"reason,omitempty" doc:"the vendor's word for why it ended"`
	Summary       string         `json:"summary,omitempty" doc:"what was said, in short"`
	Headline      string         `json:"headline,omitempty" doc:"what was said, in one line"`
	Transcript    string         `json:"transcript,omitempty" doc:"what was said, word by word"`
	RecordingURL  string         `json:"recording_url,omitempty" doc:"link to the recording; it may expire"`
	AppointmentAt time.Time      `json:"appointment_at,omitzero" doc:"time of an appointment made in the call"`
	Topics        []string       `json:"topics,omitempty" doc:"topics of the call"`
	ActionItems   []string       `json:"action_items,omitempty" doc:"what is to be done after the call"`
	Outcome       map[string]any `json:"outcome,omitempty" doc:"outcomes that you configured at the vendor, by name"`
	Analysis      map[string]any `json:"analysis,omitempty" doc:"findings of the vendor's analysis, by name"`
	Collected     map[string]any `json:"collected,omitempty" doc:"data collected in the call, by name"`
	Answers       map[string]any `json:"answers,omitempty" doc:"answers by the question's text"`
	MergedID      string         `json:"merged_id,omitempty" doc:"the other call's id after a transfer"`
	Transfer      string         `json:"transfer,omitempty" doc:"warm or cold"`
	Agent         *Person        `json:"agent,omitempty"`
}

// Contact is the external party.
type Contact struct {
	ID              string         `json:"id,omitempty" doc:"the vendor's id of the contact"`
	ExternalID      string         `json:"external_id,omitempty" doc:"the id that your CRM gave the vendor"`
	FirstName       string         `json:"first_name,omitempty" doc:"first name"`
	LastName        string         `json:"last_name,omitempty" doc:"last name"`
	FullName        string         `json:"full_name,omitempty" doc:"first and last name"`
	Email           string         `json:"email,omitempty" doc:"e-mail address, lower case"`
	Phone           string         `json:"phone,omitempty" doc:"number of the external party, E.164"`
	Company         string         `json:"company,omitempty" doc:"company"`
	Language        string         `json:"language,omitempty" doc:"language"`
	Timezone        string         `json:"timezone,omitempty" doc:"time zone, such as Europe/Berlin"`
	Status          string         `json:"status,omitempty" doc:"the vendor's word, lower case"`
	StatusChangedAt time.Time      `json:"status_changed_at,omitzero" doc:"when the status changed"`
	ReachedAt       time.Time      `json:"reached_at,omitzero" doc:"when somebody talked to the contact"`
	Lifecycle       string         `json:"lifecycle,omitempty" doc:"lifecycle stage at the vendor"`
	Tags            []string       `json:"tags,omitempty" doc:"tags at the vendor"`
	Owner           *Person        `json:"owner,omitempty"`
	Details         map[string]any `json:"details,omitempty" doc:"further details kept at the vendor, by name"`
}

// Conversation is a chat, mail or messenger conversation.
type Conversation struct {
	ID       string    `json:"id,omitempty" doc:"the vendor's id of the conversation"`
	Status   string    `json:"status,omitempty" doc:"open or closed"`
	Channel  string    `json:"channel,omitempty" doc:"where it takes place"`
	Category string    `json:"category,omitempty" doc:"category given at the end"`
	Summary  string    `json:"summary,omitempty" doc:"what was said, in short"`
	OpenedAt time.Time `json:"opened_at,omitzero" doc:"when it was opened"`
	ClosedAt time.Time `json:"closed_at,omitzero" doc:"when it was closed"`
	Assignee *Person   `json:"assignee,omitempty"`
}

// Message is one message of a conversation.
type Message struct {
	ID        string    `json:"id,omitempty" doc:"the vendor's id of the message"`
	Direction string    `json:"direction,omitempty" doc:"inbound or outbound"`
	Type      string    `json:"type,omitempty" doc:"text, image, …"`
	Text      string    `json:"text,omitempty" doc:"its text"`
	Channel   string    `json:"channel,omitempty" doc:"where it was sent"`
	SentAt    time.Time `json:"sent_at,omitzero" doc:"when it was sent"`
}

// Person is somebody on our side: the agent of a call, the owner of a contact.
type Person struct {
	ID     string `json:"id,omitempty" doc:"the vendor's id of the person"`
	Name   string `json:"name,omitempty" doc:"name"`
	Email  string `json:"email,omitempty" doc:"e-mail address, lower case"`
	Number string `json:"number,omitempty" doc:"number or extension"`
}

// Seconds is a length of time in seconds. It is a type of its own so that
// connectors can tell a duration from a plain number.
type Seconds float64

// Lane names the contact whose deliveries must stay in order, or "" if the
// event names none: the vendor's contact id, else phone, e-mail, call or
// conversation id.
func (e *Event) Lane() string {
	if c := e.Contact; c != nil {
		switch {
		case c.ID != "":
			return e.Source + ":contact:" + c.ID
		case c.Phone != "":
			return "phone:" + c.Phone
		case c.Email != "":
			return "email:" + strings.ToLower(c.Email)
		}
	}
	switch {
	case e.Call != nil && e.Call.ID != "":
		return e.Source + ":call:" + e.Call.ID
	case e.Conversation != nil && e.Conversation.ID != "":
		return e.Source + ":conversation:" + e.Conversation.ID
	}
	return ""
}

// statusLadder is the order of contact statuses that changed in the same
// second, as vendors give whole seconds; a word that is not there stands below.
var statusLadder = []string{"new", "open", "pending", "reached", "closed"}

func (e *Event) statusRank() uint8 {
	if e.Contact == nil {
		return 0
	}
	return uint8(slices.Index(statusLadder, e.Contact.Status) + 1)
}

// Rank orders events of the same instant: a later state of a call or contact
// has the higher rank. It is between 0 and 255.
func (e *Event) Rank() uint8 {
	switch e.Type {
	case CallCreated, ContactCreated, ConversationOpened:
		return 10
	case CallRinging:
		return 20
	case CallAnswered:
		return 30
	case CallTransferred:
		if e.Call != nil && e.Call.Status == Merged {
			return 65 // what was taken for the end of this call was another's
		}
		return 40
	case ContactUpdated, ContactTagChanged, ContactOwnerChanged, ContactLifecycleChanged, MessageReceived, MessageSent, CommentCreated:
		return 50
	case CallEnded:
		return 60
	case ContactStatusChanged:
		return 70 + e.statusRank()
	case ConversationClosed:
		return 70
	case Unknown:
		return 0
	}
	return 0
}
