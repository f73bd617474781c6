package telli

import (
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// reading is a payload on its way into the common model.
type reading struct {
	country     string
	call        *event.Call
	contact     *event.Contact
	triggeredAt time.Time
	callTimes   []sources.Moment
	statusTime  sources.Moment
}

// read takes the fields of the documented payload and of the newer call shape,
// whichever is there. Some accounts were seen with the call's fields at the top.
func (w *reading) read(doc sources.Value) {
	call, contact := doc.Get("call"), doc.Get("contact")
	if !call.Known() && doc.Get("call_id").Known() {
		call = doc
	}
	w.readContact(contact, call)
	if call.IsObject() && call.Known() {
		w.readCall(call)
	}
}

func (w *reading) readContact(contact, call sources.Value) {
	c := &event.Contact{
		ID:         first(contact.Get("contact_id"), call.Get("contact_id")),
		ExternalID: first(contact.Get("external_contact_id"), call.Get("external_contact_id")),
		FirstName:  contact.Get("first_name").Text(),
		LastName:   contact.Get("last_name").Text(),
		Email:      sources.Email(contact.Get("email").Text()),
		Phone:      sources.Phone(contact.Get("phone_number").Text(), w.country),
		Language:   contact.Get("language").Text(),
		Timezone:   contact.Get("timezone").Text(),
		Status:     contact.Get("status").Word(),
	}
	c.FullName = strings.TrimSpace(c.FirstName + " " + c.LastName)
	c.ReachedAt, _ = contact.Get("reached_at").Time()
	w.statusTime = sources.ReadMoment(contact, "status_updated_at")
	c.StatusChangedAt = w.statusTime.Time

	details := contact.Get("contact_details")
	c.Company = details.Get("company").Text()
	c.Details = map[string]any{}
	for _, name := range []string{"salutation", "gender"} {
		if v := contact.Get(name).Plain(); v != nil {
			c.Details[name] = v
		}
	}
	flatten(c.Details, "", details, 0)
	if len(c.Details) == 0 {
		c.Details = nil
	}
	if contact.Known() || c.ID != "" || c.ExternalID != "" {
		w.contact = c
	}
}

func (w *reading) readCall(v sources.Value) {
	c := &event.Call{
		ID:           v.Get("call_id").Text(),
		Direction:    v.Get("direction").Word(),
		From:         sources.Phone(v.Get("from_number").Text(), w.country),
		To:           sources.Phone(v.Get("to_number").Text(), w.country),
		Attempt:      v.Get("attempt").Int(),
		Transcript:   transcript(v),
		RecordingURL: webAddress(v.Get("recording_url").Text()),
	}
	w.call = c
	switch c.Direction {
	case "inbound", "outbound", "internal":
	default:
		c.Direction = "unknown"
	}
	c.Status, c.Reason = status(v)

	triggered := sources.ReadMoment(v, "triggered_at", "triggered_at_iso")
	started := sources.ReadMoment(v, "started_at", "started_at_iso")
	ended := sources.ReadMoment(v, "ended_at", "ended_at_iso")
	w.callTimes = []sources.Moment{triggered, started, ended}
	w.triggeredAt, c.StartedAt, c.EndedAt = triggered.Time, started.Time, ended.Time
	c.Duration = duration(v, c.StartedAt, c.EndedAt)

	c.Analysis = analysis(v.Get("call_analysis"))
	c.Summary, _ = c.Analysis["summary"].(string)
	if c.Summary == "" {
		c.Summary = v.Get("summary").Text()
	}
	c.Outcome = outcome(v)
	c.Collected = values(v.Get("collected_data"))
	c.AppointmentAt = appointment(v, c.Analysis)
	if id := v.Get("agent_id").Text(); id != "" {
		c.Agent = &event.Person{ID: id}
	}
	w.externalNumber(c)
}

// externalNumber makes sure that the contact has the number of the external
// party, also where only caller and callee are given.
func (w *reading) externalNumber(c *event.Call) {
	number := ""
	switch c.Direction {
	case "outbound":
		number = c.To
	case "inbound":
		number = c.From
	}
	if number == "" {
		return
	}
	if w.contact == nil {
		w.contact = &event.Contact{}
	}
	if w.contact.Phone == "" {
		w.contact.Phone = number
	}
}

// statuses are telli's words for how a call ended: call_status of the
// documented payload, status and ended_reason of the newer one. ANSWERED means
// that somebody talked and another attempt follows.
var statuses = map[string]string{
	"completed":              event.Completed,
	"answered":               event.Answered,
	"not_reached":            event.NotReached,
	"voicemail":              event.Voicemail,
	"error":                  event.Failed,
	"failed":                 event.Failed,
	"connected":              event.Completed,
	"not_connected":          event.NotReached,
	"no_answer":              event.NotReached,
	"contact_did_not_answer": event.NotReached,
	"busy":                   event.Busy,
	"contact_busy":           event.Busy,
	"cancelled":              event.Cancelled,
	"canceled":               event.Cancelled,
	"abandoned":              event.Abandoned,
}

var underscores = strings.NewReplacer("-", "_", " ", "_")

// status returns the common status, and the reason in the vendor's own word.
// A status that is not known here is kept as the reason.
func status(call sources.Value) (status, reason string) {
	word, reason := first(call.Get("call_status"), call.Get("status")), call.Get("ended_reason").Word()
	word = strings.ToLower(word)
	for _, w := range []string{word, reason} {
		if s, ok := statuses[underscores.Replace(w)]; ok {
			return s, reason
		}
	}
	if word != "" {
		reason = word
	}
	return "unknown", reason
}

// duration is the time from start to end; telli's own length is in minutes,
// rounded.
func duration(call sources.Value, started, ended time.Time) *event.Seconds {
	if !started.IsZero() && !ended.IsZero() && !ended.Before(started) {
		s := event.Seconds(ended.Sub(started).Seconds())
		return &s
	}
	if minutes, ok := call.Get("call_length_min").Number(); ok && minutes >= 0 {
		s := event.Seconds(minutes * 60)
		return &s
	}
	return nil
}

// analysis takes what telli found in the call: value says whether it is there,
// details what it is.
func analysis(v sources.Value) map[string]any {
	var m map[string]any
	for name, finding := range v.Members() {
		content := finding.Plain()
		if finding.IsObject() {
			if content = finding.Get("details").Plain(); !finding.Get("value").True() {
				continue
			}
		}
		put(&m, name, content)
	}
	return m
}

// values takes name: {value: …} and name: ….
func values(v sources.Value) map[string]any {
	var m map[string]any
	for name, item := range v.Members() {
		if item.IsObject() {
			item = item.Get("value")
		}
		put(&m, name, item.Plain())
	}
	return m
}

// outcome takes call_outcome, and outcomes[] of the newer shape.
func outcome(call sources.Value) map[string]any {
	m := values(call.Get("call_outcome"))
	for item := range call.Get("outcomes").Items() {
		if key := item.Get("key").Text(); key != "" {
			put(&m, key, item.Get("value").Plain())
		}
	}
	return m
}

func put(m *map[string]any, name string, value any) {
	if value == nil || name == "" {
		return
	}
	if *m == nil {
		*m = map[string]any{}
	}
	(*m)[name] = value
}

// appointment prefers the slot that was booked; telli's own example has
// another time in the analysis, which is what the model understood.
func appointment(call sources.Value, analysis map[string]any) time.Time {
	if t, ok := call.Get("booked_slot_for").Time(); ok {
		return t
	}
	if s, ok := analysis["appointment"].(string); ok {
		if t, ok := sources.ParseTime(strings.TrimSpace(s)); ok {
			return t
		}
	}
	var tentative time.Time
	for a := range call.Get("appointments").Items() {
		t, ok := a.Get("starts_at").Time()
		switch status := a.Get("status").Word(); {
		case !ok || strings.HasPrefix(status, "cancel"):
		case status == "booked":
			return t
		case tentative.IsZero():
			tentative = t
		}
	}
	return tentative
}

// transcript falls back to the list of turns; items of tools have no content.
func transcript(call sources.Value) string {
	if t := call.Get("transcript").Text(); t != "" {
		return t
	}
	var b strings.Builder
	for item := range call.Get("transcriptObject").Items() {
		content := item.Get("content").Text()
		if content == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		if item.Get("role").Word() == "agent" {
			b.WriteString("Agent: ")
		} else {
			b.WriteString("User: ")
		}
		b.WriteString(content)
	}
	return b.String()
}

// flatten puts the plain values within v into m; names of nested objects are
// joined with _, as in address_city. A name that is there already stays.
func flatten(m map[string]any, prefix string, v sources.Value, depth int) {
	const deepest = 4 // levels; contact details are forms, not documents
	for name, item := range v.Members() {
		name = prefix + name
		if item.IsObject() {
			if depth < deepest {
				flatten(m, name+"_", item, depth+1)
			}
			continue
		}
		if _, taken := m[name]; taken {
			continue
		}
		if p := item.Plain(); p != nil {
			m[name] = p
		}
	}
}

// webAddress keeps links that a browser may follow from a CRM.
func webAddress(s string) string {
	if strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://") {
		return s
	}
	return ""
}

func first(values ...sources.Value) string {
	for _, v := range values {
		if s := v.Text(); s != "" {
			return s
		}
	}
	return ""
}
