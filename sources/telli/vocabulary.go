package telli

import (
	"maps"
	"slices"

	"github.com/crmsyncd/crmsyncd/event"
)

// Vocabulary is all that telli tells: two events, four statuses of a contact
// (docs.telli.com, read 2026-11) and the statuses of a call that its words
// stand for.
func (*Source) Vocabulary() event.Vocabulary {
	return event.Vocabulary{
		Types: []event.Type{event.CallEnded, event.ContactStatusChanged, event.Unknown},
		Words: map[string][]string{
			"call.status":    append(slices.Compact(slices.Sorted(maps.Values(statuses))), "unknown"),
			"contact.status": {"new", "pending", "reached", "closed"},
		},
	}
}
