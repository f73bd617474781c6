package webhook

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/sources"
)

// Parse reads a payload by the settings.
func (s *Source) Parse(r *sources.Request) sources.Parsed {
	p := sources.Parsed{Event: &event.Event{Type: event.Unknown, Source: s.name, Vendor: Vendor}, Sense: s.sense(r)}
	p.DeliveryID = s.headerID(r, p.Sense)
	raw, text, problem := s.read(r)
	if problem != "" {
		p.Problem = problem
		return p
	}
	p.Event.Raw = text
	w := reading{Source: s, raw: raw, p: &p, e: p.Event}
	w.read(r.At)
	if w.problem != "" {
		p.Problem, p.ContentKey, p.Calls = w.problem, "", nil
	}
	return p
}

// sense is what a signature over {fields} covers: it fits every form that gives
// this text, whatever the order, the escapes, and where a name ends and its value
// begins. nil where the body is covered as it is, or not at all.
func (s *Source) sense(r *sources.Request) []byte {
	if !s.signs("fields") || s.signs("body") || !s.isForm(r) {
		return nil
	}
	return sortedFields(&message{Request: r, form: true})
}

// headerID is the delivery id that a header holds. Where the proof fits several
// spellings and leaves that header out, who holds one request could send it again
// and again under new ids: what it covers is the id then.
func (s *Source) headerID(r *sources.Request, sense []byte) string {
	switch {
	case s.deliveryHeader != "" && sense != nil && !s.signs("header."+s.deliveryHeader) && r.Header.Get(s.deliveryHeader) != "":
		sum := sha256.Sum256(sense)
		return "fields:" + hex.EncodeToString(sum[:16])
	case s.deliveryHeader != "":
		return r.Header.Get(s.deliveryHeader)
	case s.standard != nil:
		return s.standard.MessageID(r.Header)
	}
	return ""
}

// reading is a payload on its way into the common model.
type reading struct {
	*Source
	raw     any
	p       *sources.Parsed
	e       *event.Event
	word    string           // the vendor's for what happened, lower case
	moments []sources.Moment // that order events
	problem string
}

// ordering are the times that order events, so that one far off the truth
// must not be believed.
var ordering = []string{"call.started_at", "call.answered_at", "call.ended_at", "contact.status_changed_at"}

// value evaluates a formula; its problem is kept, and the value missing.
func (w *reading) value(f formula) any {
	if f == nil {
		return nil
	}
	v, err := f(w.raw)
	if err != nil {
		w.wrong("a formula of the settings cannot be evaluated: " + err.Error())
	}
	return v
}

func (w *reading) wrong(problem string) {
	if w.problem == "" {
		w.problem = problem
	}
}

func (w *reading) read(at time.Time) {
	w.what()
	if id := scalarText(w.value(w.delivery)); id != "" {
		w.p.DeliveryID = id
	}
	for i := range w.fields {
		w.fill(&w.fields[i])
	}
	w.finish()
	w.when(at)
	if w.problem == "" && w.e.Type != event.Unknown {
		w.problem = unidentified(w.e)
	}
	if w.problem != "" || w.e.Type == event.Unknown {
		return
	}
	w.p.ContentKey = w.key()
	if c := w.e.Call; w.joined && c != nil && strings.HasPrefix(string(w.e.Type), "call.") {
		w.p.Calls = []string{c.ID}
		if c.MergedID != "" {
			w.p.Calls = append(w.p.Calls, c.MergedID)
		}
	}
}

// what decides the event's type.
func (w *reading) what() {
	w.word = strings.ToLower(scalarText(w.value(w.Source.word)))
	t, ok := w.events[w.word]
	switch {
	case ok && w.word != "":
	case slices.Contains(event.Types, event.Type(w.word)):
		t = event.Type(w.word)
	case w.events["*"] != "" && w.word != "":
		t = w.events["*"]
	default:
		t = event.Unknown
	}
	w.e.Type = t
}

// fill fills one field in.
func (w *reading) fill(f *field) {
	v := w.value(f.value)
	if v == nil {
		return
	}
	if f.path == "call.status" {
		w.status(scalarText(v))
		return
	}
	out, ok := w.made(f, v)
	if slices.Contains(ordering, f.path) && !zero(v) {
		m := sources.Moment{Name: f.path}
		if ok {
			m.Time = out.Interface().(time.Time)
		}
		w.moments = append(w.moments, m)
	}
	if ok {
		f.set(w.e, out)
	}
}

// zero reports whether a vendor's time says that it has not happened.
func zero(v any) bool { return v == 0 || v == 0.0 || v == "0" || v == "" }

// status reads how a call ended; the state of a running call is told by the
// event's type. A word that is not known here is kept as the reason.
func (w *reading) status(vendor string) {
	if w.e.Type != event.CallEnded || vendor == "" {
		return
	}
	if w.e.Call == nil {
		w.e.Call = &event.Call{}
	}
	known := ""
	if low := strings.ToLower(vendor); slices.Contains(event.CallStatuses, low) {
		known = low
	}
	w.e.Call.Status = word(vendor, w.statuses, known)
	if w.e.Call.Status == "" {
		w.e.Call.Status = "unknown"
		if w.e.Call.Reason == "" {
			w.e.Call.Reason = strings.ToLower(vendor)
		}
	}
}
