package voipgrid

import (
	"maps"
	"slices"

	"github.com/crmsyncd/crmsyncd/event"
)

// Vocabulary is all that VoIPGRID tells: calls, in the states of its
// notifications, with the reasons for their end.
func (*Source) Vocabulary() event.Vocabulary {
	words := []string{event.Created, event.Ringing, event.InProgress, event.Transferred, event.Merged, "unknown"}
	words = append(words, slices.Compact(slices.Sorted(maps.Values(reasons)))...)
	return event.Vocabulary{
		Types: []event.Type{event.CallCreated, event.CallRinging, event.CallAnswered, event.CallTransferred, event.CallEnded, event.Unknown},
		Words: map[string][]string{"call.status": words},
	}
}
