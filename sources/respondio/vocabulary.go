package respondio

import (
	"maps"
	"slices"

	"github.com/crmsyncd/crmsyncd/event"
)

// Vocabulary is all that respond.io tells.
func (*Source) Vocabulary() event.Vocabulary {
	return event.Vocabulary{
		Types: append(slices.Compact(slices.Sorted(maps.Values(kinds))), event.Unknown),
		Words: map[string][]string{
			"call.status":         append(slices.Compact(slices.Sorted(maps.Values(statuses))), "unknown"),
			"conversation.status": {"open", "closed"},
			"message.direction":   {"inbound", "outbound"},
		},
	}
}
