package telli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/crmsyncd/crmsyncd/sources"
)

var _ sources.Sampler = (*Source)(nil)

// sampleKinds are the payloads that Sample makes: how a call ended, in the
// documented shape and the newer one, and the contact's statuses.
var sampleKinds = []string{
	"call_completed", "call_answered", "call_not_reached", "call_voicemail", "call_error", "call_newer",
	"status_new", "status_pending", "status_reached", "status_closed",
}

// Samples names the kinds of payload.
func (*Source) Samples() []string { return slices.Clone(sampleKinds) }

// Sample makes a payload. People with the same n are the same in every kind.
func (*Source) Sample(kind string, n int, at time.Time) ([]byte, error) {
	if n < 0 {
		n = -n
	}
	p := person{sources.Invent(n), n}
	if status, ok := strings.CutPrefix(kind, "status_"); ok && slices.Contains(sampleKinds, kind) {
		contact := p.contact()
		contact["status"], contact["status_updated_at"] = status, at.UTC().Format(time.RFC3339)
		if status == "reached" {
			contact["reached_at"] = contact["status_updated_at"]
		}
		return json.Marshal(map[string]any{"event": "contact_status_changed", "contact": contact})
	}
	if !slices.Contains(sampleKinds, kind) {
		return nil, fmt.Errorf("no sample %q; there are %s", kind, strings.Join(sampleKinds, ", "))
	}
	contact := p.contact()
	contact["call_attempts"], contact["timezone"] = 1+n%3, "Europe/Berlin"
	contact["created_at"] = at.Add(-48 * time.Hour).UTC().Format("2006-01-02T15:04:05.000Z")
	contact["contact_details"] = map[string]any{"company": p.Company}
	call := p.call(kind, n, at)
	contact["status"] = "pending"
	if kind == "call_completed" || kind == "call_newer" {
		contact["status"], contact["reached_at"] = "reached", at.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return json.Marshal(map[string]any{"event": "call_ended", "call": call, "contact": contact})
}

// person is somebody invented.
type person struct {
	sources.Invented
	n int
}

func (p person) id() string { return fmt.Sprintf("0f9a6b2e-0000-4d11-8a31-%012d", p.n) }

func (p person) contact() map[string]any {
	return map[string]any{
		"contact_id": p.id(), "external_contact_id": nil, "first_name": p.First, "last_name": p.Last,
		"phone_number": p.Number, "email": p.Email, "reached_at": nil,
	}
}

// call is a call with the person that ended at that time.
func (p person) call(kind string, n int, at time.Time) map[string]any {
	length := time.Duration(30+n%240) * time.Second
	ended := at.UTC().Truncate(time.Millisecond)
	started := ended.Add(-length)
	talked := kind != "call_not_reached" && kind != "call_error"
	c := map[string]any{
		"call_id": fmt.Sprintf("c1a7e0aa-%04d-4e6f-%04x-%012d", slices.Index(sampleKinds, kind), ended.Unix()&0xffff, n), "contact_id": p.id(), "external_contact_id": nil,
		"agent_id": "5d0c1f3e-1111-4c7a-9b52-000000000001", "loop_id": fmt.Sprintf("9b1d4c55-4444-4a0e-8f6d-%012d", n), "attempt": 1 + n%3,
		"direction": "outbound", "from_number": sources.OurNumber, "to_number": p.Number,
		"triggered_at": started.Add(-8 * time.Second).UnixMilli(), "started_at": started.UnixMilli(), "ended_at": ended.UnixMilli(),
		"call_length_min": length.Minutes(), "recording_url": nil, "transcript": "",
	}
	if talked {
		c["recording_url"] = fmt.Sprintf("https://recordings.example.com/telli/%d.mp3", n)
		c["transcript"] = "Agent: Guten Tag, hier ist der Assistent von " + p.Company + ".\nUser: Guten Tag, " + p.Last + ".\nAgent: Es geht um Ihre Anfrage. Passt es gerade?\nUser: Ja, gern."
	}
	slot := ended.Add(6 * 24 * time.Hour).Truncate(time.Hour).Format(time.RFC3339)
	if kind == "call_newer" {
		c["state"], c["status"], c["ended_reason"] = "ended", "connected", "agent-ended-call"
		c["outcomes"] = []any{map[string]any{"key": "interest_level", "dataType": "string", "value": "high", "reason": nil}}
		c["appointments"] = []any{map[string]any{"id": fmt.Sprint("apt_", n), "starts_at": slot, "timezone": "Europe/Berlin", "status": "booked"}}
		return c
	}
	c["call_status"] = strings.ToUpper(strings.TrimPrefix(kind, "call_"))
	c["call_analysis"], c["call_outcome"], c["booked_slot_for"] = map[string]any{}, map[string]any{}, nil
	if talked {
		c["call_analysis"] = map[string]any{
			"summary":  map[string]any{"value": true, "details": "Gespräch mit " + p.First + " " + p.Last + " über die Anfrage."},
			"interest": map[string]any{"value": kind == "call_completed", "details": "Interessiert an einem Angebot"},
		}
	}
	if kind == "call_completed" {
		c["booked_slot_for"] = slot
		c["call_outcome"] = map[string]any{"roof_area_sqm": map[string]any{"value": 40 + n%100, "fieldSchema": map[string]any{"type": []string{"number", "null"}}}}
	}
	return c
}
