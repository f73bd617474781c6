package respondio

import (
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// kinds are the events by their names: first the eleven that captures show,
// then others that programs for respond.io look for.
var kinds = map[string]event.Type{
	"contact.created":           event.ContactCreated,
	"contact.updated":           event.ContactUpdated,
	"contact.assignee.updated":  event.ContactOwnerChanged,
	"contact.tag.updated":       event.ContactTagChanged,
	"contact.lifecycle.updated": event.ContactLifecycleChanged,
	"conversation.opened":       event.ConversationOpened,
	"conversation.closed":       event.ConversationClosed,
	"message.received":          event.MessageReceived,
	"message.sent":              event.MessageSent,
	"comment.created":           event.CommentCreated,
	"call.ended":                event.CallEnded,

	"contact.assignee.changed":      event.ContactOwnerChanged,
	"conversation.assignee.updated": event.ContactOwnerChanged,
	"conversation.assignee.changed": event.ContactOwnerChanged,
	"contact.tag.added":             event.ContactTagChanged,
	"contact.tag.removed":           event.ContactTagChanged,
	"contact.lifecycle.changed":     event.ContactLifecycleChanged,
	"contact.lifecycle.added":       event.ContactLifecycleChanged,
	"contact.lifecycle.removed":     event.ContactLifecycleChanged,
}

// payload is a webhook on its way into the common model.
type payload struct {
	top, inner sources.Value // inner: of a wrapper, if there is one
	kind       string        // name of the event
	id         string
	country    string
}

func open(doc sources.Value, country string) *payload {
	w := &payload{top: doc, country: country}
	for _, wrapper := range []string{"data", "payload"} {
		if v := doc.Get(wrapper); v.IsObject() && v.Known() {
			w.inner = v
			break
		}
	}
	w.kind = strings.ReplaceAll(first(w.get("event_type"), w.get("event")), "_", ".")
	w.kind = strings.ToLower(w.kind)
	w.id = w.get("event_id").Text()
	return w
}

// get returns a field of the payload, within the wrapper or beside it.
func (w *payload) get(name string) sources.Value {
	if v := w.inner.Get(name); v.Known() {
		return v
	}
	return w.top.Get(name)
}

// tell fills e with what its type says, and returns what identifies the
// occurrence; "" where only the id of the event does.
func (w *payload) tell(e *event.Event, now time.Time) (occurrence, problem string) {
	contact := e.Contact
	switch e.Type {
	case event.CallEnded:
		return w.call(e, now)
	case event.MessageReceived, event.MessageSent:
		return w.message(e, now)
	case event.ConversationOpened, event.ConversationClosed:
		return w.conversation(e, now)
	case event.CommentCreated:
		e.Message = &event.Message{ID: w.id, Type: "comment", Text: w.get("text").Text()}
	}
	if contact == nil {
		return "", "an event without a contact"
	}
	switch e.Type {
	case event.ContactCreated:
		// Imported contacts may be older; those happened when they came.
		if m := sources.ReadMoment(w.get("contact"), "created_at"); m.Problem(now) == "" {
			e.OccurredAt = m.Time
		}
		if contact.ID != "" { // it is made once, whichever way that is told
			return "contact:" + contact.ID + ":created", ""
		}
	case event.ContactUpdated:
		// What was read from the API says when; webhooks do not.
		if m := sources.ReadMoment(w.top, "read_at"); m.Name != "" && m.Problem(now) == "" && contact.ID != "" {
			e.OccurredAt = m.Time
			return "contact:" + contact.ID + ":read:" + m.Time.UTC().Format(time.RFC3339), ""
		}
	case event.ContactTagChanged:
		detail(contact, "tag", name(w.get("tag")))
		detail(contact, "tag_action", w.tagAction())
		// In the model no tags are tags that are not known: that the last one
		// went has to be said beside them.
		if tags := w.get("contact").Get("tags"); tags.IsArray() && len(contact.Tags) == 0 {
			detail(contact, "tags_removed", true)
		}
	case event.ContactLifecycleChanged:
		w.lifecycle(contact)
	}
	return "", ""
}

// contact is the customer; nil if the payload names none.
func (w *payload) contact() *event.Contact {
	v := w.get("contact")
	c := &event.Contact{
		ID:        first(v.Get("id"), w.get("message").Get("contactId")),
		FirstName: v.Get("firstName").Text(),
		LastName:  v.Get("lastName").Text(),
		Email:     sources.Email(v.Get("email").Text()),
		Phone:     w.phone(v),
		Language:  v.Get("language").Text(),
		Status:    contactStatus(v.Get("status").Word()),
		Lifecycle: name(v.Get("lifecycle")),
		Owner:     person(v.Get("assignee")),
	}
	if c.ID == "" && c.Phone == "" && c.Email == "" {
		return nil
	}
	c.FullName = strings.TrimSpace(c.FirstName + " " + c.LastName)
	for tag := range v.Get("tags").Items() {
		if t := name(tag); t != "" {
			c.Tags = append(c.Tags, t)
		}
	}
	fields := v.Get("custom_fields")
	for field := range fields.Items() {
		detail(c, field.Get("name").Text(), field.Get("value").Plain())
	}
	for field, value := range fields.Members() {
		detail(c, field, value.Plain())
	}
	for field, value := range c.Details {
		if text, ok := value.(string); ok && strings.EqualFold(field, "company") {
			c.Company = text
		}
	}
	return c
}

// phone completes national numbers by the contact's own country first. Eleven
// digits and more without a 0 in front have the country code, as messengers
// write them.
func (w *payload) phone(contact sources.Value) string {
	raw := contact.Get("phone").Text()
	if len(raw) >= 11 && raw[0] != '0' && strings.Trim(raw, "0123456789") == "" {
		raw = "+" + raw
	}
	if own := strings.ToUpper(contact.Get("countryCode").Text()); len(own) == 2 {
		if number := sources.Phone(raw, own); number != "" {
			return number
		}
	}
	return sources.Phone(raw, w.country)
}

// contactStatus is the state of the contact's conversation; programs of
// respond.io's own know several words for it.
func contactStatus(word string) string {
	switch word {
	case "close", "done":
		return "closed"
	case "snoozed", "unsnoozed":
		return "open"
	}
	return word
}

// lifecycle takes what the event says of the stage over what the contact does;
// an event without one says that it was taken away.
func (w *payload) lifecycle(c *event.Contact) {
	if v := w.get("lifecycle"); v.Known() {
		c.Lifecycle = name(v)
	}
	detail(c, "old_lifecycle", first(w.get("oldLifecycle"), w.get("oldLifecycle").Get("name")))
	if c.Lifecycle == "" {
		detail(c, "lifecycle_removed", true)
	}
}

// tagAction is add or remove; "" where the event does not say.
func (w *payload) tagAction() string {
	action := w.get("action").Word()
	if action == "" || strings.HasPrefix(action, "update") {
		action = w.kind[strings.LastIndexByte(w.kind, '.')+1:]
	}
	switch action {
	case "add", "added", "create", "created":
		return "add"
	case "remove", "removed", "delete", "deleted":
		return "remove"
	}
	return ""
}

// person is somebody of the team; nil if all of it is empty.
func person(v sources.Value) *event.Person {
	p := &event.Person{
		ID:    v.Get("id").Text(),
		Name:  strings.TrimSpace(v.Get("firstName").Text() + " " + v.Get("lastName").Text()),
		Email: sources.Email(v.Get("email").Text()),
	}
	if *p == (event.Person{}) {
		return nil
	}
	return p
}

// name takes a text, or the name of {id, name}.
func name(v sources.Value) string { return first(v, v.Get("name")) }

// detail adds a further detail of a contact unless it is empty.
func detail(c *event.Contact, name string, value any) {
	if name == "" || value == nil || value == "" {
		return
	}
	if c.Details == nil {
		c.Details = map[string]any{}
	}
	c.Details[name] = value
}

func first(values ...sources.Value) string {
	for _, v := range values {
		if s := v.Text(); s != "" {
			return s
		}
	}
	return ""
}
