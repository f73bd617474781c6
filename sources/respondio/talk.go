package respondio

import (
	"strconv"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// message reads message.received and message.sent.
func (w *payload) message(e *event.Event, now time.Time) (occurrence, problem string) {
	v := w.get("message")
	content := v.Get("message")
	if !content.Known() {
		content = v
	}
	m := &event.Message{
		ID:        v.Get("messageId").Text(),
		Direction: "inbound",
		Type:      first(content.Get("type")),
		Text:      messageText(content),
		Channel:   w.get("channel").Get("source").Text(),
	}
	if e.Type == event.MessageSent {
		m.Direction = "outbound"
	}
	if kind := content.Get("attachment").Get("type").Text(); m.Type == "attachment" && kind != "" {
		m.Type = kind
	}
	e.Message = m
	if m.ID == "" {
		return "", "a message without its id"
	}
	sent := sources.ReadMoment(v, "timestamp")
	if problem := sent.Problem(now); problem != "" {
		return "", "message." + problem
	}
	// The id counts microseconds since 1970 and so orders messages of one second.
	e.OccurredAt, m.SentAt = sent.Time, sent.Time
	if id := idTime(m.ID); !id.IsZero() && (sources.Moment{Name: "messageId", Time: id}).Problem(now) == "" {
		e.OccurredAt = id
		if m.SentAt.IsZero() {
			m.SentAt = id
		}
	}
	who := ""
	if e.Contact != nil {
		who = e.Contact.ID
	}
	return "message:" + who + ":" + m.ID + ":" + strings.TrimPrefix(string(e.Type), "message."), ""
}

// idTime is the time in the id of a message: 16 digits from 2001 to 2286.
func idTime(id string) time.Time {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || len(id) != 16 || n < 1e15 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// messageText is what a person would read of a message.
func messageText(v sources.Value) string {
	text := first(v.Get("text"), v.Get("title"), v.Get("caption"), v.Get("attachment").Get("caption"), v.Get("attachment").Get("description"), v.Get("address"))
	if subject := v.Get("subject").Text(); subject != "" {
		text = strings.TrimSpace(subject + "\n" + text)
	}
	return text
}

// conversation reads conversation.opened and conversation.closed. respond.io
// gives conversations no id: the contact and the second of the opening are it.
func (w *payload) conversation(e *event.Event, now time.Time) (occurrence, problem string) {
	v := w.get("conversation")
	opened := sources.ReadMoment(v, "openedTime", "conversationOpenedAt")
	closed := sources.ReadMoment(v, "closedTime")
	c := &event.Conversation{
		Status:   "open",
		Channel:  w.get("channel").Get("source").Text(),
		Category: name(v.Get("category")),
		Summary:  v.Get("summary").Text(),
		OpenedAt: opened.Time,
	}
	e.Conversation = c
	if e.Contact == nil || e.Contact.ID == "" {
		return "", "a conversation without the id of its contact"
	}
	c.Assignee = e.Contact.Owner
	happened := opened
	if e.Type == event.ConversationClosed {
		c.Status, c.ClosedAt, happened = "closed", closed.Time, closed // it may have been open for years
	}
	if problem := happened.Problem(now); problem != "" {
		return "", "conversation." + problem
	}
	if e.OccurredAt = happened.Time; opened.Time.IsZero() {
		return "", ""
	}
	c.ID = e.Contact.ID + ":" + strconv.FormatInt(opened.Time.Unix(), 10)
	return "conversation:" + c.ID + ":" + strings.TrimPrefix(string(e.Type), "conversation."), ""
}

// statuses are words for how a call ended. Only completed was seen.
var statuses = map[string]string{
	"completed":    event.Completed,
	"ended":        event.Completed,
	"answered":     event.Completed,
	"missed":       event.NotReached,
	"no_answer":    event.NotReached,
	"not_answered": event.NotReached,
	"unanswered":   event.NotReached,
	"busy":         event.Busy,
	"rejected":     event.Busy,
	"declined":     event.Busy,
	"failed":       event.Failed,
	"error":        event.Failed,
	"cancelled":    event.Cancelled,
	"canceled":     event.Cancelled,
	"abandoned":    event.Abandoned,
	"voicemail":    event.Voicemail,
}

var underscores = strings.NewReplacer("-", "_", " ", "_")

// call reads call.ended.
func (w *payload) call(e *event.Event, now time.Time) (occurrence, problem string) {
	v := w.get("call")
	started, ended := sources.ReadMoment(v, "start_time"), sources.ReadMoment(v, "end_time")
	summary := v.Get("callSummary")
	word := v.Get("status").Word()
	c := &event.Call{
		ID:           v.Get("id").Text(),
		Status:       statuses[underscores.Replace(word)],
		Direction:    direction(v.Get("direction").Word()),
		StartedAt:    started.Time,
		EndedAt:      ended.Time,
		Headline:     summary.Get("title").Text(),
		Summary:      strings.Join(lines(summary.Get("summary")), "\n"),
		ActionItems:  lines(summary.Get("actionItems")),
		Transcript:   transcript(v.Get("transcript")),
		RecordingURL: link(v.Get("recordingURL").Text()),
		Agent:        person(w.get("user")),
	}
	if c.Status == "" {
		c.Status, c.Reason = "unknown", word
	}
	e.Call = c
	if c.ID == "" {
		return "", "call.ended without the id of a call"
	}
	for _, m := range []sources.Moment{started, ended} {
		if problem := m.Problem(now); problem != "" {
			return "", "call." + problem
		}
	}
	if e.OccurredAt = c.EndedAt; c.EndedAt.IsZero() {
		e.OccurredAt = c.StartedAt
	}
	if s, ok := v.Get("durationSeconds").Number(); ok && s >= 0 {
		c.Duration = new(event.Seconds)
		*c.Duration = event.Seconds(s)
	} else if !c.StartedAt.IsZero() && !c.EndedAt.Before(c.StartedAt) {
		c.Duration = new(event.Seconds)
		*c.Duration = event.Seconds(c.EndedAt.Sub(c.StartedAt).Seconds())
	}
	return "call:" + c.ID + ":ended", ""
}

// direction is the common word, unknown where none is there.
func direction(word string) string {
	switch word {
	case "inbound", "outbound", "internal":
		return word
	case "incoming", "in":
		return "inbound"
	case "outgoing", "out":
		return "outbound"
	}
	return "unknown"
}

// transcript writes the turns of a call one to a line.
func transcript(v sources.Value) string {
	turns := []string{}
	for turn := range v.Items() {
		said := turn.Get("text").Text()
		if said == "" {
			continue
		}
		switch who := turn.Get("speaker").Text(); strings.ToLower(who) {
		case "agent", "user":
			said = "Agent: " + said
		case "contact", "customer":
			said = "Contact: " + said
		case "":
		default:
			said = who + ": " + said
		}
		turns = append(turns, said)
	}
	if len(turns) == 0 {
		return v.Text()
	}
	return strings.Join(turns, "\n")
}

// lines takes a list of texts, or one text.
func lines(v sources.Value) (out []string) {
	if t := v.Text(); t != "" {
		return []string{t}
	}
	for item := range v.Items() {
		if t := first(item, item.Get("text")); t != "" {
			out = append(out, t)
		}
	}
	return out
}

// link keeps addresses that a browser may follow from a CRM.
func link(s string) string {
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return s
	}
	return ""
}
