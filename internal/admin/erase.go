package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/connectors"
	"github.com/crmsyncd/crmsyncd/event"
	"github.com/crmsyncd/crmsyncd/store"
)

// Person says who is meant: one of the three.
type Person struct {
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"` // as people write it
	ID    string `json:"id,omitempty"`    // the vendor's id of the contact, or the CRM's of a record, if that has 6 characters or more
}

// Erased is what was, or would be, taken out of the ledger.
type Erased struct {
	Events []ErasedEvent `json:"events"`
	Counts store.Erased  `json:"counts"`
	// Reasons are deliveries and events that stay but for their reason, which
	// mentions the person.
	Reasons []string `json:"reasons,omitempty"`
	// Note says what was not looked for, and why.
	Note string `json:"note,omitempty"`
	// Compacted is nil where the file was not written anew; Left says why, and
	// that the bytes are still in free pages then.
	Compacted *store.Compacted `json:"compacted,omitempty"`
	Left      string           `json:"left,omitempty"`
	// Copies are files beside the ledger that were made before.
	Copies []string `json:"copies,omitempty"`
}

// ErasedEvent is an event that has to do with the person.
type ErasedEvent struct {
	ID         string      `json:"id"`
	Source     string      `json:"source"`
	Type       event.Type  `json:"type"`
	State      store.State `json:"state"`
	ReceivedAt time.Time   `json:"received_at"`
	Why        string      `json:"why"` // contact, same contact, record or mentioned
}

// Why an event has to do with a person.
const (
	whyContact   = "contact"      // it is about the person
	whySame      = "same contact" // it is about the same contact of the vendor
	whyRecord    = "record"       // it led to the record of a CRM that has the id
	whyMentioned = "mentioned"    // its payload holds the words, or shadow mode kept them
)

const (
	searchPage = 200 // events read at a time
	erasePage  = 100 // events deleted in one commit
)

// Erase implements Keeper. It finds events by their contact, by the vendor's
// contact that they share with such an event, and by the words in payloads. An
// event of somebody else stays whose reason only mentions the person.
func (d *Desk) Erase(ctx context.Context, p Person, dryRun bool, tell func(done, total int)) (Erased, error) {
	s, err := d.search(p)
	if err != nil {
		return Erased{}, err
	}
	if tell == nil {
		tell = func(int, int) {}
	}
	out := Erased{Events: []ErasedEvent{}}
	if p.ID != "" && len(p.ID) < shortestID {
		out.Note = fmt.Sprintf("%q was looked for only as the vendor's id of a contact: ids of records in a CRM, and ids in payloads, are looked for from %d characters on. Say who by e-mail address or telephone number", p.ID, shortestID)
	}
	if err := s.run(ctx, tell); err != nil {
		return out, err
	}
	slices.SortFunc(s.found, func(a, b foundEvent) int { return int(b.seq) - int(a.seq) })
	for _, f := range s.found {
		out.Events = append(out.Events, f.ErasedEvent)
	}
	// Of events that share the contact it was not known when they were read.
	s.reasons = slices.DeleteFunc(s.reasons, func(id store.DeliveryID) bool { return s.known[id.Seq] })
	for _, id := range s.reasons {
		out.Reasons = append(out.Reasons, reasonOf(id))
	}
	audits, err := s.audits(ctx)
	if err != nil {
		return out, err
	}
	if d.Copies != nil {
		out.Copies = d.Copies()
	}
	if dryRun {
		out.Counts = store.Erased{Events: len(s.found), Audits: len(audits), Reasons: len(s.reasons)}
		for _, f := range s.found {
			out.Counts.Deliveries += f.deliveries
		}
		return out, nil
	}
	return out, d.erase(ctx, &out, s, audits, tell)
}

func (d *Desk) erase(ctx context.Context, out *Erased, s *search, audits []uint64, tell func(done, total int)) error {
	found, reasons := s.found, s.reasons
	for done := 0; done < len(found) || len(audits) > 0 || len(reasons) > 0; {
		var e store.Erasure
		var names []string
		for _, f := range found[done:min(done+erasePage, len(found))] {
			v, err := d.Ledger.Event(ctx, f.seq)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err == nil && d.Traces != nil {
				links, heads := d.Traces(v)
				e.Links, e.Heads = append(e.Links, links...), append(e.Heads, heads...)
			}
			e.Events, names = append(e.Events, f.seq), append(names, f.ID)
		}
		e.Audits, audits = audits, nil
		n := min(erasePage, len(reasons))
		for _, id := range reasons[:n] {
			if id.Connector == "" {
				e.Discards = append(e.Discards, id.Seq)
			} else {
				e.Deliveries = append(e.Deliveries, id)
			}
		}
		reasons = reasons[n:]
		done = min(done+erasePage, len(found))
		gone, err := d.Ledger.Erase(audit(ctx, "erase", "", names), e)
		if err != nil {
			return err
		}
		out.Counts.Events += gone.Events
		out.Counts.Deliveries += gone.Deliveries
		out.Counts.Links += gone.Links
		out.Counts.Heads += gone.Heads
		out.Counts.Audits += gone.Audits
		out.Counts.Reasons += gone.Reasons
	}
	if out.Counts == (store.Erased{}) {
		return nil
	}
	if d.File == nil {
		out.Left = errNoFile.Error()
		return nil
	}
	c, err := d.File.Compact(ctx, true, tell)
	if err != nil {
		out.Left = err.Error()
		return nil
	}
	out.Compacted = &c
	return nil
}

// search looks for a person.
type search struct {
	d     *Desk
	p     Person
	email string   // lower case
	phone string   // E.164
	words [][]byte // lower case, any of which in a payload is a mention
	digit string   // in a payload, whatever stands between its digits

	found []foundEvent
	known map[uint64]bool
	lanes map[string]bool // of contacts of the vendor that are the person
	// reasons that mention the person, of deliveries; without a connector, of
	// events that were set aside.
	reasons []store.DeliveryID
}

// reasonOf names what a reason belongs to.
func reasonOf(id store.DeliveryID) string {
	if id.Connector == "" {
		return store.EventID(id.Seq)
	}
	return id.String()
}

type foundEvent struct {
	ErasedEvent
	seq        uint64
	deliveries int
}

// shortestID is the length from which an id is looked for in payloads: shorter
// ones are part of other words.
const shortestID = 6

func (d *Desk) search(p Person) (*search, error) {
	s := &search{d: d, p: p, known: map[uint64]bool{}, lanes: map[string]bool{}}
	n := 0
	if p.Email != "" {
		n++
		if !strings.Contains(p.Email, "@") {
			return nil, errors.New("that is no e-mail address")
		}
		s.email = strings.ToLower(strings.TrimSpace(p.Email))
		s.words = append(s.words, []byte(s.email), []byte(strings.ToLower(url.QueryEscape(s.email))))
	}
	if p.Phone != "" {
		n++
		if s.phone = d.Phone(p.Phone); s.phone == "" {
			return nil, errors.New("that is no telephone number; write it with its country code, such as +49 30 1234567")
		}
		if n, ok := connectors.ParsePhone(s.phone, ""); ok {
			s.digit = n.National // which every way to write it has
		}
	}
	if p.ID != "" {
		n++
		if len(p.ID) >= shortestID {
			s.words = append(s.words, []byte(strings.ToLower(p.ID)))
		}
	}
	if n != 1 {
		return nil, errors.New("say who by one of e-mail address, telephone number and id")
	}
	return s, nil
}

// run goes through all events twice: the second time for those that share a
// contact with one of the first.
func (s *search) run(ctx context.Context, tell func(done, total int)) error {
	st, err := s.d.Ledger.Stats(ctx)
	if err != nil {
		return err
	}
	total := 2 * int(st.Events)
	done := 0
	walk := func(look func(store.View) string) error {
		var before uint64
		for {
			views, err := s.d.Ledger.Events(ctx, store.EventFilter{Before: before, Limit: searchPage})
			if err != nil || len(views) == 0 {
				return err
			}
			for _, v := range views {
				if why := look(v); why != "" && !s.known[v.Event.Seq] {
					s.add(v, why)
				}
			}
			before = views[len(views)-1].Event.Seq
			done += len(views)
			tell(min(done, total), total)
		}
	}
	if err := walk(s.look); err != nil || len(s.lanes) == 0 {
		return err
	}
	return walk(func(v store.View) string {
		if s.lanes[v.Event.Lane] {
			return whySame
		}
		return ""
	})
}

func (s *search) add(v store.View, why string) {
	s.known[v.Event.Seq] = true
	s.found = append(s.found, foundEvent{ErasedEvent{
		ID: v.Event.ID(), Source: v.Event.Source, Type: v.Event.Type, State: v.State, ReceivedAt: v.Event.ReceivedAt, Why: why,
	}, v.Event.Seq, len(v.Deliveries)})
}

// look says why an event has to do with the person, or "".
func (s *search) look(v store.View) string {
	if ev, err := s.d.Parse(v.Event); err == nil && s.isAbout(ev) {
		if ev.Contact != nil && ev.Contact.ID != "" {
			s.lanes[ev.Lane()] = true
			if strings.HasPrefix(v.Event.Lane, v.Event.Source+":contact:") { // with a hash in place of an id that is long
				s.lanes[v.Event.Lane] = true
			}
		}
		return whyContact
	}
	texts := [][]byte{v.Event.Body, []byte(v.Event.Lane)}
	for _, d := range v.Deliveries {
		texts = append(texts, []byte(d.Lane))
		for _, r := range d.Records {
			texts = append(texts, []byte(r.Note))
			for _, c := range r.Changes { // in shadow mode, also what the CRM has
				texts = append(texts, []byte(c.Before), []byte(c.After))
			}
		}
	}
	switch {
	case s.wrote(v):
		return whyRecord
	case slices.ContainsFunc(texts, s.mentions):
		return whyMentioned
	}
	s.noteReasons(v)
	return ""
}

// noteReasons notes which reasons of an event that stays mention the person.
func (s *search) noteReasons(v store.View) {
	if s.mentions([]byte(v.Event.Discarded)) {
		s.reasons = append(s.reasons, store.DeliveryID{Seq: v.Event.Seq})
	}
	for _, d := range v.Deliveries {
		if s.mentions([]byte(d.Reason)) {
			s.reasons = append(s.reasons, d.ID)
		}
	}
}

// wrote reports whether an event led to the record of a CRM that has the id. Short
// ids are those of other records as well, of activities and deals.
func (s *search) wrote(v store.View) bool {
	return len(s.p.ID) >= shortestID && slices.ContainsFunc(v.Deliveries, func(d store.Delivery) bool {
		return slices.ContainsFunc(d.Records, func(r store.Record) bool { return sameRecord(r.ID, s.p.ID) })
	})
}

// sameRecord reports whether a stored id is the one that is meant. Salesforce shows
// 15 characters in its pages, of which case counts, and gives the API 18, the last
// three of which only say what the case of the others is.
func sameRecord(stored, meant string) bool {
	return stored == meant || len(stored) == 18 && len(meant) == 15 && stored[:15] == meant
}

func (s *search) isAbout(ev *event.Event) bool {
	c := ev.Contact
	if c == nil {
		c = &event.Contact{}
	}
	switch {
	case s.email != "":
		return strings.EqualFold(c.Email, s.email)
	case s.phone != "":
		numbers := []string{c.Phone}
		if ev.Call != nil {
			numbers = append(numbers, ev.Call.From, ev.Call.To)
		}
		return slices.ContainsFunc(numbers, func(n string) bool { return n != "" && s.d.Phone(n) == s.phone })
	}
	return c.ID == s.p.ID || c.ExternalID == s.p.ID
}

func (s *search) mentions(text []byte) bool {
	return slices.ContainsFunc(readings(text), s.holds)
}

func (s *search) holds(text []byte) bool {
	if len(s.words) > 0 {
		lower := bytes.ToLower(text)
		for _, w := range s.words {
			if bytes.Contains(lower, w) {
				return true
			}
		}
	}
	return s.digit != "" && strings.Contains(string(digitRuns(text)), s.digit)
}

// audits are the entries of the audit trail whose reason mentions the person.
func (s *search) audits(ctx context.Context) (ids []uint64, err error) {
	f := store.AuditFilter{Limit: 1000}
	for {
		list, err := s.d.Ledger.Audits(ctx, f)
		if err != nil || len(list) == 0 {
			return ids, err
		}
		for _, a := range list {
			if s.mentions([]byte(a.Reason)) {
				ids = append(ids, a.ID)
			}
		}
		f.Before = list[len(list)-1].ID
	}
}
