package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/store"
)

// tally is what a check found.
type tally struct{ events, losses, duplicates, disorders int }

// check compares everything that was acknowledged with what all CRMs and the
// listing of events hold.
func (s *soak) check() tally {
	got := tally{events: s.sent()}
	s.checkEvents(&got)
	for _, crm := range []soakCRM{
		{"hubspot", "contacts", "telli_contact_id", "telli_status", "calls", "telli_call_id"},
		{"airtable", "Contacts", "telli_contact_id", "Status", "Calls", "Call ID"},
		{"pipedrive", "persons", "Telli contact id", "Telli status", "activities", "public_description"},
		{"salesforce", "Lead", "Telli_Contact_Id__c", "Telli_Status__c", "Task", "Call_Id__c"},
	} {
		s.checkCRM(&got, crm)
	}
	s.checkPosts(&got)
	return got
}

func (s *soak) wrong(count *int, format string, args ...any) {
	*count++
	if *count <= 10 { // the first tell the story
		s.o.tell(format, args...)
	}
}

// checkEvents has the command list all events: each occurrence is one of them,
// and done.
func (s *soak) checkEvents(got *tally) {
	out, err := s.listed()
	if err != nil {
		s.o.tell("%v", err)
		return
	}
	var list []admin.Event
	if err := json.Unmarshal(out, &list); err != nil {
		s.o.tell("events list: %v", err)
		return
	}
	listed := map[string]admin.Event{}
	for _, e := range list {
		if _, twice := listed[e.ID]; twice {
			s.wrong(&got.duplicates, "%s is listed twice", e.ID)
		}
		listed[e.ID] = e
	}
	if extra := len(list) - got.events - s.others; extra > 0 {
		got.duplicates += extra
		s.o.tell("%d events are listed, %d happened", len(list), got.events+s.others)
	}
	for _, p := range s.people {
		for _, o := range p.events {
			if o.event == "" {
				continue // never acknowledged; the sender said so
			}
			switch e, ok := listed[o.event]; {
			case !ok:
				s.wrong(&got.losses, "%s: %s of person %d at %v is not listed", o.event, o.kind, p.n, o.at)
			case e.State != store.Done || len(e.Deliveries) != soakConnectors:
				s.wrong(&got.losses, "%s: %s of person %d at %v is %s in %d deliveries: %s", o.event, o.kind, p.n, o.at, e.State, len(e.Deliveries), reasons(e))
			case !e.OccurredAt.Equal(o.at):
				s.wrong(&got.disorders, "%s occurred at %v, want %v", o.event, e.OccurredAt, o.at)
			}
		}
	}
}

// listed is what the command lists of all events.
func (s *soak) listed() ([]byte, error) {
	cmd := s.p.command("events", "list", "--json")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("events list: %w: %s", err, errs.String())
	}
	return out, nil
}

func reasons(e admin.Event) (text string) {
	for _, d := range e.Deliveries {
		text += fmt.Sprintf("%s %s %s; ", d.Connector, d.State, d.Reason)
	}
	return text
}

// soakConnectors is how many deliveries each event has.
const soakConnectors = 5

// soakCRM names the objects that the mapping writes to, and of each the field
// that tells one record from another.
type soakCRM struct{ name, contacts, contact, status, calls, call string }

// checkCRM looks for every contact and every call once, linked, and as its
// newest event says.
func (s *soak) checkCRM(got *tally, crm soakCRM) {
	contacts := map[string][]sandbox.Record{}
	for _, r := range s.sb.Records(crm.name, crm.contacts) {
		id := fmt.Sprint(r.Fields[crm.contact])
		contacts[id] = append(contacts[id], r)
	}
	calls := map[string][]sandbox.Record{}
	place := map[string]int{} // of a call among all, by when it was made
	for i, r := range s.sb.Records(crm.name, crm.calls) {
		id := strings.TrimPrefix(fmt.Sprint(r.Fields[crm.call]), "telli ")
		calls[id] = append(calls[id], r)
		place[id] = i
	}
	for _, p := range s.people {
		if len(p.events) == 0 {
			continue
		}
		contact := fmt.Sprintf("0f9a6b2e-0000-4d11-8a31-%012d", p.n)
		records := contacts[contact]
		delete(contacts, contact)
		if !s.one(got, crm.name, "contact", contact, records) {
			continue
		}
		newest, before := p.events[0], -1
		var previous time.Time
		for _, o := range p.events {
			if o.at.After(newest.at) {
				newest = o
			}
			if o.call == "" {
				continue
			}
			list := calls[o.call]
			delete(calls, o.call)
			if !s.one(got, crm.name, "call", o.call, list) {
				continue
			}
			if l := list[0].Links; len(l) != 1 || l[0].ID != records[0].ID {
				s.wrong(&got.losses, "%s: call %s has links %v, want one to contact %s", crm.name, o.call, l, records[0].ID)
			}
			if o.late {
				continue
			}
			if at := place[o.call]; at < before {
				s.wrong(&got.disorders, "%s: the call of person %d at %v was made before the one at %v", crm.name, p.n, o.at, previous)
			} else {
				before, previous = at, o.at
			}
		}
		if status := records[0].Fields[crm.status]; status != newest.status {
			s.wrong(&got.disorders, "%s: contact %s has status %v, want %s of %s (%s at %v)", crm.name, contact, status, newest.status, newest.event, newest.kind, newest.at)
		}
	}
	for id, list := range contacts {
		if s.strangers[id] && len(list) == 1 {
			continue
		}
		s.wrong(&got.duplicates, "%s has %d contacts %s that nothing was sent about", crm.name, len(list), id)
	}
	for id, list := range calls {
		if s.strangers[id] && len(list) == 1 {
			continue
		}
		s.wrong(&got.duplicates, "%s has %d calls %s that never happened", crm.name, len(list), id)
	}
}

// one reports whether there is one record, and counts what is wrong else.
func (s *soak) one(got *tally, crm, what, id string, records []sandbox.Record) bool {
	switch n := len(records); {
	case n == 0:
		s.wrong(&got.losses, "%s has no %s %s", crm, what, id)
	case n > 1:
		s.wrong(&got.duplicates, "%s has %s %s %d times", crm, what, id, n)
	}
	return len(records) == 1
}

// checkPosts looks at what the webhook's receiver got: each event, first in the
// order of its contact, and always under one id, by which a post that came
// twice is known.
func (s *soak) checkPosts(got *tally) {
	s.posts, s.repeated = 0, 0
	ids := map[string]string{} // of an occurrence
	place := map[string]int{}  // of an occurrence among the first posts
	by := map[string]string{}  // occurrence of an id
	for _, r := range s.sb.Records("webhook", "automation") {
		body := r.Fields["body"].(map[string]any)
		s.posts++
		what := fmt.Sprint(body["contact"], " ", body["at"], " ", body["event"])
		id := fmt.Sprint(r.Fields["headers"].(map[string]any)["Webhook-Id"])
		switch before, again := ids[what]; {
		case !again:
			ids[what], place[what] = id, s.posts
		case before != id:
			s.wrong(&got.duplicates, "%s was posted as %s and as %s", what, before, id)
		default:
			s.repeated++
		}
		if before, ok := by[id]; ok && before != what {
			s.wrong(&got.duplicates, "%s is the id of %s and of %s", id, before, what)
		}
		by[id] = what
	}
	for _, p := range s.people {
		contact, before := fmt.Sprintf("0f9a6b2e-0000-4d11-8a31-%012d", p.n), -1
		for _, o := range p.events {
			kind := "contact.status_changed"
			if o.call != "" {
				kind = "call.ended"
			}
			what := fmt.Sprint(contact, " ", o.at.UTC().Format(time.RFC3339), " ", kind)
			at, posted := place[what]
			switch {
			case !posted && o.event != "":
				s.wrong(&got.losses, "%s was never posted", what)
			case o.late:
			case at < before:
				s.wrong(&got.disorders, "%s was posted before what happened earlier", what)
			default:
				before = at
			}
		}
	}
}

// verify has the command read every record of the ledger.
func (s *soak) verify() {
	if out, err := s.p.command("ledger", "verify").CombinedOutput(); err != nil {
		s.o.tell("ledger verify: %v: %s", err, out)
	}
}
