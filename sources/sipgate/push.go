package sipgate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// causes are the push API's words for why a call ended. forwarded is none: the
// call goes on as another leg.
var causes = map[string]string{
	"normalclearing": event.Completed,
	"busy":           event.Busy,
	"cancel":         event.Cancelled,
	"noanswer":       event.NotReached,
	"congestion":     event.Failed,
	"notfound":       event.Failed,
}

// voicemail is the user that answers where nobody does.
const voicemail = "voicemail"

// push reads an event of the push API. It has no time, so that of its arrival
// stands for it. A call that is transferred or forwarded goes on under a new
// callId and keeps its origCallId: that is the call here, and the others are
// its legs. A leg that hangs up ends the call as far as can be told; where
// another one goes on, its own end comes later and counts.
func (s *Source) push(form sources.Value, now time.Time, p *sources.Parsed) {
	leg, id := form.Get("callId").Text(), form.Get("origCallId").Text()
	if id == "" {
		id = leg
	}
	c := &event.Call{
		ID:        id,
		Direction: direction(form.Get("direction").Word()),
		From:      number(form.Get("from").Text(), s.country),
		To:        number(form.Get("to").Text(), s.country),
	}
	if id != "" {
		p.Event.Call, p.Event.Contact = c, external(c)
	}
	kind := form.Get("event").Word()
	switch kind {
	case "newcall", "answer", "hangup":
		if leg == "" {
			p.Problem = "an event of the push API without the id of its call"
			return
		}
	default: // dtmf, and what is new: one call may have many
		return
	}
	p.Calls = []string{id}
	if leg != id {
		p.Calls = append(p.Calls, leg)
	}
	p.ContentKey = "sipgate:push:" + short(leg) + ":" + kind
	switch kind {
	case "newcall":
		p.Event.Type, c.Status, c.StartedAt = event.CallRinging, event.Ringing, now
		if c.Direction == "outbound" {
			c.Agent = only(form)
		}
	case "answer":
		p.Event.Type, c.Status, c.AnsweredAt = event.CallAnswered, event.InProgress, now
		who := s.answering(form, c)
		if c.Agent = who; who != nil && who.Name == voicemail {
			c.Status, c.Agent = event.Voicemail, nil
		}
		// A leg can be answered again, by somebody else.
		user := first(form.Get("fullUserId"), form.Get("userId"), form.Get("user"), form.Get("answeringNumber"))
		p.ContentKey += ":" + digest(user)
	case "hangup":
		p.Event.Type, c.Reason, c.EndedAt = event.CallEnded, form.Get("cause").Text(), now
		cause := form.Get("cause").Word()
		if cause == "forwarded" {
			p.Event.Type, c.Status, c.EndedAt = event.CallTransferred, event.Transferred, time.Time{}
			return
		}
		c.Status = "unknown"
		if status, ok := causes[cause]; ok {
			c.Status = status
		}
	}
}

// answering is the user who answered. Only calls that come in have one; of
// others answeringNumber is the number called.
func (s *Source) answering(form sources.Value, c *event.Call) *event.Person {
	if c.Direction != "inbound" {
		return nil
	}
	return person(event.Person{
		ID:     first(form.Get("fullUserId"), form.Get("userId")),
		Name:   form.Get("user").Text(),
		Number: number(form.Get("answeringNumber").Text(), s.country),
	})
}

// only is the user of a new call, if there is one only.
func only(form sources.Value) *event.Person {
	id := one(form.Get("fullUserId"))
	if id == "" {
		id = one(form.Get("userId"))
	}
	return person(event.Person{ID: id, Name: one(form.Get("user"))})
}

// one is a text, or that of a list of one.
func one(v sources.Value) string {
	if !v.IsArray() {
		return v.Text()
	}
	found := ""
	for item := range v.Items() {
		if found != "" {
			return ""
		}
		found = item.Text()
	}
	return found
}

func person(p event.Person) *event.Person {
	if p == (event.Person{}) {
		return nil
	}
	return &p
}

// Answer subscribes to what becomes of a new call of the push API: sipgate
// posts its answer and its end only to the addresses that it is given here, so
// they are the one that it posted to, token and all.
func (s *Source) Answer(r *sources.Request) (contentType string, body []byte) {
	if !isForm(r) || r.URL == nil || r.URL.Host == "" {
		return "", nil
	}
	form, _, err := sources.ReadForm(r.Body)
	if err != nil || form.Get("event").Word() != "newcall" {
		return "", nil
	}
	var address bytes.Buffer
	if err := xml.EscapeText(&address, []byte(r.URL.String())); err != nil {
		return "", nil
	}
	return "application/xml", []byte(`<?xml version="1.0" encoding="UTF-8"?><Response onAnswer="` + address.String() + `" onHangup="` + address.String() + `"/>`)
}

// short stands for an id in a content key.
func short(id string) string {
	if len(id) <= 64 {
		return id
	}
	return digest(id)
}

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}
