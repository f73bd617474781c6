package sources

import "github.com/crmsyncd/crmsyncd/event"

// Worded is a Source whose vendor's events and words are known beforehand, so
// that a rule which waits for another one can be told before it is live.
type Worded interface {
	// Vocabulary is the same always, and must not be changed.
	Vocabulary() event.Vocabulary
}
