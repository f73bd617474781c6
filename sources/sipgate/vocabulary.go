package sipgate

import (
	"maps"
	"slices"

	"github.com/crmsyncd/crmsyncd/event"
)

// Vocabulary is all that sipgate's products tell: calls, in the states of the
// push API and of the history.
func (*Source) Vocabulary() event.Vocabulary {
	words := []string{event.Ringing, event.InProgress, event.Transferred, event.Voicemail, event.Merged, "unknown"}
	words = append(words, slices.Collect(maps.Values(causes))...)
	words = append(words, slices.Collect(maps.Values(callStatuses))...)
	return event.Vocabulary{
		Types: []event.Type{event.CallRinging, event.CallAnswered, event.CallTransferred, event.CallEnded, event.Unknown},
		Words: map[string][]string{"call.status": slices.Compact(slices.Sorted(slices.Values(words)))},
	}
}
