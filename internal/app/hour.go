package app

import (
	"sync"
	"time"

	"github.com/crmsyncd/crmsyncd/internal/admin"
)

// hour counts webhooks of the last sixty minutes by source. Names of sources
// come from the settings, so that they are few. It is safe for concurrent use.
type hour struct {
	mu sync.Mutex
	of map[string]*[60]minute
}

// minute counts the webhooks of one minute.
type minute struct {
	at int64 // minutes since 1970
	admin.LastHour
}

func (h *hour) note(source string, refused bool, at time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = map[string]*[60]minute{}
	}
	if h.of[source] == nil {
		h.of[source] = &[60]minute{}
	}
	now := at.Unix() / 60
	m := &h.of[source][now%60]
	if m.at != now {
		*m = minute{at: now}
	}
	if refused {
		m.Refused++
	} else {
		m.Received++
	}
}

// last is the sum of a source's last sixty minutes.
func (h *hour) last(source string, at time.Time) *admin.LastHour {
	h.mu.Lock()
	defer h.mu.Unlock()
	sum := &admin.LastHour{}
	if h.of[source] == nil {
		return sum
	}
	for _, m := range h.of[source] {
		if age := at.Unix()/60 - m.at; age >= 0 && age < 60 {
			sum.Received += m.Received
			sum.Refused += m.Refused
		}
	}
	return sum
}
