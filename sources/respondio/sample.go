package respondio

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
)

var _ sources.Sampler = (*Source)(nil)

// sampleKinds are the payloads that Sample makes: the eleven events, of some
// more than one.
var sampleKinds = []string{
	"conversation_closed", "conversation_opened", "message_received", "message_received_image", "message_sent", "comment_created",
	"contact_created", "contact_updated", "contact_assigned", "contact_unassigned", "contact_tag_added", "contact_tag_removed",
	"contact_lifecycle_updated", "contact_lifecycle_removed", "call_ended", "call_missed",
}

// Samples names the kinds of payload.
func (*Source) Samples() []string { return slices.Clone(sampleKinds) }

type object = map[string]any

// Sample makes a payload. People with the same n are the same in every kind.
func (*Source) Sample(kind string, n int, at time.Time) ([]byte, error) {
	index := slices.Index(sampleKinds, kind)
	if index < 0 {
		return nil, fmt.Errorf("no sample %q; there are %s", kind, strings.Join(sampleKinds, ", "))
	}
	if n < 0 {
		n = -n
	}
	p := sources.Invent(n)
	contact := contactSample(p, n, at)
	user := object{"id": 41001, "firstName": "Agent", "lastName": "Muster", "email": "agent.muster@example.com"}
	contact["assignee"] = user
	body := object{
		"event_id": fmt.Sprintf("7d3c%04d-%04d-4000-8000-%012d", index, at.UnixNano()/1e6%1e4, (at.Unix()%1e6)*1e6+int64(n)%1e6),
		"contact":  contact,
	}
	opened := at.Add(-time.Hour).Unix()
	channel := object{"id": 88001, "name": "WhatsApp Vertrieb", "source": "whatsapp_cloud", "meta": "{}", "created_at": 1750000000}
	message := func(traffic string, content object) {
		body["channel"] = channel
		body["message"] = object{
			"messageId": at.UnixMicro() + int64(index), "channelMessageId": fmt.Sprintf("wamid.EXAMPLE%04d", n), "contactId": contact["id"], "channelId": 88001,
			"traffic": traffic, "timestamp": at.Unix(), "message": content,
		}
	}
	switch kind {
	case "conversation_closed":
		contact["status"] = "closed"
		body["event_type"] = "conversation.closed"
		body["conversation"] = object{
			"category": "Sales", "summary": p.First + " " + p.Last + " wünscht ein Angebot von " + p.Company + ".",
			"openedTime": opened, "openedBySource": "contact", "closedTime": at.Unix(), "closedBy": user, "closedBySource": "user",
			"firstResponseTime": 95, "resolutionTime": 3600, "incomingMessageCount": 7, "outgoingMessageCount": 9, "assigneeTeam": nil,
		}
	case "conversation_opened":
		body["event_type"] = "conversation.opened"
		body["conversation"] = object{"source": "contact", "conversationOpenedAt": at.Unix(), "firstIncomingMessage": "Hallo, ich möchte ein Angebot.", "firstIncomingMessageChannelId": 88001}
	case "message_received":
		body["event_type"], body["sender"] = "message.received", object{"type": "message", "source": "contact"}
		message("incoming", object{"type": "text", "text": "Hallo, ich möchte ein Angebot – bitte um Rückruf."})
	case "message_received_image":
		body["event_type"], body["sender"] = "message.received", object{"type": "message", "source": "contact"}
		message("incoming", object{"type": "attachment", "attachment": object{"type": "image", "url": "https://cdn.example.com/a/dach.jpg", "fileName": "dach.jpg", "mime": "image/jpeg"}})
	case "message_sent":
		body["event_type"], body["sender"], body["user"] = "message.sent", object{"source": "user", "teamId": nil, "userId": 41001}, user
		message("outgoing", object{"type": "text", "text": "Gern! Wann passt es Ihnen?", "messageTag": ""})
	case "comment_created":
		body["event_type"], body["text"] = "comment.created", "Bitte bis Freitag zurückrufen."
		body["attachments"], body["mentionedUserIds"], body["mentionedUserEmails"] = []any{}, []any{}, []any{}
	case "contact_created":
		contact["created_at"], contact["assignee"], contact["lifecycle"] = at.Unix(), nil, nil
		body["event_type"] = "contact.created"
	case "contact_updated":
		body["event_type"], body["action"] = "contact.updated", "updated"
	case "contact_assigned":
		body["event_type"] = "contact.assignee.updated"
	case "contact_unassigned":
		body["event_type"] = "contact.assignee.updated"
		contact["assignee"] = object{"id": nil, "firstName": nil, "lastName": nil, "email": nil}
	case "contact_tag_added":
		body["event_type"], body["tag"], body["action"] = "contact.tag.updated", "angebot", "add"
		contact["tags"] = []string{"webinar", "angebot"}
	case "contact_tag_removed":
		body["event_type"], body["tag"], body["action"] = "contact.tag.updated", "angebot", "remove"
		contact["tags"] = []string{"webinar"}
	case "contact_lifecycle_updated":
		body["event_type"], body["lifecycle"], body["oldLifecycle"], body["action"] = "contact.lifecycle.updated", "Customer", "New Lead", "update"
		contact["lifecycle"] = "Customer"
	case "contact_lifecycle_removed":
		body["event_type"], body["lifecycle"], body["oldLifecycle"], body["action"] = "contact.lifecycle.updated", nil, "Customer", "update"
		contact["lifecycle"] = nil
	case "call_ended", "call_missed":
		body["event_type"], body["user"], body["channel"] = "call.ended", user, channel
		body["call"] = callSample(kind, p, index, n, at)
	}
	return json.Marshal(body)
}

func contactSample(p sources.Invented, n int, at time.Time) object {
	return object{
		"id": 700100000 + n, "firstName": p.First, "lastName": p.Last, "phone": p.Number, "email": p.Email, "language": "de",
		"profilePic": nil, "countryCode": "DE", "status": "open", "lifecycle": "New Lead", "created_at": at.Add(-48 * time.Hour).Unix(),
		"custom_fields": []object{{"name": "company", "value": p.Company}, {"name": "newsletter", "value": n%2 == 0}},
	}
}

func callSample(kind string, p sources.Invented, index, n int, at time.Time) object {
	length := int64(30 + n%240)
	c := object{
		"id": fmt.Sprintf("9e%06d-%04x-4000-8000-%012d", index, at.Unix()&0xffff, n), "status": "completed", "channel": "whatsapp_cloud", "direction": "inbound",
		"start_time": at.Unix() - length, "end_time": at.Unix(), "language": "deu", "durationSeconds": length,
		"recordingURL": fmt.Sprintf("https://recordings.example.com/respondio/%d.mp3", n),
		"transcript": []object{
			{"start": 0.4, "end": 3.1, "speaker": "agent", "text": "Guten Tag, " + p.Company + "."},
			{"start": 3.5, "end": 7.25, "speaker": "contact", "text": "Hallo, hier ist " + p.First + " " + p.Last + ", es geht um mein Angebot."},
		},
		"callSummary": object{"title": "Rückfrage zum Angebot", "summary": []string{"Frage nach der Lieferzeit", "Angebot bis Freitag gewünscht"}, "actionItems": []string{"Lieferzeit klären", "Angebot senden"}},
	}
	if kind == "call_missed" {
		c["status"], c["durationSeconds"], c["recordingURL"] = "missed", 0, nil
		delete(c, "transcript")
		delete(c, "callSummary")
	}
	return c
}
