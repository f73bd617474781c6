package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
	"github.com/crmsyncd/crmsyncd/internal/sandbox"
	"github.com/crmsyncd/crmsyncd/store"
)

// tally is what a check found.
type tally struct{ events, losses, duplicates, disorders int }

// check compares everything that was acknowledged with what both CRMs and the
// listing of events hold.
func (s *soak) check() tally {
	got := tally{events: s.sent()}
	s.checkEvents(&got)
	s.checkCRM(&got, soakCRM{"hubspot", "contacts", "calls", "telli_status", "telli_call_id"})
	s.checkCRM(&got, soakCRM{"airtable", "Contacts", "Calls", "Status", "Call ID"})
	return got
}

func (s *soak) wrong(count *int, format string, args ...any) {
	*count++
	if *count <= 10 { // the first tell the story
		s.t.Errorf(format, args...)
	}
}

// checkEvents has the command list all events: each occurrence is one of them,
// and done.
func (s *soak) checkEvents(got *tally) {
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), self, "events", "list", "--json", "--config", filepath.Join(s.p.dir, "config.yaml"))
	cmd.Dir, cmd.Env = s.p.dir, append(os.Environ(), "CRMSYNCD_TEST_RUN=1")
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		s.t.Errorf("events list: %v: %s", err, errs.String())
		return
	}
	var list []admin.Event
	if err := json.Unmarshal(out, &list); err != nil {
		s.t.Errorf("events list: %v", err)
		return
	}
	listed := map[string]admin.Event{}
	for _, e := range list {
		if _, twice := listed[e.ID]; twice {
			s.wrong(&got.duplicates, "%s is listed twice", e.ID)
		}
		listed[e.ID] = e
	}
	if extra := len(list) - got.events; extra > 0 {
		got.duplicates += extra
		s.t.Errorf("%d events are listed, %d happened", len(list), got.events)
	}
	for _, p := range s.people {
		for _, o := range p.events {
			switch e, ok := listed[o.event]; {
			case !ok:
				s.wrong(&got.losses, "%s: %s of person %d at %v is not listed", o.event, o.kind, p.n, o.at)
			case e.State != store.Done || len(e.Deliveries) != 2:
				s.wrong(&got.losses, "%s: %s of person %d at %v is %s in %d deliveries: %s", o.event, o.kind, p.n, o.at, e.State, len(e.Deliveries), reasons(e))
			case !e.OccurredAt.Equal(o.at):
				s.wrong(&got.disorders, "%s occurred at %v, want %v", o.event, e.OccurredAt, o.at)
			}
		}
	}
}

func reasons(e admin.Event) (text string) {
	for _, d := range e.Deliveries {
		text += fmt.Sprintf("%s %s %s; ", d.Connector, d.State, d.Reason)
	}
	return text
}

// soakCRM names what the example mapping writes to.
type soakCRM struct{ name, contacts, calls, status, call string }

// checkCRM looks for every contact and every call once, linked, and as its
// newest event says.
func (s *soak) checkCRM(got *tally, crm soakCRM) {
	contacts := map[string][]sandbox.Record{}
	for _, r := range s.sb.Records(crm.name, crm.contacts) {
		id := fmt.Sprint(r.Fields["telli_contact_id"])
		contacts[id] = append(contacts[id], r)
	}
	calls := map[string][]sandbox.Record{}
	place := map[string]int{} // of a call among all, by when it was made
	for i, r := range s.sb.Records(crm.name, crm.calls) {
		id := fmt.Sprint(r.Fields[crm.call])
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
		s.wrong(&got.duplicates, "%s has %d contacts %s that nothing was sent about", crm.name, len(list), id)
	}
	for id, list := range calls {
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
