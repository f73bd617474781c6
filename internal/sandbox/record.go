package sandbox

import (
	"slices"
	"sync"
	"time"
)

// Record is one object in an emulated CRM, as the introspection paths show it.
type Record struct {
	ID     string         `json:"id"`
	Fields map[string]any `json:"fields"`
	Links  []Link         `json:"links"`
}

// Link is one association of a Record to another.
type Link struct {
	Object string `json:"object"`
	ID     string `json:"id"`
	Type   string `json:"type"` // the vendor's type id, or the field's name
}

// Request is one call to an emulated API. It never holds a query or a header:
// some vendors take tokens there.
type Request struct {
	CRM    string    `json:"crm"`
	Method string    `json:"method"`
	Path   string    `json:"path"`   // the vendor's own path
	Status int       `json:"status"` // 0: the call was applied and its reply lost
	Time   time.Time `json:"time"`
}

// maxRequests bounds the journal; older calls stay in the counts only.
const maxRequests = 100_000

// journal remembers calls. The zero value is ready.
type journal struct {
	mu       sync.Mutex
	requests []Request
	counts   map[string]map[int]int
}

func (j *journal) add(r Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.requests) >= maxRequests {
		j.requests = slices.Clone(j.requests[maxRequests/2:])
	}
	j.requests = append(j.requests, r)
	if j.counts == nil {
		j.counts = map[string]map[int]int{}
	}
	if j.counts[r.CRM] == nil {
		j.counts[r.CRM] = map[int]int{}
	}
	j.counts[r.CRM][r.Status]++
}

func (j *journal) list(crm string) []Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := []Request{}
	for _, r := range j.requests {
		if crm == "" || r.CRM == crm {
			out = append(out, r)
		}
	}
	return out
}

func (j *journal) stats() map[string]map[int]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := map[string]map[int]int{}
	for crm, by := range j.counts {
		out[crm] = map[int]int{}
		for status, n := range by {
			out[crm][status] = n
		}
	}
	return out
}

func (j *journal) reset() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests, j.counts = nil, nil
}
